//! `ta-bot candles`: the candles of the local store.

use std::{fmt, path::Path};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use ta_bot_core::{Symbol, Timeframe};
use ta_bot_engine::market::{
    candle_store::SeriesSummary,
    import::{self, ImportSummary, Progress},
};

use super::{
    Session,
    error::{CliError, shown},
    output::{or_dash, table},
};

pub(super) mod revisions;

pub(super) async fn import(
    session: Session,
    file: &Path,
    symbol: &Symbol,
    timeframe: Timeframe,
) -> Result<(), CliError> {
    let app = session.open().await?;
    // The bar hides itself if stderr is not a terminal.
    let bar = if session.output.json { ProgressBar::hidden() } else { ProgressBar::new(0) };
    bar.set_style(style());
    let told = bar.clone();
    let imported = import::import(app.candles.as_ref(), file, symbol, timeframe, move |Progress { read, total }| {
        told.set_length(total.max(read));
        told.set_position(read);
    });
    let imported = imported.await;
    bar.finish_and_clear();
    session.output.answer(&Imported::new(file, symbol, timeframe, &imported?))
}

fn style() -> ProgressStyle {
    let template = ProgressStyle::with_template("reading {bar:40} {bytes}/{total_bytes}");
    template.unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// What an import did. See [`ImportSummary`].
#[derive(Serialize)]
struct Imported {
    file: String,
    symbol: Symbol,
    timeframe: Timeframe,
    rows: u64,
    new: u64,
    same: u64,
    different: u64,
    missing: u64,
    first_open: String,
    last_open: String,
    /// The opening time of the candle that was left out because it is still open.
    still_open: Option<String>,
}

impl Imported {
    fn new(file: &Path, symbol: &Symbol, timeframe: Timeframe, summary: &ImportSummary) -> Self {
        let ImportSummary { rows, new, same, different, first, last, missing, still_open } = *summary;
        Self {
            file: shown(file),
            symbol: symbol.clone(),
            timeframe,
            rows,
            new,
            same,
            different,
            missing,
            first_open: first.to_string(),
            last_open: last.to_string(),
            still_open: still_open.map(|open| open.to_string()),
        }
    }
}

impl fmt::Display for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { symbol, timeframe, rows, new, same, different, missing, first_open, last_open, .. } = self;
        writeln!(f, "{symbol} {timeframe}: {rows} closed candles, opened from {first_open} to {last_open}")?;
        let kept = if *different > 0 { "  (what was stored is kept: a closed candle does not change)" } else { "" };
        writeln!(
            f,
            "  new         {new}\n  same        {same}\n  different   {different}{kept}\n  missing     {missing}"
        )?;
        writeln!(
            f,
            "  still open  {}",
            or_dash(self.still_open.as_ref(), |open| format!("1, opened {open} (left out)"))
        )?;
        write!(f, "Next: ta-bot analyze {symbol} {timeframe}")
    }
}

pub(super) async fn list(session: Session) -> Result<(), CliError> {
    let app = session.open().await?;
    let mut series = app.candles.series().await?;
    series.sort_by(|one, other| (&one.symbol, one.timeframe).cmp(&(&other.symbol, other.timeframe)));
    session.output.answer(&CandleList { series: series.into_iter().map(SeriesRow::from).collect() })
}

#[derive(Serialize)]
struct CandleList {
    series: Vec<SeriesRow>,
}

/// What the store holds of one symbol and timeframe.
#[derive(Serialize)]
struct SeriesRow {
    symbol: Symbol,
    timeframe: Timeframe,
    candles: u64,
    /// How many are missing between the oldest and the newest one.
    missing: u64,
    first_open: String,
    last_open: String,
}

impl From<SeriesSummary> for SeriesRow {
    fn from(summary: SeriesSummary) -> Self {
        let missing = summary.missing();
        let SeriesSummary { symbol, timeframe, candles, first_open, last_open } = summary;
        let [first_open, last_open] = [first_open, last_open].map(|open| open.to_string());
        Self { symbol, timeframe, candles, missing, first_open, last_open }
    }
}

impl fmt::Display for CandleList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.series.is_empty() {
            return CliError::NoCandles.fmt(f);
        }
        let row = |series: &SeriesRow| {
            let SeriesRow { symbol, timeframe, candles, missing, first_open, last_open } = series;
            let [candles, missing] = [candles, missing].map(ToString::to_string);
            [symbol.to_string(), timeframe.to_string(), candles, missing, first_open.clone(), last_open.clone()]
        };
        let header = ["symbol", "timeframe", "candles", "missing", "first opened", "last opened"];
        f.write_str(&table(&header, &[2, 3], self.series.iter().map(row)))
    }
}
