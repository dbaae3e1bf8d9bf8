use ta_bot_sdk::testing::{Candles, evaluate};

use super::*;

/// `count` candles at the price `close`, followed by `newest`.
fn flat_and(count: usize, close: f64, newest: [f64; 5]) -> Candles {
    let mut candles = Candles::from_closes(&vec![close; count]);
    candles.push(newest);
    candles
}

fn signal(candles: &Candles, parameters: &[(&str, Value)]) -> Option<Signal> {
    evaluate::<ShootingStarReversal>(candles, parameters).unwrap()
}

/// A falling body of 2, an upper shadow of 5 and no lower shadow.
const STAR: [f64; 5] = [102.0, 107.0, 100.0, 100.0, 1.0];

#[test]
fn sells_a_long_upper_shadow_above_a_small_body() {
    let signal = signal(&flat_and(30, 100.0, STAR), &[]).unwrap();
    assert_eq!(signal.action, Action::Sell);
    assert_eq!((signal.price, signal.stop_loss, signal.take_profit), (Some(100.0), Some(107.0), Some(89.5)));
    assert_eq!(signal.confidence, 0.625);
    assert_eq!(signal.reading("shadow_ratio"), Some(&Value::Number(2.5)));
    assert_eq!(
        signal.rationale.as_deref(),
        Some(
            "The upper shadow from 102 to 107 is 2.5 times the body, though the close is not above the mean of 20 \
             closes."
        )
    );
}

#[test]
fn the_thresholds_belong_to_the_star() {
    for (newest, fires) in [
        ([102.0, 106.9, 100.0, 100.0, 1.0], false), // an upper shadow of 4.9
        ([100.25, 107.0, 100.0, 101.5, 1.0], true), // a body of 1.25, a lower shadow of 0.25, and it rises
        ([100.25, 107.0, 99.99, 101.5, 1.0], false),
        ([100.0, 107.0, 100.0, 100.0, 1.0], false), // no body
        ([0.00026, 0.0006, 0.00015, 0.00015, 1.0], true),
        ([0.00024, 0.0006, 0.00015, 0.00015, 1.0], false), // a body of 0.00009
    ] {
        assert_eq!(signal(&flat_and(30, newest[3], newest), &[]).is_some(), fires, "{newest:?}");
    }
    let cheap = flat_and(30, 1.0, [0.00024, 0.0006, 0.00015, 0.00015, 1.0]);
    assert!(signal(&cheap, &[("min_body", 0.000_01.into())]).is_some());
}

#[test]
fn a_close_above_the_mean_of_enough_candles_adds_to_the_confidence() {
    let confidence = |candles: &Candles| signal(candles, &[]).unwrap().confidence;
    assert_eq!(confidence(&flat_and(19, 99.0, STAR)), 0.725);
    assert_eq!(confidence(&flat_and(18, 99.0, STAR)), 0.625, "19 candles have no mean of 20");
    assert_eq!(confidence(&flat_and(19, 100.0, STAR)), 0.625, "at the mean");
}

#[test]
fn confidence_is_capped_before_and_after_the_bonus() {
    let long = flat_and(30, 99.0, [100.5, 110.0, 100.0, 100.0, 1.0]);
    let confidence = |parameters: &[(&str, Value)]| signal(&long, parameters).unwrap().confidence;
    assert_eq!(confidence(&[]), 0.80);
    assert_eq!(confidence(&[("max_confidence", 1.into())]), 0.85);
    assert!((confidence(&[("max_pattern_confidence", 0.6.into())]) - 0.7).abs() < 1e-12);
}

#[test]
fn asks_for_the_candles_that_it_needs() {
    let few = flat_and(8, 100.0, STAR);
    assert_eq!(evaluate::<ShootingStarReversal>(&few, &[]), Err(Fault::InsufficientData(10)));
    assert!(signal(&few, &[("min_data_points", 9.into())]).is_some());
}
