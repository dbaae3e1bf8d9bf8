use ta_bot_sdk::testing::{Candles, check, evaluate};

use super::*;

/// Closes that alternate between 99 and 101: the mean is 100 and the deviation 1, so the band goes from 98 to 102.
fn alternating() -> Candles {
    Candles::from_closes(&[99.0, 101.0].repeat(15))
}

fn signal(candles: &Candles, parameters: &[(&str, Value)]) -> Option<Signal> {
    evaluate::<BollingerSqueezeAlert>(candles, parameters).unwrap()
}

#[test]
fn tells_of_a_narrow_band_without_a_trade() {
    let signal = signal(&alternating(), &[]).unwrap();
    assert_eq!(signal.action, Action::Hold);
    assert_eq!((signal.price, signal.stop_loss, signal.take_profit), (Some(101.0), None, None));
    assert!((signal.confidence - (0.65 + 0.15 * 0.6)).abs() < 1e-12);
    assert_eq!(signal.reading("squeeze_ratio"), Some(&Value::Number(0.04)));
    assert_eq!(signal.reading("band_position"), Some(&Value::Number(0.75)));
    let rationale = signal.rationale.unwrap();
    assert_eq!(rationale, "The Bollinger band from 98 to 102 is 4.00 % of its middle wide, below 10.00 %.");
}

#[test]
fn a_band_as_wide_as_the_threshold_is_not_squeezed() {
    assert_eq!(signal(&alternating(), &[("squeeze_threshold", 0.04.into())]), None);
    assert!(signal(&alternating(), &[("squeeze_threshold", 0.041.into())]).is_some());
    assert_eq!(signal(&alternating(), &[("bb_std", 5.0.into())]), None);
}

#[test]
fn a_band_around_no_price_says_nothing() {
    assert_eq!(signal(&Candles::from_closes(&[0.0; 30]), &[]), None);
    assert_eq!(signal(&Candles::from_closes(&[-7.0; 30]), &[]), None, "its width would be 0, too");
}

#[test]
fn a_band_without_width_has_the_whole_confidence_and_its_price_in_the_middle() {
    let flat = Candles::from_closes(&[7.0; 30]);
    let alert = signal(&flat, &[]).unwrap();
    assert!((alert.confidence - 0.80).abs() < 1e-12);
    assert_eq!(alert.reading("band_position"), Some(&Value::Number(0.5)));
    assert_eq!(signal(&flat, &[("max_confidence", 0.7.into())]).unwrap().confidence, 0.7);
}

#[test]
fn asks_for_the_candles_that_it_needs() {
    let few = Candles::from_closes(&[100.0; 24]);
    assert_eq!(evaluate::<BollingerSqueezeAlert>(&few, &[]), Err(Fault::InsufficientData(25)));
    assert_eq!(evaluate::<BollingerSqueezeAlert>(&few, &[("bb_period", 50.into())]), Err(Fault::InsufficientData(50)));
    let refused = check::<BollingerSqueezeAlert>(&[("squeeze_threshold", 0.0.into())]);
    assert_eq!(refused, Err("squeeze_threshold = 0 must be from 0.0001 to 1".into()));
}
