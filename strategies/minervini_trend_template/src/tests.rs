use ta_bot_sdk::testing::{Candles, check, evaluate};

use super::*;

/// How many closes each step of [`steps`] has. Their ages are 220 to 264, 200 to 219, 150 to 199, 50 to 149, 1 to 49,
/// and 0.
const COUNTS: [usize; 6] = [45, 20, 50, 100, 49, 1];

/// Closes in steps at these prices.
fn steps(prices: [f64; 6]) -> Candles {
    let closes: Vec<f64> = prices.iter().zip(COUNTS).flat_map(|(&price, count)| vec![price; count]).collect();
    Candles::from_closes(&closes)
}

fn signal(prices: [f64; 6], parameters: &[(&str, Value)]) -> Option<Signal> {
    evaluate::<MinerviniTrendTemplate>(&steps(prices), parameters).unwrap()
}

fn near(left: f64, right: f64) -> bool {
    (left - right).abs() < 1e-9
}

const RISE: [f64; 6] = [100.0, 100.0, 120.0, 140.0, 160.0, 170.0];

#[test]
fn buys_an_established_rise() {
    let signal = signal(RISE, &[]).unwrap();
    assert_eq!((signal.action, signal.strength), (Action::Buy, Some(Strength::Strong)));
    let sma_50 = (49.0 * 160.0 + 170.0) / 50.0;
    let sma_150 = (50.0 * sma_50 + 100.0 * 140.0) / 150.0;
    let sma_200 = (150.0 * sma_150 + 50.0 * 120.0) / 200.0;
    let rs = 40.0 * 170.0 / 140.0 + 20.0 * 170.0 / 140.0 + 20.0 * 170.0 / 120.0 + 20.0 * 170.0 / 100.0;
    let expected = [
        ("sma50", sma_50),
        ("sma150", sma_150),
        ("sma200", sma_200),
        ("rs", rs),
        ("high_52w", 170.0),
        ("low_52w", 100.0),
    ];
    assert_eq!(signal.metadata.len(), expected.len());
    for ((name, value), (expected_name, expected)) in signal.metadata.iter().zip(expected) {
        let &Value::Number(value) = value else { panic!("{name} is no number") };
        assert!(name == expected_name && near(value, expected), "{name} = {value}, not {expected}");
    }
    let rationale = signal.rationale.unwrap();
    let expected = "The close 170 is above its means 160.2, 146.7333 and 140.05, 70.0 % above the lowest of 260 closes \
                    and 0.0 % below the highest, with a relative strength of 135.2.";
    assert_eq!(rationale, expected);
}

#[test]
fn each_condition_alone_holds_it_back() {
    for (holds, breaks, condition) in [
        ([100.0, 100.0, 120.0, 140.0, 160.0, 160.1], [100.0, 100.0, 120.0, 140.0, 160.0, 160.0], "close > SMA50"),
        ([100.0, 100.0, 120.0, 140.0, 140.0, 170.0], [100.0, 100.0, 120.0, 140.0, 139.0, 170.0], "SMA50 > SMA150"),
        ([100.0, 100.0, 146.0, 140.0, 160.0, 170.0], [100.0, 100.0, 147.0, 140.0, 160.0, 170.0], "SMA150 > SMA200"),
        ([100.0, 160.0, 120.0, 140.0, 160.0, 170.0], [100.0, 161.0, 120.0, 140.0, 160.0, 170.0], "SMA200 rises"),
        (
            [130.0, 130.0, 132.0, 140.0, 160.0, 170.0],
            [131.0, 131.0, 132.0, 140.0, 160.0, 170.0],
            "1.3 times the lowest",
        ),
        ([226.0, 100.0, 120.0, 140.0, 160.0, 170.0], [227.0, 100.0, 120.0, 140.0, 160.0, 170.0], "0.75 of the highest"),
    ] {
        assert!(signal(holds, &[]).is_some(), "{condition}: {holds:?}");
        assert_eq!(signal(breaks, &[]), None, "{condition}: {breaks:?}");
    }
    assert!(signal(RISE, &[("rs_threshold", 135.into())]).is_some());
    assert_eq!(signal(RISE, &[("rs_threshold", 136.into())]), None);
}

