use ta_bot_sdk::testing::{Candles, evaluate};

use super::*;

/// 29 closes at 100, at least 19 of which count, followed by this one. For 97 and for 103 the standard deviation is
/// the square root of 0.4275.
fn flat_and(close: f64) -> Candles {
    Candles::from_closes(&[[100.0; 29].as_slice(), &[close]].concat())
}

fn signal(candles: &Candles, parameters: &[(&str, Value)]) -> Option<Signal> {
    evaluate::<BollingerBreakoutSignals>(candles, parameters).unwrap()
}

fn assert_levels(signal: &Signal, expected: [f64; 3]) {
    let levels = [signal.price, signal.stop_loss, signal.take_profit].map(Option::unwrap);
    assert!(levels.iter().zip(expected).all(|(level, expected)| (level - expected).abs() < 1e-9), "{levels:?}");
}

#[test]
fn buys_below_the_band_and_aims_at_its_middle() {
    let signal = signal(&flat_and(97.0), &[]).unwrap();
    let lower = 99.85 - 2.0 * 0.4275_f64.sqrt();
    assert_eq!(signal.action, Action::Buy);
    assert_levels(&signal, [97.0, 0.98 * lower, 99.85]);
    assert!((signal.confidence - 0.80).abs() < 1e-12, "1.5 % below the band earns the whole bonus");
    assert_eq!(signal.reading("breakout_type"), Some(&"lower_band_breakout".into()));
    assert_eq!(signal.reading("strategy_origin"), Some(&"quantzed_screening_04".into()));
}

#[test]
fn sells_above_the_band() {
    let signal = signal(&flat_and(103.0), &[]).unwrap();
    let upper = 100.15 + 2.0 * 0.4275_f64.sqrt();
    assert_eq!(signal.action, Action::Sell);
    assert_levels(&signal, [103.0, 1.02 * upper, 100.15]);
    assert_eq!(signal.reading("strategy_origin"), Some(&"quantzed_screening_05".into()));
}

#[test]
fn a_close_on_the_band_or_within_it_says_nothing() {
    // If four of 20 closes are lower by the same amount, they lie exactly two deviations below the mean.
    let on_the_band = Candles::from_closes(&[[99.97; 26].as_slice(), &[99.47; 4]].concat());
    assert_eq!(signal(&on_the_band, &[]), None);
    assert!(signal(&on_the_band, &[("bb_std", 1.99.into())]).is_some());
    assert_eq!(signal(&flat_and(100.0), &[]), None);
}

#[test]
fn the_distance_from_the_band_adds_to_the_confidence_up_to_a_bound() {
    let confidence = |parameters: &[(&str, Value)]| signal(&flat_and(97.0), parameters).unwrap().confidence;
    let lower = 99.85 - 2.0 * 0.4275_f64.sqrt();
    let distance = (lower - 97.0) / lower;
    assert!((confidence(&[("distance_weight", 2.0.into())]) - (0.68 + 2.0 * distance)).abs() < 1e-9);
    assert!((confidence(&[("max_distance_bonus", 0.01.into())]) - 0.69).abs() < 1e-12);
    assert_eq!(confidence(&[("max_confidence", 0.7.into())]), 0.7);
}

#[test]
fn a_close_far_outside_lies_beyond_its_own_stop() {
    let signal = signal(&flat_and(90.0), &[]).unwrap();
    assert!(signal.stop_loss > signal.price);
}

#[test]
fn asks_for_the_candles_that_it_needs() {
    let few = Candles::from_closes(&[100.0; 24]);
    assert_eq!(evaluate::<BollingerBreakoutSignals>(&few, &[]), Err(Fault::InsufficientData(25)));
    let long = evaluate::<BollingerBreakoutSignals>(&few, &[("bb_period", 50.into())]);
    assert_eq!(long, Err(Fault::InsufficientData(50)));
}
