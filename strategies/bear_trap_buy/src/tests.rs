use ta_bot_sdk::testing::{Candles, evaluate};

use super::*;

/// A steady climb, so that the average lies below the price, followed by this candle.
fn climb_and(newest: [f64; 5]) -> Candles {
    let mut candles = Candles::from_closes(&(0..249).map(|i| 100.0 + 0.1 * f64::from(i)).collect::<Vec<_>>());
    candles.push(newest);
    candles
}

fn signal(candles: &Candles, parameters: &[(&str, Value)]) -> Option<Signal> {
    evaluate::<BearTrapBuy>(candles, parameters).unwrap()
}

/// A dip below the average, which lies near 120.9 in the climb.
const TRAP: [f64; 5] = [125.0, 126.0, 118.0, 124.0, 1.0];

#[test]
fn buys_a_dip_below_the_average_that_is_won_back() {
    let signal = signal(&climb_and(TRAP), &[]).unwrap();
    assert_eq!(signal.action, Action::Buy);
    assert_eq!((signal.price, signal.stop_loss, signal.take_profit), (Some(126.0), Some(118.0), Some(142.0)));
    assert!((signal.confidence - (0.60 + 0.25 * 0.75)).abs() < 1e-12);
    assert_eq!(signal.reading("recovery_strength"), Some(&Value::Number(0.75)));
    let rationale = signal.rationale.unwrap();
    assert!(rationale.starts_with("The low 118 fell below EMA(80) at 120."), "{rationale}");
}

#[test]
fn a_dip_that_stays_below_or_never_goes_there_says_nothing() {
    assert_eq!(signal(&climb_and([125.0, 126.0, 118.0, 119.0, 1.0]), &[]), None);
    assert_eq!(signal(&climb_and([125.0, 126.0, 122.0, 124.0, 1.0]), &[]), None);
}

#[test]
fn one_close_below_the_average_breaks_the_trend() {
    let mut candles = climb_and([121.0, 121.0, 110.0, 110.0, 1.0]);
    (0..3).for_each(|_| candles.push([124.0, 125.0, 123.0, 124.0, 1.0]));
    assert_eq!(signal(&candles, &[]), None, "the fourth-newest close lies below");
    candles.push(TRAP);
    assert!(signal(&candles, &[]).is_some());
    assert_eq!(signal(&candles, &[("trend_candles", 5.into())]), None);
}

#[test]
fn asks_for_the_candles_that_it_needs() {
    let few = Candles::from_closes(&[100.0; 124]);
    assert_eq!(evaluate::<BearTrapBuy>(&few, &[]), Err(Fault::InsufficientData(125)));
    assert_eq!(evaluate::<BearTrapBuy>(&few, &[("ema_period", 200.into())]), Err(Fault::InsufficientData(204)));
}
