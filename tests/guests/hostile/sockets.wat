;; A component that wants sockets, in the text format. It has no code at all: the host must refuse it for what it
;; asks for, before it looks at what it does.
(component
  (import "wasi:sockets/tcp@0.2.0" (instance
    (export "tcp-socket" (type (sub resource)))
  ))
)
