//! What `wit-bindgen` generates from the WIT package. Other strategies use it through the SDK; a hostile guest goes
//! without.
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

use crate::Hostile;
export!(Hostile);
