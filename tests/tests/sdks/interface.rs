//! Each package has the interface in it, since it is built without this repository.

use std::fs;

use ta_bot_tests::root;

#[test]
fn the_interface_in_each_package_is_the_one_of_the_repository() {
    let interface = fs::read_to_string(root().join("wit/1.0.0/strategy.wit")).unwrap();
    for copy in [
        "rust/wit/strategy.wit",
        "python/src/ta_bot_sdk/wit/strategy.wit",
        "js/wit/strategy.wit",
        "go/cmd/tabot-build/wit/deps/strategy/strategy.wit",
    ] {
        let text = fs::read_to_string(root().join("sdk").join(copy)).unwrap();
        assert!(text == interface, "sdk/{copy} differs from wit/1.0.0/strategy.wit: copy it anew");
    }
}
