use ta_bot_sdk::testing::{Candles, evaluate};

use super::*;

/// A fall to 156 without any rise, so that the RSI is 0, followed by these closes. Each candle opens at the previous
/// close.
fn fall_and(newest: &[f64]) -> Candles {
    let fall: Vec<f64> = (0..45).map(|i| 200.0 - f64::from(i)).collect();
    Candles::from_closes(&[&fall[..], newest].concat())
}

fn signal(candles: &Candles, parameters: &[(&str, Value)]) -> Option<Signal> {
    evaluate::<DivergenceTrap>(candles, parameters).unwrap()
}

/// A lower low than 156, after a rise that leaves the RSI near 7.
const TRAP: [f64; 4] = [157.0, 156.0, 155.0, 155.1];

#[test]
fn buys_a_lower_low_at_a_higher_rsi() {
    let signal = signal(&fall_and(&TRAP), &[]).unwrap();
    assert_eq!((signal.action, signal.confidence, signal.price), (Action::Buy, 0.66, Some(155.1)));
    assert!((signal.stop_loss.unwrap() - 155.0 * 0.99).abs() < 1e-9);
    assert!((signal.take_profit.unwrap() - (155.1 + 2.0 * 1.65)).abs() < 1e-9);
    assert_eq!(signal.reading("divergence_type"), Some(&"hidden_bullish".into()));
}

#[test]
fn a_low_that_is_not_lower_says_nothing() {
    assert_eq!(signal(&fall_and(&[157.0, 156.5, 156.0, 156.1]), &[]), None);
}

#[test]
fn an_rsi_that_is_not_higher_says_nothing() {
    // The rise to 160 comes before the candle that the newest is compared with, but after the one six candles ago.
    let candles = fall_and(&[160.0, 159.0, 158.0, 157.0, 155.0, 155.1]);
    assert_eq!(signal(&candles, &[]), None);
    assert!(signal(&candles, &[("divergence_candles", 6.into())]).is_some());
}

#[test]
fn the_rsi_must_be_below_its_bound() {
    let candles = fall_and(&TRAP);
    let rsi = indicators::rsi(candles.window().close(), 14).newest();
    assert_eq!(signal(&candles, &[("rsi_oversold", rsi.into())]), None);
    assert!(signal(&candles, &[("rsi_oversold", (rsi + 0.01).into())]).is_some());
}

#[test]
fn a_close_that_does_not_rise_says_nothing() {
    assert_eq!(signal(&fall_and(&[157.0, 156.0, 155.0, 155.0]), &[]), None);
}

#[test]
fn asks_for_the_candles_that_it_needs() {
    let few = Candles::from_closes(&[100.0; 29]);
    let asks = |parameters: &[(&str, Value)]| evaluate::<DivergenceTrap>(&few, parameters).unwrap_err();
    assert_eq!(asks(&[]), Fault::InsufficientData(30));
    assert_eq!(asks(&[("divergence_candles", 20.into())]), Fault::InsufficientData(35));
    assert_eq!(asks(&[("stop_candles", 60.into())]), Fault::InsufficientData(60));
}
