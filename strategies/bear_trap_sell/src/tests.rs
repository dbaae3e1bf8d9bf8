use ta_bot_sdk::testing::{Candles, evaluate};

use super::*;

/// A steady decline, so that the average lies above the price, followed by this candle.
fn decline_and(newest: [f64; 5]) -> Candles {
    let mut candles = Candles::from_closes(&(0..249).map(|i| 125.0 - 0.1 * f64::from(i)).collect::<Vec<_>>());
    candles.push(newest);
    candles
}

fn signal(candles: &Candles, parameters: &[(&str, Value)]) -> Option<Signal> {
    evaluate::<BearTrapSell>(candles, parameters).unwrap()
}

/// A rise above the average, which lies near 104.1 in the decline.
const TRAP: [f64; 5] = [100.0, 110.0, 99.0, 103.0, 1.0];

#[test]
fn sells_a_rise_above_the_average_that_is_sold_off() {
    let signal = signal(&decline_and(TRAP), &[]).unwrap();
    assert_eq!(signal.action, Action::Sell);
    assert_eq!((signal.price, signal.stop_loss, signal.take_profit), (Some(99.0), Some(110.0), Some(77.0)));
    let ema = signal.number("ema80");
    assert!((104.0..104.5).contains(&ema), "{ema}");
    assert!((signal.confidence - (0.60 + 0.25 * (ema - 103.0) / (110.0 - ema))).abs() < 1e-12);
    let rationale = signal.rationale.unwrap();
    assert!(rationale.starts_with("The high 110 rose above EMA(80) at 104."), "{rationale}");
    assert!(rationale.ends_with("and the close 103 fell 0.2 times as far below it."), "{rationale}");
}

#[test]
fn confidence_has_a_cap() {
    let far = decline_and([100.0, 105.0, 99.0, 99.0, 1.0]);
    assert_eq!(signal(&far, &[]).unwrap().confidence, 0.85);
    assert_eq!(signal(&far, &[("max_confidence", 0.7.into())]).unwrap().confidence, 0.7);
}

#[test]
fn a_rise_that_stays_above_or_never_goes_there_says_nothing() {
    assert_eq!(signal(&decline_and([100.0, 110.0, 99.0, 105.0, 1.0]), &[]), None);
    assert_eq!(signal(&decline_and([100.0, 103.5, 99.0, 103.0, 1.0]), &[]), None);
}

#[test]
fn one_close_above_the_average_breaks_the_trend() {
    let mut candles = decline_and([106.0, 112.0, 106.0, 112.0, 1.0]);
    (0..3).for_each(|_| candles.push(TRAP));
    assert_eq!(signal(&candles, &[]), None, "the fourth-newest close lies above");
    candles.push(TRAP);
    assert!(signal(&candles, &[]).is_some());
    assert_eq!(signal(&candles, &[("trend_candles", 5.into())]), None);
}

#[test]
fn the_close_before_must_lie_below_whatever_the_trend() {
    let newest_only = [("trend_candles", 1.into())];
    let mut candles = decline_and([106.0, 112.0, 106.0, 112.0, 1.0]);
    candles.push(TRAP);
    assert_eq!(signal(&candles, &newest_only), None);
    candles.push(TRAP);
    assert!(signal(&candles, &newest_only).is_some());
}

#[test]
fn asks_for_the_candles_that_it_needs() {
    let few = Candles::from_closes(&[100.0; 124]);
    assert_eq!(evaluate::<BearTrapSell>(&few, &[]), Err(Fault::InsufficientData(125)));
    assert_eq!(evaluate::<BearTrapSell>(&few, &[("ema_period", 200.into())]), Err(Fault::InsufficientData(204)));
}
