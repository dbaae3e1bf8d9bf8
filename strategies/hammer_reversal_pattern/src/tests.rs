use ta_bot_sdk::testing::{Candles, check, evaluate};

use super::*;

/// These closes, followed by this candle.
fn closes_and(closes: &[f64], newest: [f64; 5]) -> Candles {
    let mut candles = Candles::from_closes(closes);
    candles.push(newest);
    candles
}

fn signal(candles: &Candles, parameters: &[(&str, Value)]) -> Option<Signal> {
    evaluate::<HammerReversalPattern>(candles, parameters).unwrap()
}

/// A body of 2, a lower shadow of 5 and no upper shadow.
const HAMMER: [f64; 5] = [105.0, 107.0, 100.0, 107.0, 1.0];
const FLAT: [f64; 20] = [100.0; 20];

#[test]
fn buys_a_long_lower_shadow_below_a_small_body() {
    let signal = signal(&closes_and(&FLAT, HAMMER), &[]).unwrap();
    assert_eq!(signal.action, Action::Buy);
    assert_eq!((signal.price, signal.stop_loss, signal.take_profit), (Some(107.0), Some(100.0), Some(121.0)));
    assert!((signal.confidence - (0.68 + 0.10 * 0.5 + 0.08 * 5.0 / 7.0 + 0.06)).abs() < 1e-12);
    assert_eq!(signal.reading("wick_to_body_ratio"), Some(&Value::Number(2.5)));
    assert_eq!(signal.reading("downtrend_context"), Some(&Value::Boolean(false)));
    assert_eq!(
        signal.rationale.as_deref(),
        Some("The lower shadow from 100 to 105 is 2.5 times the body and 71 % of the range, without a decline.")
    );
}

#[test]
fn both_thresholds_belong_to_the_hammer() {
    for (newest, fires) in [
        ([105.0, 107.0, 100.1, 107.0, 1.0], false),  // a lower shadow of 4.9
        ([110.0, 111.0, 100.0, 105.0, 1.0], false),  // a lower shadow as long as the body
        ([107.0, 107.25, 100.0, 105.75, 1.0], true), // a body of 1.25, an upper shadow of 0.25, and it falls
        ([107.0, 107.26, 100.0, 105.75, 1.0], false),
        ([107.0, 107.0, 100.0, 107.0, 1.0], false), // no body
        ([107.0; 5], false),
    ] {
        assert_eq!(signal(&closes_and(&FLAT, newest), &[]).is_some(), fires, "{newest:?}");
    }
}

#[test]
fn a_decline_is_two_of_the_four_closes_before_above_the_newest() {
    let confidence = |newest_closes: [f64; 5]| {
        let closes = [&FLAT[..], &newest_closes].concat();
        signal(&closes_and(&closes, HAMMER), &[("max_confidence", 1.into())]).unwrap().confidence
    };
    let without = confidence([100.0; 5]);
    assert_eq!(confidence([108.0, 108.0, 107.0, 100.0, 107.0]), without, "one of four, and the fifth does not count");
    assert!((confidence([100.0, 108.0, 107.0, 100.0, 107.1]) - without - 0.08).abs() < 1e-12);
}

#[test]
fn confidence_has_a_cap() {
    let long = [100.9, 101.0, 90.0, 101.0, 1.0];
    let capped = signal(&closes_and(&[110.0; 20], long), &[]).unwrap();
    assert_eq!(capped.confidence, 0.88);
    let free = signal(&closes_and(&[110.0; 20], long), &[("max_confidence", 1.into())]).unwrap();
    assert!((free.confidence - (0.68 + 0.08 + 0.10 + 0.08 * 10.9 / 11.0 + 0.06)).abs() < 1e-12);
}

#[test]
fn asks_for_the_candles_that_it_needs() {
    let few = closes_and(&FLAT[..8], HAMMER);
    assert_eq!(evaluate::<HammerReversalPattern>(&few, &[]), Err(Fault::InsufficientData(10)));
    let more = [("downtrend_candles", 12.into())];
    assert_eq!(evaluate::<HammerReversalPattern>(&few, &more), Err(Fault::InsufficientData(13)));
    assert_eq!(
        check::<HammerReversalPattern>(&[("min_downtrend_candles", 5.into())]),
        Err("min_downtrend_candles = 5 must not be above downtrend_candles = 4".into())
    );
}
