use ta_bot_sdk::testing::{Candles, check, describe, evaluate};

use super::*;

/// A quiet market, a fall that leaves the RSI oversold, then a rebound.
fn fall_and_rebound(fall: usize, rebound: usize) -> Vec<f64> {
    let mut closes: Vec<f64> = (0..60).map(|i| if i % 2 == 0 { 100.0 } else { 100.5 }).collect();
    (0..fall).for_each(|_| closes.push(closes.newest() - 1.0));
    (0..rebound).for_each(|_| closes.push(closes.newest() + 2.0));
    closes
}

/// The same, upside down.
fn mirrored(closes: &[f64]) -> Vec<f64> {
    closes.iter().map(|close| 200.0 - close).collect()
}

fn signal(closes: &[f64], parameters: &[(&str, Value)]) -> Option<Signal> {
    evaluate::<Rsi>(&Candles::from_closes(closes), parameters).unwrap()
}

#[test]
fn buys_once_when_the_rsi_comes_back_through_oversold() {
    let actions: Vec<_> = (1..=10).map(|rebound| signal(&fall_and_rebound(15, rebound), &[])).collect();
    let spoken: Vec<_> = actions.iter().flatten().collect();
    assert_eq!(spoken.len(), 1, "one signal for one excursion");
    let signal = spoken[0];
    assert_eq!(signal.action, Action::Buy);
    assert!(signal.number("rsi_previous") < 30.0 && signal.number("rsi") >= 30.0);
    assert!(signal.number("rsi_extreme") <= signal.number("rsi_previous"));
    assert_eq!(signal.number("threshold"), 30.0);
    let rationale = signal.rationale.as_deref().unwrap();
    assert!(rationale.starts_with("RSI(14) came back up through 30, from "), "{rationale}");
}

#[test]
fn sells_where_the_mirrored_market_buys() {
    for rebound in 1..=10 {
        let closes = fall_and_rebound(15, rebound);
        let (buy, sell) = (signal(&closes, &[]), signal(&mirrored(&closes), &[]));
        assert_eq!(buy.is_some(), sell.is_some());
        if let (Some(buy), Some(sell)) = (buy, sell) {
            assert_eq!((buy.action, sell.action), (Action::Buy, Action::Sell));
            assert!((buy.confidence - sell.confidence).abs() < 1e-9);
            assert!((buy.number("rsi") + sell.number("rsi") - 100.0).abs() < 1e-9);
        }
    }
}

#[test]
fn a_deeper_excursion_gives_more_confidence_within_the_limits() {
    let confidence = |fall| {
        let mut signals = (1..=60).filter_map(|rebound| signal(&fall_and_rebound(fall, rebound), &[]));
        signals.next().unwrap().confidence
    };
    let (shallow, deep, extreme) = (confidence(8), confidence(15), confidence(120));
    assert!(0.6 < shallow && shallow < deep && deep < extreme, "{shallow} {deep} {extreme}");
    assert!(extreme <= 0.95);
    assert_eq!(super::confidence(1.0), 0.95);
}

#[test]
fn level_speaks_as_long_as_the_rsi_is_beyond() {
    let level = [("trigger", "level".into())];
    let falling = signal(&fall_and_rebound(15, 0), &level).unwrap();
    assert_eq!(falling.action, Action::Buy);
    assert!(falling.number("rsi") < 30.0);
    assert_eq!(falling.rationale.unwrap(), format!("RSI(14) is {:.1}, below 30.", number_of_newest(15)));
    assert!(signal(&fall_and_rebound(16, 0), &level).is_some());
    assert_eq!(signal(&mirrored(&fall_and_rebound(15, 0)), &level).unwrap().action, Action::Sell);
    assert_eq!(signal(&fall_and_rebound(15, 5), &level), None);
    assert_eq!(signal(&fall_and_rebound(15, 0), &[]), None, "cross waits for the return");
}

fn number_of_newest(fall: usize) -> f64 {
    indicators::rsi(&fall_and_rebound(fall, 0), 14).newest()
}

#[test]
fn thresholds_move_the_signal() {
    let closes = fall_and_rebound(4, 0);
    assert_eq!(signal(&closes, &[("trigger", "level".into())]), None);
    let raised = [("trigger", "level".into()), ("oversold", 40.0.into())];
    assert_eq!(signal(&closes, &raised).unwrap().action, Action::Buy);
}

#[test]
fn oversold_must_lie_below_overbought() {
    let refused = check::<Rsi>(&[("oversold", 50.0.into()), ("overbought", 50.0.into())]);
    assert_eq!(refused, Err("oversold = 50 must be below overbought = 50".into()));
    assert_eq!(check::<Rsi>(&[("oversold", 49.0.into()), ("overbought", 50.0.into())]), Ok(()));
    assert!(check::<Rsi>(&[("period", 1.into())]).is_err());
    assert!(check::<Rsi>(&[("trigger", "touch".into())]).is_err());
}

#[test]
fn a_flat_market_says_nothing() {
    for trigger in ["cross", "level"] {
        assert_eq!(signal(&[0.1; 250], &[("trigger", trigger.into())]), None);
    }
}

#[test]
fn nan_says_nothing() {
    let mut closes = fall_and_rebound(15, 0);
    closes.push(f64::NAN);
    for trigger in ["cross", "level"] {
        assert_eq!(signal(&closes, &[("trigger", trigger.into())]), None);
        assert_eq!(signal(&[f64::NAN; 250], &[("trigger", trigger.into())]), None);
    }
}

#[test]
fn too_few_candles_say_how_many_are_needed() {
    let closes = fall_and_rebound(15, 0);
    let evaluated = |closes: &[f64], parameters: &[_]| evaluate::<Rsi>(&Candles::from_closes(closes), parameters);
    assert_eq!(evaluated(&closes[..15], &[]), Err(Fault::InsufficientData(16)));
    assert_eq!(evaluated(&closes[..16], &[]), Ok(None));
    assert_eq!(evaluated(&[], &[]), Err(Fault::InsufficientData(16)));
    assert_eq!(evaluated(&closes, &[("period", 200.into())]), Err(Fault::InsufficientData(202)));
    const { assert!(202 <= Rsi::LOOKBACK, "the longest period fits into the lookback") };
}

#[test]
fn the_description_declares_every_parameter() {
    let description = describe::<Rsi>();
    assert_eq!((description.id.as_str(), description.lookback), ("rsi", 250));
    let names: Vec<_> = description.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
    assert_eq!(names, ["period", "overbought", "oversold", "trigger"]);
    assert_eq!(description.parameters[0].description, "Length of Wilder's average, in candles.");
    assert_eq!(description.parameters[3].choices, ["cross", "level"]);
}
