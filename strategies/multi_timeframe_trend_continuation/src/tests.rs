use ta_bot_sdk::testing::{Candles, check, context, evaluate_with};

use super::*;

/// Closes that climb by 0.1 a candle in a zigzag, from 100 to 125.
fn climb() -> Vec<f64> {
    (0..249).map(|i| 100.0 + 0.1 * f64::from(i) + if i % 2 == 0 { 0.2 } else { -0.2 }).collect()
}

/// Candles with these closes. The low of the candle of this age lies one point lower.
fn dipping(closes: &[f64], age: usize) -> Vec<[f64; 5]> {
    let opens = closes.first().into_iter().chain(closes);
    let dip = |index: usize| if index + age + 1 == closes.len() { 1.0 } else { 0.0 };
    let candle = |(index, (&open, &close)): (usize, (&f64, &f64))| {
        [open, open.max(close), open.min(close) - dip(index), close, 1.0]
    };
    opens.zip(closes).enumerate().map(candle).collect()
}

/// A climb that accelerates.
fn higher() -> Vec<f64> {
    (0..100).map(|i| 80.0 + 0.5 * f64::from(i) + 0.001 * f64::from(i * i)).collect()
}

/// The candles upside down.
fn mirrored(candles: &[[f64; 5]]) -> Vec<[f64; 5]> {
    let turn =
        |&[open, high, low, close, volume]: &[f64; 5]| [200.0 - open, 200.0 - low, 200.0 - high, 200.0 - close, volume];
    candles.iter().map(turn).collect()
}

fn evaluate(base: &[[f64; 5]], higher: &[[f64; 5]], parameters: &[(&str, Value)]) -> Result<Option<Signal>, Fault> {
    let candles = |rows: &[[f64; 5]]| rows.iter().copied().collect::<Candles>();
    let base = candles(base);
    evaluate_with::<MultiTimeframeTrendContinuation>(&context(&base), &base, &[candles(higher)], parameters)
}

/// The signal of these candles. The candles upside down must give the same signal on the other side.
fn signal(base: &[[f64; 5]], higher: &[f64], parameters: &[(&str, Value)]) -> Option<Signal> {
    let higher = dipping(higher, 0);
    let buy = evaluate(base, &higher, parameters).unwrap();
    let sell = evaluate(&mirrored(base), &mirrored(&higher), parameters).unwrap();
    let told = |signal: &Option<Signal>| signal.as_ref().map(|signal| (signal.action, signal.confidence));
    assert_eq!(told(&sell), told(&buy).map(|(_, confidence)| (Action::Sell, confidence)));
    buy
}

fn fires(base: &[[f64; 5]], higher: &[f64], parameters: &[(&str, Value)]) -> bool {
    signal(base, higher, parameters).is_some_and(|signal| signal.action == Action::Buy)
}

fn near(left: f64, right: f64) -> bool {
    (left - right).abs() < 1e-9
}

#[test]
fn trades_the_end_of_a_pullback_with_the_stop_at_the_medium_average() {
    let base = dipping(&climb(), 1);
    let closes = climb();
    let medium = indicators::ema(&closes, 50).newest();
    let buy = signal(&base, &higher(), &[]).unwrap();
    assert!(near(buy.confidence, 0.82));
    assert_eq!((buy.price, buy.stop_loss, buy.strength), (Some(125.0), Some(medium), None));
    assert!(near(buy.take_profit.unwrap(), 125.0 + 2.5 * (125.0 - medium)));
    assert_eq!(buy.reading("ema21"), Some(&indicators::ema(&closes, 21).newest().into()));
    assert_eq!(buy.reading("higher_ema50"), Some(&indicators::ema(&higher(), 50).newest().into()));
    assert_eq!(
        buy.rationale.as_deref(),
        Some(
            "After a pullback to it the close 125 is above EMA(21) at 123.8095, in the order of the averages, with \
             RSI(14) at 64.2; on the higher timeframe 139.301 is above EMA(21) at 132.531."
        )
    );

    let sell = evaluate(&mirrored(&base), &mirrored(&dipping(&higher(), 0)), &[]).unwrap().unwrap();
    assert_eq!(sell.price, Some(75.0));
    assert!(near(sell.stop_loss.unwrap(), 200.0 - medium));
    assert!(near(sell.take_profit.unwrap(), 75.0 - 2.5 * (125.0 - medium)));
    assert_eq!(sell.reading("signal_type"), Some(&"bearish_continuation".into()));
}

#[test]
fn each_condition_of_the_trend_alone_holds_it_back() {
    let ending = |close: f64| {
        let mut closes = climb();
        closes[248] = close;
        dipping(&closes, 1)
    };
    assert!(fires(&ending(124.2), &higher(), &[]));
    assert!(!fires(&ending(123.6), &higher(), &[]), "the close is below the fast average");
    assert!(!fires(&ending(124.2), &higher(), &[("macd_fast", 2.into()), ("macd_slow", 3.into())]), "MACD(2, 3) < 0");

    // After a fall, the fast average is below a medium one of 50 candles, and still above one of 100.
    let fallen = [&climb()[..229], &[117.5; 19], &[119.0]].concat();
    let mild = |medium: i32| {
        [
            ("ema_medium", medium.into()),
            ("macd_fast", 2.into()),
            ("macd_slow", 3.into()),
            ("rsi_min", 0.into()),
            ("rsi_max", 100.into()),
        ]
    };
    assert!(fires(&dipping(&fallen, 1), &higher(), &mild(100)));
    assert!(!fires(&dipping(&fallen, 1), &higher(), &mild(50)), "the fast average is below the medium one");

    // The old prices matter only to the slow average.
    let high_before = [&[170.0; 50], &climb()[50..]].concat();
    assert!(fires(&dipping(&high_before, 1), &higher(), &[("ema_slow", 100.into())]));
    assert!(!fires(&dipping(&high_before, 1), &higher(), &[]), "the medium average is below the slow one");
}

