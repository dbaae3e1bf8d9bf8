//! Compares the indicators with TA-Lib, on every candle of the parity data.
//!
//! TA-Lib is an independent implementation against which most of the field measures itself. If the definitions agree,
//! the readings agree to nine digits, and both have values at the same candles. The documented differences are checked
//! as well:
//!
//! * a candle without a range has a true range of 2.2e-16 here and of 0 in TA-Lib;
//! * before the price has moved, RSI and ADX are NaN here and 0 in TA-Lib, and ADX begins with the first movement
//!   here;
//! * TA-Lib's `MACD` seeds the fast average together with the slow one, so it agrees with ours once both seeds have
//!   faded; a MACD composed of TA-Lib's own `EMA` agrees from the start;
//! * TA-Lib's simple average is a running sum, which keeps a residue of the largest price it has seen.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use ta_bot_sdk::indicators::{
    adx, atr, bollinger, ema, macd, rolling_max, rolling_min, rolling_standard_deviation, rsi, sma, true_range,
};

/// The relative tolerance of every reading.
const TOLERANCE: f64 = 1e-9;
/// The tolerance of readings that are differences of nearly equal prices, as a fraction of the close.
const CANCELLATION: f64 = 1e-11;
/// The tolerance for what a running sum leaves behind, as a fraction of the largest close so far.
const RESIDUE: f64 = 1e-14;
/// The candle from which nothing is left of the difference between the seeds of the two fast averages.
const MACD_CONVERGED: usize = 200;
/// The number of candles after the beginning of ADX from which nothing is left of its seed.
const ADX_CONVERGES: usize = 350;

#[test]
fn indicators_agree_with_ta_lib() {
    let Some(series) = every_series() else { return };
    assert!(!series.is_empty(), "the parity folder holds no candles");
    for series in &series {
        let (high, low, close) = (series.candles("high"), series.candles("low"), series.candles("close"));
        series.compare("sma20", &sma(close, 20), RESIDUE);
        series.compare("volume_sma20", &sma(series.candles("volume"), 20), 0.0);
        series.compare("ema12", &ema(close, 12), 0.0);
        series.compare("ema80", &ema(close, 80), 0.0);
        let bands = bollinger(close, 20, 2.0);
        series.compare("bb_lower", &bands.lower, RESIDUE);
        series.compare("bb_middle", &bands.middle, RESIDUE);
        series.compare("bb_upper", &bands.upper, RESIDUE);
        series.compare("stddev20", &rolling_standard_deviation(close, 20), 0.0);
        series.compare("max20", &rolling_max(high, 20), 0.0);
        series.compare("min20", &rolling_min(low, 20), 0.0);
        let index = adx(high, low, close, 14);
        series.compare("plus_di14", &index.plus_di, 0.0);
        series.compare("minus_di14", &index.minus_di, 0.0);
        let lines = macd(close, 12, 26, 9);
        series.compare("macd_composed", &lines.line, 0.0);
        series.compare("macd_composed_signal", &lines.signal, 0.0);
    }
}

#[test]
fn ta_libs_macd_converges_to_ours() {
    for series in every_series().unwrap_or_default() {
        let lines = macd(series.candles("close"), 12, 26, 9);
        series.compare_from(MACD_CONVERGED, "macd", &lines.line, 0.0);
        series.compare_from(MACD_CONVERGED, "macd_signal", &lines.signal, 0.0);
    }
}

#[test]
fn ranges_agree_except_that_ours_are_never_zero() {
    for series in every_series().unwrap_or_default() {
        let (high, low, close) = (series.candles("high"), series.candles("low"), series.candles("close"));
        let ranges = true_range(high, low, close);
        let averages = atr(high, low, close, 14);
        for (index, (&ours, &theirs)) in ranges.iter().zip(series.ta_lib("tr")).enumerate() {
            let exact = ours == theirs || (ours.is_nan() && theirs.is_nan());
            assert!(exact || (theirs == 0.0 && ours == f64::EPSILON), "{}: tr[{index}]", series.name);
        }
        // Any difference is due to the ranges that are 0 in TA-Lib.
        for (index, (&ours, &theirs)) in averages.iter().zip(series.ta_lib("atr14")).enumerate() {
            let close = agree(ours, theirs, 0.0) || (ours - theirs).abs() <= f64::EPSILON;
            assert!(close, "{}: atr14[{index}] is {ours}, in TA-Lib {theirs}", series.name);
        }
    }
}

#[test]
fn rsi_agrees_except_that_ours_has_no_value_before_the_price_moves() {
    for series in every_series().unwrap_or_default() {
        let close = series.candles("close");
        let still = close.iter().take_while(|&&price| price == close[0]).count();
        for (name, period) in [("rsi2", 2), ("rsi14", 14)] {
            let ours = rsi(close, period);
            let before = ours.iter().zip(series.ta_lib(name)).enumerate().take(still).skip(period);
            for (index, (&ours, &theirs)) in before {
                assert!(ours.is_nan() && theirs == 0.0, "{}: {name}[{index}] is {ours}, {theirs}", series.name);
            }
            series.compare_from(still, name, &ours, 0.0);
        }
    }
}

