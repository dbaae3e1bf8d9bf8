//! What the signals of a backtest would have made: the trades, and what they say.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use ta_bot_backtest::{
    money::{Assumptions, Ignored, Instrument, Outcome, Trade},
    run::{Kept, Plan},
    statistics::{Figure, Statistics},
    trading::trade,
};
use ta_bot_engine::market::candles::Candles;

use crate::cli::{
    error::{CliError, shown},
    output::table,
};

/// Determines the intervals. The same one each time, so that the same run says the same.
const SEED: u64 = 20;
/// The columns of the file of trades. None of their values holds a comma, a quote or a line break.
const HEADER: &str = "number,strategy,symbol,timeframe,side,quantity,entry_at,entry_price,exit_at,exit_price,reason,candles,\
                      gross,fees,slippage,funding,net,equity_before";

/// What is assumed, as a file.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Terms {
    assumptions: Assumptions,
    instruments: Vec<Instrument>,
}

/// What the signals would have made.
#[derive(Serialize)]
pub(super) struct MoneyView {
    /// The file of the trades.
    trades_file: String,
    trades: u64,
    end_equity: String,
    /// What was paid: fees, slippage and funding.
    costs: String,
    /// Why signals led to no trade, and how many.
    ignored: Vec<(&'static str, u64)>,
    figures: Vec<Figure>,
    /// The return of having bought and held.
    buy_and_hold: Option<f64>,
    /// What was assumed, in sentences.
    assumptions: Vec<String>,
}

/// Trades the signals of a run, and writes the trades beside what is kept of it.
pub(super) async fn money(
    plan: &Plan,
    candles: &Candles,
    kept: &Kept,
    terms: Option<&Path>,
) -> Result<MoneyView, CliError> {
    let Terms { assumptions, instruments } = terms.map(read).transpose()?.unwrap_or_default();
    let outcome = trade(plan, candles, kept, assumptions, instruments).await?;
    let statistics = Statistics::new(&outcome, &outcome.trades, SEED);
    let path = write(kept.folder(), &outcome.trades)?;
    let Outcome { assumptions, costs, ignored, end_equity, trade_count, .. } = &outcome;
    Ok(MoneyView {
        trades_file: shown(&path),
        trades: *trade_count,
        end_equity: end_equity.round_dp(2).to_string(),
        costs: costs.total().round_dp(2).to_string(),
        ignored: ignored.iter().map(|(reason, count): (&Ignored, &u64)| (reason.in_words(), *count)).collect(),
        buy_and_hold: statistics.buy_and_hold.and_then(|held| held.total_return),
        figures: statistics.figures,
        assumptions: assumptions.in_words(),
    })
}

fn read(path: &Path) -> Result<Terms, CliError> {
    let wrong = |problem: String| CliError::Terms { path: path.to_owned(), problem };
    let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))
}

fn write(folder: &Path, trades: &[Trade]) -> Result<PathBuf, CliError> {
    let path = folder.join("trades.csv");
    let mut text = format!("{HEADER}\n");
    for trade in trades {
        text.push_str(&line(trade));
        text.push('\n');
    }
    let begun = path.with_extension("begun");
    let written: io::Result<()> = fs::write(&begun, text).and_then(|()| fs::rename(&begun, &path));
    written.map_err(|reason| CliError::Write { path: path.clone(), reason })?;
    Ok(path)
}

fn line(trade: &Trade) -> String {
    let Trade { entry, exit, .. } = trade;
    let word = |value: serde_json::Value| value.as_str().map(str::to_owned).unwrap_or_default();
    [
        trade.number.to_string(),
        trade.strategy.to_string(),
        trade.series.symbol.to_string(),
        trade.series.timeframe.to_string(),
        word(serde_json::json!(trade.side)),
        trade.quantity.normalize().to_string(),
        entry.at.to_string(),
        entry.price.normalize().to_string(),
        exit.at.to_string(),
        exit.price.normalize().to_string(),
        word(serde_json::json!(trade.reason)),
        trade.candles.to_string(),
        trade.gross.normalize().to_string(),
        (entry.fee + exit.fee).normalize().to_string(),
        (entry.slippage + exit.slippage).normalize().to_string(),
        trade.funding.normalize().to_string(),
        trade.net.normalize().to_string(),
        trade.equity_before.normalize().to_string(),
    ]
    .join(",")
}

impl fmt::Display for MoneyView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trades, end_equity, costs, trades_file, .. } = self;
        writeln!(f, "{trades} trades, equity at the end {end_equity}, costs {costs}: {trades_file}\n")?;
        let rows = self.figures.iter().map(|figure| {
            let Figure { measure, sample, .. } = figure;
            let reason = figure.reason.clone().unwrap_or_default();
            let (value, interval) = (figure.value_in_words(), figure.interval_in_words());
            [measure.name().to_owned(), value, interval, sample.in_words(), reason]
        });
        writeln!(f, "{}", table(&["", "value", "95 % interval", "of", ""], &[1], rows))?;
        if let Some(held) = self.buy_and_hold {
            writeln!(f, "\nBought at the start and held: {:.2} %", held * 100.0)?;
        }
        for (reason, count) in &self.ignored {
            writeln!(f, "{count} signals {reason}")?;
        }
        Ok(())
    }
}
