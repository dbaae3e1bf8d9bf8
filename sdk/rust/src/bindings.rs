//! The code that `wit-bindgen` generates from the WIT package. It is hidden: authors see only the re-exported types,
//! so that a later version of the WIT can be served behind the same names. It is public only for `export!`.
#![allow(
    clippy::all,
    clippy::pedantic,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    unsafe_code,
    reason = "generated code: the calling convention of components is inherently unsafe"
)]

wit_bindgen::generate!({
    path: "wit",
    world: "strategy-module",
    pub_export_macro: true,
    additional_derives: [PartialEq],
});
