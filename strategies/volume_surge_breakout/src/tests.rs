use ta_bot_sdk::testing::{Candles, check, evaluate};

use super::*;

/// Closes about `former`, then closes between 100 and 100.5, all with a volume of 1, followed by this candle.
fn range_and(former: f64, newest: [f64; 5]) -> Candles {
    let zigzag = |base: f64, len: i32| (0..len).map(move |i| base + 0.5 * f64::from(i % 2));
    let mut candles = Candles::from_closes(&zigzag(former, 224).chain(zigzag(100.0, 25)).collect::<Vec<_>>());
    candles.push(newest);
    candles
}

fn signal(candles: &Candles, parameters: &[(&str, Value)]) -> Option<Signal> {
    evaluate::<VolumeSurgeBreakout>(candles, parameters).unwrap()
}

const SURGE: [f64; 5] = [100.0, 103.0, 100.0, 102.5, 10.0];

#[test]
fn buys_a_close_above_the_range() {
    let signal = signal(&range_and(100.0, SURGE), &[]).unwrap();
    assert_eq!((signal.action, signal.price), (Action::Buy, Some(102.5)));
    assert!((signal.stop_loss.unwrap() - 100.5 * 0.98).abs() < 1e-9);
    assert!((signal.take_profit.unwrap() - (102.5 + 2.5 * 4.01)).abs() < 1e-9);
    assert_eq!(signal.reading("volume_ratio"), Some(&Value::Number(10.0 / 1.45)));
    assert_eq!(signal.reading("breakout_type"), Some(&"resistance".into()));
}

#[test]
fn sells_a_close_below_the_range_while_the_macd_recovers() {
    let break_down = [100.0, 100.0, 99.5, 99.9, 10.0];
    let signal = signal(&range_and(110.0, break_down), &[]).unwrap();
    assert_eq!((signal.action, signal.price, signal.stop_loss), (Action::Sell, Some(99.9), Some(102.0)));
    assert!((signal.take_profit.unwrap() - (99.9 - 2.5 * 2.1)).abs() < 1e-9);
    assert_eq!(signal.reading("breakout_type"), Some(&"support".into()));
}

#[test]
fn the_greater_the_surge_the_greater_the_confidence() {
    let confidence = |volume, parameters: &[(&str, Value)]| {
        let [open, high, low, close, _] = SURGE;
        signal(&range_and(100.0, [open, high, low, close, volume]), parameters).map(|signal| signal.confidence)
    };
    // The volume is 2.7, 3.5, 5.4 and 10.3 times its mean.
    let confidences = [3.0, 4.0, 7.0, 20.0].map(|volume| confidence(volume, &[]).unwrap_or(0.0));
    assert!(confidences.iter().zip([0.0, 0.75, 0.80, 0.85]).all(|(got, expected)| (got - expected).abs() < 1e-9));
    assert_eq!(confidence(20.0, &[("max_confidence", 0.7.into())]), Some(0.7));
}

#[test]
fn the_high_must_break_the_level_and_the_close_nearly_so() {
    let speaks = |high, close| signal(&range_and(110.0, [100.0, high, 100.0, close, 10.0]), &[]).is_some();
    assert!(!speaks(100.5, 100.5) && speaks(100.51, 100.5), "the level must be exceeded");
    // 0.2 % below the level is 100.299.
    assert!(speaks(100.6, 100.31) && !speaks(100.6, 100.29));
}

#[test]
fn rsi_and_macd_hold_it_back() {
    let candles = range_and(100.0, SURGE);
    let rsi = indicators::rsi(candles.window().close(), 14).newest();
    let speaks = |name, value: f64| signal(&candles, &[(name, value.into())]).is_some();
    assert!(speaks("rsi_min", rsi) && !speaks("rsi_min", rsi + 0.01));
    assert!(speaks("rsi_max", rsi) && !speaks("rsi_max", rsi - 0.01));
    let breakout = [100.0, 101.0, 100.0, 100.6, 10.0];
    assert!(signal(&range_and(100.0, breakout), &[]).is_some());
    assert_eq!(signal(&range_and(90.0, breakout), &[]), None, "the MACD still fades from the rise before");
}

#[test]
fn asks_for_parameters_in_order_and_for_enough_candles() {
    let refusal = |name, value: f64| check::<VolumeSurgeBreakout>(&[(name, value.into())]).unwrap_err();
    assert_eq!(refusal("rsi_max", 20.0), "rsi_min = 25 must not be above rsi_max = 20");
    let order = "strong_volume_threshold = 8 must not be above extreme_volume_threshold = 7";
    assert_eq!(refusal("strong_volume_threshold", 8.0), order);
    let few = Candles::from_closes(&[100.0; 33]);
    let asks = |parameters: &[(&str, Value)]| evaluate::<VolumeSurgeBreakout>(&few, parameters).unwrap_err();
    assert_eq!(asks(&[]), Fault::InsufficientData(34));
    assert_eq!(asks(&[("macd_slow", 40.into())]), Fault::InsufficientData(48));
    assert_eq!(asks(&[("range_period", 60.into())]), Fault::InsufficientData(61));
}
