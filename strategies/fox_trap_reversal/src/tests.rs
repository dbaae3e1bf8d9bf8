use ta_bot_sdk::testing::{Candles, check, evaluate};

use super::*;

/// A steady move that ends one step before 120, followed by these candles. With steps of 0.1 and a close at 120, the
/// averages over 8 and 20 candles lag by 0.35 and 0.95, and that over 80 by nearly 3.95.
fn moving_by(step: f64, newest: &[[f64; 5]]) -> Candles {
    let mut candles = Candles::from_closes(&(1..=200).rev().map(|i| 120.0 - step * f64::from(i)).collect::<Vec<_>>());
    for &candle in newest {
        candles.push(candle);
    }
    candles
}

fn signal(candles: &Candles, parameters: &[(&str, Value)]) -> Option<Signal> {
    evaluate::<FoxTrapReversal>(candles, parameters).unwrap()
}

/// A candle whose low is the fast average of a climb.
const DOWN: [f64; 5] = [119.9, 121.0, 119.65, 120.0, 1.0];

/// A candle whose high is the fast average of a fall.
const UP: [f64; 5] = [120.1, 120.35, 119.0, 120.0, 1.0];

fn assert_confidence(signal: &Signal, spread: f64) {
    let trend_quality = signal.number("trend_quality");
    assert!((trend_quality - 15.0 * 3.45 / 120.0).abs() < 0.02, "{trend_quality}");
    let expected = 0.78 + 0.08 * trend_quality + 0.06 * 20.0 * spread + 0.05;
    assert!((signal.confidence - expected).abs() < 1e-6, "{}", signal.confidence);
}

#[test]
fn buys_a_low_at_the_fast_average_of_a_climb() {
    let signal = signal(&moving_by(0.1, &[DOWN]), &[]).unwrap();
    assert_eq!(signal.action, Action::Buy);
    assert_eq!((signal.price, signal.stop_loss), (Some(121.0), Some(119.65)));
    assert!((signal.take_profit.unwrap() - (121.0 + 2.0 * 1.35)).abs() < 1e-9);
    assert_confidence(&signal, 0.6 / 119.05);
    assert_eq!(signal.reading("trap_type"), Some(&"bullish_fox_trap".into()));
}

#[test]
fn sells_a_high_at_the_fast_average_of_a_fall() {
    let signal = signal(&moving_by(-0.1, &[UP]), &[]).unwrap();
    assert_eq!(signal.action, Action::Sell);
    assert_eq!((signal.price, signal.stop_loss), (Some(119.0), Some(120.35)));
    assert!((signal.take_profit.unwrap() - (119.0 - 2.0 * 1.35)).abs() < 1e-9);
    assert_confidence(&signal, 0.6 / 120.95);
    assert_eq!(signal.reading("trap_type"), Some(&"bearish_fox_trap".into()));
}

#[test]
fn the_candle_must_come_near_the_fast_average() {
    let above = [119.9, 121.0, 119.7, 120.0, 1.0];
    assert!(signal(&moving_by(0.1, &[above]), &[]).is_some(), "2 % are near enough");
    assert_eq!(signal(&moving_by(0.1, &[above]), &[("pullback_threshold", 0.0.into())]), None);
    let below = [120.1, 120.3, 119.0, 120.0, 1.0];
    assert!(signal(&moving_by(-0.1, &[below]), &[]).is_some());
    assert_eq!(signal(&moving_by(-0.1, &[below]), &[("pullback_threshold", 0.0.into())]), None);
}

#[test]
fn a_candle_shortly_before_must_have_been_beyond_the_fast_average() {
    // Two candles lie entirely below the fast average, which is near 119 at that time, and one closes above it.
    let below = [118.0, 118.5, 117.5, 118.0, 1.0];
    let candles = moving_by(0.1, &[below, below, [118.0, 121.0, 118.0, 121.0, 1.0]]);
    assert_eq!(signal(&candles, &[]), None);
    assert!(signal(&candles, &[("trap_candles", 3.into())]).is_some());
}

#[test]
fn the_averages_must_have_been_aligned_for_a_while() {
    // A jump in a fall: on the sixth of eight candles, the fast average passes the slow one, near 124.2.
    let candles = moving_by(-0.1, &[[125.0, 126.0, 124.0, 125.5, 1.0]; 8]);
    assert_eq!(signal(&candles, &[]), None);
    assert_eq!(signal(&candles, &[("aligned_candles", 4.into())]), None);
    assert_eq!(signal(&candles, &[("aligned_candles", 3.into())]).map(|signal| signal.action), Some(Action::Buy));
}

#[test]
fn refuses_what_cannot_work() {
    let refused = check::<FoxTrapReversal>(&[("ema_fast", 20.into())]);
    assert_eq!(refused, Err("ema_fast = 20 must be below ema_medium = 20".into()));
    let refused = check::<FoxTrapReversal>(&[("ema_medium", 80.into())]);
    assert_eq!(refused, Err("ema_medium = 80 must be below ema_slow = 80".into()));
    let few = Candles::from_closes(&[100.0; 129]);
    assert_eq!(evaluate::<FoxTrapReversal>(&few, &[]), Err(Fault::InsufficientData(130)));
    assert_eq!(evaluate::<FoxTrapReversal>(&few, &[("ema_slow", 200.into())]), Err(Fault::InsufficientData(206)));
}
