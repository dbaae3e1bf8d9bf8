//! `ta-bot candles`: the candles of the local store.

use std::{fmt, path::Path};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use ta_bot_core::{Symbol, Timeframe};

use super::{
    Session,
    error::{CliError, shown},
    output::{or_dash, table},
};
use crate::{
    candles::SeriesSummary,
    import::{self, ImportSummary, Progress},
};

pub(super) async fn import(
    session: Session,
    file: &Path,
    symbol: &Symbol,
    timeframe: Timeframe,
) -> Result<(), CliError> {
    let app = session.open().await?;
    // Hides itself where stderr is no terminal.
    let bar = if session.output.json { ProgressBar::hidden() } else { ProgressBar::new(0) };
    bar.set_style(style());
    let told = bar.clone();
    let imported = import::import(app.candles.as_ref(), file, symbol, timeframe, move |Progress { read, total }| {
        told.set_length(total.max(read));
        told.set_position(read);
    });
    let imported = imported.await;
    bar.finish_and_clear();
    session.output.answer(&Imported { file: shown(file), symbol: symbol.clone(), timeframe, summary: imported? })
}

fn style() -> ProgressStyle {
    let template = ProgressStyle::with_template("reading {bar:40} {bytes}/{total_bytes}");
    template.unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[derive(Serialize)]
struct Imported {
    file: String,
    symbol: Symbol,
    timeframe: Timeframe,
    #[serde(flatten)]
    summary: ImportSummary,
}

impl fmt::Display for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ImportSummary { rows, new, same, different, first, last, missing, still_open } = self.summary;
        let Self { symbol, timeframe, .. } = self;
        writeln!(f, "{symbol} {timeframe}: {rows} closed candles, opened from {first} to {last}")?;
        let kept = if different > 0 { "  (what was stored is kept: a closed candle does not change)" } else { "" };
        writeln!(
            f,
            "  new         {new}\n  same        {same}\n  different   {different}{kept}\n  missing     {missing}"
        )?;
        writeln!(f, "  still open  {}", or_dash(still_open, |open| format!("1, opened {open} (left out)")))?;
        write!(f, "Next: ta-bot analyze {symbol} {timeframe}")
    }
}

pub(super) async fn list(session: Session) -> Result<(), CliError> {
    let app = session.open().await?;
    let mut series = app.candles.series().await?;
    series.sort_by(|one, other| (&one.symbol, one.timeframe).cmp(&(&other.symbol, other.timeframe)));
    session.output.answer(&Listed { series })
}

#[derive(Serialize)]
struct Listed {
    series: Vec<SeriesSummary>,
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.series.is_empty() {
            return CliError::NoCandles.fmt(f);
        }
        let row = |series: &SeriesSummary| {
            let SeriesSummary { symbol, timeframe, candles, first_open, last_open } = series;
            [
                symbol.to_string(),
                timeframe.to_string(),
                candles.to_string(),
                first_open.to_string(),
                last_open.to_string(),
            ]
        };
        let header = ["symbol", "timeframe", "candles", "first opened", "last opened"];
        f.write_str(&table(&header, &[2], self.series.iter().map(row)))
    }
}
