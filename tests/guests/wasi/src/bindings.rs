//! What `wit-bindgen` makes of the WIT package. The SDK is for strategies without WASI, so this does without it.
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
