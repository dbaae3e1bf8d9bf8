//! What is refused before anything is compiled. No module that works is refused.

use std::{
    fmt::Write as _,
    fs,
    time::{Duration, Instant},
};

use ta_bot_tests::{built_in, root};
use ta_bot_wasm::{InspectError, Inspection, LoadError, Part, Sandbox, StrategyModule, inspect};

use crate::support::{component, patient};

fn refusal(wat: &str) -> InspectError {
    let begun = Instant::now();
    let refusal = inspect(&wat::parse_str(wat).unwrap()).unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(5), "{refusal} took {:?}", begun.elapsed());
    refusal
}

/// The part that there is too much of.
fn too_much(wat: &str) -> Part {
    match refusal(wat) {
        InspectError::TooComplex { part, .. } => part,
        other => panic!("{other}"),
    }
}

#[test]
fn everything_that_works_keeps_well_within_the_bounds() {
    let mut modules: Vec<(String, Vec<u8>)> =
        built_in::ids().unwrap().into_iter().map(|id| (id.clone(), built_in::bytes(&id).unwrap())).collect();
    for name in ["momentum_rust", "momentum_c", "momentum_js", "momentum_python", "donchian_go"] {
        modules.push((name.to_owned(), component(name)));
    }
    for (name, bytes) in &modules {
        let begun = Instant::now();
        let Inspection { parts, wit_version, imports, .. } =
            inspect(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(begun.elapsed() < Duration::from_secs(5), "{name} took {:?}", begun.elapsed());
        assert_eq!(wit_version, "1.0.0");
        assert!(imports.contains(&"ta-bot:strategy/log@1.0.0".to_owned()), "{name}: {imports:?}");
        for part in Part::ALL {
            let (here, most) = (parts.get(part), part.most());
            // There can't be more instances than the pool has; a Python component has 38 of them.
            let room = if part == Part::ModuleInstances { 1 } else { 2 };
            assert!(room * here <= most, "{name}: {here} {}, the bound is {most}", part.words());
        }
    }
}

#[test]
fn a_wrong_export_is_named_with_the_versions_that_are_spoken() {
    let other = r#"(component (instance $i) (export "ta-bot:strategy/strategy@2.0.0" (instance $i)))"#;
    let refusal = refusal(other).to_string();
    for words in ["strategy@2.0.0", "ta-bot:strategy/strategy@1.0.0"] {
        assert!(refusal.contains(words), "{refusal}");
    }
    let right_name = r#"(component (instance $i) (export "ta-bot:strategy/strategy@1.0.0" (instance $i)))"#;
    let bytes = wat::parse_str(right_name).unwrap();
    assert!(inspect(&bytes).is_ok());
    let Err(refusal) = StrategyModule::load(&Sandbox::new(patient(), None).unwrap(), &bytes) else {
        panic!("it was taken")
    };
    assert!(matches!(refusal, LoadError::WrongExports(_)), "{refusal}");
    assert!(refusal.to_string().contains("describe"), "{refusal}");
}

#[test]
fn forbidden_imports_are_named() {
    let sockets = wat::parse_file(root().join("tests/guests/hostile/sockets.wat")).unwrap();
    let InspectError::ForbiddenImports(names) = inspect(&sockets).unwrap_err() else { panic!("it was taken") };
    assert!(names.told().contains(&"wasi:sockets/tcp@0.2.0".to_owned()), "{names:?}");
    // Forbidden imports are named even if nothing else is right.
    let env = r#"(component (import "env" (func)))"#;
    assert!(refusal(env).to_string().contains("it imports env"), "{}", refusal(env));
}

/// A component that makes ten instances of one that makes ten instances, and so on.
fn bomb(levels: usize, leaf: &str) -> String {
    let mut wat = format!("(component $top (component $c0 {leaf})");
    for level in 1..levels {
        let below = level - 1;
        write!(wat, "(component $c{level} (alias outer $top $c{below} (component $c{below}))").unwrap();
        (0..10).for_each(|_| write!(wat, "(instance (instantiate $c{below}))").unwrap());
        wat.push(')');
    }
    write!(wat, "(instance (instantiate $c{})))", levels - 1).unwrap();
    wat
}

#[test]
fn a_component_that_makes_endless_instances_is_refused() {
    let core = "(core module $m) (core instance (instantiate $m))";
    assert_eq!(too_much(&bomb(10, core)), Part::ModuleInstances);
    assert_eq!(too_much(&bomb(3, core)), Part::ModuleInstances);
    assert_eq!(too_much(&bomb(12, "")), Part::ComponentInstances);
    // A small one is refused only because it is no strategy.
    assert!(matches!(refusal(&bomb(2, core)), InspectError::WrongExports(_)));
}

#[test]
fn a_component_that_is_handed_over_is_refused() {
    let wat = r#"(component
        (component $taker (import "some" (component $some)) (instance (instantiate $some)))
        (component $given)
        (instance (instantiate $taker (with "some" (component $given)))))"#;
    assert!(refusal(wat).to_string().contains("hands a component to a component"), "{}", refusal(wat));
}

#[test]
fn too_much_of_anything_is_refused() {
    let nested = format!("{}{}", "(component ".repeat(40), ")".repeat(40));
    assert_eq!(too_much(&nested), Part::Nesting);
    let many = |count: usize, what: &str| format!("(component {})", what.repeat(count));
    assert_eq!(too_much(&many(501, "(component)")), Part::Components);
    assert_eq!(too_much(&many(201, "(core module)")), Part::Modules);
    assert_eq!(too_much(&many(50_001, "(type (func))")), Part::Types);
    let module = |what: &str| format!("(component (core module {what}))");
    assert_eq!(too_much(&module("(memory 65536) (memory 1)")), Part::Memory);
    assert_eq!(too_much(&module("(table 1000001 funcref)")), Part::TableEntries);
    assert_eq!(too_much(&module(&"(table 1 funcref)".repeat(65))), Part::Tables);
    assert_eq!(too_much(&module(&format!("(func {})", "nop ".repeat(1_050_000)))), Part::LargestFunction);
}

#[test]
fn damaged_components_are_refused() {
    let rsi = built_in::bytes("rsi").unwrap();
    assert!(inspect(&rsi[..rsi.len() - 1]).is_err());
    let trailing = [rsi.as_slice(), b"trailing"].concat();
    assert!(matches!(inspect(&trailing), Err(InspectError::NotAComponent(_))));
    let text = fs::read(root().join("README.md")).unwrap();
    assert!(matches!(inspect(&text), Err(InspectError::NotAComponent(_))));
}
