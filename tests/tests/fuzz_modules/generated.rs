//! Components and modules that `wasm-smith` generates from random bytes: they are valid, but nothing that anybody would
//! write.

use arbitrary::Unstructured;

use ta_bot_fuzz::takes;

use crate::{Chance, apart};

#[test]
fn components_that_a_generator_makes_are_refused_with_a_reason() {
    let sandbox = apart();
    let mut chance = Chance(1);
    let mut made = 0;
    for index in 0..250 {
        let size = 200 + chance.below(6000);
        let seed = chance.bytes(size);
        let Ok(component) = wasm_smith::Component::new(wasm_smith::Config::default(), &mut Unstructured::new(&seed))
        else {
            continue;
        };
        made += 1;
        assert!(!takes(&sandbox, &format!("component {index}"), &component.to_bytes()));
    }
    assert!(made > 100, "{made} components show little");
}

#[test]
fn core_modules_that_a_generator_makes_are_told_how_to_become_components() {
    let sandbox = apart();
    let mut chance = Chance(2);
    for index in 0..50 {
        let seed = chance.bytes(2000);
        let Ok(module) = wasm_smith::Module::new(wasm_smith::Config::default(), &mut Unstructured::new(&seed)) else {
            continue;
        };
        assert!(!takes(&sandbox, &format!("module {index}"), &module.to_bytes()));
    }
}
