use ta_bot_sdk::testing::{Candles, check, evaluate};

use super::*;

/// A flat price and a wide candle, followed by this candle. After it the averages lie at 100 - 2/9·d and 100 - 2/81·d
/// if its close is 100 - d.
fn flat_and(newest: [f64; 5]) -> Candles {
    let mut candles = Candles::from_closes(&[100.0; 200]);
    candles.push([100.0, 105.0, 90.0, 100.0, 1.0]);
    candles.push(newest);
    candles
}

fn signal(candles: &Candles, parameters: &[(&str, Value)]) -> Option<Signal> {
    evaluate::<InsideBarSell>(candles, parameters).unwrap()
}

const INSIDE: [f64; 5] = [99.5, 101.0, 98.0, 99.0, 1.0];

#[test]
fn sells_an_inside_bar_below_both_averages() {
    let signal = signal(&flat_and(INSIDE), &[]).unwrap();
    assert_eq!(signal.action, Action::Sell);
    assert_eq!((signal.price, signal.stop_loss, signal.take_profit), (Some(98.0), Some(101.0), Some(92.0)));
    let context = (1.0 - 2.0 / 81.0) / 99.0;
    let separation = (2.0 / 9.0 - 2.0 / 81.0) / 99.0;
    assert!((signal.confidence - (0.55 + 10.0 * context + 5.0 * separation)).abs() < 1e-12);
    assert_eq!(signal.reading("inside_bar_range"), Some(&Value::Number(15.0)));
    let rationale = signal.rationale.unwrap();
    let expected = "The candle from 98 to 101 lies inside the one before it and closes at 99, below EMA(8) at 99.77778 \
                    and 0.99 % below EMA(80).";
    assert_eq!(rationale, expected);
}

#[test]
fn a_touch_of_either_end_is_not_inside() {
    assert_eq!(signal(&flat_and([99.5, 105.0, 98.0, 99.0, 1.0]), &[]), None);
    assert_eq!(signal(&flat_and([99.5, 101.0, 90.0, 99.0, 1.0]), &[]), None);
}

/// A steady climb or decline and a wide candle, followed by an inside bar with this close.
fn drift_and(from: f64, step: f64, close: f64) -> Candles {
    let mut candles = Candles::from_closes(&(0..200).map(|i| from + step * f64::from(i)).collect::<Vec<_>>());
    candles.push([close, close + 9.0, close - 9.0, close, 1.0]);
    candles.push([close, close + 1.0, close - 1.0, close, 1.0]);
    candles
}

#[test]
fn a_close_above_either_average_says_nothing() {
    // After a climb to 119.9, the fast average is near 119.6 and the slow one near 116.
    assert_eq!(signal(&drift_and(100.0, 0.1, 118.0), &[]), None, "below the fast one only");
    assert!(signal(&drift_and(100.0, 0.1, 114.0), &[]).is_some(), "below both");
    // After a decline to 100.1, the fast average is near 100.4 and the slow one near 104.
    assert_eq!(signal(&drift_and(120.0, -0.1, 102.0), &[]), None, "below the slow one only");
    assert_eq!(signal(&flat_and([100.0, 101.0, 98.0, 100.0, 1.0]), &[]), None, "at both");
}

#[test]
fn confidence_has_a_cap() {
    let far = drift_and(120.0, -0.1, 97.0);
    assert_eq!(signal(&far, &[]).unwrap().confidence, 0.80);
    assert_eq!(signal(&far, &[("max_confidence", 0.6.into())]).unwrap().confidence, 0.6);
}

#[test]
fn asks_for_the_candles_that_it_needs() {
    let few = Candles::from_closes(&[100.0; 124]);
    assert_eq!(evaluate::<InsideBarSell>(&few, &[]), Err(Fault::InsufficientData(125)));
    assert_eq!(evaluate::<InsideBarSell>(&few, &[("ema_slow", 200.into())]), Err(Fault::InsufficientData(200)));
    assert_eq!(
        check::<InsideBarSell>(&[("ema_fast", 80.into())]),
        Err("ema_fast = 80 must be below ema_slow = 80".into())
    );
}
