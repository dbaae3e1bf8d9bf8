//! promtool lets the time of the cases pass.

use std::{collections::BTreeSet, fs};

use serde_json::{Value as Json, json};
use ta_bot_test_servers::promtool;

use crate::{
    cases::{CASES, Case, QUIET, Quiet},
    rules,
};

/// Which alerts fire, each once, whatever its labels are.
const FIRING: &str = r#"group by (alertname) (ALERTS{alertstate="firing"})"#;

/// Some series with their values, as promtool reads them.
fn input(series: &[(&str, &str)]) -> Vec<Json> {
    series.iter().map(|(series, values)| json!({"series": series, "values": values})).collect()
}

/// That exactly some alerts of an expression fire in a minute.
fn expected(expression: &str, minute: u32, alerts: &[&str]) -> Json {
    let samples: Vec<Json> =
        alerts.iter().map(|alert| json!({"labels": format!("{{alertname=\"{alert}\"}}"), "value": 1})).collect();
    json!({"expr": expression, "eval_time": format!("{minute}m"), "exp_samples": samples})
}

fn test_of(Case { alert, series, minutes: [before, during, after] }: &Case) -> Json {
    let fires = FIRING.replace("alertstate", &format!("alertname=\"{alert}\",alertstate"));
    let expectations =
        [expected(&fires, *before, &[]), expected(&fires, *during, &[alert]), expected(&fires, *after, &[])];
    json!({"name": alert, "interval": "1m", "input_series": input(series), "promql_expr_test": expectations})
}

/// Has promtool run some tests on the rules. An error says what came out otherwise.
async fn run(tests: Vec<Json>) -> anyhow::Result<String> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rules.yml"), rules::groups()).unwrap();
    let file = folder.path().join("tests.yml");
    let tests = json!({"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": tests});
    fs::write(&file, tests.to_string()).unwrap();
    promtool(&["test", "rules", file.to_str().unwrap()], "").await
}

#[tokio::test]
async fn every_alert_fires_and_stops() {
    let alerts = rules::alerts();
    let alerts: BTreeSet<&str> = alerts.iter().map(String::as_str).collect();
    assert_eq!(CASES.iter().map(|case| case.alert).collect::<BTreeSet<_>>(), alerts);
    run(CASES.iter().map(test_of).collect()).await.unwrap();
}

#[tokio::test]
async fn a_test_that_expects_another_course_fails() {
    let wrong = Case { alert: "TABotDeadJobs", series: &[], minutes: [5, 10, 80] };
    run(vec![test_of(&wrong)]).await.unwrap_err();
}

/// With all pods gone there is no series at all. Sums of nothing are nothing, so only the alert on absence can fire.
#[tokio::test]
async fn without_any_series_the_absence_is_told_and_nothing_else() {
    let never = json!({
        "interval": "1m", "input_series": input(&[("something_else", "1+0x600")]),
        "promql_expr_test": [expected(FIRING, 1, &[]), expected(FIRING, 5, &["TABotAbsent"]), expected(FIRING, 600, &["TABotAbsent"])],
    });
    let all = [(r#"ta_bot_is_leader{pod="a"}"#, "1+0x10"), (r#"ta_bot_build_info{pod="a"}"#, "1+0x10")];
    let gone = json!({
        "interval": "1m", "input_series": input(&all),
        "promql_expr_test": [expected(FIRING, 10, &[]), expected(FIRING, 20, &["TABotAbsent"])],
    });
    run(vec![never, gone]).await.unwrap();
}

#[tokio::test]
async fn what_is_no_fault_fires_nothing() {
    let test = |Quiet { what, series, minutes }: &Quiet| {
        let expectations: Vec<Json> = minutes.iter().map(|minute| expected(FIRING, *minute, &[])).collect();
        json!({"name": what, "interval": "1m", "input_series": input(series), "promql_expr_test": expectations})
    };
    run(QUIET.iter().map(test).collect()).await.unwrap();
}
