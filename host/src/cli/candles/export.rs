//! `ta-bot candles export`: candles of the store as a file that `candles import` reads. A name that ends in `.parquet`
//! asks for Parquet.

use std::{
    fmt, fs,
    io::{self, BufWriter, Write as _},
    ops::Range,
    path::{Path, PathBuf},
};

use serde::Serialize;
use ta_bot_core::{RefusedCandle, Symbol, Timeframe, Timestamp};
use ta_bot_engine::market::{
    candles::Candles,
    export::{CandleFormat, ExportError, Exported, export as write},
};

use crate::cli::{
    Session,
    args::ExportWanted,
    error::{CliError, shown},
    new_file,
    output::{note, or_dash},
};

/// Exports one series, to a new file or to stdout.
pub(in crate::cli) async fn export(session: Session, wanted: ExportWanted) -> Result<(), CliError> {
    let ExportWanted { symbol, timeframe, since, until, output } = wanted;
    if session.output.json && output.is_none() {
        return Err(CliError::Usage("--json and the candles can't both go to stdout: give --output FILE".to_owned()));
    }
    let app = session.open().await?;
    is_there(&app.candles, &symbol, timeframe).await?;
    let opened = since.unwrap_or(Timestamp::from_millis(0))..until.unwrap_or(Timestamp::from_millis(i64::MAX));
    let Some(path) = output else {
        let exported = to_stdout(&app.candles, &symbol, timeframe, opened).await?;
        exported.named.iter().take(10).for_each(|refused| note(&format!("left out: {}", told(refused))));
        note(&format!("{} candles, {} left out", exported.candles, exported.refused));
        return Ok(());
    };
    let file = new_file::create(&path, 0o644, |path| CliError::FileExists { path })?;
    let mut out = BufWriter::new(file);
    let exported = write(&app.candles, (&symbol, timeframe), opened, format_of(&path), &mut out).await;
    let synced = exported.and_then(|exported| Ok(out.get_ref().sync_all().map(|()| exported)?));
    let exported = synced.map_err(|error| {
        // A file that is cut off in the middle would pass for a whole one.
        fs::remove_file(&path).ok();
        failed(error, path.clone())
    })?;
    session.output.answer(&Report::new(shown(&path), symbol, timeframe, exported))
}

async fn to_stdout(
    candles: &Candles,
    symbol: &Symbol,
    timeframe: Timeframe,
    opened: Range<Timestamp>,
) -> Result<Exported, CliError> {
    let mut out = BufWriter::new(io::stdout());
    match write(candles, (symbol, timeframe), opened, CandleFormat::Csv, &mut out).await {
        // The reader has seen what it wanted.
        Err(ExportError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exported::default()),
        Err(ExportError::Write(error)) => Err(CliError::Output(error)),
        Err(ExportError::Store(error)) => Err(error.into()),
        Ok(exported) => out.flush().map(|()| exported).map_err(CliError::Output),
    }
}

fn format_of(path: &Path) -> CandleFormat {
    let is_parquet = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("parquet"));
    if is_parquet { CandleFormat::Parquet } else { CandleFormat::Csv }
}

fn failed(error: ExportError, path: PathBuf) -> CliError {
    match error {
        ExportError::Store(error) => error.into(),
        ExportError::Write(reason) => CliError::Write { path, reason },
    }
}

/// Fails if the store has no candle of the series, and says which it has.
pub(in crate::cli) async fn is_there(candles: &Candles, symbol: &Symbol, timeframe: Timeframe) -> Result<(), CliError> {
    let there = candles.series().await?;
    if there.iter().any(|series| series.symbol == *symbol && series.timeframe == timeframe) {
        return Ok(());
    }
    if there.is_empty() {
        return Err(CliError::NoCandles);
    }
    Err(CliError::UnknownSeries { symbol: symbol.clone(), timeframe, there })
}

fn told(refused: &RefusedCandle) -> String {
    format!("the candle that opened {}: {}", refused.open_time, refused.problem)
}

/// What was written.
#[derive(Serialize)]
struct Report {
    file: String,
    symbol: Symbol,
    timeframe: Timeframe,
    candles: u64,
    first_open: Option<String>,
    last_open: Option<String>,
    /// How many candles were left out because they have no usable row.
    refused: u64,
    /// The first of them, and why.
    refused_candles: Vec<String>,
}

impl Report {
    fn new(file: String, symbol: Symbol, timeframe: Timeframe, exported: Exported) -> Self {
        let Exported { candles, first, last, refused, named } = exported;
        let [first_open, last_open] = [first, last].map(|open| open.map(|open| open.to_string()));
        let refused_candles = named.iter().map(told).collect();
        Self { file, symbol, timeframe, candles, first_open, last_open, refused, refused_candles }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, symbol, timeframe, candles, first_open, last_open, refused, .. } = self;
        let [first, last] = [first_open, last_open].map(|open| or_dash(open.as_deref(), str::to_owned));
        write!(f, "{file}: {candles} candles of {symbol} {timeframe}, opened from {first} to {last}")?;
        if *refused > 0 {
            write!(f, "\n  left out    {refused}, which have no usable row")?;
        }
        self.refused_candles.iter().take(10).try_for_each(|told| write!(f, "\n                {told}"))
    }
}
