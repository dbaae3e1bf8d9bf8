//! What `bindgen` makes of the WIT package. Private to this crate: the rest of the host speaks the domain's types.

#![allow(clippy::all, clippy::pedantic, missing_docs, unreachable_pub, reason = "generated code")]

wasmtime::component::bindgen!({
    path: "../../wit/1.0.0",
    world: "strategy-module",
    ownership: Borrowing { duplicate_if_necessary: true },
    imports: { default: trappable },
});
