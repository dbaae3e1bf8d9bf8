//! Tests of parameters.

use serde_json::json;

use super::*;

pub(crate) fn rsi_schema() -> ParameterSchema {
    let spec = |name: &str, kind, default, min, max, choices: &[&str]| ParameterSpec {
        name: name.to_owned(),
        description: "for tests".to_owned(),
        kind,
        default,
        min,
        max,
        choices: choices.iter().map(|&choice| choice.to_owned()).collect(),
    };
    ParameterSchema::new(vec![
        spec("period", ValueKind::Integer, Some(Value::Integer(14)), Some(2.0), Some(200.0), &[]),
        spec("oversold", ValueKind::Number, Some(Value::Number(30.0)), Some(0.0), Some(100.0), &[]),
        spec("trigger", ValueKind::Text, Some(Value::Text("cross".into())), None, None, &["cross", "level"]),
        spec("trend_period", ValueKind::Integer, None, Some(2.0), None, &[]),
    ])
}

fn read(given: Json) -> Result<Parameters, Vec<ParameterProblem>> {
    rsi_schema().read(given.as_object().unwrap())
}

#[test]
fn reads_what_fits() {
    let read = read(json!({"period": 20.0, "oversold": 25, "trigger": "level", "trend_period": 50})).unwrap();
    assert_eq!(read.get("period"), Some(&Value::Integer(20)));
    assert_eq!(read.get("oversold"), Some(&Value::Number(25.0)));
    assert_eq!(rsi_schema().defaults().get("trend_period"), None);
}

#[test]
fn refuses_whole_with_one_entry_each() {
    let problems = read(json!({"period": "14", "oversold": 101, "trigger": "touch", "perid": 3, "trend_period": 1.5}))
        .unwrap_err();
    let told = |name: &str| problems.iter().find(|problem| problem.parameter == name).unwrap().allowed.clone();
    assert_eq!(problems.len(), 5);
    assert_eq!(told("period"), "a whole number from 2 to 200");
    assert_eq!(told("oversold"), "a number from 0 to 100");
    assert_eq!(told("trigger"), "one of cross, level");
    assert_eq!(told("trend_period"), "a whole number of at least 2");
    assert!(told("perid").contains("period, oversold, trigger, trend_period"));
}

#[test]
fn a_problem_has_its_kind_and_a_value_that_would_be_taken() {
    let of = |given: Json| {
        let problem = read(given).unwrap_err().remove(0);
        (problem.kind, problem.suggested.unwrap_or(Json::Null))
    };
    assert_eq!(of(json!({"period": 1})), (ProblemKind::OutOfRange, json!(2)));
    assert_eq!(of(json!({"period": 1e300})), (ProblemKind::OutOfRange, json!(200)));
    assert_eq!(of(json!({"period": " 20 "})), (ProblemKind::WrongType, json!(20)));
    assert_eq!(of(json!({"period": 14.4})), (ProblemKind::WrongType, json!(14)));
    assert_eq!(of(json!({"period": [7]})), (ProblemKind::WrongType, json!(14)), "the default");
    assert_eq!(of(json!({"oversold": -3.5})), (ProblemKind::OutOfRange, json!(0.0)));
    assert_eq!(of(json!({"trigger": "touch"})), (ProblemKind::OutOfRange, json!("cross")));
    assert_eq!(of(json!({"trend_period": true})), (ProblemKind::WrongType, Json::Null), "nothing can be guessed");
    assert_eq!(of(json!({"perid": 14})), (ProblemKind::Unknown, Json::Null));
}

#[test]
fn the_host_s_own_parameter_is_checked_and_is_none_of_the_strategy_s() {
    let with = read(json!({"period": 20, "enabled": false})).unwrap();
    assert_eq!(with, read(json!({"period": 20})).unwrap());
    assert_eq!(with.hash(), read(json!({"period": 20, "enabled": true})).unwrap().hash());
    for odd in [json!("False"), json!(0), json!(null)] {
        let problems = read(json!({"enabled": odd})).unwrap_err();
        assert_eq!((problems[0].parameter.as_str(), problems[0].allowed.as_str()), (ENABLED, "true or false"));
    }
    assert_eq!(read(json!({"enabled": "False"})).unwrap_err()[0].suggested, Some(json!(false)));
    let declared = ParameterSpec { name: ENABLED.to_owned(), ..rsi_schema().specs()[0].clone() };
    assert!(declared.check().unwrap_err().contains("another name"));
}

#[test]
fn a_hostile_value_is_cut_in_the_answer() {
    let problems = read(json!({"period": vec![1; 100_000]})).unwrap_err();
    assert!(serde_json::to_string(&problems).unwrap().len() < 600);
}

#[test]
fn many_unknown_names_do_not_repeat_what_there_is() {
    let many: Map<String, Json> = (0..100_000).map(|number| (format!("p{number}"), Json::Null)).collect();
    let problems = rsi_schema().read(&many).unwrap_err();
    assert_eq!(problems.len(), 100_000);
    let told = problems.iter().filter(|problem| problem.allowed.contains("trend_period"));
    assert_eq!(told.count(), MOST_TOLD);
}

#[test]
fn a_text_has_an_end() {
    let spec = ParameterSpec { choices: Vec::new(), ..rsi_schema().specs()[2].clone() };
    assert!(spec.read(&json!("ä".repeat(500))).is_ok());
    let problem = spec.read(&json!("ä".repeat(501))).unwrap_err();
    assert_eq!(problem.allowed, "a text of at most 1000 bytes");
}

#[test]
fn the_same_values_have_the_same_hash_however_written() {
    let hash = |json| read(json).unwrap().hash();
    assert_eq!(hash(json!({"period": 14, "oversold": 30})), hash(json!({"oversold": 30.0, "period": 14.0})));
    assert_ne!(hash(json!({"period": 14})), hash(json!({"period": 15})));
}

#[test]
fn a_declaration_that_contradicts_itself_is_named() {
    let spec = rsi_schema().specs()[0].clone();
    assert_eq!(spec.check(), Ok(()));
    let wrong = ParameterSpec { default: Some(Value::Integer(1)), ..spec.clone() };
    assert_eq!(wrong.check().unwrap_err(), "its default 1 is not a whole number from 2 to 200");
    assert!(ParameterSpec { min: Some(9.0), max: Some(2.0), default: None, ..spec.clone() }.check().is_err());
    assert!(ParameterSpec { name: "Period".into(), ..spec }.check().is_err());
}
