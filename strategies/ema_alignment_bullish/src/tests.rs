use ta_bot_sdk::testing::{Candles, check, evaluate};

use super::*;

/// A steady move from 100, followed by closes that are given as distances from the last close of the move.
fn moving_by(step: f64, then: &[f64]) -> Candles {
    let mut closes: Vec<_> = (0..=200).map(|i| 100.0 + step * f64::from(i)).collect();
    let last = closes.newest();
    closes.extend(then.iter().map(|distance| last + distance));
    Candles::from_closes(&closes)
}

fn signal(candles: &Candles, parameters: &[(&str, Value)]) -> Option<Signal> {
    evaluate::<EmaAlignmentBullish>(candles, parameters).unwrap()
}

#[test]
fn buys_a_climb_and_stops_at_the_slow_average() {
    let signal = signal(&moving_by(0.1, &[]), &[]).unwrap();
    let (fast, slow) = (signal.number("ema8"), signal.number("ema80"));
    assert_eq!(signal.action, Action::Buy);
    // In a steady climb, an average over n candles is the price of (n - 1) / 2 candles ago.
    assert!((fast - (120.0 - 0.1 * 3.5)).abs() < 1e-9);
    assert!((slow - (120.0 - 0.1 * 39.5)).abs() < 0.2, "{slow}");
    assert_eq!((signal.price, signal.stop_loss), (Some(120.0), Some(slow)));
    assert!((signal.take_profit.unwrap() - (120.0 + 2.5 * (120.0 - slow))).abs() < 1e-9);
    assert!((signal.confidence - 0.89).abs() < 1e-12, "both bonuses are at their bounds");
}

#[test]
fn the_distances_add_to_the_confidence() {
    let weights = [("separation_weight", 2.0.into()), ("fast_distance_weight", 3.0.into())];
    let signal = signal(&moving_by(0.1, &[]), &weights).unwrap();
    let (fast, slow) = (signal.number("ema8"), signal.number("ema80"));
    let expected = 0.74 + 2.0 * (fast - slow) / slow + 3.0 * (120.0 - fast) / fast;
    assert!((signal.confidence - expected).abs() < 1e-12);
}

#[test]
fn one_candle_on_which_an_average_fell_interrupts_the_rise() {
    let dip = moving_by(0.1, &[-0.8, 1.0]);
    assert_eq!(signal(&dip, &[]), None);
    assert!(signal(&dip, &[("rising_candles", 1.into())]).is_some());
}

#[test]
fn a_jump_in_a_fall_waits_until_the_fast_average_has_passed_the_slow_one() {
    // The slow average lies about 3.9 above the price, the fast one 0.35.
    assert_eq!(signal(&moving_by(-0.1, &[5.0, 5.0]), &[]), None, "both rise, but the fast one is still below");
    assert!(signal(&moving_by(-0.1, &[5.0; 8]), &[]).is_some());
    assert_eq!(signal(&moving_by(-0.1, &[]), &[]), None);
}

#[test]
fn the_fast_average_must_be_the_shorter_one() {
    let refused = check::<EmaAlignmentBullish>(&[("ema_fast", 80.into())]);
    assert_eq!(refused, Err("ema_fast = 80 must be below ema_slow = 80".into()));
}

#[test]
fn asks_for_the_candles_that_it_needs() {
    let few = Candles::from_closes(&[100.0; 124]);
    assert_eq!(evaluate::<EmaAlignmentBullish>(&few, &[]), Err(Fault::InsufficientData(125)));
    assert_eq!(evaluate::<EmaAlignmentBullish>(&few, &[("ema_slow", 200.into())]), Err(Fault::InsufficientData(202)));
}
