//! Bytes that libFuzzer derives from real components: cut off, flipped, put together.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ta_bot_fuzz::{sandbox, takes};
use ta_bot_wasm::Sandbox;

static SANDBOX: LazyLock<Sandbox> = LazyLock::new(sandbox);

fuzz_target!(|bytes: &[u8]| {
    takes(&SANDBOX, "these bytes", bytes);
});
