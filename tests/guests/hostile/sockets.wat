;; A component in the text format that imports sockets. It has no code at all: the host must refuse it for its
;; imports, before it looks at what it does.
(component
  (import "wasi:sockets/tcp@0.2.0" (instance
    (export "tcp-socket" (type (sub resource)))
  ))
)
