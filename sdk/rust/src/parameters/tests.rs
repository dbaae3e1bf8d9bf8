use super::*;
use crate::{choices, parameters};

choices! {
    enum Trigger {
        Cross = "cross",
        Level = "level",
    }
}

parameters! {
    /// Every type that a parameter may have.
    struct Every {
        /// Length of the average,
        /// in candles.
        #[range(2..=200)]
        period: usize = 14,
        /// An offset, in candles.
        offset: i32 = -1,
        /// A count without bounds.
        count: usize = 3,
        /// A threshold, in points.
        #[range(0.0..)]
        threshold: f64 = 30.5,
        /// Whether to log.
        verbose: bool = false,
        /// What counts.
        trigger: Trigger = Trigger::Cross,
        /// A name.
        label: String = "none".into(),
        /// Length of the trend, in candles.
        #[range(..=240)]
        trend_period: Option<i32>,
        /// Another choice.
        exit: Option<Trigger>,
    }
}

fn values(values: &[(&str, Value)]) -> Vec<(String, Value)> {
    values.iter().map(|(name, value)| ((*name).into(), value.clone())).collect()
}

fn refusal(name: &str, value: impl Into<Value>) -> String {
    match Every::parse(&values(&[(name, value.into())])) {
        Err(Fault::InvalidParameters(message)) => message,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn nothing_given_takes_the_defaults() {
    let parsed = Every::parse(&[]).unwrap();
    assert_eq!(parsed, Every::default());
    assert_eq!((parsed.period, parsed.threshold, parsed.verbose), (14, 30.5, false));
    assert_eq!((parsed.trigger, parsed.label.as_str()), (Trigger::Cross, "none"));
    assert_eq!((parsed.trend_period, parsed.exit), (None, None));
}

#[test]
fn values_are_read_in_any_order() {
    let given = values(&[
        ("exit", "level".into()),
        ("period", 2.into()),
        ("trend_period", 240.into()),
        ("threshold", 7.into()),
        ("label", "x".into()),
        ("count", 0.into()),
        ("offset", 5.into()),
        ("verbose", true.into()),
        ("trigger", "level".into()),
    ]);
    let expected = Every {
        period: 2,
        offset: 5,
        count: 0,
        threshold: 7.0,
        verbose: true,
        trigger: Trigger::Level,
        label: "x".into(),
        trend_period: Some(240),
        exit: Some(Trigger::Level),
    };
    assert_eq!(Every::parse(&given), Ok(expected));
}

#[test]
fn a_wrong_value_is_refused_with_what_would_be_right() {
    assert_eq!(refusal("period", 1), "period = 1 must be from 2 to 200");
    assert_eq!(refusal("period", 14.0), "period = 14 must be an integer");
    assert_eq!(refusal("period", -3), "period = -3 must be from 2 to 200");
    assert_eq!(refusal("count", -1), "count = -1 must be at least 0");
    assert_eq!(refusal("threshold", -0.5), "threshold = -0.5 must be at least 0");
    assert_eq!(refusal("threshold", f64::NAN), "threshold = NaN must be at least 0");
    assert_eq!(refusal("threshold", f64::INFINITY), "threshold = inf must be at least 0");
    assert_eq!(refusal("trend_period", 241), "trend_period = 241 must be at most 240");
    assert_eq!(refusal("verbose", "yes"), "verbose = \"yes\" must be true or false");
    assert_eq!(refusal("trigger", "touch"), "trigger = \"touch\" must be one of cross, level");
    assert_eq!(refusal("label", true), "label = true must be a text");
}

#[test]
fn an_unknown_or_repeated_value_is_refused_by_name() {
    assert!(refusal("perod", 14).contains("perod"));
    let twice = values(&[("period", 14.into()), ("period", 15.into())]);
    assert!(matches!(Every::parse(&twice), Err(Fault::InvalidParameters(_))));
    assert!(matches!(<()>::parse(&twice), Err(Fault::InvalidParameters(_))));
    assert_eq!(<()>::parse(&[]), Ok(()));
}

#[test]
fn the_declaration_says_what_was_written() {
    let declared = Every::declare();
    let by_name = |name: &str| declared.iter().find(|parameter| parameter.name == name).unwrap();
    assert_eq!(declared.len(), 9);

    let period = by_name("period");
    assert_eq!((period.kind, period.default.clone()), (Kind::Integer, Some(Value::Integer(14))));
    assert_eq!(period.bounds, Bounds { min: Some(2.0), max: Some(200.0) });
    assert_eq!(
        period.description.split_whitespace().collect::<Vec<_>>().join(" "),
        "Length of the average, in candles."
    );

    let trigger = by_name("trigger");
    assert_eq!((trigger.kind, trigger.choices), (Kind::Text, &["cross", "level"][..]));
    assert_eq!(trigger.default, Some(Value::Text("cross".into())));

    let trend_period = by_name("trend_period");
    assert_eq!((trend_period.kind, trend_period.default.clone()), (Kind::Integer, None));
    assert_eq!(trend_period.bounds, Bounds { min: None, max: Some(240.0) });
    assert_eq!(by_name("label").bounds, Bounds::NONE);
    assert_eq!(by_name("count").bounds, Bounds { min: Some(0.0), max: None });
    assert_eq!(by_name("count").default, Some(Value::Integer(3)));
}
