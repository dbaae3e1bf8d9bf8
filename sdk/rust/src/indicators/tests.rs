//! Tests hand-computed values and the properties that hold for any data.

use proptest::prelude::*;

use super::*;

const TOLERANCE: f64 = 1e-12;

fn assert_close(actual: &[f64], expected: &[f64]) {
    assert_eq!(actual.len(), expected.len());
    for (index, (a, e)) in actual.iter().zip(expected).enumerate() {
        let close = (a.is_nan() && e.is_nan()) || (a - e).abs() <= TOLERANCE * e.abs().max(1.0);
        assert!(close, "index {index}: {a} is not {e} in {actual:?}");
    }
}

const NAN: f64 = f64::NAN;

#[test]
fn averages_by_hand() {
    let values = [1.0, 2.0, 6.0, 3.0];
    assert_close(&sma(&values, 2), &[NAN, 1.5, 4.0, 4.5]);
    assert_close(&sma(&values, 3), &[NAN, NAN, 3.0, 11.0 / 3.0]);
    assert_close(&ema(&values, 3), &[NAN, NAN, 3.0, 3.0]);
    assert_close(&ema(&values, 2), &[NAN, 1.5, 4.5, 3.5]);
    assert_close(&rma(&values, 2), &[NAN, 1.5, 3.75, 3.375]);
    // The weights are 1, 1/2, 1/4 and 1/8, from the newest value back.
    assert_close(
        &ema_adjusted(&values, 3),
        &[NAN, 5.0 / 3.0, (6.0 + 1.0 + 0.25) / 1.75, (3.0 + 3.0 + 0.5 + 0.125) / 1.875],
    );
    assert_eq!(mean(&values), 3.0);
}

#[test]
fn sums_take_every_value_whatever_their_number() {
    for count in 0..40 {
        let values: Vec<f64> = (1..=count).map(f64::from).collect();
        assert_eq!(average::sum_of(&values, |value| value), f64::from(count * (count + 1) / 2));
    }
    // A single running sum would lose the ones, since 1e16 + 1 is 1e16.
    let values: Vec<f64> = (0..16).map(|i| if i == 0 { 1e16 } else { 1.0 }).collect();
    assert_eq!(average::sum_of(&values, |value| value), 1e16 + 14.0);
}

#[test]
fn averages_pass_over_nan() {
    assert_close(&rma(&[NAN, NAN, 2.0, 4.0, 5.0], 2), &[NAN, NAN, NAN, 3.0, 4.0]);
    // After one missing value, the older value weighs (1/2)^2 against 1/2.
    assert_close(&rma(&[2.0, 4.0, NAN, 6.0], 2), &[NAN, 3.0, 3.0, (0.25 * 3.0 + 0.5 * 6.0) / 0.75]);
    assert_close(&ema(&[NAN, 3.0, 5.0], 2), &[NAN, 3.0, 13.0 / 3.0]);
    assert_close(&sma(&[1.0, NAN, 3.0, 5.0], 2), &[NAN, NAN, NAN, 4.0]);
    assert_close(&ema_adjusted(&[NAN, 1.0, NAN, 4.0], 3), &[NAN, NAN, NAN, (4.0 + 0.25) / 1.25]);
}

#[test]
fn rsi_by_hand() {
    // The changes are 1, -1, 2 and 0. The averages of 2 are (0.5, 0.5), then (1.25, 0.25), then (0.625, 0.125).
    let expected = [NAN, NAN, 50.0, 100.0 * 1.25 / 1.5, 100.0 * 1.25 / 1.5];
    assert_close(&rsi(&[10.0, 11.0, 10.0, 12.0, 12.0], 2), &expected);
    assert_close(&rsi(&[1.0, 2.0, 3.0], 2), &[NAN, NAN, 100.0]);
    assert_close(&rsi(&[3.0, 2.0, 1.0], 2), &[NAN, NAN, 0.0]);
    assert!(rsi(&[5.0; 50], 14).iter().all(|value| value.is_nan()));
}

#[test]
fn a_period_of_0_waits_for_ever() {
    let values = [1.0, 2.0, 3.0, 4.0];
    let averages = [sma(&values, 0), ema(&values, 0), ema_adjusted(&values, 0), rma(&values, 0)];
    for line in averages.into_iter().chain([rsi(&values, 0), rsi_adjusted(&values, 0), rolling_max(&values, 0)]) {
        assert_close(&line, &[NAN; 4]);
    }
}

