//! `ta-bot push`.

use serde_json::Value as Json;

use super::Project;
use crate::{run::Done, serve::Service};

/// A service on an empty market, and its address.
fn serving(project: &Project) -> (Service, String) {
    let mut service = Service::of(project.command(), &["--json"]);
    let said: Json = serde_json::from_str(&service.until("}")).unwrap();
    (service, said["url"].as_str().unwrap().to_owned())
}

#[test]
fn a_component_is_uploaded_compared_and_deployed() {
    let project = Project::new("c");
    project.run(&["push"]).failed(1, &["build it first"]);
    project.run(&["build"]).succeeded();
    project.run(&["push"]).failed(1, &["there is no key", "TA_BOT_TOKEN"]);
    let (_service, url) = serving(&project);
    let push = |arguments: &[&str]| Done::of(project.command().arg("push").args(arguments).env("TA_BOT_URL", &url));
    let told = push(&[]).succeeded().stdout;
    for word in ["strategy    channel_c 0.1.0, admitted", "compared    on 0 candles", "Nothing was changed"] {
        assert!(told.contains(word), "{word:?} is not in {told}");
    }
    let shadowed = push(&["--activate", "--reason", "a try"]).succeeded().stdout;
    assert!(shadowed.contains("Done: activate, revision 1, for candles that close from"), "{shadowed}");
    let again = push(&["--activate"]).succeeded().stdout;
    assert!(again.contains("It was so already"), "{again}");

    project.edit("strategy.c", "TA_BOT_SELL, 0.7", "TA_BOT_SELL, 0.8");
    project.run(&["build"]).succeeded();
    let file = project.component();
    let shadow = push(&[file.to_str().unwrap(), "--shadow"]).succeeded().stdout;
    assert!(shadow.contains("Done: shadow, revision 2"), "{shadow}");

    let mut wrong = project.command();
    wrong.args(["push", "--url", &url]).env("TA_BOT_TOKEN", "0123456789abcdef");
    Done::of(&mut wrong).failed(1, &[&url, "403"]);
}

#[test]
fn a_component_that_is_not_admitted_says_which_check_failed() {
    let project = Project::new("c");
    // It keeps what it saw before, as nothing that decides may.
    project.edit("strategy.c", ".lookback = 201", ".lookback = 10");
    project.run(&["build"]).succeeded();
    let (_service, url) = serving(&project);
    let refused = project.run(&["push", "--url", &url]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stdout.contains("It is NOT admitted: the check"), "{refused:?}");
}

#[test]
fn a_service_that_does_not_answer_is_named() {
    let project = Project::new("c");
    project.run(&["build"]).succeeded();
    let push =
        |url: &str| Done::of(project.command().args(["push", "--url", url]).env("TA_BOT_TOKEN", "0123456789abcdef"));
    push("http://127.0.0.1:1").failed(1, &["http://127.0.0.1:1", "refused"]);
    push("bot:8080").failed(2, &["http://HOST:PORT"]);
}
