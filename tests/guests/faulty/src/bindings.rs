//! What `wit-bindgen` generates from the WIT package. Public only because `faulty!` uses it from other crates.
#![allow(
    clippy::all,
    clippy::pedantic,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    unsafe_code,
    reason = "generated: the calling convention of components is unsafe code by nature"
)]

wit_bindgen::generate!({
    path: "../../../wit/1.0.0",
    world: "strategy-module",
    pub_export_macro: true,
});
