use ta_bot_sdk::testing::{Candles, check, evaluate};

use super::*;

/// A steady move to 100, followed by these closes. If each candle moves by 0.1, the average lags by 0.4: it is the
/// price of four candles ago. With each further close it moves a fifth of the way to that close.
fn moving_by(step: f64, then: &[f64]) -> Candles {
    let closes: Vec<_> = (0..=150).rev().map(|i| 100.0 - step * f64::from(i)).collect();
    Candles::from_closes(&[closes.as_slice(), then].concat())
}

fn signal(candles: &Candles, parameters: &[(&str, Value)]) -> Option<Signal> {
    evaluate::<EmaMomentumReversal>(candles, parameters).unwrap()
}

fn setup(candles: &Candles, parameters: &[(&str, Value)]) -> Option<Value> {
    signal(candles, parameters).and_then(|signal| signal.reading("setup_type").cloned())
}

#[test]
fn buys_a_turn_of_the_average() {
    // The average goes from 100.4 to 100.6.
    let signal = signal(&moving_by(-0.1, &[101.4]), &[]).unwrap();
    assert_eq!(signal.action, Action::Buy);
    assert_eq!((signal.price, signal.stop_loss), (Some(101.4), Some(100.0)));
    assert!((signal.take_profit.unwrap() - 104.2).abs() < 1e-9);
    assert!((signal.confidence - (0.76 + 0.05 - 10.0 * 0.8 / 100.6)).abs() < 1e-9);
    assert_eq!(signal.reading("setup_type"), Some(&"setup_9_1_slope_reversal".into()));
    assert_eq!(setup(&moving_by(0.1, &[]), &[]), None, "no negative slope came before");
}

#[test]
fn buys_a_capitulation() {
    let fall = signal(&moving_by(-0.1, &[]), &[]).unwrap();
    assert_eq!(fall.reading("setup_type"), Some(&"setup_9_2_capitulation".into()));
    assert!((fall.confidence - (0.78 - 10.0 * 0.4 / 100.4)).abs() < 1e-9);
    // The capitulation lasts seven candles, counted from a rise of the average.
    let seven: Vec<_> = (1..=7).map(|i| 100.0 - f64::from(i)).collect();
    let capitulation = Some("setup_9_2_capitulation".into());
    assert_eq!(setup(&moving_by(0.1, &seven), &[("capitulation_candles", 7.into())]), capitulation);
    assert_ne!(setup(&moving_by(0.1, &seven), &[("capitulation_candles", 8.into())]), capitulation);
}

#[test]
fn buys_a_fall_that_makes_no_new_low() {
    // The previous low is 100, too.
    let pattern = signal(&moving_by(-0.1, &[100.0]), &[]).unwrap();
    assert_eq!(pattern.reading("setup_type"), Some(&"setup_9_3_pattern_reversal".into()));
    assert!((pattern.confidence - (0.74 - 10.0 * 0.32 / 100.32)).abs() < 1e-9);
    assert_eq!(setup(&moving_by(-0.1, &[100.1]), &[]), None, "it is not below the close before the last two");
}

#[test]
fn a_pattern_needs_a_low_that_is_not_above_the_average() {
    let lows_at = |lows: [f64; 3]| {
        let mut candles = moving_by(-0.1, &[]);
        lows.iter().zip([99.9, 99.8, 99.85]).for_each(|(&low, close)| candles.push([close, close, low, close, 1.0]));
        setup(&candles, &[])
    };
    // These lows lie above the closes, which no real candle has. Otherwise the average would not fall.
    assert_eq!(lows_at([101.0, 101.0, 101.0]), None);
    assert_eq!(lows_at([99.0, 101.0, 101.0]), Some("setup_9_3_pattern_reversal".into()));
}

#[test]
fn a_pattern_needs_enough_negative_slopes() {
    let two = moving_by(0.1, &[98.0, 97.0]);
    assert_eq!(setup(&two, &[]), None);
    assert_eq!(setup(&two, &[("min_falling_candles", 2.into())]), Some("setup_9_3_pattern_reversal".into()));
}

#[test]
fn the_confidence_is_kept_within_bounds() {
    let confidence = |parameters: &[(&str, Value)]| signal(&moving_by(-0.1, &[101.4]), parameters).unwrap().confidence;
    assert_eq!(confidence(&[("min_confidence", 0.8.into())]), 0.8);
    assert_eq!(confidence(&[("max_confidence", 0.7.into())]), 0.7);
    // The slope is 0.2.
    let gentle = confidence(&[("momentum_weight", 0.1.into()), ("max_distance_penalty", 0.0.into())]);
    assert!((gentle - (0.76 + 0.1 * 0.2)).abs() < 1e-6);
}

/// The same market at other prices earns the same confidence, if the weight is relative.
#[test]
fn a_relative_weight_does_not_depend_on_the_price() {
    let confidence = |scale: f64, parameters: &[(&str, Value)]| {
        let closes: Vec<_> = (0..=150).rev().map(|i| 100.0 + 0.1 * f64::from(i)).chain([101.4]).collect();
        let scaled: Vec<_> = closes.iter().map(|close| close * scale).collect();
        signal(&Candles::from_closes(&scaled), parameters).unwrap().confidence
    };
    // The average rises from 100.4 to 100.6, and the close lies 0.8 above it.
    let weight = [("relative_momentum_weight", 10.0.into())];
    let expected = 0.76 + 10.0 * 0.2 / 100.6 - 10.0 * 0.8 / 100.6;
    for scale in [1.0, 1e-10, 1e4] {
        assert!((confidence(scale, &weight) - expected).abs() < 1e-6, "{scale}");
    }
    assert!((confidence(1.0, &[]) - confidence(1e-10, &[]) - 0.05).abs() < 1e-6, "in units of the price it does");
    let none = [("relative_momentum_weight", 0.0.into())];
    assert!((confidence(1.0, &none) - (0.76 - 10.0 * 0.8 / 100.6)).abs() < 1e-6);
}

#[test]
fn refuses_what_cannot_work() {
    let refused = check::<EmaMomentumReversal>(&[("min_falling_candles", 6.into())]);
    assert_eq!(refused, Err("min_falling_candles = 6 must not be above slope_candles = 5".into()));
    let refused = check::<EmaMomentumReversal>(&[("min_confidence", 0.9.into())]);
    assert_eq!(refused, Err("min_confidence = 0.9 must not be above max_confidence = 0.88".into()));
    let few = Candles::from_closes(&[100.0; 59]);
    assert_eq!(evaluate::<EmaMomentumReversal>(&few, &[]), Err(Fault::InsufficientData(60)));
    assert_eq!(evaluate::<EmaMomentumReversal>(&few, &[("ema_period", 100.into())]), Err(Fault::InsufficientData(105)));
}
