//! `ta-bot backtest`: evaluates strategies over the past as the service would have, and keeps every signal.

use std::{
    fmt, fs,
    io::{BufWriter, Write as _},
    path::PathBuf,
};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use ta_bot_backtest::run::{
    self, Difference, Findings, Kept, Plan, Progress, SignalFile, SignalRows, Tally, WriteError,
};
use ta_bot_core::{MessageRules, SignalTimestamp};
use ta_bot_engine::{evaluation::SeriesKey, market::candles::Candles};
use tokio_util::sync::CancellationToken;

use super::{
    Session,
    args::{BacktestWanted, FormatWanted},
    error::{CliError, shown},
    output::table,
};
use crate::app::App;

mod market;
mod money;
mod subjects;

use market::Market;
use money::MoneyView;

/// Runs a backtest, or goes on with it.
pub(super) async fn backtest(session: Session, wanted: BacktestWanted) -> Result<(), CliError> {
    let app = session.open().await?;
    let market = Market::open(&session, &app, &wanted).await?;
    let plan = plan(&session, &app, &market, &wanted).await?;
    let in_data_dir = || session.environment.backtests().join(Kept::name(&plan));
    let folder = wanted.output.clone().unwrap_or_else(in_data_dir);
    let kept = Kept::open(&folder, &plan)?;
    let findings = evaluate(&session, &app, &market.candles, plan.clone(), &kept).await?;
    let signals = write(&kept, wanted.format)?;
    let money = money::money(&plan, &market.candles, &kept, wanted.assumptions.as_deref()).await?;
    session.output.answer(&Report::new(&plan, &kept, &findings, signals, money))
}

/// What is to be evaluated.
async fn plan(session: &Session, app: &App, market: &Market, wanted: &BacktestWanted) -> Result<Plan, CliError> {
    let subjects = subjects::subjects(session, app, market, wanted).await?;
    let (from, until) = market.stretch(wanted);
    Ok(Plan {
        subjects,
        series: market.series.iter().map(|series| (series.symbol.clone(), series.timeframe)).collect(),
        from,
        until,
        settings: app.analyst.settings.current().settings.clone(),
        gap_window: session.environment.gap_window,
        rules: MessageRules { timestamp: SignalTimestamp::CandleClose, ..MessageRules::default() },
        parameter_store: app.analyst.parameters.store_name(),
        may_reuse: !wanted.fresh,
    })
}

/// Evaluates until it is done or Ctrl-C is pressed.
async fn evaluate(
    session: &Session,
    app: &App,
    candles: &Candles,
    plan: Plan,
    kept: &Kept,
) -> Result<Findings, CliError> {
    let bar = if session.output.json { ProgressBar::hidden() } else { ProgressBar::new(0) };
    bar.set_style(style());
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    let listening = tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stopping.cancel();
        }
    });
    let mut tell = |progress: Progress| {
        bar.set_length(progress.units as u64);
        bar.set_position(progress.done as u64);
        let rate = progress.candles as f64 / bar.elapsed().as_secs_f64().max(0.001);
        bar.set_message(format!("{} candles, {rate:.0} a second", progress.candles));
    };
    let findings = run::run(plan, candles, kept, &app.analyst.threads, &stop, &mut tell).await;
    listening.abort();
    bar.finish_and_clear();
    Ok(findings?)
}

fn style() -> ProgressStyle {
    let template = ProgressStyle::with_template("evaluating {bar:40} {percent}%, {eta} left ({msg})");
    template.unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Writes the signals beside what is kept of the run, and returns where and how many.
fn write(kept: &Kept, format: FormatWanted) -> Result<(PathBuf, u64), CliError> {
    let path = kept.folder().join(format.file());
    let begun = path.with_extension("begun");
    let failed = |reason| CliError::Write { path: path.clone(), reason };
    let mut file = BufWriter::new(fs::File::create(&begun).map_err(failed)?);
    let rows = SignalRows::of(kept)?;
    let written = SignalFile::from(format).write(rows, &mut file).map_err(|error| match error {
        WriteError::Kept(error) => error.into(),
        WriteError::Write(reason) => failed(reason),
    })?;
    let whole = file.flush().and_then(|()| file.get_ref().sync_all()).and_then(|()| fs::rename(&begun, &path));
    whole.map_err(failed)?;
    Ok((path, written))
}

/// What a backtest found.
#[derive(Serialize)]
struct Report {
    folder: String,
    /// The file of the signals.
    file: String,
    signals: u64,
    from: String,
    to: String,
    series: Vec<String>,
    candles: u64,
    strategies: Vec<StrategyView>,
    /// Modules that answer otherwise in an instance that was asked before. They were evaluated in fresh ones.
    differences: Vec<Difference>,
    money: MoneyView,
}

/// What one strategy answered.
#[derive(Serialize)]
struct StrategyView {
    strategy: String,
    digest: String,
    /// Whether instances were used for several evaluations.
    reused: bool,
    #[serde(flatten)]
    tally: Tally,
}

impl Report {
    fn new(plan: &Plan, kept: &Kept, findings: &Findings, (path, signals): (PathBuf, u64), money: MoneyView) -> Self {
        let named = |(symbol, timeframe): &SeriesKey| format!("{symbol} {timeframe}");
        let answers = plan.subjects.iter().zip(&findings.tallies).zip(&findings.reused);
        Self {
            folder: shown(kept.folder()),
            file: shown(&path),
            signals,
            from: plan.from.to_string(),
            to: plan.until.to_string(),
            series: plan.series.iter().map(named).collect(),
            candles: findings.candles,
            strategies: answers
                .map(|((subject, tally), reused)| StrategyView {
                    strategy: subject.module.description().id.to_string(),
                    digest: subject.module.digest().to_string(),
                    reused: *reused,
                    tally: tally.clone(),
                })
                .collect(),
            differences: findings.differences.clone(),
            money,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, series, candles, signals, file, .. } = self;
        writeln!(f, "{candles} candles of {} series that closed after {from} and until {to}\n", series.len())?;
        let header = ["strategy", "evaluated", "buy", "sell", "hold", "close", "dropped", "no data", "failed"];
        let row = |view: &StrategyView| {
            let tally = &view.tally;
            let of = |action: &str| tally.signals.get(action).copied().unwrap_or_default().to_string();
            let dropped: u64 = tally.dropped.values().sum();
            let gaps: u64 = tally.gaps.values().sum();
            let failed: u64 = tally.failures.values().map(|failure| failure.count).sum();
            let [buy, sell, hold, close] = ["buy", "sell", "hold", "close"].map(of);
            let [evaluated, dropped, gaps, failed] =
                [tally.candles() - gaps, dropped, gaps, failed].map(|count| count.to_string());
            [view.strategy.clone(), evaluated, buy, sell, hold, close, dropped, gaps, failed]
        };
        writeln!(f, "{}", table(&header, &[1, 2, 3, 4, 5, 6, 7, 8], self.strategies.iter().map(row)))?;
        for view in &self.strategies {
            for (code, failure) in &view.tally.failures {
                let (strategy, count) = (&view.strategy, failure.count);
                writeln!(f, "{strategy}: {code} ({count}), first at {}: {}", failure.at, failure.message)?;
            }
        }
        for difference in &self.differences {
            writeln!(
                f,
                "{} was evaluated in fresh instances: one that was asked before answers otherwise, first at {}",
                difference.strategy, difference.at
            )?;
        }
        write!(f, "\n{signals} signals: {file}\n{}", self.money)
    }
}
