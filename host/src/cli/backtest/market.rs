//! The candles of a backtest: those of the store, or those of files.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use ta_bot_core::{Symbol, Timeframe, Timestamp};
use ta_bot_engine::market::{candle_store::SeriesSummary, candles::Candles, import::Files};
use tempfile::TempDir;

use crate::{
    app::App,
    cli::{Session, args::BacktestWanted, candles::import, error::CliError, strategies::docs::named},
};

/// The candles that are looked at.
pub(super) struct Market {
    pub(super) candles: Arc<Candles>,
    /// The series that are evaluated, sorted.
    pub(super) series: Vec<SeriesSummary>,
    /// Where those of files are.
    _folder: Option<TempDir>,
}

impl Market {
    pub(super) async fn open(session: &Session, app: &App, wanted: &BacktestWanted) -> Result<Self, CliError> {
        let (candles, folder) = if wanted.candles.is_empty() {
            (app.stored_candles(), None)
        } else {
            let (candles, folder) = of_files(session, app, wanted).await?;
            (candles, Some(folder))
        };
        let there = candles.series().await?;
        if there.is_empty() {
            return Err(CliError::NoCandles);
        }
        let series = chosen(&there, wanted)?;
        Ok(Self { candles, series, _folder: folder })
    }

    /// From when until when the candles closed that are evaluated.
    pub(super) fn stretch(&self, wanted: &BacktestWanted) -> (Timestamp, Timestamp) {
        let first = self.series.iter().map(|series| series.first_open).min();
        let last = self.series.iter().map(|series| series.timeframe.close_of(series.last_open)).max();
        let nothing = Timestamp::from_millis(0);
        let (first, last) = (first.unwrap_or(nothing), last.unwrap_or(nothing));
        (wanted.from.map_or(first, |from| from.max(first)), wanted.to.map_or(last, |to| to.min(last)))
    }
}

/// The series that are wanted. One that is named and not there is an error: a backtest without it would look whole.
fn chosen(there: &[SeriesSummary], wanted: &BacktestWanted) -> Result<Vec<SeriesSummary>, CliError> {
    let of_symbol = |series: &&SeriesSummary| wanted.symbols.is_empty() || wanted.symbols.contains(&series.symbol);
    let of_timeframe =
        |series: &&SeriesSummary| wanted.timeframes.is_empty() || wanted.timeframes.contains(&series.timeframe);
    for symbol in &wanted.symbols {
        let timeframes = if wanted.timeframes.is_empty() { None } else { Some(&wanted.timeframes) };
        let has = |timeframe: Option<Timeframe>| {
            there.iter().any(|series| series.symbol == *symbol && timeframe.is_none_or(|one| one == series.timeframe))
        };
        let missing = match timeframes {
            None => (!has(None)).then_some(None),
            Some(all) => all.iter().find(|timeframe| !has(Some(**timeframe))).map(|timeframe| Some(*timeframe)),
        };
        if let Some(timeframe) = missing {
            return Err(CliError::NoSeries { symbol: symbol.clone(), timeframe, there: there.to_vec() });
        }
    }
    let mut series: Vec<SeriesSummary> = there.iter().filter(of_symbol).filter(of_timeframe).cloned().collect();
    series.sort_by(|one, other| (&one.symbol, one.timeframe).cmp(&(&other.symbol, other.timeframe)));
    if series.is_empty() {
        let timeframes: Vec<String> = wanted.timeframes.iter().map(ToString::to_string).collect();
        return Err(CliError::Usage(format!("there are no candles of {}", timeframes.join(", "))));
    }
    Ok(series)
}

/// Reads files into a store of their own, so that windows are cut of them as of every store.
async fn of_files(session: &Session, app: &App, wanted: &BacktestWanted) -> Result<(Arc<Candles>, TempDir), CliError> {
    let folder = tempfile::tempdir().map_err(|error| CliError::Start(format!("no temporary folder: {error}")))?;
    let candles = app.candles_in(folder.path()).await.map_err(CliError::of_app)?;
    for files in by_series(&wanted.candles) {
        for gathered in import::read(files, session.output.json).await? {
            candles.insert(&gathered.symbol, gathered.timeframe, &gathered.candles).await?;
        }
    }
    Ok((candles, folder))
}

/// The files of each series that names say, and the others, whose names have to be Binance's.
fn by_series(paths: &[PathBuf]) -> Vec<Files> {
    let mut named_files: BTreeMap<Option<(Symbol, Timeframe)>, Vec<PathBuf>> = BTreeMap::new();
    for path in paths {
        named_files.entry(named(path).ok()).or_default().push(path.clone());
    }
    let files = named_files.into_iter().map(|(series, paths)| {
        let (symbol, timeframe) = series.unzip();
        Files { paths, symbol, timeframe, skip_bad: false }
    });
    files.collect()
}
