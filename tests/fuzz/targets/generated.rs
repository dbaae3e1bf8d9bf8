//! Components that `wasm-smith` generates: they are valid, but nothing that anybody would write. None is a strategy.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ta_bot_fuzz::{sandbox, takes};
use ta_bot_wasm::Sandbox;
use wasm_smith::Component;

static SANDBOX: LazyLock<Sandbox> = LazyLock::new(sandbox);

fuzz_target!(|component: Component| {
    assert!(!takes(&SANDBOX, "this component", &component.to_bytes()));
});
