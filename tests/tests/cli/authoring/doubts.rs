//! What `ta-bot check` says of a component that is sound and can hardly ever trade.

use serde_json::Value as Json;

use super::Project;

/// What is said of the template in C with a change.
fn doubts(old: &str, new: &str) -> Vec<String> {
    let project = Project::new("c");
    project.edit("strategy.c", old, new);
    project.run(&["build"]).succeeded();
    let checked = project.json(&["check", project.component().to_str().unwrap()]);
    assert_eq!((&checked["fit"], &checked["problem"]), (&true.into(), &Json::Null), "{checked:#}");
    let doubts: Vec<String> = serde_json::from_value(checked["doubts"].clone()).unwrap();
    let told = project.run(&["check", project.component().to_str().unwrap()]).succeeded().stdout;
    assert!(doubts.is_empty() || told.contains("It is fit to run, BUT:"), "{told}");
    doubts
}

#[test]
fn there_is_nothing_to_say_of_a_new_project() {
    assert_eq!(doubts("0.1.0", "0.1.0"), [""; 0]);
}

#[test]
fn a_column_that_is_read_and_not_declared_is_named() {
    let told = doubts("| TA_BOT_CLOSE", "| TA_BOT_VOLUME");
    assert!(told.len() == 1 && told[0].contains("it reads the column close without declaring it"), "{told:?}");
}

#[test]
fn a_rule_that_never_decides_is_named() {
    let told = doubts("double low =", "if (high > 0) return ta_bot_nothing();\n  double low =");
    assert!(told.len() == 1 && told[0].contains("windows gave no decision, with its defaults"), "{told:?}");
}

#[test]
fn a_confidence_that_is_always_dropped_is_named_with_the_bounds() {
    let told = doubts("TA_BOT_SELL, 0.7", "TA_BOT_SELL, 0.99");
    assert!(
        told.len() == 1 && told[0].contains("confidence is from 0.99 to 0.99, and the service takes 0.6 to"),
        "{told:?}"
    );
}
