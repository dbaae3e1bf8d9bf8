use ta_bot_sdk::testing::{Candles, check, evaluate};

use super::*;

/// The end of a rise in waves of about forty candles.
fn waves(len: i32) -> Vec<f64> {
    (len - 250..len).map(f64::from).map(|i| 200.0 + 0.1 * i + 3.0 * (i / 6.0).sin()).collect()
}

fn signal(closes: &[f64], parameters: &[(&str, Value)]) -> Option<Signal> {
    evaluate::<MomentumPulse>(&Candles::from_closes(closes), parameters).unwrap()
}

/// At this length the MACD has just turned up.
const PULSE: i32 = 261;

#[test]
fn buys_when_the_macd_turns_up_in_a_trend() {
    let closes = waves(PULSE);
    let signal = signal(&closes, &[]).unwrap();
    let close = closes.newest();
    let slow = indicators::ema(&closes, 50).newest();
    assert!(slow < close);
    assert_eq!((signal.action, signal.confidence), (Action::Buy, 0.74));
    assert_eq!((signal.price, signal.stop_loss), (Some(close), Some(slow)));
    assert!((signal.take_profit.unwrap() - (close + 2.5 * (close - slow))).abs() < 1e-9);
    assert_eq!(signal.reading("volume"), Some(&Value::Number(1.0)));
}

#[test]
fn speaks_on_the_candle_of_the_turn_only() {
    let speaks = |len| signal(&waves(len), &[]).is_some();
    assert_eq!([PULSE - 1, PULSE, PULSE + 1].map(speaks), [false, true, false]);
}

#[test]
fn the_bounds_of_the_rsi_belong_to_it_and_that_of_the_adx_does_not() {
    let closes = waves(PULSE);
    let window = Candles::from_closes(&closes);
    let (high, low) = (window.window().high(), window.window().low());
    let rsi = indicators::rsi(&closes, 14).newest();
    let adx = indicators::adx(high, low, &closes, 14).adx.newest();
    let speaks = |name, value: f64| signal(&closes, &[(name, value.into())]).is_some();
    assert!(speaks("rsi_min", rsi) && !speaks("rsi_min", rsi + 0.01));
    assert!(speaks("rsi_max", rsi) && !speaks("rsi_max", rsi - 0.01));
    assert!(speaks("adx_min", adx - 0.01) && !speaks("adx_min", adx));
}

#[test]
fn a_turn_below_either_average_says_nothing() {
    // A long rise, a fall, and the beginning of a recovery. The close is above EMA(2) and EMA(200), and below EMA(60).
    let rise = (0..220).map(|i| 100.0 + 0.5 * f64::from(i));
    let fall = (1..=15).map(|i| 209.5 - f64::from(i));
    let recovery = (1..=10).map(|i| 194.5 + 0.2 * f64::from(i));
    let closes: Vec<f64> = rise.chain(fall).chain(recovery).collect();
    let speaks = |fast: i32, slow: i32| {
        let parameters = [("rsi_min", 0.0.into()), ("ema_fast", fast.into()), ("ema_slow", slow.into())];
        signal(&closes, &parameters).is_some()
    };
    assert!(speaks(2, 200) && !speaks(60, 200) && !speaks(2, 60));
}

#[test]
fn refuses_parameters_in_the_wrong_order() {
    let refusal = |name, value: i32| check::<MomentumPulse>(&[(name, value.into())]).unwrap_err();
    assert_eq!(refusal("macd_fast", 30), "macd_fast = 30 must be below macd_slow = 26");
    assert_eq!(refusal("rsi_min", 66), "rsi_min = 66 must not be above rsi_max = 65");
}

#[test]
fn asks_for_the_candles_that_it_needs() {
    let few = Candles::from_closes(&[100.0; 49]);
    let asks = |parameters: &[(&str, Value)]| evaluate::<MomentumPulse>(&few, parameters).unwrap_err();
    assert_eq!(asks(&[]), Fault::InsufficientData(50));
    assert_eq!(asks(&[("macd_signal", 30.into())]), Fault::InsufficientData(56));
    assert_eq!(asks(&[("adx_period", 40.into())]), Fault::InsufficientData(80));
}
