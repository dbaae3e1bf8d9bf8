//! What `wit-bindgen` makes of the WIT package. Hidden: authors see the re-exported types only, so that a
//! later version of the WIT can be served behind the same names. Public only because `export!` reaches in here.
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
    path: "../../wit/1.0.0",
    world: "strategy-module",
    pub_export_macro: true,
    additional_derives: [PartialEq],
});
