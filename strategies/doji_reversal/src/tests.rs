use ta_bot_sdk::testing::{Candles, evaluate};

use super::*;

/// Candles at this price, followed by `newest`.
fn flat_and(close: f64, newest: [f64; 5]) -> Candles {
    let mut candles = Candles::from_closes(&[close; 30]);
    candles.push(newest);
    candles
}

fn signal(candles: &Candles, parameters: &[(&str, Value)]) -> Option<Signal> {
    evaluate::<DojiReversal>(candles, parameters).unwrap()
}

/// A body of 0.1 in a range of 4: half of the allowed share.
const DOJI: [f64; 5] = [99.9, 102.0, 98.0, 100.0, 1.0];

/// The confidence from `base_confidence`, half of `quality_weight`, and this distance from the mean.
fn half_quality_and(distance: f64) -> f64 {
    0.40 + 0.20 * 0.5 + 10.0 * distance
}

#[test]
fn sells_a_doji_above_the_mean() {
    let signal = signal(&flat_and(99.0, DOJI), &[]).unwrap();
    assert_eq!((signal.action, signal.strength), (Action::Sell, Some(Strength::Weak)));
    assert_eq!((signal.price, signal.stop_loss), (Some(98.0), Some(102.0)));
    assert!((signal.take_profit.unwrap() - (98.0 - 1.2 * 4.0)).abs() < 1e-12);
    assert!((signal.confidence - half_quality_and(0.9 / 100.0)).abs() < 1e-12);
    assert_eq!(signal.reading("sma10"), Some(&Value::Number(99.1)));
    assert_eq!(
        signal.rationale.as_deref(),
        Some("The body is 2.5 % of the range from 98 to 102, and the close 100 lies above SMA(10) at 99.1.")
    );
}

#[test]
fn buys_a_doji_below_the_mean() {
    let signal = signal(&flat_and(101.0, DOJI), &[]).unwrap();
    assert_eq!((signal.action, signal.strength), (Action::Buy, Some(Strength::Weak)));
    assert_eq!((signal.price, signal.stop_loss), (Some(102.0), Some(98.0)));
    assert!((signal.take_profit.unwrap() - (102.0 + 1.2 * 4.0)).abs() < 1e-12);
    assert!((signal.confidence - half_quality_and(0.9 / 100.0)).abs() < 1e-12);
    assert_eq!(signal.reading("pattern"), Some(&"doji_bullish_reversal".into()));
}

#[test]
fn says_nothing_at_the_mean_or_of_another_candle() {
    assert_eq!(signal(&flat_and(100.0, DOJI), &[]), None, "at the mean");
    for (newest, fires) in [
        ([99.0, 102.0, 82.0, 100.0, 1.0], true), // a body of exactly 5 %
        ([98.99, 102.0, 82.0, 100.0, 1.0], false),
        ([100.0, 100.0, 100.0, 100.0, 1.0], false), // no range
        ([100.0, 100.000_11, 100.0, 100.0, 1.0], true),
        ([100.0, 100.000_09, 100.0, 100.0, 1.0], false),
    ] {
        assert_eq!(signal(&flat_and(99.0, newest), &[]).is_some(), fires, "{newest:?}");
    }
}

#[test]
fn a_relative_range_does_not_depend_on_the_price() {
    let relative = [("min_relative_range", 0.01.into())];
    for scale in [1.0, 1e-10, 1e4] {
        let of_range = |range: f64| {
            let [open, close] = [100.0, 100.0].map(|price| price * scale);
            let mut candles = Candles::from_closes(&[99.0 * scale; 30]);
            candles.push([open, close + range * scale, close, close, 1.0]);
            candles
        };
        assert!(signal(&of_range(1.01), &relative).is_some(), "{scale}");
        assert!(signal(&of_range(0.99), &relative).is_none(), "{scale}");
    }
    let tiny = flat_and(99e-10, DOJI.map(|number| number * 1e-10));
    assert_eq!(signal(&tiny, &[]), None, "in units of the price, no range of this market counts");
    assert!(signal(&tiny, &[("min_relative_range", 0.0.into())]).is_some());
}

#[test]
fn each_part_of_the_confidence_has_its_cap() {
    let confidence = |candles: &Candles, parameters: &[(&str, Value)]| signal(candles, parameters).unwrap().confidence;
    let far = flat_and(80.0, DOJI);
    assert!((confidence(&far, &[]) - 0.70).abs() < 1e-12, "0.5 and at most 0.2 for the distance of 18 %");
    assert!((confidence(&far, &[("max_distance_bonus", 0.1.into())]) - 0.60).abs() < 1e-12);
    let best = flat_and(80.0, [100.0, 102.0, 98.0, 100.0, 1.0]);
    assert_eq!(confidence(&best, &[]), 0.70);
    assert!((confidence(&best, &[("max_confidence", 1.into())]) - 0.80).abs() < 1e-12);
    let worst = flat_and(99.999_99, [99.0, 102.0, 82.0, 100.0, 1.0]);
    assert!((confidence(&worst, &[]) - 0.40).abs() < 1e-5);
}

#[test]
fn asks_for_the_candles_that_it_needs() {
    let few = Candles::from_closes(&[100.0; 19]);
    assert_eq!(evaluate::<DojiReversal>(&few, &[]), Err(Fault::InsufficientData(20)));
    assert_eq!(evaluate::<DojiReversal>(&few, &[("sma_period", 50.into())]), Err(Fault::InsufficientData(50)));
}
