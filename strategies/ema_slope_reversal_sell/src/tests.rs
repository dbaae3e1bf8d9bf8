use ta_bot_sdk::testing::{Candles, evaluate};

use super::*;

/// A flat price at 100, followed by these closes.
fn flat_and(newest: &[f64]) -> Candles {
    Candles::from_closes(&[&[100.0; 100], newest].concat())
}

fn signal(candles: &Candles, parameters: &[(&str, Value)]) -> Option<Signal> {
    evaluate::<EmaSlopeReversalSell>(candles, parameters).unwrap()
}

#[test]
fn sells_when_the_average_turns_down() {
    // The weight of a close is 0.2, so the average goes from 100 to 101 and then to 100.4.
    let signal = signal(&flat_and(&[105.0, 98.0]), &[("max_confidence", 1.into())]).unwrap();
    assert_eq!(signal.action, Action::Sell);
    assert_eq!((signal.price, signal.stop_loss, signal.take_profit), (Some(98.0), Some(105.0), Some(84.0)));
    assert!((signal.number("previous_inclination") - 1.0).abs() < 1e-9);
    assert!((signal.number("current_inclination") + 0.6).abs() < 1e-9);
    assert!((signal.number("slope_change") - 1.6).abs() < 1e-9);
    assert_eq!(
        signal.rationale.as_deref(),
        Some("EMA(9) turned down to 100.4, and the close 98 lies 2.45 % below it.")
    );
}

#[test]
fn confidence_grows_with_the_turn_and_the_distance() {
    // The average goes from 100 to 100.02 and then to 100.002.
    let small = signal(&flat_and(&[100.1, 99.93]), &[]).unwrap();
    assert!((small.confidence - (0.55 + (50.0 * 0.038 + 10.0 * 0.072) / 99.93)).abs() < 1e-9);
    assert_eq!(signal(&flat_and(&[105.0, 98.0]), &[]).unwrap().confidence, 0.80);
}

#[test]
fn no_turn_says_nothing() {
    for newest in [
        [100.0, 98.0],  // flat, then down
        [99.0, 98.0],   // down, then down
        [105.0, 106.0], // up, then up
        [95.0, 102.0],  // down, then up
    ] {
        assert_eq!(signal(&flat_and(&newest), &[]), None, "{newest:?}");
    }
    assert_eq!(signal(&flat_and(&[105.0, 102.0]), &[]), None, "a close above the average lets it rise");
    assert!(signal(&flat_and(&[105.0, 102.0]), &[("ema_period", 2.into())]).is_some());
}

#[test]
fn asks_for_the_candles_that_it_needs() {
    let few = Candles::from_closes(&[100.0; 59]);
    assert_eq!(evaluate::<EmaSlopeReversalSell>(&few, &[]), Err(Fault::InsufficientData(60)));
    assert_eq!(
        evaluate::<EmaSlopeReversalSell>(&few, &[("ema_period", 100.into())]),
        Err(Fault::InsufficientData(102))
    );
}
