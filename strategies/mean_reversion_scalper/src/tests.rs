use ta_bot_sdk::testing::{Candles, check, evaluate};

use super::*;

/// Closes at 100, followed by these.
fn quiet_and(newest: &[f64]) -> Vec<f64> {
    [&[100.0; 60][..], newest].concat()
}

fn signal(closes: &[f64], parameters: &[(&str, Value)]) -> Option<Signal> {
    evaluate::<MeanReversionScalper>(&Candles::from_closes(closes), parameters).unwrap()
}

fn is_near(actual: Option<f64>, expected: f64) -> bool {
    actual.is_some_and(|actual| (actual - expected).abs() < 1e-9)
}

/// The standard deviation of nineteen closes at 100 and a single one that is 2.5 away. Their mean is 0.125 from 100.
fn deviation() -> f64 {
    (2.5_f64.powi(2) * 19.0 / 400.0).sqrt()
}

#[test]
fn buys_below_the_lower_band() {
    let signal = signal(&quiet_and(&[97.5]), &[]).unwrap();
    assert_eq!((signal.action, signal.confidence, signal.price), (Action::Buy, 0.70, Some(97.5)));
    assert!(is_near(signal.stop_loss, (99.875 - 2.0 * deviation()) * 0.985));
    assert!(is_near(signal.take_profit, 100.0 - 2.5 / 11.0));
    assert_eq!(signal.reading("signal_type"), Some(&"oversold_reversal".into()));
}

#[test]
fn sells_above_the_upper_band() {
    let signal = signal(&quiet_and(&[102.5]), &[]).unwrap();
    assert_eq!((signal.action, signal.confidence, signal.price), (Action::Sell, 0.70, Some(102.5)));
    assert!(is_near(signal.stop_loss, (100.125 + 2.0 * deviation()) * 1.015));
    assert!(is_near(signal.take_profit, 100.0 + 2.5 / 11.0));
    assert_eq!(signal.reading("signal_type"), Some(&"overbought_reversal".into()));
}

#[test]
fn a_greater_deviation_and_a_turn_add_to_the_confidence() {
    let confidence = |newest: &[f64]| signal(&quiet_and(newest), &[]).map(|signal| signal.confidence);
    assert!(is_near(confidence(&[96.0]), 0.75), "3.6 % from the average");
    assert!(is_near(confidence(&[95.5]), 0.80), "4.1 %");
    assert!(is_near(confidence(&[90.0, 90.5, 91.0]), 0.85), "two rises as well");
    assert!(is_near(confidence(&[110.0, 109.5, 109.0]), 0.85), "two falls before a sell");
    assert!(is_near(confidence(&[90.0, 90.5, 90.5]), 0.80), "the newest stands still");
    let capped = signal(&quiet_and(&[90.0, 90.5, 91.0]), &[("max_confidence", 0.78.into())]).unwrap();
    assert_eq!(capped.confidence, 0.78);
}

#[test]
fn each_condition_holds_it_back() {
    let speaks = |close, name, value: f64| signal(&quiet_and(&[close]), &[(name, value.into())]).is_some();
    // 98.5 is 1.4 % from the average.
    assert!(!speaks(98.5, "deviation_threshold", 0.02) && speaks(98.5, "deviation_threshold", 0.01));
    // After nothing but a fall the RSI is 0; after nothing but a rise it is 100.
    assert!(!speaks(97.5, "rsi_oversold", 0.0) && speaks(97.5, "rsi_oversold", 1.0));
    assert!(!speaks(102.5, "rsi_overbought", 100.0) && speaks(102.5, "rsi_overbought", 99.0));
    // One close that differs from nineteen equal ones lies √19 = 4.36 deviations from their mean.
    assert!(!speaks(97.5, "bb_std", 4.4) && speaks(97.5, "bb_std", 4.3));
}

#[test]
fn in_a_crash_the_stop_lies_above_the_entry() {
    let signal = signal(&quiet_and(&[90.0]), &[]).unwrap();
    assert!(signal.stop_loss > signal.price, "{:?}", signal.stop_loss);
}

#[test]
fn asks_for_thresholds_in_order_and_for_enough_candles() {
    let refusal = |name, value: f64| check::<MeanReversionScalper>(&[(name, value.into())]).unwrap_err();
    assert_eq!(refusal("rsi_oversold", 71.0), "rsi_oversold = 71 must not be above rsi_overbought = 70");
    let order = "strong_deviation_threshold = 0.05 must not be above extreme_deviation_threshold = 0.04";
    assert_eq!(refusal("strong_deviation_threshold", 0.05), order);
    let few = Candles::from_closes(&[100.0; 24]);
    let asks = |parameters: &[(&str, Value)]| evaluate::<MeanReversionScalper>(&few, parameters).unwrap_err();
    assert_eq!(asks(&[]), Fault::InsufficientData(25));
    assert_eq!(asks(&[("rsi_period", 30.into())]), Fault::InsufficientData(31));
    assert_eq!(asks(&[("bb_period", 60.into())]), Fault::InsufficientData(60));
}
