//! The code that `bindgen` generates from the WIT package. It is private to this crate: the rest of the host uses the
//! domain's types.

#![allow(clippy::all, clippy::pedantic, missing_docs, unreachable_pub, reason = "generated code")]

wasmtime::component::bindgen!({
    path: "../../wit/1.0.0",
    world: "strategy-module",
    ownership: Borrowing { duplicate_if_necessary: true },
    imports: { default: trappable },
});
