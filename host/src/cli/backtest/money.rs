//! What the signals of a backtest would have made: the trades, and what they say.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use ta_bot_backtest::{
    money::{Assumptions, Instrument, Outcome, Trade},
    report::Report,
    run::{Kept, Plan},
    statistics::{Figure, Statistics},
    trading::{Traded, trade},
};
use ta_bot_engine::market::candles::Candles;

use crate::cli::error::{CliError, shown};

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
    /// The file of the report.
    report_file: String,
    /// The file of the trades.
    trades_file: String,
    trades: u64,
    end_equity: String,
    /// What was paid: fees, slippage and funding.
    costs: String,
    /// Why signals led to no trade, and how many.
    ignored: Vec<(&'static str, u64)>,
    /// How many signals and candles could not be traded.
    refused: u64,
    /// Why the first of them could not.
    first_refused: Option<String>,
    figures: Vec<Figure>,
    /// The return of having bought and held.
    buy_and_hold: Option<f64>,
    /// How likely such a return is if the entries mean nothing; `None` without trades.
    as_good_by_chance: Option<f64>,
    /// What was assumed, in sentences.
    assumptions: Vec<String>,
    /// The text for a terminal.
    #[serde(skip)]
    summary: String,
}

/// Trades the signals of a run, and writes the trades beside what is kept of it.
pub(super) async fn money(
    plan: &Plan,
    candles: &Candles,
    kept: &Kept,
    terms: Option<&Path>,
) -> Result<MoneyView, CliError> {
    let Terms { assumptions, instruments } = terms.map(read).transpose()?.unwrap_or_default();
    let Traded { outcome, bars, random_entries, refused } =
        trade(plan, candles, kept, (assumptions, instruments), SEED).await?;
    let statistics = Statistics::new(&outcome, &outcome.trades, SEED);
    let trades_file = write(kept.folder(), "trades.csv", &table_of(&outcome.trades))?;
    let (title, facts) = (title(plan), facts(plan));
    let report = Report {
        title: &title,
        facts: &facts,
        outcome: &outcome,
        trades: &outcome.trades,
        statistics: &statistics,
        random_entries: random_entries.as_ref(),
        certificate: None,
        candles: &bars,
    };
    let report_file = write(kept.folder(), "report.html", &report.html())?;
    let summary = report.summary();
    let Outcome { assumptions, costs, ignored, end_equity, trade_count, .. } = &outcome;
    Ok(MoneyView {
        report_file: shown(&report_file),
        trades_file: shown(&trades_file),
        trades: *trade_count,
        end_equity: end_equity.round_dp(2).to_string(),
        costs: costs.total().round_dp(2).to_string(),
        ignored: ignored.iter().map(|(reason, count)| (reason.in_words(), *count)).collect(),
        buy_and_hold: statistics.buy_and_hold.and_then(|held| held.total_return),
        as_good_by_chance: random_entries.map(|found| found.as_good),
        refused: refused.0,
        first_refused: refused.1.map(|error| error.to_string()),
        figures: statistics.figures,
        assumptions: assumptions.in_words(),
        summary,
    })
}

/// What was tried, in a few words.
fn title(plan: &Plan) -> String {
    let strategies = plan.subjects.iter().map(|subject| subject.module.description().id.to_string()).collect();
    let series = plan.series.iter().map(|(symbol, timeframe)| format!("{symbol} {timeframe}")).collect();
    let few = |names: Vec<String>, what: &str| match names.len() {
        ..=3 => names.join(", "),
        count => format!("{count} {what}"),
    };
    format!("{} on {}", few(strategies, "strategies"), few(series, "series"))
}

/// What the report was made from.
fn facts(plan: &Plan) -> Vec<(String, String)> {
    let modules = plan.subjects.iter().map(|subject| {
        let (description, digest) = (subject.module.description(), subject.module.digest());
        (format!("module of {}", description.id), digest.to_string())
    });
    let parameters = plan.subjects.iter().flat_map(|subject| {
        let id = &subject.module.description().id;
        let mut told: Vec<(String, String)> = subject
            .parameters
            .iter()
            .map(|(symbol, resolution)| {
                (format!("parameters of {id} on {symbol}"), serde_json::json!(resolution.parameters.values).to_string())
            })
            .collect();
        // Symbols without parameters of their own say the same.
        if told.windows(2).all(|pair| pair[0].1 == pair[1].1) {
            told.truncate(1);
            for (name, _) in &mut told {
                *name = format!("parameters of {id}");
            }
        }
        told
    });
    let bounds = &plan.settings;
    let stretch = ("candles that closed".to_owned(), format!("after {} and until {}", plan.from, plan.until));
    let confidence = ("confidence".to_owned(), format!("{} to {}", bounds.min_confidence, bounds.max_confidence));
    modules.chain(parameters).chain([stretch, confidence]).collect()
}

fn read(path: &Path) -> Result<Terms, CliError> {
    let wrong = |problem: String| CliError::Terms { path: path.to_owned(), problem };
    let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))
}

/// Writes a file of the run as a whole.
fn write(folder: &Path, name: &str, text: &str) -> Result<PathBuf, CliError> {
    let path = folder.join(name);
    let begun = path.with_extension("begun");
    let written = fs::write(&begun, text).and_then(|()| fs::rename(&begun, &path));
    written.map_err(|reason| CliError::Write { path: path.clone(), reason })?;
    Ok(path)
}

/// The trades as CSV.
fn table_of(trades: &[Trade]) -> String {
    let lines = trades.iter().map(line);
    std::iter::once(HEADER.to_owned()).chain(lines).map(|line| line + "\n").collect()
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
        let Self { summary, trades_file, report_file, .. } = self;
        if let Some(first) = &self.first_refused {
            writeln!(f, "{} signals or candles could not be traded, the first since {first}\n", self.refused)?;
        }
        write!(f, "{summary}\n\nreport: {report_file}\ntrades: {trades_file}")
    }
}
