//! `ta-bot test`.

use std::fs;

use serde_json::{Value as Json, json};

use super::Project;

fn cases(project: &Project) -> Json {
    serde_json::from_str(&fs::read_to_string(project.path().join("cases.json")).unwrap()).unwrap()
}

fn write(project: &Project, cases: &Json) {
    fs::write(project.path().join("cases.json"), cases.to_string()).unwrap();
}

#[test]
fn a_new_project_passes_its_tests() {
    let project = Project::new("c");
    let told = project.run(&["test"]).succeeded().stdout;
    for word in ["native tests: passed", "9 signals on 300 candles, as expected", "everything holds"] {
        assert!(told.contains(word), "{word:?} is not in {told}");
    }
    let answer = project.json(&["test"]);
    assert_eq!((&answer["native"]["problem"], &answer["cases"][1]["signals"]), (&Json::Null, &6.into()));
}

#[test]
fn what_differs_is_named_and_can_be_blessed() {
    let project = Project::new("c");
    project.edit("strategy.c", "TA_BOT_SELL, 0.7", "TA_BOT_SELL, 0.8");
    let failed = project.run(&["test"]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    for word in ["BTCUSDT 1h: confidence = 0.7 is expected, and 0.8 came", "1 of 2 cases failed", "--bless"] {
        assert!(failed.stdout.contains(word), "{word:?} is not in {failed:?}");
    }
    let blessed = project.run(&["test", "--bless"]).succeeded();
    assert!(blessed.stdout.contains("written as what is expected"), "{blessed:?}");
    assert_eq!(cases(&project)["cases"][1]["signals"][0]["confidence"], 0.8, "every field is written");
    project.run(&["test"]).succeeded();

    // One signal too many, and one too few.
    let mut changed = cases(&project);
    let signals = changed["cases"][0]["signals"].as_array_mut().unwrap();
    signals[0]["candle_close"] = "2025-12-20T00:00:00Z".into();
    write(&project, &changed);
    let failed = project.run(&["test"]);
    let words = ["no signal came, and this one is expected", "needs 61 candles", "a signal came that is not expected"];
    assert!(words.iter().all(|word| failed.stdout.contains(word)), "{failed:?}");
}

/// Errors of a native test and of a component do not hide each other, and a failure is never blessed.
#[test]
fn native_tests_and_cases_are_both_told() {
    let project = Project::new("c");
    project.edit("strategy.c", "double close =", "TA_BOT_ASSERT(window->length < 100);\n  double close =");
    project.edit("test_strategy.c", "answer.needed == 21", "answer.needed == 22");
    let before = cases(&project);
    for arguments in [&["test"][..], &["test", "--bless"]] {
        let failed = project.run(arguments);
        let words = ["native tests: FAILED", "answer.needed == 22", "strategy.c, line 18: this does not hold"];
        assert!(words.iter().all(|word| failed.stdout.contains(word)), "{failed:?}");
        assert_eq!(failed.code, Some(1));
    }
    assert_eq!(cases(&project), before);
}

#[test]
fn a_case_that_can_not_be_run_says_why() {
    let project = Project::new("c");
    let case = |case: Json| {
        write(&project, &json!({"cases": [case]}));
        project.run(&["test"])
    };
    let file = "candles/BTCUSDT_1h.csv";
    let with = |parameters: Json| json!({"name": "one", "candles": [file], "parameters": parameters});
    case(with(json!({"period": 1, "size": 2}))).failed(1, &["the case \"one\"", "period = 1", "from 2 to 200", "size"]);
    case(json!({"name": "one", "candles": ["BTCUSDT.csv"]})).failed(1, &["BTCUSDT.csv", "SYMBOL_TIMEFRAME"]);
    case(json!({"name": "one", "candles": [file], "signal": []})).failed(1, &["unknown field `signal`"]);
    let undecided = case(with(json!({"period": 60})));
    assert!(undecided.code == Some(1) && undecided.stdout.contains("ta-bot test --bless"), "{undecided:?}");
}
