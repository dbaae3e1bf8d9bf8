//! What `wit-bindgen` generates from the WIT package. The SDK is for strategies without WASI, so this guest does not
//! use it.
#![allow(
    clippy::all,
    clippy::pedantic,
    missing_docs,
    unreachable_pub,
    unsafe_code,
    reason = "generated: the calling convention of components is unsafe code by nature"
)]

wit_bindgen::generate!({
    path: "../../../wit/1.0.0",
    world: "strategy-module",
});

use crate::Probe;
export!(Probe);
