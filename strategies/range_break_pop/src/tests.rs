use ta_bot_sdk::testing::{Candles, evaluate};

use super::*;

/// Candles with a range of 1, so that the ATR is 1. The last of them rises, and is followed by this candle.
fn quiet_and(newest: [f64; 5]) -> Candles {
    let quiet = core::iter::repeat_n([100.0, 100.5, 99.5, 100.0, 1.0], 40);
    quiet.chain([[100.0, 100.6, 99.6, 100.1, 1.0], newest]).collect()
}

fn signal(candles: &Candles, parameters: &[(&str, Value)]) -> Option<Signal> {
    evaluate::<RangeBreakPop>(candles, parameters).unwrap()
}

/// A candle whose range of 2.25 brings the ATR to 15.25 / 14.
const POP: [f64; 5] = [100.1, 102.0, 99.75, 101.9, 5.0];

#[test]
fn buys_a_wide_candle_after_a_rise() {
    let signal = signal(&quiet_and(POP), &[]).unwrap();
    assert_eq!((signal.action, signal.confidence, signal.price), (Action::Buy, 0.68, Some(101.9)));
    // The lowest low of ten candles is 99.5.
    assert!((signal.stop_loss.unwrap() - 98.505).abs() < 1e-9);
    assert!((signal.take_profit.unwrap() - (101.9 + 2.0 * 3.395)).abs() < 1e-9);
    assert!((signal.number("atr") - 15.25 / 14.0).abs() < 1e-9);
    assert_eq!(signal.reading("range_size"), Some(&Value::Number(2.25)));
}

#[test]
fn the_range_is_measured_by_an_atr_that_contains_it() {
    // 1.5·(13 + r) / 14 is 1.5536 for r = 1.5, and 1.5643 for r = 1.6.
    assert_eq!(signal(&quiet_and([100.1, 101.5, 100.0, 101.4, 5.0]), &[]), None);
    assert!(signal(&quiet_and([100.1, 101.6, 100.0, 101.4, 5.0]), &[]).is_some());
}

#[test]
fn closes_that_do_not_all_rise_say_nothing() {
    assert_eq!(signal(&quiet_and([100.1, 102.0, 99.75, 100.1, 5.0]), &[]), None, "the newest stands still");
    assert_eq!(signal(&quiet_and(POP), &[("momentum_candles", 3.into())]), None, "one more stood still");
}

#[test]
fn the_volume_must_be_above_its_bound() {
    let [open, high, low, close, _] = POP;
    assert_eq!(signal(&quiet_and([open, high, low, close, 0.0]), &[]), None);
    assert_eq!(signal(&quiet_and(POP), &[("min_volume", 5.0.into())]), None);
    assert!(signal(&quiet_and(POP), &[("min_volume", 4.9.into())]).is_some());
}

#[test]
fn the_stop_looks_at_so_many_lows() {
    let stop = |candles: i32| signal(&quiet_and(POP), &[("stop_candles", candles.into())]).unwrap().stop_loss.unwrap();
    let lows = [stop(1), stop(2), stop(3)].map(|stop| stop / 0.99);
    assert!(lows.iter().zip([99.75, 99.6, 99.5]).all(|(low, expected)| (low - expected).abs() < 1e-9), "{lows:?}");
}

#[test]
fn asks_for_the_candles_that_it_needs() {
    let few = Candles::from_closes(&[100.0; 19]);
    let asks = |parameters: &[(&str, Value)]| evaluate::<RangeBreakPop>(&few, parameters).unwrap_err();
    assert_eq!(asks(&[]), Fault::InsufficientData(20));
    assert_eq!(asks(&[("atr_period", 50.into())]), Fault::InsufficientData(51));
    assert_eq!(asks(&[("stop_candles", 60.into())]), Fault::InsufficientData(60));
}
