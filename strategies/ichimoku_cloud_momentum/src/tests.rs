use ta_bot_sdk::testing::{Candles, check, evaluate};

use super::*;

/// A steady move from 100, followed by a candle that goes from there to `close` with this volume.
fn trend_and(change: f64, close: f64, volume: f64) -> Candles {
    let closes: Vec<f64> = (0..99).map(|i| 100.0 + change * f64::from(i)).collect();
    let open = closes.newest();
    let mut candles = Candles::from_closes(&closes);
    candles.push([open, open.max(close), open.min(close), close, volume]);
    candles
}

fn signal(candles: &Candles, parameters: &[(&str, Value)]) -> Option<Signal> {
    evaluate::<IchimokuCloudMomentum>(candles, parameters).unwrap()
}

fn is_near(actual: Option<f64>, expected: f64) -> bool {
    actual.is_some_and(|actual| (actual - expected).abs() < 1e-9)
}

#[test]
fn buys_above_a_rising_cloud() {
    let signal = signal(&trend_and(0.1, 109.9, 1.0), &[]).unwrap();
    assert_eq!((signal.action, signal.confidence, signal.price), (Action::Buy, 0.70, Some(109.9)));
    // Each low is the previous close, so K is the middle of 109.9 and 107.3.
    assert!(is_near(signal.stop_loss, 108.6) && is_near(signal.take_profit, 109.9 + 2.0 * 1.3));
    assert!(is_near(Some(signal.number("tenkan_sen")), 109.45));
    assert!(is_near(Some(signal.number("senkou_span_a")), 106.425));
    assert!(is_near(Some(signal.number("senkou_span_b")), 104.7));
    assert!(matches!(signal.reading("chikou_span"), Some(Value::Number(span)) if span.is_nan()));
}

#[test]
fn sells_below_a_falling_cloud() {
    let signal = signal(&trend_and(-0.1, 90.1, 1.0), &[]).unwrap();
    assert_eq!((signal.action, signal.confidence, signal.price), (Action::Sell, 0.70, Some(90.1)));
    assert!(is_near(signal.stop_loss, 91.4) && is_near(signal.take_profit, 90.1 - 2.0 * 1.3));
}

#[test]
fn says_nothing_within_the_cloud() {
    // The cloud of the climb extends from 104.7 to 106.425.
    assert!(signal(&trend_and(0.1, 106.5, 1.0), &[]).is_some());
    assert_eq!(signal(&trend_and(0.1, 106.4, 1.0), &[]), None);
}

#[test]
fn a_crossing_suffices_above_a_falling_cloud_but_only_as_it_happens() {
    let flat = |close| [close, close, close, close, 1.0];
    let mut candles: Candles = [110.0; 40].into_iter().chain([100.0; 39]).map(flat).collect();
    // After this candle, T is at 100 and K at 101.
    candles.push([100.0, 106.0, 96.0, 100.0, 1.0]);
    (0..20).for_each(|_| candles.push(flat(100.0)));
    // T is the middle of 100 and 120, K the middle of 96 and 120.
    candles.push([100.0, 120.0, 100.0, 120.0, 1.0]);
    let crossed = signal(&candles, &[]).unwrap();
    assert_eq!((crossed.action, crossed.stop_loss), (Action::Buy, Some(108.0)));
    assert!(crossed.number("senkou_span_a") < crossed.number("senkou_span_b"));
    candles.push(flat(120.0));
    assert_eq!(signal(&candles, &[]), None);
}

#[test]
fn volume_adds_to_the_confidence_and_none_at_all_forbids_it() {
    let confidence = |volume, parameters: &[(&str, Value)]| {
        signal(&trend_and(0.1, 109.9, volume), parameters).map(|signal| signal.confidence)
    };
    // The volume is 1.46 and 1.55 times its mean.
    assert!(is_near(confidence(1.5, &[]), 0.70) && is_near(confidence(1.6, &[]), 0.75));
    assert_eq!(confidence(1.6, &[("base_confidence", 0.98.into())]), Some(1.0));
    let untraded: Candles = (0..100).map(|i| 100.0 + f64::from(i)).map(|p| [p, p, p, p, 0.0]).collect();
    assert_eq!(signal(&untraded, &[]), None);
}

#[test]
fn asks_for_lines_in_order_and_for_enough_candles() {
    let refusal = |name, value: i32| check::<IchimokuCloudMomentum>(&[(name, value.into())]).unwrap_err();
    assert_eq!(refusal("tenkan_period", 26), "tenkan_period = 26 must be below kijun_period = 26");
    assert_eq!(refusal("kijun_period", 60), "kijun_period = 60 must be below senkou_b_period = 52");
    let few = Candles::from_closes(&[100.0; 77]);
    let asks = |parameters: &[(&str, Value)]| evaluate::<IchimokuCloudMomentum>(&few, parameters).unwrap_err();
    assert_eq!(asks(&[]), Fault::InsufficientData(78));
    assert_eq!(asks(&[("displacement", 50.into())]), Fault::InsufficientData(102));
}
