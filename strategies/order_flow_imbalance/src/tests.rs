use ta_bot_sdk::testing::{Candles, check, evaluate};

use super::*;

/// 20 candles between 99 and 101 with a volume of 10, followed by ten with a smaller range. Of these, the one of age 5
/// has the volume `absorbed`, and the newest five have the volume `newest`. The closes alternate by 0.2, so that the
/// RSI is near 50.
fn market(absorbed: f64, newest: f64) -> Candles {
    (0..30).rev().map(|age| candle(age, absorbed, newest)).collect()
}

fn candle(age: u32, absorbed: f64, newest: f64) -> [f64; 5] {
    let close = 100.0 + 0.2 * f64::from(age % 2);
    match age {
        0..5 => [close, 100.5, 99.5, close, newest],
        5 => [close, 100.5, 99.5, close, absorbed],
        6..10 => [close, 100.5, 99.5, close, 10.0],
        _ => [close, 101.0, 99.0, close, 10.0],
    }
}

fn signal(candles: &Candles, parameters: &[(&str, Value)]) -> Option<Signal> {
    evaluate::<OrderFlowImbalance>(candles, parameters).unwrap()
}

#[test]
fn buys_where_volume_grows_after_an_absorption() {
    // The older five candles have a mean volume of 13.
    let signal = signal(&market(25.0, 16.0), &[]).unwrap();
    assert_eq!(signal.action, Action::Buy);
    assert_eq!((signal.price, signal.stop_loss), (Some(100.0), Some(99.0 * 0.99)));
    assert!((signal.take_profit.unwrap() - (100.0 + 2.5 * 1.99)).abs() < 1e-9);
    assert_eq!(signal.confidence, 0.80, "the RSI is not overbought, and the newest volume is not large");
    assert_eq!(signal.reading("signal_type"), Some(&"order_flow_accumulation".into()));
    assert_eq!(signal.reading("volume_ratio"), Some(&Value::Number(16.0 / 12.25)));
}

#[test]
fn sells_where_it_dries_up() {
    let signal = signal(&market(25.0, 10.0), &[]).unwrap();
    assert_eq!(signal.action, Action::Sell);
    assert_eq!((signal.price, signal.stop_loss), (Some(100.0), Some(101.0 * 1.01)));
    assert!((signal.take_profit.unwrap() - (100.0 - 2.5 * 2.01)).abs() < 1e-9);
    assert_eq!(signal.reading("signal_type"), Some(&"order_flow_distribution".into()));
}

#[test]
fn volume_that_stays_as_it_was_says_nothing() {
    // The volumes are 1.2 and 0.8 times the older mean of 15.
    assert_eq!(signal(&market(35.0, 18.0), &[]), None);
    assert_eq!(signal(&market(35.0, 12.0), &[]), None);
    assert!(signal(&market(35.0, 18.1), &[]).is_some() && signal(&market(35.0, 11.9), &[]).is_some());
}

#[test]
fn absorption_is_heavy_volume_in_a_small_range_and_not_of_this_moment() {
    assert_eq!(signal(&market(20.0, 16.0), &[]), None, "twice the usual volume is not enough");
    let narrow = [("price_impact_threshold", 0.01.into())];
    assert_eq!(signal(&market(25.0, 16.0), &narrow), None, "its range is 1 of 99.5");
    let late = [("settling_candles", 6.into())];
    assert_eq!(signal(&market(25.0, 16.0), &late), None);
    assert!(signal(&market(25.0, 16.0), &[("settling_candles", 5.into())]).is_some());
}

#[test]
fn the_recent_closes_must_lie_together_on_the_right_side() {
    // The closes go from 100 to 100.2, with a mean of 100.1.
    assert_eq!(signal(&market(25.0, 16.0), &[("consolidation_threshold", 0.0019.into())]), None);
    assert!(signal(&market(25.0, 16.0), &[("consolidation_threshold", 0.002.into())]).is_some());
    let below_support: Candles = (0..30)
        .rev()
        .map(|age| candle(age, 25.0, 16.0).map(|value| if age < 10 && value > 50.0 { value - 2.0 } else { value }))
        .collect();
    assert_eq!(signal(&below_support, &[]), None);
}

#[test]
fn volume_and_rsi_add_to_the_confidence() {
    let confidence = |parameters: &[(&str, Value)]| signal(&market(25.0, 16.0), parameters).unwrap().confidence;
    assert!((confidence(&[("volume_multiplier_threshold", 1.3.into())]) - 0.85).abs() < 1e-12);
    assert_eq!(confidence(&[("rsi_overbought", 40.0.into())]), 0.75);
    assert_eq!(confidence(&[("max_confidence", 0.7.into())]), 0.7);
}

#[test]
fn refuses_what_cannot_work() {
    let refused = check::<OrderFlowImbalance>(&[("volume_window", 2.into())]);
    assert_eq!(refused, Err("settling_candles = 2 must be below volume_window = 2".into()));
    let refused = check::<OrderFlowImbalance>(&[("accumulation_threshold", 0.5.into())]);
    let message = "distribution_threshold = 0.8 must not be above accumulation_threshold = 0.5";
    assert_eq!(refused, Err(message.into()));
    let few = Candles::from_closes(&[100.0; 19]);
    assert_eq!(evaluate::<OrderFlowImbalance>(&few, &[]), Err(Fault::InsufficientData(20)));
    assert_eq!(evaluate::<OrderFlowImbalance>(&few, &[("rsi_period", 50.into())]), Err(Fault::InsufficientData(51)));
}
