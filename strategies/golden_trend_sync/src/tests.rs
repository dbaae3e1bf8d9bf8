use ta_bot_sdk::testing::{Candles, check, evaluate};

use super::*;

/// A steady move to 124.8, followed by this candle. If each candle climbs by 0.1, the fast average lies 1.0 below the
/// close and the slow one 2.45.
fn trend_and(change: f64, open: f64, close: f64) -> Candles {
    let closes: Vec<f64> = (0..249).map(|i| 124.8 + change * f64::from(i - 248)).collect();
    let mut candles = Candles::from_closes(&closes);
    candles.push([open, open.max(close), open.min(close), close, 1.0]);
    candles
}

fn signal(candles: &Candles, parameters: &[(&str, Value)]) -> Option<Signal> {
    evaluate::<GoldenTrendSync>(candles, parameters).unwrap()
}

#[test]
fn buys_a_rising_candle_near_the_fast_average() {
    let signal = signal(&trend_and(0.1, 124.8, 124.9), &[]).unwrap();
    assert_eq!((signal.action, signal.confidence, signal.price), (Action::Buy, 0.70, Some(124.9)));
    assert!((signal.stop_loss.unwrap() - 122.45).abs() < 1e-9);
    assert!((signal.take_profit.unwrap() - 129.8).abs() < 1e-9);
    assert!((signal.number("pullback_distance") - 1.0 / 123.9).abs() < 1e-9);
}

#[test]
fn a_candle_that_does_not_rise_says_nothing() {
    assert_eq!(signal(&trend_and(0.1, 125.0, 124.9), &[]), None);
    assert_eq!(signal(&trend_and(0.1, 124.9, 124.9), &[]), None);
}

#[test]
fn a_falling_trend_says_nothing() {
    assert_eq!(signal(&trend_and(-0.1, 124.8, 124.9), &[]), None);
}

#[test]
fn the_close_may_be_so_far_from_the_fast_average_and_no_farther() {
    assert_eq!(signal(&trend_and(0.1, 124.8, 130.0), &[]), None, "4.5 % above");
    assert_eq!(signal(&trend_and(0.1, 118.0, 119.0), &[]), None, "3.6 % below");
    let candles = trend_and(0.1, 124.8, 124.9);
    let distance = 1.0 / 123.9;
    assert!(signal(&candles, &[("pullback_threshold", (distance + 1e-9).into())]).is_some());
    assert_eq!(signal(&candles, &[("pullback_threshold", (distance - 1e-9).into())]), None);
}

#[test]
fn below_the_slow_average_the_stop_lies_above_the_entry() {
    let signal = signal(&trend_and(0.1, 121.0, 121.5), &[]).unwrap();
    let stop = 122.45 - 3.4 * 2.0 / 51.0;
    assert!((signal.stop_loss.unwrap() - stop).abs() < 1e-9 && stop > 121.5);
    assert!((signal.take_profit.unwrap() - (121.5 + 2.0 * (stop - 121.5))).abs() < 1e-9);
}

#[test]
fn asks_for_averages_in_order_and_for_enough_candles() {
    let refusal = check::<GoldenTrendSync>(&[("ema_fast", 50.into())]).unwrap_err();
    assert_eq!(refusal, "ema_fast = 50 must be below ema_slow = 50");
    let few = Candles::from_closes(&[100.0; 49]);
    assert_eq!(evaluate::<GoldenTrendSync>(&few, &[]), Err(Fault::InsufficientData(50)));
    assert_eq!(evaluate::<GoldenTrendSync>(&few, &[("ema_slow", 200.into())]), Err(Fault::InsufficientData(200)));
}