#[test]
fn adjusted_rsi_by_hand() {
    // The changes are 1, -1/2 and 1/2. They weigh (1/2, 1), then (1/4, 1/2, 1).
    let (rises, falls) = ((0.25 + 0.5) / 1.75, 0.25 / 1.75);
    let expected = [NAN, NAN, 50.0, 100.0 * rises / (rises + falls)];
    assert_close(&rsi_adjusted(&[1.0, 2.0, 1.5, 2.0], 2), &expected);
    assert_close(&rsi_adjusted(&[1.0, 2.0, 3.0], 2), &[NAN, NAN, 100.0]);
    assert_close(&rsi_adjusted(&[3.0, 2.0, 1.0], 2), &[NAN, NAN, 0.0]);
    assert!(rsi_adjusted(&[5.0; 50], 2).iter().all(|value| value.is_nan()));
}

#[test]
fn macd_is_made_of_its_averages() {
    let close: Vec<f64> = (0..80).map(|i| 100.0 + f64::from(i % 7) + 0.3 * f64::from(i)).collect();
    let lines = macd(&close, 12, 26, 9);
    let line: Vec<f64> = ema(&close, 12).iter().zip(ema(&close, 26)).map(|(fast, slow)| fast - slow).collect();
    assert_close(&lines.line, &line);
    assert_close(&lines.signal[25..], &ema(&line[25..], 9));
    assert_eq!(lines.line.iter().position(|value| value.is_finite()), Some(25));
    assert_eq!(lines.histogram.iter().position(|value| value.is_finite()), Some(33));
}

#[test]
fn ranges_by_hand() {
    let (high, low, close) = ([10.0, 12.0, 11.0, 11.0], [8.0, 11.0, 9.0, 11.0], [9.0, 11.5, 11.0, 11.0]);
    assert_close(&true_range(&high, &low, &close), &[NAN, 3.0, 2.5, f64::EPSILON]);
    assert_close(&atr(&high, &low, &close, 2), &[NAN, NAN, 2.75, 1.375]);
}

#[test]
fn bollinger_by_hand() {
    let bands = bollinger(&[1.0, 3.0, 5.0, 5.0], 2, 2.0);
    assert_close(&bands.middle, &[NAN, 2.0, 4.0, 5.0]);
    assert_close(&bands.lower, &[NAN, 0.0, 2.0, 5.0]);
    assert_close(&bands.upper, &[NAN, 4.0, 6.0, 5.0]);
    assert_eq!(bollinger_band(&[1.0, 3.0], 2.0), Band { lower: 0.0, middle: 2.0, upper: 4.0 });
    assert_eq!(standard_deviation(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]), 2.0);
}

#[test]
fn a_close_on_the_band_is_not_beyond_it() {
    // If four of 20 closes are lower by the same amount, they lie exactly two deviations below the mean.
    let closes = [[99.97; 16].as_slice(), &[99.47; 4]].concat();
    assert_eq!(bollinger_band(&closes, 2.0).lower, 99.47);
}

#[test]
fn a_band_is_measured_by_its_middle_and_a_price_by_the_band() {
    let band = Band { lower: 90.0, middle: 100.0, upper: 110.0 };
    assert_eq!(band.width(), 0.2);
    assert_eq!([85.0, 90.0, 105.0, 110.0].map(|price| band.position(price)), [-0.25, 0.0, 0.75, 1.0]);
    let flat = bollinger_band(&[7.0; 20], 2.0);
    assert_eq!((flat.width(), flat.position(7.0)), (0.0, 0.5));
}

#[test]
fn adx_of_a_steady_rise_is_100() {
    let high: Vec<f64> = (0..60).map(|i| 10.0 + f64::from(i)).collect();
    let low: Vec<f64> = high.iter().map(|high| high - 2.0).collect();
    let lines = adx(&high, &low, &low, 14);
    assert_eq!(lines.plus_di.iter().position(|value| value.is_finite()), Some(14));
    assert_eq!(lines.adx.iter().position(|value| value.is_finite()), Some(27));
    assert_close(&[lines.adx[59], lines.minus_di[59]], &[100.0, 0.0]);
    // A movement of 1 in a true range of 3, which goes from the previous close up to the high.
    assert_close(&[lines.plus_di[59]], &[100.0 / 3.0]);
}

#[test]
fn adx_is_nan_without_movement() {
    let flat = [7.0; 60];
    assert!(adx(&flat, &flat, &flat, 14).adx.iter().all(|value| value.is_nan()));
}