#[test]
fn the_higher_timeframe_must_agree_and_be_old_enough() {
    let base = dipping(&climb(), 1);
    let plateau = |newest: f64| [&higher()[..], &[newest]].concat();
    assert!(fires(&base, &plateau(134.0), &[]));
    assert!(!fires(&base, &plateau(132.0), &[]), "its close is below its fast average");
    let fallen = [&[120.0; 80][..], &[100.0; 10], &[112.0]].concat();
    assert!(!fires(&base, &fallen, &[]), "its fast average is below the medium one");
    assert!(fires(
        &base,
        &fallen,
        &[("ema_fast", 3.into()), ("ema_medium", 10.into()), ("pullback_threshold", 0.1.into())]
    ));
    assert!(fires(&base, &higher()[..50], &[]));
    assert!(!fires(&base, &higher()[..49], &[]), "no average of 50");
    let long_macd = |signal: i32| [("macd_slow", 40.into()), ("macd_signal", signal.into())];
    assert!(fires(&base, &higher()[..60], &long_macd(21)));
    assert!(!fires(&base, &higher()[..60], &long_macd(22)), "no histogram");
    assert!(!fires(&base, &[], &[]));
}

#[test]
fn the_pullback_is_one_of_the_candles_before_the_newest() {
    for (age, expected) in [(0, false), (1, true), (4, true), (5, false), (99, false)] {
        assert_eq!(fires(&dipping(&climb(), age), &higher(), &[]), expected, "{age} candles ago");
    }
    assert!(fires(&dipping(&climb(), 5), &higher(), &[("pullback_candles", 5.into())]));
    assert!(fires(&dipping(&climb(), 99), &higher(), &[("pullback_threshold", 0.01.into())]));
}

#[test]
fn the_rsi_must_leave_room() {
    let base = dipping(&climb(), 1);
    let rsi = indicators::rsi(&climb(), 14).newest();
    assert!((64.0..65.0).contains(&rsi), "{rsi}");
    assert!(!fires(&base, &higher(), &[("rsi_min", 65.into())]));
    assert!(!fires(&base, &higher(), &[("rsi_max", 64.into())]));
    let reading = evaluate(&base, &dipping(&higher(), 0), &[("rsi_min", rsi.into()), ("rsi_max", rsi.into())]);
    assert!(reading.unwrap().is_some(), "both ends belong to the range");
}

#[test]
fn trend_strength_and_momentum_add_to_the_confidence() {
    let base = dipping(&climb(), 1);
    let slowing: Vec<_> = (0..100).map(|i| 80.0 + 0.5 * f64::from(i) - 0.002 * f64::from(i * i)).collect();
    let confidence =
        |higher: &[f64], parameters: &[(&str, Value)]| signal(&base, higher, parameters).unwrap().confidence;
    assert!(near(confidence(&higher(), &[("adx_threshold", 99.into())]), 0.77));
    assert!(near(confidence(&slowing, &[]), 0.77));
    assert!(near(confidence(&slowing, &[("adx_threshold", 99.into())]), 0.72));
    assert_eq!(confidence(&higher(), &[("base_confidence", 0.95.into())]), 1.0);
    let mut paused = climb();
    paused[248] = 124.2;
    let paused = signal(&dipping(&paused, 1), &higher(), &[]).unwrap();
    assert!(near(paused.confidence, 0.77), "the histogram of the base timeframe is below 0");
}

#[test]
fn asks_for_the_candles_that_it_needs() {
    let closes = climb();
    let higher = dipping(&higher(), 0);
    let faults =
        |count: usize, parameters: &[(&str, Value)]| evaluate(&dipping(&closes[..count], 1), &higher, parameters).err();
    assert_eq!(faults(199, &[]), Some(Fault::InsufficientData(200)));
    assert_eq!(faults(200, &[]), None);
    let few = ("min_data_points", 1.into());
    let short = [few.clone(), ("ema_slow", 51.into())];
    assert_eq!(faults(50, &short), Some(Fault::InsufficientData(51)));
    assert_eq!(
        faults(50, &[few, ("ema_slow", 51.into()), ("adx_period", 40.into())]),
        Some(Fault::InsufficientData(80))
    );
}

#[test]
fn the_parameters_must_be_in_order() {
    let refusal = |name, value: i32| check::<MultiTimeframeTrendContinuation>(&[(name, value.into())]).unwrap_err();
    assert_eq!(refusal("ema_fast", 50), "ema_fast = 50 must be below ema_medium = 50");
    assert_eq!(refusal("ema_slow", 50), "ema_medium = 50 must be below ema_slow = 50");
    assert_eq!(refusal("macd_slow", 12), "macd_fast = 12 must be below macd_slow = 12");
    assert_eq!(refusal("rsi_min", 71), "rsi_min = 71 must not be above rsi_max = 70");
}
