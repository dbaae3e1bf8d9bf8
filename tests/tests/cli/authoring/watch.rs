//! `ta-bot watch`.

use std::{
    io::{BufRead as _, BufReader, Lines},
    process::{Child, ChildStdout, Stdio},
};

use serde_json::Value as Json;

use super::Project;

struct Watch {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Watch {
    fn begin(project: &Project) -> Self {
        Self::begin_with(project, &[])
    }

    fn begin_with(project: &Project, options: &[&str]) -> Self {
        let mut command = project.command();
        let mut child = command.args(["watch", "--json"]).args(options).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// What the next build led to.
    fn next(&mut self) -> Json {
        serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn counts(round: &Json) -> [usize; 3] {
    ["came", "went", "changed"].map(|kind| round["changes"][kind].as_array().unwrap().len())
}

#[test]
fn what_a_change_of_the_rule_does_is_shown() {
    let project = Project::new("c");
    let mut watch = Watch::begin(&project);
    let first = watch.next();
    let signals = first["count"].as_u64().unwrap() as usize;
    assert_eq!((counts(&first), &first["candles"]), ([signals, 0, 0], &300.into()), "{first}");
    assert!(signals > 10, "{first}");

    project.edit("strategy.c", "TA_BOT_SELL, 0.7", "TA_BOT_SELL, 0.8");
    let second = watch.next();
    assert_eq!(counts(&second), [0, 0, signals], "{second}");
    assert!(second["changes"]["changed"][0].as_str().unwrap().contains("confidence 0.7 → 0.8"), "{second}");

    project.edit("strategy.c", "double close =", "duble close =");
    let broken = watch.next();
    assert!(broken["problem"].as_str().unwrap().contains("strategy.c:18"), "{broken}");

    // What came before the mistake is what the next build is compared with.
    project.edit("strategy.c", "duble close =", "double close =");
    project.edit("strategy.c", "period, 20", "period, 40");
    let mut third = watch.next();
    // Both edits may have been noticed one after the other.
    if counts(&third) == [0, 0, 0] {
        third = watch.next();
    }
    assert!(counts(&third)[1] > 0 && third["count"].as_u64().unwrap() < signals as u64, "{third}");
    println!("from save to difference in C: {:.2} s", seconds(&third));
}

/// A value that the strategy does not take is named with what is allowed: another build may take it.
#[test]
fn parameters_may_be_set() {
    let project = Project::new("c");
    let round = |set: &str| Watch::begin_with(&project, &["--set", set]).next();
    let [all, few] = ["period=20", "period=100"].map(|set| round(set)["count"].as_u64().unwrap());
    assert!(few > 0 && few < all, "{few} of {all}");
    let refused = round("period=1");
    assert!(refused["problem"].as_str().unwrap().contains("--set: period = 1 is given"), "{refused}");
}

fn seconds(round: &Json) -> f64 {
    ["build_ms", "signals_ms"].map(|part| round[part].as_f64().unwrap()).iter().sum::<f64>() / 1000.0
}

/// The time from a save to the difference, in each language; the look for changes adds 0.2 s at most.
#[test]
#[ignore = "it builds in every language: make test-toolchains"]
fn a_change_is_shown_in_every_language() {
    for (language, file, old, new) in [
        ("c", "strategy.c", "TA_BOT_SELL, 0.7", "TA_BOT_SELL, 0.8"),
        ("js", "strategy.js", "'sell', 0.7", "'sell', 0.8"),
        ("ts", "strategy.ts", "'sell', 0.7", "'sell', 0.8"),
        ("go", "main.go", "Sell(0.7)", "Sell(0.8)"),
        ("rust", "src/lib.rs", "sell(0.7)", "sell(0.8)"),
        ("python", "strategy.py", "            0.7,", "            0.8,"),
    ] {
        let project = Project::new(language);
        let mut watch = Watch::begin(&project);
        let first = watch.next();
        assert_eq!(first["problem"], Json::Null, "{language}: {first}");
        project.edit(file, old, new);
        let second = watch.next();
        assert!(counts(&second)[2] > 10, "{language}: {second}");
        println!("{language}: first {:.1} s, after a save {:.2} s", seconds(&first), seconds(&second));
    }
}