#[test]
fn the_counts_reach_as_far_as_they_say() {
    let fires_with_a_spike = |age: usize| {
        let mut closes = steps(RISE).window().close().to_vec();
        closes[264 - age] = 500.0;
        evaluate::<MinerviniTrendTemplate>(&Candles::from_closes(&closes), &[]).unwrap().is_some()
    };
    assert!(fires_with_a_spike(260));
    assert!(!fires_with_a_spike(259));
    // Removes each span of the relative strength in turn, by setting its weight to 0.
    for (name, percent) in [
        ("rs_first_weight", 40.0 * 170.0 / 140.0),
        ("rs_second_weight", 20.0 * 170.0 / 140.0),
        ("rs_third_weight", 20.0 * 170.0 / 120.0),
        ("rs_fourth_weight", 20.0 * 170.0 / 100.0),
    ] {
        let rs = |parameters: &[(&str, Value)]| signal(RISE, parameters).unwrap().number("rs");
        assert!(near(rs(&[]) - rs(&[(name, 0.0.into())]), percent), "{name}");
    }
}

#[test]
fn the_higher_of_two_stops_counts() {
    // Each candle's true range is 2, and the close of the last is 232.
    let climb: Candles = (0..265).map(|i| 100.0 + 0.5 * f64::from(i)).map(|p| [p, p + 1.0, p - 1.0, p, 1.0]).collect();
    let levels = |parameters: &[(&str, Value)]| {
        let signal = evaluate::<MinerviniTrendTemplate>(&climb, parameters).unwrap().unwrap();
        (signal.price.unwrap(), signal.stop_loss.unwrap(), signal.take_profit.unwrap())
    };
    assert_eq!(levels(&[]), (232.0, 228.0, 244.0));
    let (_, stop_loss, take_profit) = levels(&[("stop_atr_multiplier", 20.into())]);
    assert!(near(stop_loss, 0.98 * 219.75));
    assert!(near(take_profit, 232.0 + 3.0 * (232.0 - 0.98 * 219.75)));
}

#[test]
fn the_high_and_the_relative_strength_add_to_the_confidence() {
    let confidence = |prices, parameters: &[(&str, Value)]| signal(prices, parameters).unwrap().confidence;
    assert!(near(confidence(RISE, &[]), 0.90));
    let off_the_high = [190.0, 100.0, 120.0, 140.0, 160.0, 170.0];
    assert!(near(confidence(off_the_high, &[]), 0.85), "170 is below 0.9 times 190");
    assert!(near(confidence(RISE, &[("rs_bonus_threshold", 136.into())]), 0.85));
    assert!(near(confidence(off_the_high, &[("rs_bonus_threshold", 136.into())]), 0.80));
    assert!(near(confidence(RISE, &[("max_confidence", 0.82.into())]), 0.82));
}

#[test]
fn asks_for_the_candles_that_it_needs() {
    let few = Candles::from_closes(&[100.0; 100]);
    assert_eq!(evaluate::<MinerviniTrendTemplate>(&few, &[]), Err(Fault::InsufficientData(265)));
    let at_least = |least: i32, range: i32, span: i32| {
        let given =
            [("min_data_points", least.into()), ("range_period", range.into()), ("rs_fourth_candles", span.into())];
        evaluate::<MinerviniTrendTemplate>(&few, &given)
    };
    assert_eq!(at_least(1, 260, 252), Err(Fault::InsufficientData(260)));
    assert_eq!(at_least(1, 2, 252), Err(Fault::InsufficientData(252)));
    assert_eq!(at_least(1, 2, 2), Err(Fault::InsufficientData(220)));
}

#[test]
fn the_means_must_grow_in_length() {
    let refusal = |name, period: i32| check::<MinerviniTrendTemplate>(&[(name, period.into())]).unwrap_err();
    assert_eq!(refusal("sma_50_period", 150), "sma_50_period = 150 must be below sma_150_period = 150");
    assert_eq!(refusal("sma_200_period", 150), "sma_150_period = 150 must be below sma_200_period = 150");
}
