//! From an empty folder to a signal of a running service.

use std::time::{Duration, Instant};

use serde_json::Value as Json;

use super::Project;
use crate::{run::Done, serve::Service};

/// How long a signal may take. The market makes ten candles a second, and each fourth one leaves its channel.
const PATIENCE: Duration = Duration::from_mins(2);

/// Goes the whole way, and prints how long each step took.
fn journey(language: &str) {
    let mut steps = Vec::new();
    let begun = Instant::now();
    let project = Project::new(language);
    steps.push(("new", begun.elapsed()));
    let mut step = |name, arguments: &[&str]| {
        let begun = Instant::now();
        let done = project.run(arguments).succeeded();
        steps.push((name, begun.elapsed()));
        done
    };
    let component = project.component();
    let component = component.to_str().unwrap();
    step("test", &["test"]);
    step("build", &["build"]);
    let checked = step("check", &["check", component]);
    assert!(checked.stdout.contains("It is fit to run."), "{checked:?}");

    let mut serve = project.command();
    // Nobody reads its log, and a full pipe would stop it.
    serve.env("LOG_LEVEL", "off");
    let mut service = Service::of(serve, &["--json", "--simulate", "--simulate-every-ms", "100"]);
    let said: Json = serde_json::from_str(&service.until("}")).unwrap();
    let url = said["url"].as_str().unwrap();
    step("push", &["push", "--activate", "--url", url]);
    let begun = Instant::now();
    let id = format!("channel_{language}");
    let signal = loop {
        let listed = project.json(&["signals", "list", "--strategy", &id]);
        match listed["signals"].as_array().and_then(|signals| signals.first()) {
            Some(signal) => break signal.clone(),
            None => assert!(begun.elapsed() < PATIENCE, "no signal came: {listed}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    steps.push(("signal", begun.elapsed()));
    assert_eq!(signal["strategy"], id.as_str(), "{signal}");
    let told = steps.iter().map(|(name, took)| format!("{name} {:.1} s", took.as_secs_f64())).collect::<Vec<_>>();
    println!("{language}: {}", told.join(", "));
}

#[test]
fn c_from_an_empty_folder_to_a_signal() {
    journey("c");
}

#[test]
fn javascript_from_an_empty_folder_to_a_signal() {
    journey("js");
}

#[test]
#[ignore = "it builds the SDK in two ways: make test-toolchains"]
fn rust_from_an_empty_folder_to_a_signal() {
    journey("rust");
}

#[test]
#[ignore = "it starts Go's compiler without what it had built: make test-toolchains"]
fn go_from_an_empty_folder_to_a_signal() {
    journey("go");
}

#[test]
#[ignore = "its checks take a minute: make test-toolchains"]
fn python_from_an_empty_folder_to_a_signal() {
    journey("python");
}

#[test]
#[ignore = "it is JavaScript with another first step: make test-toolchains"]
fn typescript_from_an_empty_folder_to_a_signal() {
    journey("ts");
}

/// All projects answer the same cases, so the languages agree.
#[test]
#[ignore = "it builds in every language: make test-toolchains"]
fn every_new_project_passes_its_tests() {
    for language in super::LANGUAGES {
        Done::of(Project::new(language).command().arg("test")).succeeded();
    }
}
