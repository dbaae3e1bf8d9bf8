use ta_bot_sdk::testing::{Candles, evaluate};

use super::*;

/// Quiet closes at 100, followed by these two.
fn quiet_and(newest: [f64; 2]) -> Vec<f64> {
    [&[100.0; 18][..], &newest].concat()
}

fn signal(closes: &[f64], parameters: &[(&str, Value)]) -> Option<Signal> {
    evaluate::<BandFadeReversal>(&Candles::from_closes(closes), parameters).unwrap()
}

/// The mean is 99.97 and the deviation 0.11, so the band goes from 99.75 to 100.19.
const TURN: [f64; 2] = [99.5, 99.9];

#[test]
fn buys_a_turn_near_the_lower_band() {
    let signal = signal(&quiet_and(TURN), &[]).unwrap();
    assert_eq!((signal.action, signal.confidence, signal.price), (Action::Buy, 0.72, Some(99.9)));
    assert!((signal.stop_loss.unwrap() - 99.75 * 0.98).abs() < 1e-9);
    assert!((signal.take_profit.unwrap() - 99.97).abs() < 1e-9);
    assert!((signal.number("distance_from_lower") - 0.15 / 99.75).abs() < 1e-9);
}

#[test]
fn the_tolerance_is_a_share_of_the_lower_band() {
    // 99.9 is 0.15 % above the lower band.
    assert_eq!(signal(&quiet_and(TURN), &[("band_tolerance", 0.001.into())]), None);
    assert!(signal(&quiet_and(TURN), &[("band_tolerance", 0.002.into())]).is_some());
}

#[test]
fn a_close_above_the_middle_says_nothing() {
    assert_eq!(signal(&quiet_and([99.5, 100.0]), &[]), None);
}

#[test]
fn no_turn_says_nothing() {
    assert_eq!(signal(&quiet_and([99.5, 99.4]), &[]), None, "it falls on");
    assert_eq!(signal(&quiet_and([99.5, 99.5]), &[]), None, "it stands still");
    let rises_on = [&[100.0; 17][..], &[99.5, 99.5, 99.9]].concat();
    assert_eq!(signal(&rises_on, &[]), None, "it did not fall before");
}

#[test]
fn asks_for_the_candles_that_it_needs() {
    let asks = |candles: usize, parameters: &[(&str, Value)]| {
        evaluate::<BandFadeReversal>(&Candles::from_closes(&vec![100.0; candles]), parameters)
    };
    assert_eq!(asks(19, &[]), Err(Fault::InsufficientData(20)));
    assert_eq!(asks(19, &[("bb_period", 60.into())]), Err(Fault::InsufficientData(60)));
    let shortest = [("min_data_points", 1.into()), ("bb_period", 2.into())];
    assert_eq!(asks(2, &shortest), Err(Fault::InsufficientData(3)));
}
