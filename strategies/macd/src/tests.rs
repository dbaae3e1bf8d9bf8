use ta_bot_sdk::testing::{Candles, check, evaluate};

use super::*;

/// A market that swings by `amplitude` around a level that rises by `drift` with each candle.
fn swinging(candles: usize, amplitude: f64, drift: f64) -> Vec<f64> {
    (0..candles)
        .map(|i| 1000.0 + drift * i as f64 + amplitude * (i as f64 * core::f64::consts::TAU / 40.0).sin())
        .collect()
}

fn signal(closes: &[f64], parameters: &[(&str, Value)]) -> Option<Signal> {
    evaluate::<MacdCross>(&Candles::from_closes(closes), parameters).unwrap()
}

/// The action at each candle from the hundredth on.
fn actions(closes: &[f64], parameters: &[(&str, Value)]) -> Vec<(usize, Action)> {
    let at = |end| signal(&closes[..end], parameters).map(|signal| (end - 1, signal.action));
    (100..=closes.len()).filter_map(at).collect()
}

#[test]
fn buys_and_sells_in_turn_after_each_bottom_and_top() {
    let closes = swinging(240, 20.0, 0.0);
    let spoken = actions(&closes, &[]);
    assert_eq!(spoken.len(), 7, "two crossings for each swing of 40 candles: {spoken:?}");
    for pair in spoken.windows(2) {
        assert_eq!(pair[1].0 - pair[0].0, 20);
        assert_ne!(pair[0].1, pair[1].1);
    }
    for (index, action) in spoken {
        let rising = closes[index] > closes[index - 1];
        assert_eq!(rising, action == Action::Buy, "the crossing follows the turn");
    }
}

#[test]
fn the_readings_show_the_crossing() {
    let closes = swinging(240, 20.0, 0.0);
    let &(index, action) = actions(&closes, &[]).last().unwrap();
    let signal = signal(&closes[..=index], &[]).unwrap();
    let (now, before) = (signal.number("macd_hist"), signal.number("macd_hist_previous"));
    assert!(if action == Action::Buy { before <= 0.0 && now > 0.0 } else { before >= 0.0 && now < 0.0 });
    assert!((signal.number("macd") - signal.number("macd_signal") - now).abs() < 1e-12);
    assert!(signal.rationale.unwrap().starts_with("The MACD line ("));
}

#[test]
fn the_trend_holds_back_signals_against_it() {
    let rising = swinging(240, 20.0, 0.5);
    let both = actions(&rising, &[]);
    assert!(both.iter().any(|&(_, action)| action == Action::Sell));
    let with_trend = actions(&rising, &[("trend_period", 90.into())]);
    let mut held_back = 0;
    for &(index, action) in &both {
        let above = rising[index] > ema(&rising[..=index], 90).newest();
        let kept = with_trend.contains(&(index, action));
        assert_eq!(kept, above == (action == Action::Buy), "candle {index}");
        held_back += usize::from(!kept);
    }
    assert!(held_back > 0 && held_back < both.len(), "{held_back} of {}", both.len());
}

#[test]
fn confidence_grows_with_the_swing_and_does_not_depend_on_the_scale() {
    let candles = |swing: f64, scale: f64| -> Candles {
        let closes = swinging(240, swing, 0.0);
        closes.iter().map(|c| [c - 4.0, c + 8.0, c - 8.0, *c, 1.0].map(|value| value * scale)).collect()
    };
    let confidence = |swing, scale| {
        let rows = candles(swing, scale);
        let &(end, _) = actions(&swinging(240, swing, 0.0), &[]).last().unwrap();
        let window: Candles = (0..=end)
            .map(|i| {
                [
                    rows.window().open()[i],
                    rows.window().high()[i],
                    rows.window().low()[i],
                    rows.window().close()[i],
                    1.0,
                ]
            })
            .collect();
        evaluate::<MacdCross>(&window, &[]).unwrap().unwrap().confidence
    };
    let (small, large, giant) = (confidence(5.0, 1.0), confidence(10.0, 1.0), confidence(500.0, 1.0));
    assert!(0.6 < small && small < large && large < giant, "{small} {large} {giant}");
    assert_eq!(giant, 0.95);
    assert!((confidence(10.0, 1e-6) - large).abs() < 1e-6);
}

#[test]
fn the_fast_average_must_be_the_shorter() {
    let refused = check::<MacdCross>(&[("fast", 26.into())]);
    assert_eq!(refused, Err("fast = 26 must be below slow = 26".into()));
    assert_eq!(check::<MacdCross>(&[("fast", 25.into()), ("trend_period", 240.into())]), Ok(()));
    assert!(check::<MacdCross>(&[("trend_period", 1.into())]).is_err());
}

#[test]
fn a_flat_market_says_nothing_nor_does_the_first_step_out_of_it() {
    let mut closes = vec![0.1; 250];
    assert_eq!(signal(&closes, &[]), None);
    closes.push(0.2);
    assert_eq!(signal(&closes, &[]), None);
}

#[test]
fn nan_says_nothing() {
    let mut closes = swinging(240, 20.0, 0.0);
    closes.push(f64::NAN);
    assert_eq!(signal(&closes, &[]), None);
    assert_eq!(signal(&[f64::NAN; 250], &[]), None);
}

#[test]
fn too_few_candles_say_how_many_are_needed() {
    let closes = swinging(240, 20.0, 0.0);
    let evaluated = |closes: &[f64], parameters: &[_]| evaluate::<MacdCross>(&Candles::from_closes(closes), parameters);
    assert_eq!(evaluated(&closes[..34], &[]), Err(Fault::InsufficientData(35)));
    assert!(evaluated(&closes[..35], &[]).is_ok());
    assert_eq!(evaluated(&closes[..50], &[("trend_period", 240.into())]), Err(Fault::InsufficientData(240)));
    let longest = [("slow", 200.into()), ("signal", 50.into())];
    assert_eq!(evaluated(&closes, &longest), Err(Fault::InsufficientData(MacdCross::LOOKBACK)));
}
