use ta_bot_sdk::testing::{Candles, check, evaluate};

use super::*;

/// A flat price at 100, followed by these closes. Each candle's high is the greater of its close and the previous one.
fn flat_and(newest: &[f64]) -> Candles {
    Candles::from_closes(&[&[100.0; 200], newest].concat())
}

fn signal(candles: &Candles, parameters: &[(&str, Value)]) -> Option<Signal> {
    evaluate::<EmaAlignmentBearish>(candles, parameters).unwrap()
}

/// The exponential average after one step from `average` towards `close`.
fn step(average: f64, close: f64, period: f64) -> f64 {
    average + (close - average) * 2.0 / (period + 1.0)
}

#[test]
fn sells_below_two_falling_averages() {
    let signal = signal(&flat_and(&[99.0, 98.0]), &[]).unwrap();
    assert_eq!((signal.action, signal.strength), (Action::Sell, Some(Strength::Strong)));
    let fast = step(step(100.0, 99.0, 8.0), 98.0, 8.0);
    let slow = step(step(100.0, 99.0, 80.0), 98.0, 80.0);
    assert_eq!((signal.price, signal.take_profit.map(f64::round)), (Some(98.0), Some(96.0)));
    assert!((signal.stop_loss.unwrap() - fast).abs() < 1e-9, "the average lies above the high 99");
    assert!((signal.take_profit.unwrap() - (98.0 - 1.5 * (fast - 98.0))).abs() < 1e-9);
    let slopes = (step(100.0, 99.0, 8.0) - fast) + (step(100.0, 99.0, 80.0) - slow);
    let confidence = 0.60 + 10.0 * (fast - 98.0) / 98.0 + 5.0 * (slow - 98.0) / 98.0 + 20.0 * slopes / 98.0;
    assert!(confidence > 0.85, "{confidence}");
    assert_eq!(signal.confidence, 0.85);
    assert_eq!(
        signal.rationale.as_deref(),
        Some("The close 98 lies 1.41 % below EMA(8) and 1.97 % below EMA(80), which both fall.")
    );
}

#[test]
fn confidence_grows_with_the_distances_and_the_slopes() {
    let signal = signal(&flat_and(&[99.9, 99.8]), &[]).unwrap();
    let (fast, slow) = (step(step(100.0, 99.9, 8.0), 99.8, 8.0), step(step(100.0, 99.9, 80.0), 99.8, 80.0));
    let slopes = (step(100.0, 99.9, 8.0) - fast) + (step(100.0, 99.9, 80.0) - slow);
    let expected = 0.60 + (10.0 * (fast - 99.8) + 5.0 * (slow - 99.8) + 20.0 * slopes) / 99.8;
    assert!((signal.confidence - expected).abs() < 1e-12);
}

#[test]
fn a_high_above_the_average_is_the_stop() {
    let mut candles = flat_and(&[99.0]);
    candles.push([99.0, 101.0, 98.0, 98.0, 1.0]);
    let signal = signal(&candles, &[]).unwrap();
    assert_eq!((signal.stop_loss, signal.take_profit), (Some(101.0), Some(93.5)));
}

#[test]
fn every_condition_is_needed() {
    assert_eq!(signal(&flat_and(&[98.0]), &[]), None, "one fall is not two");
    assert!(signal(&flat_and(&[98.0]), &[("falling_candles", 1.into())]).is_some());
    assert_eq!(signal(&flat_and(&[99.0, 98.0, 99.9]), &[]), None, "above the fast one, which rises");
    let climb: Vec<_> = (1..=100).map(|i| 100.0 + 0.2 * f64::from(i)).collect();
    assert_eq!(signal(&flat_and(&[&climb[..], &[118.0, 117.5]].concat()), &[]), None, "above the slow one");
    assert_eq!(signal(&flat_and(&[]), &[]), None, "flat averages");
}

#[test]
fn the_fast_average_may_lie_above_the_slow_one() {
    let climb: Vec<_> = (1..=100).map(|i| 100.0 + 0.2 * f64::from(i)).collect();
    let signal = signal(&flat_and(&[&climb[..], &[107.0, 106.0]].concat()), &[]).unwrap();
    assert!(signal.number("ema8") > signal.number("ema80"));
}

#[test]
fn asks_for_the_candles_that_it_needs() {
    let few = Candles::from_closes(&[100.0; 124]);
    assert_eq!(evaluate::<EmaAlignmentBearish>(&few, &[]), Err(Fault::InsufficientData(125)));
    assert_eq!(evaluate::<EmaAlignmentBearish>(&few, &[("ema_slow", 200.into())]), Err(Fault::InsufficientData(202)));
    assert_eq!(
        check::<EmaAlignmentBearish>(&[("ema_fast", 80.into())]),
        Err("ema_fast = 80 must be below ema_slow = 80".into())
    );
}
