use ta_bot_sdk::testing::{Candles, check, context, evaluate_with};

use super::*;

/// A steady climb by 1 up to 300, followed by these closes.
///
/// After the climb, the average rise is 1 and the average fall 0. Each further candle halves both and adds half of its
/// own change.
fn climb_and(closes: &[f64]) -> Candles {
    let climb: Vec<_> = (101..=300).map(f64::from).collect();
    Candles::from_closes(&[climb.as_slice(), closes].concat())
}

fn outcome(timeframe: &str, candles: &Candles, parameters: &[(&str, Value)]) -> Result<Option<Signal>, Fault> {
    let context = Context { timeframe: timeframe.into(), ..context(candles) };
    evaluate_with::<RsiExtremeReversal>(&context, candles, &[], parameters)
}

fn signal(candles: &Candles, parameters: &[(&str, Value)]) -> Option<Signal> {
    outcome("15m", candles, parameters).unwrap()
}

#[test]
fn buys_a_dip_with_a_penalty_while_it_falls() {
    // The average rise is 0.5 and the average fall 4.5, so the RSI falls from 100 to 10.
    let dip = signal(&climb_and(&[291.0]), &[]).unwrap();
    assert_eq!((dip.action, dip.price), (Action::Buy, Some(291.0)));
    assert!((dip.number("rsi_2") - 10.0).abs() < 1e-9 && (dip.number("rsi_momentum") + 90.0).abs() < 1e-9);
    assert!((dip.number("extremeness") - 0.6).abs() < 1e-9);
    assert!((dip.confidence - (0.72 - 0.05)).abs() < 1e-12);
    assert_eq!(dip.stop_loss, Some(291.0 * 0.99), "the low of 291 is nearer");
    assert!((dip.take_profit.unwrap() - 291.0 * 1.02).abs() < 1e-9);
    let floor = signal(&climb_and(&[291.0]), &[("base_confidence", 0.7.into())]).unwrap();
    assert_eq!(floor.confidence, 0.7);
}

#[test]
fn a_turn_upwards_is_worth_more() {
    // The average rise is 0.5 and the average fall 2.25, so the RSI goes from 10 to 18.2.
    let turned = signal(&climb_and(&[291.0, 291.5]), &[]).unwrap();
    assert!((turned.confidence - (0.72 + 0.08)).abs() < 1e-12);
    let slight = signal(&climb_and(&[291.0, 291.5]), &[("momentum_adjustment_factor", 0.001.into())]).unwrap();
    assert!((slight.confidence - (0.72 + 0.001 * (2000.0 / 110.0 - 10.0))).abs() < 1e-9);
}

#[test]
fn below_the_lower_threshold_the_dip_is_extreme() {
    // The average rise is 0.5 and the average fall 49.5, so the RSI is exactly 1.
    let dip = signal(&climb_and(&[201.0]), &[]).unwrap();
    assert_eq!(dip.reading("signal_strength"), Some(&"extreme".into()));
    assert_eq!(dip.reading("strategy_origin"), Some(&"quantzed_screening_08".into()));
    assert!((dip.confidence - (0.82 - 0.05)).abs() < 1e-12);
    let strong = signal(&climb_and(&[201.0]), &[("extreme_threshold", 0.9.into())]).unwrap();
    assert_eq!(strong.reading("signal_strength"), Some(&"strong".into()));
}

#[test]
fn a_low_further_away_moves_stop_and_target() {
    let mut candles = climb_and(&[]);
    candles.push([300.0, 300.0, 281.0, 291.0, 1.0]);
    let levels = |parameters: &[(&str, Value)]| {
        let signal = signal(&candles, parameters).unwrap();
        (signal.stop_loss.unwrap(), signal.take_profit.unwrap())
    };
    assert_eq!(levels(&[]), (281.0, 311.0));
    assert_eq!(levels(&[("min_stop_distance", 0.5.into())]), (145.5, 582.0));
    assert_eq!(levels(&[("min_target_distance", 0.5.into())]), (281.0, 582.0));
}

#[test]
fn says_nothing_of_a_rise_nor_below_a_quarter_of_an_hour() {
    assert_eq!(signal(&climb_and(&[]), &[]), None);
    assert_eq!(signal(&climb_and(&[295.0]), &[("oversold_threshold", 15.0.into())]), None, "the RSI is 16.7");
    for timeframe in ["1m", "3m", "5m"] {
        assert_eq!(outcome(timeframe, &climb_and(&[291.0]), &[]), Ok(None));
    }
    assert!(outcome("1w", &climb_and(&[291.0]), &[]).unwrap().is_some());
}

#[test]
fn refuses_what_cannot_work() {
    let refused = check::<RsiExtremeReversal>(&[("extreme_threshold", 30.0.into())]);
    assert_eq!(refused, Err("extreme_threshold = 30 must not be above oversold_threshold = 25".into()));
    let refused = check::<RsiExtremeReversal>(&[("base_confidence", 0.95.into())]);
    assert_eq!(refused, Err("base_confidence = 0.95 must not be above max_confidence = 0.9".into()));
    let few = Candles::from_closes(&[100.0; 77]);
    assert_eq!(outcome("1h", &few, &[]), Err(Fault::InsufficientData(78)));
    assert_eq!(outcome("1h", &few, &[("stop_candles", 100.into())]), Err(Fault::InsufficientData(100)));
}
