//! The answers with which the SDKs of the other languages compare theirs: `sdk/conformance/indicators.json`. This test
//! keeps the file true; `UPDATE_CONFORMANCE=1` writes it anew.
//!
//! A number is written so that reading it gives the same bits, and NaN is `null`. An indicator of several lines has an
//! answer for each, and one that gives a single value has a list of one.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use ta_bot_sdk::indicators::{self as of, Adx, Band, Bollinger, Macd};
use ta_bot_sdk::{fixed, price};

/// The position of this price in a band is asked for.
const PRICE: f64 = 100.5;

struct Series {
    name: &'static str,
    high: Vec<f64>,
    low: Vec<f64>,
    close: Vec<f64>,
}

#[test]
fn the_answers_for_the_other_languages_are_those_of_this_sdk() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance/indicators.json");
    let made = document();
    assert!(!made.contains("inf"), "JSON has no infinity");
    if env::var_os("UPDATE_CONFORMANCE").is_some() {
        fs::write(&path, &made).expect("the file can be written");
    }
    let kept = fs::read_to_string(&path).expect("the file is there");
    let differs = kept.lines().zip(made.lines()).find(|(kept, made)| kept != made);
    assert!(kept == made, "{differs:?}: an indicator changed. If it was meant, UPDATE_CONFORMANCE=1 writes the file");
}

fn document() -> String {
    let mut text = String::from("{\"series\": [\n");
    let series = every_series();
    for (index, one) in series.iter().enumerate() {
        let end = if index + 1 < series.len() { "," } else { "" };
        let (high, low, close) = (list(&one.high), list(&one.low), list(&one.close));
        let name = one.name;
        _ = writeln!(text, "{{\"name\": \"{name}\", \"high\": {high}, \"low\": {low}, \"close\": {close}}}{end}");
    }
    text.push_str("],\n\"answers\": [\n");
    let answers: Vec<String> = series.iter().flat_map(answers).collect();
    text.push_str(&answers.join(",\n"));
    text.push_str("\n],\n\"texts\": [\n");
    text.push_str(&texts().join(",\n"));
    text.push_str("\n]}\n");
    text
}

fn every_series() -> Vec<Series> {
    let walk = walk("walk", 64);
    let mut gaps = self::walk("gaps", 40);
    for hole in [0, 1, 17, 18, 30] {
        (gaps.high[hole], gaps.low[hole], gaps.close[hole]) = (f64::NAN, f64::NAN, f64::NAN);
    }
    let mut rest = self::walk("rest", 40);
    // It begins flat, moves, and stands still again.
    for at in (0..12).chain(28..40) {
        let price = if at < 12 { 0.1 } else { rest.close[27] };
        (rest.high[at], rest.low[at], rest.close[at]) = (price, price, price);
    }
    let short = self::walk("short", 3);
    let none = Series { name: "none", high: Vec::new(), low: Vec::new(), close: Vec::new() };
    vec![walk, gaps, rest, short, none]
}

fn walk(name: &'static str, count: usize) -> Series {
    let mut seed = 0x5eed_u64 + count as u64;
    let mut draw = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut series = Series { name, high: Vec::new(), low: Vec::new(), close: Vec::new() };
    let mut close = 100.0;
    for _ in 0..count {
        let open = close;
        close += (draw() - 0.5) * 3.0;
        series.high.push(f64::max(open, close) + draw());
        series.low.push(f64::min(open, close) - draw());
        series.close.push(close);
    }
    series
}

