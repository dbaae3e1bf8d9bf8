//! `scripts/verify-metrics.sh` finds what a scrape lacks. What it says of a sound scrape is in the runbook.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use ta_bot_engine::support::metrics::Metrics;
use ta_bot_tests::root;

/// What the script says of a scrape, and its exit code.
fn said_of(scrape: &str) -> (String, Option<i32>) {
    let mut command = Command::new("sh");
    command.arg(root().join("scripts/verify-metrics.sh")).arg("-");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(scrape.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (text, output.status.code())
}

fn scrape() -> String {
    Metrics::new().unwrap().render().unwrap().collect()
}

#[test]
fn a_metric_of_another_kind_is_wrong() {
    let executions = "ta_bot_strategy_executions_total";
    let changed = scrape().replace(&format!("# TYPE {executions} counter"), &format!("# TYPE {executions} gauge"));
    let (said, code) = said_of(&changed);
    assert!(said.contains(&format!("WRONG   {executions}: it is a gauge, not a counter\n")), "{said}");
    assert_eq!(code, Some(1));
}

#[test]
fn a_label_that_is_gone_is_named() {
    let changed = scrape().replace("strategy=\"none\"", "plan=\"none, strategy\"");
    let (said, code) = said_of(&changed);
    assert!(said.contains("WRONG   ta_bot_config_changes_total: it lacks the label strategy\n"), "{said}");
    assert!(said.contains("ok      ta_bot_strategies_run_total counter{symbol,timeframe}\n"), "{said}");
    assert_eq!(code, Some(1));
}

#[test]
fn a_metric_that_is_gone_is_missing() {
    let without = |name: &str| {
        let lines = scrape();
        lines.lines().filter(|line| !line.contains(name)).flat_map(|line| [line, "\n"]).collect::<String>()
    };
    let (said, code) = said_of(&without("ta_bot_signal_processing_duration"));
    assert!(said.contains("MISSING ta_bot_signal_processing_duration\n"), "{said}");
    assert_eq!(code, Some(1));
    let (said, code) = said_of("");
    assert_eq!((said.as_str(), code), ("the scrape of - is empty\n", Some(2)));
}