#[test]
fn extremes_by_hand() {
    let values = [1.0, 3.0, 2.0, 0.0, NAN, 5.0, 4.0];
    assert_close(&rolling_max(&values, 2), &[NAN, 3.0, 3.0, 2.0, NAN, NAN, 5.0]);
    assert_close(&rolling_min(&values, 2), &[NAN, 1.0, 2.0, 0.0, NAN, NAN, 4.0]);
    assert_eq!((highest(&values[..4]), lowest(&values[..4])), (3.0, 0.0));
    assert!(highest(&values).is_nan() && lowest(&[]).is_nan());
    assert_eq!(midprice(&[3.0, 5.0], &[1.0, 2.0]), 3.0);
    assert!(midprice(&[], &[]).is_nan());
}

/// Every line of every indicator over one series.
fn every(values: &[f64], period: usize) -> Vec<Vec<f64>> {
    let Macd { line, signal, histogram } = macd(values, period, period + 3, 4);
    let Bollinger { lower, middle, upper } = bollinger(values, period, 2.0);
    let Adx { adx: trend, plus_di, minus_di } = adx(values, values, values, period);
    let averages = [sma(values, period), ema(values, period), ema_adjusted(values, period), rma(values, period)];
    let ranges = [true_range(values, values, values), atr(values, values, values, period)];
    let extremes = [rolling_max(values, period), rolling_min(values, period)];
    let others = [rolling_standard_deviation(values, period), rsi(values, period), rsi_adjusted(values, period)];
    let lines = [line, signal, histogram, lower, middle, upper, trend, plus_di, minus_di];
    averages.into_iter().chain(ranges).chain(extremes).chain(others).chain(lines).collect()
}

fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![4 => 1e-6..1e6, 1 => Just(0.0), 1 => Just(NAN), 1 => Just(f64::INFINITY), 1 => any::<f64>()]
}

proptest! {
    #[test]
    fn nothing_panics_and_every_line_is_as_long_as_its_input(
        values in prop::collection::vec(any_number(), 0..80), period in 0_usize..40,
    ) {
        for line in every(&values, period) {
            prop_assert_eq!(line.len(), values.len());
        }
        let mean = mean(&values);
        let band = bollinger_band(&values, 2.0);
        prop_assert!(mean.is_nan() == band.middle.is_nan());
    }

    #[test]
    fn a_constant_series_stays_constant_bit_for_bit(value in 1e-9..1e9, len in 0_usize..120, period in 1_usize..40) {
        let values = vec![value; len];
        let same = [sma(&values, period), ema(&values, period), ema_adjusted(&values, period), rma(&values, period),
            rolling_max(&values, period), bollinger(&values, period, 2.0).lower];
        for line in same {
            prop_assert!(line.iter().all(|&reading| reading.is_nan() || reading == value));
        }
        let zero = [rolling_standard_deviation(&values, period), macd(&values, period, period + 5, 4).histogram];
        for line in zero {
            prop_assert!(line.iter().all(|&reading| reading.is_nan() || reading == 0.0));
        }
    }

    #[test]
    fn rolling_values_are_those_of_their_window(
        values in prop::collection::vec(-1e3..1e3, 1..80), period in 1_usize..20,
    ) {
        let (means, highs, lows) = (sma(&values, period), rolling_max(&values, period), rolling_min(&values, period));
        for (index, window) in values.windows(period).enumerate() {
            let end = index + period - 1;
            prop_assert!((means[end] - mean(window)).abs() < 1e-9);
            prop_assert_eq!((highs[end], lows[end]), (highest(window), lowest(window)));
        }
        prop_assert!(means[..(period - 1).min(values.len())].iter().all(|value| value.is_nan()));
    }

    #[test]
    fn rsi_and_adx_stay_on_their_scale(values in prop::collection::vec(1.0..1e3, 2..120), period in 1_usize..30) {
        let lines = adx(&values, &values, &values, period);
        let indices = [rsi(&values, period), rsi_adjusted(&values, period)].concat();
        for reading in indices.into_iter().chain(lines.adx).chain(lines.plus_di).chain(lines.minus_di) {
            prop_assert!(reading.is_nan() || (-1e-9..=100.0 + 1e-9).contains(&reading), "{}", reading);
        }
    }

    #[test]
    fn the_two_exponential_averages_converge(values in prop::collection::vec(10.0..20.0, 200..220), period in 2_usize..12) {
        let (seeded, adjusted) = (ema(&values, period), ema_adjusted(&values, period));
        prop_assert!((seeded[199] - adjusted[199]).abs() < 1e-9);
    }
}
