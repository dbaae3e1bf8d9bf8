use ta_bot_sdk::testing::{Candles, check, evaluate};

use super::*;

/// A steady move by `step` that ends one step before 120, followed by this candle. With steps of 0.1 and a close at
/// 120, the averages over 20 and 30 candles lag by 0.95 and 1.45: they are the price of 9.5 and 14.5 candles ago.
fn moving_by(step: f64, newest: [f64; 5]) -> Candles {
    let mut candles = Candles::from_closes(&(1..=200).rev().map(|i| 120.0 - step * f64::from(i)).collect::<Vec<_>>());
    candles.push(newest);
    candles
}

fn signal(candles: &Candles, parameters: &[(&str, Value)]) -> Option<Signal> {
    evaluate::<EmaPullbackContinuation>(candles, parameters).unwrap()
}

/// Comes down to 119 and closes at the price with which the climb continues.
const DOWN: [f64; 5] = [119.9, 121.0, 119.0, 120.0, 1.0];

/// Comes up to 121 and closes at the price with which the fall continues.
const UP: [f64; 5] = [120.1, 121.0, 119.0, 120.0, 1.0];

fn assert_confidence(signal: &Signal, separation: f64, depth: f64) {
    let expected = 0.74 + 0.08 * 20.0 * separation + 0.06 * (1.0 - 10.0 * depth);
    assert!((signal.confidence - expected).abs() < 1e-6, "{}", signal.confidence);
}

#[test]
fn buys_a_candle_that_comes_down_to_the_average() {
    let signal = signal(&moving_by(0.1, DOWN), &[]).unwrap();
    assert_eq!(signal.action, Action::Buy);
    assert_eq!((signal.price, signal.stop_loss, signal.take_profit), (Some(121.0), Some(119.0), Some(125.0)));
    assert_confidence(&signal, 0.5 / 118.55, 0.95 / 119.05);
    assert_eq!(signal.reading("setup_type"), Some(&"bullish_pullback".into()));
}

#[test]
fn sells_a_candle_that_comes_up_to_the_average() {
    let signal = signal(&moving_by(-0.1, UP), &[]).unwrap();
    assert_eq!(signal.action, Action::Sell);
    assert_eq!((signal.price, signal.stop_loss, signal.take_profit), (Some(119.0), Some(121.0), Some(115.0)));
    assert_confidence(&signal, 0.5 / 121.45, 0.95 / 120.95);
    assert_eq!(signal.reading("setup_type"), Some(&"bearish_pullback".into()));
}

#[test]
fn the_candle_must_come_near_enough() {
    let exact = [("pullback_threshold", 0.0.into())];
    assert!(signal(&moving_by(0.1, DOWN), &exact).is_some());
    assert_eq!(signal(&moving_by(0.1, [119.9, 121.0, 119.1, 120.0, 1.0]), &exact), None);
    assert!(signal(&moving_by(-0.1, UP), &exact).is_some());
    assert_eq!(signal(&moving_by(-0.1, [120.1, 120.9, 119.0, 120.0, 1.0]), &exact), None);
}

#[test]
fn a_sell_needs_a_higher_high_than_the_candle_before() {
    // The candle before goes from 120.2 to 120.1.
    assert_eq!(signal(&moving_by(-0.1, [120.1, 120.2, 119.0, 120.0, 1.0]), &[]), None);
    assert!(signal(&moving_by(-0.1, [120.1, 120.21, 119.0, 120.0, 1.0]), &[]).is_some());
}

#[test]
fn one_close_beyond_the_average_breaks_the_trend() {
    let mut candles = moving_by(0.1, [119.9, 120.0, 118.0, 118.5, 1.0]);
    candles.push([118.5, 121.0, 118.5, 120.0, 1.0]);
    assert_eq!(signal(&candles, &[]), None);
    assert!(signal(&candles, &[("trend_candles", 1.into())]).is_some());
}

#[test]
fn refuses_what_cannot_work() {
    let refused = check::<EmaPullbackContinuation>(&[("ema_fast", 20.into())]);
    assert_eq!(refused, Err("ema_fast = 20 must be below ema_medium = 20".into()));
    let refused = check::<EmaPullbackContinuation>(&[("ema_slow", 20.into())]);
    assert_eq!(refused, Err("ema_medium = 20 must be below ema_slow = 20".into()));
    let few = Candles::from_closes(&[100.0; 79]);
    assert_eq!(evaluate::<EmaPullbackContinuation>(&few, &[]), Err(Fault::InsufficientData(80)));
}
