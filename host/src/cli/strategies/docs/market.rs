//! The candles of the given files, in memory.

use std::path::{Path, PathBuf};

use ta_bot_core::{CandleSlice, Symbol, Timeframe, Timestamp};
use ta_bot_engine::market::{
    history::{CandleSeries, History},
    import,
};

use crate::cli::error::DocsError;

/// Every series, in the order of symbol and timeframe.
pub(in crate::cli) struct Market {
    history: History,
}

impl Market {
    /// Reads the files. The name of a file says which series it holds.
    pub(in crate::cli) fn read(files: &[PathBuf]) -> Result<Self, DocsError> {
        let mut read = files.iter().map(|path| Ok((path, series(path)?))).collect::<Result<Vec<_>, DocsError>>()?;
        read.sort_by(|(_, one), (_, other)| key(one).cmp(&key(other)));
        if let Some([(first, one), (second, _)]) =
            read.array_windows().find(|[(_, one), (_, next)]| key(one) == key(next))
        {
            let (symbol, timeframe) = (one.symbol.clone(), one.timeframe);
            let (first, second) = ((*first).clone(), (*second).clone());
            return Err(DocsError::SeriesTwice { symbol, timeframe, first, second });
        }
        Ok(Self { history: History::new(read.into_iter().map(|(_, series)| series).collect()) })
    }

    /// The series as a history.
    pub(in crate::cli) fn into_history(self) -> History {
        self.history
    }

    pub(super) fn series(&self, index: usize) -> &CandleSeries {
        &self.history.series()[index]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &CandleSeries> {
        self.history.series().iter()
    }

    /// The newest `count` candles of a series that had closed at `at`, or `None` if there are fewer.
    pub(super) fn closed(&self, series: &(Symbol, Timeframe), at: Timestamp, count: u32) -> Option<CandleSlice<'_>> {
        self.history.closed(series, at, count as usize)
    }
}

fn key(series: &CandleSeries) -> (&Symbol, Timeframe) {
    (&series.symbol, series.timeframe)
}

fn series(path: &Path) -> Result<CandleSeries, DocsError> {
    let (symbol, timeframe) = named(path).map_err(|problem| DocsError::FileName { path: path.to_owned(), problem })?;
    let file = import::read(path, timeframe, Timestamp::now(), &mut |_| {})
        .map_err(|problem| DocsError::Candles { timeframe, problem })?;
    CandleSeries::new(symbol, timeframe, file.candles)
        .map_err(|problem| DocsError::Window { path: path.to_owned(), problem })
}

/// The series that a file's name gives, or what is wrong with the name.
pub(in crate::cli) fn named(path: &Path) -> Result<(Symbol, Timeframe), String> {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let mut parts = stem.split('_');
    let (Some(symbol), Some(timeframe)) = (parts.next(), parts.next()) else {
        return Err(format!("{stem:?} has no underscore"));
    };
    let symbol = symbol.parse().map_err(|error| format!("{error}"))?;
    Ok((symbol, timeframe.parse().map_err(|error| format!("{error}"))?))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn names_give_series() {
        let of = |name: &str| named(Path::new(name)).map(|(symbol, timeframe)| format!("{symbol} {timeframe}"));
        assert_eq!(of("a/BTCPERP_15m.csv"), Ok("BTCPERP 15m".to_owned()));
        assert_eq!(of("XBTUSDT_1m_kraken.csv"), Ok("XBTUSDT 1m".to_owned()));
        for (wrong, word) in [("BTCUSDT.csv", "underscore"), ("BTCUSDT_15.csv", "15m"), ("B_15m.csv", "no symbol")] {
            assert!(of(wrong).unwrap_err().contains(word), "{wrong}");
        }
    }

    #[test]
    fn what_had_not_closed_is_not_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("BTCUSDT_1h.csv");
        let first = 1_700_002_800_000_i64;
        let mut text = "open_time_ms,open,high,low,close,volume\n".to_owned();
        for index in 0..5 {
            writeln!(text, "{},1,2,0.5,1,1", first + index * 3_600_000).unwrap();
        }
        std::fs::write(&path, text).unwrap();
        let market = Market::read(std::slice::from_ref(&path)).unwrap();
        let series = ("BTCUSDT".parse().unwrap(), Timeframe::H1);
        let newest = |minutes: i64, count| {
            let at = Timestamp::from_millis(first + minutes * 60_000);
            market.closed(&series, at, count).map(|window| (window.len(), window.open_time[0] as i64 - first))
        };
        assert_eq!(newest(119, 1), Some((1, 0)));
        assert_eq!(newest(120, 1), Some((1, 3_600_000)));
        assert_eq!(newest(120, 3), None);
        let error = Market::read(&[path.clone(), path]).err().unwrap().to_string();
        assert!(error.contains("BTCUSDT 1h") && error.contains("one file"), "{error}");
    }
}
