use ta_bot_sdk::testing::{Candles, evaluate};

use super::*;

const QUIET: [f64; 5] = [100.0, 101.0, 99.0, 100.0, 1.0];
/// A candle that goes below the support at 99 and comes back.
const GRAB_LOW: [f64; 5] = [99.2, 99.8, 98.8, 99.7, 3.0];
/// A candle that goes above the resistance at 101 and comes back.
const GRAB_HIGH: [f64; 5] = [100.8, 101.2, 100.2, 100.3, 3.0];

/// Quiet candles, followed by these.
fn quiet_and(newest: &[[f64; 5]]) -> Candles {
    [QUIET; 40].iter().chain(newest).copied().collect()
}

fn signal(candles: &Candles, parameters: &[(&str, Value)]) -> Option<Signal> {
    evaluate::<LiquidityGrabReversal>(candles, parameters).unwrap()
}

fn is_near(actual: Option<f64>, expected: f64) -> bool {
    actual.is_some_and(|actual| (actual - expected).abs() < 1e-9)
}

#[test]
fn buys_the_rejection_of_a_run_below_support() {
    let signal = signal(&quiet_and(&[GRAB_LOW, QUIET, QUIET]), &[]).unwrap();
    assert_eq!((signal.action, signal.confidence, signal.price), (Action::Buy, 0.75, Some(100.0)));
    assert!(is_near(signal.stop_loss, 99.0 * 0.995) && is_near(signal.take_profit, 100.0 + 2.0 * 1.495));
    assert_eq!(signal.reading("signal_type"), Some(&"liquidity_grab_bullish".into()));
    assert_eq!(signal.reading("volume_ratio"), Some(&Value::Number(1.0 / 1.1)));
}

#[test]
fn sells_the_rejection_of_a_run_above_resistance() {
    let signal = signal(&quiet_and(&[GRAB_HIGH, QUIET, QUIET]), &[]).unwrap();
    assert_eq!((signal.action, signal.confidence, signal.price), (Action::Sell, 0.75, Some(100.0)));
    assert!(is_near(signal.stop_loss, 101.0 * 1.005) && is_near(signal.take_profit, 100.0 - 2.0 * 1.505));
    assert_eq!(signal.reading("signal_type"), Some(&"liquidity_grab_bearish".into()));
}

#[test]
fn the_grab_is_two_to_four_candles_old() {
    let speaks = |age: usize| signal(&quiet_and(&[&[GRAB_LOW][..], &[QUIET; 5][..age]].concat()), &[]).is_some();
    assert_eq!([1, 2, 3, 4, 5].map(speaks), [false, true, true, true, false]);
}

#[test]
fn each_condition_holds_it_back() {
    let speaks = |grab, next| signal(&quiet_and(&[grab, next, QUIET]), &[]).is_some();
    let [open, high, low, close, volume] = GRAB_LOW;
    assert!(!speaks([open, high, low, close, 1.5], QUIET), "no more than 1.5 times the usual volume");
    assert!(!speaks([close, high, low, open, volume], QUIET), "it closed below its open");
    assert!(!speaks(GRAB_LOW, [99.0, 99.5, 98.9, 98.9, 1.0]), "the close after it lost the support");
    assert!(!speaks([98.9, 99.0, 99.0, 99.1, volume], QUIET), "odd prices around a candle without a range");
    // The level's tolerance ends at 99.495.
    assert!(speaks([99.5, 99.8, 99.49, 99.7, 3.0], QUIET) && !speaks([99.5, 99.8, 99.5, 99.7, 3.0], QUIET));
    // The closes are 0.31 and 0.29 of the range above the low.
    assert!(speaks([98.9, 99.8, 98.8, 99.11, 3.0], QUIET) && !speaks([98.9, 99.8, 98.8, 99.09, 3.0], QUIET));
}

#[test]
fn volume_and_divergence_add_to_the_confidence() {
    let busy = [100.0, 101.0, 99.0, 100.0, 3.0];
    let confidence =
        |candles: &Candles, parameters: &[(&str, Value)]| signal(candles, parameters).map(|signal| signal.confidence);
    assert!(is_near(confidence(&quiet_and(&[GRAB_LOW, QUIET, busy]), &[]), 0.80), "2.5 times its mean");
    // The fall leaves the RSI at 0 until the closes after the grab rise again.
    let fall = (0..20).map(|i| 120.0 - f64::from(i)).map(|close| [close + 1.0, close + 1.0, close, close, 1.0]);
    let lower = [100.0, 101.0, 99.0, 99.9, 1.0];
    let newest = [QUIET, QUIET, GRAB_LOW, QUIET, lower];
    let diverging: Candles = fall.chain([QUIET; 20]).chain(newest).collect();
    assert!(is_near(confidence(&diverging, &[]), 0.80));
    assert_eq!(confidence(&diverging, &[("base_confidence", 0.98.into())]), Some(1.0));
}

#[test]
fn asks_for_volume_and_for_enough_candles() {
    let untraded = [100.0, 101.0, 99.0, 100.0, 0.0];
    let candles = quiet_and(&[GRAB_LOW, untraded, untraded]);
    assert!(signal(&candles, &[("volume_sma_period", 3.into())]).is_some());
    assert_eq!(signal(&candles, &[("volume_sma_period", 2.into())]), None);
    let few = Candles::from_closes(&[100.0; 29]);
    let asks = |parameters: &[(&str, Value)]| evaluate::<LiquidityGrabReversal>(&few, parameters).unwrap_err();
    assert_eq!(asks(&[]), Fault::InsufficientData(30));
    assert_eq!(asks(&[("lookback_periods", 40.into())]), Fault::InsufficientData(45));
    assert_eq!(asks(&[("divergence_candles", 30.into())]), Fault::InsufficientData(45));
}