fn answers(series: &Series) -> Vec<String> {
    let Series { high, low, close, .. } = series;
    let mut asked = Asked { series: series.name, answers: Vec::new() };
    for period in [0, 1, 2, 5, 14] {
        let n = &[period as f64][..];
        asked.line("sma", n, "", &of::sma(close, period));
        asked.line("ema", n, "", &of::ema(close, period));
        asked.line("ema_adjusted", n, "", &of::ema_adjusted(close, period));
        asked.line("rma", n, "", &of::rma(close, period));
        asked.line("rsi", n, "", &of::rsi(close, period));
        asked.line("rsi_adjusted", n, "", &of::rsi_adjusted(close, period));
        asked.line("rolling_max", n, "", &of::rolling_max(high, period));
        asked.line("rolling_min", n, "", &of::rolling_min(low, period));
        asked.line("rolling_standard_deviation", n, "", &of::rolling_standard_deviation(close, period));
        asked.line("atr", n, "", &of::atr(high, low, close, period));
        let Adx { adx, plus_di, minus_di } = of::adx(high, low, close, period);
        asked.line("adx", n, "adx", &adx);
        asked.line("adx", n, "plus_di", &plus_di);
        asked.line("adx", n, "minus_di", &minus_di);
        let Bollinger { lower, middle, upper } = of::bollinger(close, period, 2.0);
        let n = [period as f64, 2.0];
        asked.line("bollinger", &n, "lower", &lower);
        asked.line("bollinger", &n, "middle", &middle);
        asked.line("bollinger", &n, "upper", &upper);
    }
    for (fast, slow, signal) in [(3, 6, 4), (12, 26, 9)] {
        let Macd { line, signal: average, histogram } = of::macd(close, fast, slow, signal);
        let n = [fast as f64, slow as f64, signal as f64];
        asked.line("macd", &n, "line", &line);
        asked.line("macd", &n, "signal", &average);
        asked.line("macd", &n, "histogram", &histogram);
    }
    asked.line("true_range", &[], "", &of::true_range(high, low, close));
    asked.line("mean", &[], "", &[of::mean(close)]);
    asked.line("standard_deviation", &[], "", &[of::standard_deviation(close)]);
    asked.line("highest", &[], "", &[of::highest(high)]);
    asked.line("lowest", &[], "", &[of::lowest(low)]);
    asked.line("midprice", &[], "", &[of::midprice(high, low)]);
    let band = of::bollinger_band(close, 2.5);
    let Band { lower, middle, upper } = band;
    asked.line("bollinger_band", &[2.5], "lower", &[lower]);
    asked.line("bollinger_band", &[2.5], "middle", &[middle]);
    asked.line("bollinger_band", &[2.5], "upper", &[upper]);
    asked.line("bollinger_band", &[2.5], "width", &[band.width()]);
    asked.line("bollinger_band", &[2.5, PRICE], "position", &[band.position(PRICE)]);
    asked.answers
}

struct Asked {
    series: &'static str,
    answers: Vec<String>,
}

impl Asked {
    /// Adds the answer of one line of an indicator with these numbers; `line` is empty if it has only one.
    fn line(&mut self, indicator: &str, numbers: &[f64], line: &str, values: &[f64]) {
        let (series, numbers, values) = (self.series, list(numbers), list(values));
        self.answers.push(format!(
            "{{\"series\": \"{series}\", \"indicator\": \"{indicator}\", \"numbers\": {numbers}, \"line\": \"{line}\", \
             \"values\": {values}}}"
        ));
    }
}

fn texts() -> Vec<String> {
    let values = [
        0.0,
        -0.0,
        1.0,
        -2.5,
        0.5,
        1.5,
        2.5,
        0.125,
        -0.125,
        0.375,
        41_983.126,
        12_345_678.9,
        12_345_678.5,
        12_345_679.5,
        1e-8,
        0.300_000_000_000_000_04,
        9.999_999_99,
        -0.004,
        99.999,
        1e15,
        1e18,
        2.2e-16,
        1_234_567.5,
        0.000_012_345_678,
        -41_983.5,
    ];
    let prices = values.iter().map(|&value| text("price", value, 0, &price(value).to_string()));
    let decimals = [0, 2, 8].into_iter().flat_map(|decimals| values.map(|value| (value, decimals)));
    let readings =
        decimals.map(|(value, decimals)| text("fixed", value, decimals, &fixed(value, decimals).to_string()));
    prices.chain(readings).collect()
}

fn text(function: &str, value: f64, decimals: u32, text: &str) -> String {
    format!("{{\"function\": \"{function}\", \"value\": {value:?}, \"decimals\": {decimals}, \"text\": \"{text}\"}}")
}

fn list(values: &[f64]) -> String {
    let shown = |value: &f64| if value.is_nan() { "null".to_owned() } else { format!("{value:?}") };
    format!("[{}]", values.iter().map(shown).collect::<Vec<_>>().join(", "))
}
