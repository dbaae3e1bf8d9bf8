use ta_bot_sdk::testing::{Candles, check, evaluate};

use super::*;

/// A steady climb to 119.8 and a wide candle from 118 to 122 that closes at `close`, followed by this candle.
fn climb_and(close: f64, newest: [f64; 5]) -> Candles {
    let mut candles = Candles::from_closes(&(0..199).map(|i| 100.0 + 0.1 * f64::from(i)).collect::<Vec<_>>());
    candles.push([119.8, 122.0, 118.0, close, 1.0]);
    candles.push(newest);
    candles
}

fn signal(candles: &Candles, parameters: &[(&str, Value)]) -> Option<Signal> {
    evaluate::<InsideBarBreakout>(candles, parameters).unwrap()
}

const INSIDE: [f64; 5] = [119.9, 121.0, 119.0, 120.0, 1.0];

#[test]
fn buys_above_an_inside_candle_in_a_climb() {
    let signal = signal(&climb_and(119.9, INSIDE), &[]).unwrap();
    assert_eq!(signal.action, Action::Buy);
    assert_eq!((signal.price, signal.stop_loss, signal.take_profit), (Some(121.0), Some(119.0), Some(125.0)));
    assert_eq!(signal.reading("pattern_quality"), Some(&Value::Number(0.5)));
    assert!((signal.confidence - (0.76 + 0.1 * 0.5 + 0.08)).abs() < 1e-12);
}

#[test]
fn a_candle_that_touches_an_end_of_the_one_before_is_not_inside() {
    assert_eq!(signal(&climb_and(119.9, [119.9, 122.0, 119.0, 120.0, 1.0]), &[]), None);
    assert_eq!(signal(&climb_and(119.9, [119.9, 121.0, 118.0, 120.0, 1.0]), &[]), None);
}

#[test]
fn a_close_below_the_fast_average_breaks_the_trend() {
    // The fast average is near 119.5. After a dip below it, the closes lie above it.
    let mut candles = climb_and(118.5, [120.0, 123.0, 117.0, 121.0, 1.0]);
    candles.push([121.0, 122.0, 118.0, 121.0, 1.0]);
    assert_eq!(signal(&candles, &[]), None);
    assert!(signal(&candles, &[("trend_candles", 2.into())]).is_some());
}

#[test]
fn both_averages_must_have_risen() {
    let dip = climb_and(119.0, INSIDE);
    let short_trend = ("trend_candles", 1.into());
    assert_eq!(signal(&dip, std::slice::from_ref(&short_trend)), None, "the fast average fell on the wide candle");
    assert!(signal(&dip, &[short_trend, ("rising_candles", 1.into())]).is_some());
}

#[test]
fn an_inside_candle_in_a_fall_says_nothing() {
    let mut candles = Candles::from_closes(&(0..199).map(|i| 140.0 - 0.1 * f64::from(i)).collect::<Vec<_>>());
    candles.push([120.2, 122.0, 118.0, 120.9, 1.0]);
    candles.push([120.9, 121.8, 119.0, 121.5, 1.0]);
    let parameters = [("trend_candles", 2.into()), ("rising_candles", 1.into())];
    assert_eq!(signal(&candles, &parameters), None, "the slow average lies above the fast one");
}

#[test]
fn refuses_what_cannot_work() {
    let refused = check::<InsideBarBreakout>(&[("ema_slow", 8.into())]);
    assert_eq!(refused, Err("ema_fast = 8 must be below ema_slow = 8".into()));
    let few = Candles::from_closes(&[100.0; 129]);
    assert_eq!(evaluate::<InsideBarBreakout>(&few, &[]), Err(Fault::InsufficientData(130)));
    assert_eq!(evaluate::<InsideBarBreakout>(&few, &[("ema_slow", 180.into())]), Err(Fault::InsufficientData(182)));
}