#[test]
fn adx_agrees_except_that_ours_begins_with_the_first_movement() {
    for series in every_series().unwrap_or_default() {
        let ours = adx(series.candles("high"), series.candles("low"), series.candles("close"), 14).adx;
        let begin = ours.iter().position(|reading| !reading.is_nan()).expect("every series moves");
        if begin == 27 {
            series.compare("adx14", &ours, 0.0);
            continue;
        }
        let before = &series.ta_lib("adx14")[27..begin - 13];
        assert!(before.iter().all(|&reading| reading == 0.0), "{}: adx14 in TA-Lib before a movement", series.name);
        series.compare_from(begin + ADX_CONVERGES, "adx14", &ours, 0.0);
    }
}

/// A candle series with TA-Lib's readings of it.
struct Series {
    name: String,
    candles: HashMap<String, Vec<f64>>,
    ta_lib: HashMap<String, Vec<f64>>,
}

impl Series {
    fn candles(&self, column: &str) -> &[f64] {
        self.candles.get(column).unwrap_or_else(|| panic!("{}: no column {column}", self.name))
    }

    fn ta_lib(&self, indicator: &str) -> &[f64] {
        self.ta_lib.get(indicator).unwrap_or_else(|| panic!("{}: no indicator {indicator}", self.name))
    }

    fn compare(&self, indicator: &str, ours: &[f64], residue: f64) {
        self.compare_from(0, indicator, ours, residue);
    }

    fn compare_from(&self, from: usize, indicator: &str, ours: &[f64], residue: f64) {
        let theirs = self.ta_lib(indicator);
        let close = self.candles("close");
        assert_eq!(ours.len(), theirs.len(), "{}: {indicator}", self.name);
        let mut largest = 0.0_f64;
        for (index, (&ours, &theirs)) in ours.iter().zip(theirs).enumerate() {
            largest = largest.max(close[index]);
            let slack = (CANCELLATION * close[index]).max(residue * largest);
            assert!(
                index < from || agree(ours, theirs, slack),
                "{}: {indicator}[{index}] is {ours}, in TA-Lib {theirs}",
                self.name
            );
        }
    }
}

fn agree(ours: f64, theirs: f64, slack: f64) -> bool {
    let distance = (ours - theirs).abs();
    (ours.is_nan() && theirs.is_nan()) || distance <= slack || distance <= TOLERANCE * ours.abs().max(theirs.abs())
}

/// Every series of the parity data, or `None` if there is no such data.
fn every_series() -> Option<Vec<Series>> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = std::env::var_os("PARITY_DIR").map_or_else(|| "../shared/parity".into(), PathBuf::from);
    let candles = workspace.join(folder).join("candles");
    if !candles.is_dir() {
        println!("skipped: no parity data in {} (PARITY_DIR says where it is)", candles.display());
        return None;
    }
    let answers = ask_ta_lib(&workspace, &candles);
    let mut series = Vec::new();
    for entry in candles.read_dir().expect("the candle folder can be read") {
        let path = entry.expect("the candle folder can be read").path();
        let Some(name) = path.file_name().filter(|_| path.extension().is_some_and(|extension| extension == "csv"))
        else {
            continue;
        };
        let name = name.to_string_lossy().into_owned();
        series.push(Series { candles: columns(&path), ta_lib: columns(&answers.join(&name)), name });
    }
    Some(series)
}

/// Runs the script and returns the folder with its results. Each test has its own folder, since tests run at the same
/// time.
fn ask_ta_lib(workspace: &Path, candles: &Path) -> PathBuf {
    let python = std::env::var_os("TA_BOT_PYTHON").map_or_else(|| "target/venv/bin/python".into(), PathBuf::from);
    let python = workspace.join(python);
    let test = std::thread::current().name().unwrap_or("test").to_owned();
    let answers = Path::new(env!("CARGO_TARGET_TMPDIR")).join("talib").join(test);
    let script = workspace.join("tests/oracle/talib_oracle.py");
    let run = Command::new(&python).arg(script).arg(candles).arg(&answers).output();
    let mend = "python3 -m venv target/venv && target/venv/bin/pip install -r tests/oracle/requirements.txt";
    match run {
        Ok(output) if output.status.success() => answers,
        Ok(output) => panic!(
            "the oracle failed; if a module is missing, run in the project's root: {mend}\n{}",
            String::from_utf8_lossy(&output.stderr)
        ),
        Err(error) => panic!(
            "cannot run {} ({error}); run in the project's root: {mend}\nor name another python in TA_BOT_PYTHON",
            python.display()
        ),
    }
}

fn columns(path: &Path) -> HashMap<String, Vec<f64>> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut lines = text.lines();
    let names: Vec<_> = lines.next().unwrap_or_default().split(',').collect();
    let mut columns = vec![Vec::new(); names.len()];
    for line in lines {
        for (column, value) in columns.iter_mut().zip(line.split(',')) {
            column.push(value.parse().unwrap_or_else(|error| panic!("{}: {value:?}: {error}", path.display())));
        }
    }
    names.into_iter().map(str::to_owned).zip(columns).collect()
}
