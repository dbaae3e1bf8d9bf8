//! The folder of recorded market data and answers, which is not part of the project: `PARITY_DIR`, or
//! `../shared/parity` by default. A relative path starts at the project's folder.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use ta_bot_core::{Candle, CandleSlice, CandleWindow, Job, Symbol, Timeframe, Timestamp};

use crate::root;

/// The folder, or `None` with a printed note if it is missing. Only then may a test that needs the folder do nothing.
///
/// # Panics
///
/// If `PARITY_DIR` names a folder that does not exist.
pub fn folder() -> Option<PathBuf> {
    let named = env::var_os("PARITY_DIR").map(PathBuf::from);
    let path = root().join(named.as_deref().unwrap_or(Path::new("../shared/parity")));
    if path.is_dir() {
        return Some(path);
    }
    assert!(named.is_none(), "PARITY_DIR is {}, but there is no such folder", path.display());
    eprintln!("SKIPPED: there is no folder {}; set PARITY_DIR to compare with the recorded answers", path.display());
    None
}

/// A recorded series of candles.
pub struct Series {
    /// The file's name without its ending.
    pub name: String,
    /// The symbol of the candles.
    pub symbol: Symbol,
    /// The length of each candle.
    pub timeframe: Timeframe,
    /// All candles of the series.
    pub candles: CandleWindow,
}

#[derive(Deserialize)]
struct Listed {
    series: String,
    symbol: Symbol,
    timeframe: Timeframe,
}

impl Series {
    /// Every series of the folder whose file exists.
    pub fn all(folder: &Path) -> Result<Vec<Self>> {
        let folder = folder.join("candles");
        let list = fs::read(folder.join("series.json")).context("series.json")?;
        let listed: Vec<Listed> = serde_json::from_slice(&list).context("series.json")?;
        let there = listed.into_iter().filter(|listed| folder.join(format!("{}.csv", listed.series)).is_file());
        let read = |Listed { series, symbol, timeframe }| {
            let text = fs::read_to_string(folder.join(format!("{series}.csv")))?;
            Ok(Self { candles: candles(&text).with_context(|| series.clone())?, name: series, symbol, timeframe })
        };
        there.map(read).collect()
    }

    /// The job of the candle at `index`.
    pub fn job(&self, index: usize) -> Job {
        let open = Timestamp::from_millis(self.candles.newest(usize::MAX).open_time[index] as i64);
        Job { symbol: self.symbol.clone(), timeframe: self.timeframe, candle_close: self.timeframe.close_of(open) }
    }

    /// The window of up to `length` candles that ends with the candle at `index`.
    pub fn window(&self, index: usize, length: usize) -> CandleSlice<'_> {
        self.candles.span((index + 1).saturating_sub(length)..index + 1)
    }
}

/// Parses lines of `open_time_ms,open,high,low,close,volume` below a header line. Unlike an import it accepts any
/// numbers, because there are recorded answers for odd candles, too.
pub fn candles(text: &str) -> Result<CandleWindow> {
    let candle = |line: &str| {
        let numbers: Vec<f64> = line.split(',').map(str::parse).collect::<Result<_, _>>().context(line.to_owned())?;
        let [open_time, open, high, low, close, volume] = numbers[..] else { bail!("{line} has not six columns") };
        Ok(Candle { open_time: Timestamp::from_millis(open_time as i64), open, high, low, close, volume })
    };
    Ok(CandleWindow::new(text.lines().skip(1).map(candle).collect::<Result<Vec<_>>>()?)?)
}
