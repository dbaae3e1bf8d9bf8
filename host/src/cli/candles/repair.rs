//! `ta-bot candles replace` and `ta-bot candles delete`: changes of stored candles by hand.

use std::fmt;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use ta_bot_api::views::revision::{CandleChangeView, NumbersView, RedecidedView, RepairView, SignalOfView};
use ta_bot_core::{Symbol, Timeframe, Timestamp};
use ta_bot_engine::{
    market::candle_store::{RepairChange, Repaired},
    pipeline::repair::{Preview, Redecided},
    settings::config_store::Author,
};

use super::import::read;
use crate::{
    app::App,
    cli::{
        Session,
        args::{DeleteWanted, RepairTerms, ReplaceWanted},
        error::CliError,
        modules::name_or_user,
        output::{NOTHING, table},
    },
};

/// How many candles and signals the text names.
const MOST_TOLD: usize = 10;

/// Replaces candles by those of files.
pub(in crate::cli) async fn replace(session: Session, wanted: ReplaceWanted) -> Result<(), CliError> {
    let ReplaceWanted { files, terms } = wanted;
    let mut series = read(files.into(), session.output.json).await?;
    let gathered = match (series.pop(), series.pop()) {
        (Some(only), None) => only,
        (Some(one), Some(other)) => {
            let told = format!(
                "the files hold {} {} and {} {}: replace one series at a time",
                one.symbol, one.timeframe, other.symbol, other.timeframe
            );
            return Err(CliError::Usage(told));
        }
        (None, _) => return Err(CliError::Usage("give at least one file".to_owned())),
    };
    let change = RepairChange::Replace(gathered.candles);
    change_candles(session, (gathered.symbol, gathered.timeframe), change, terms).await
}

/// Deletes candles.
pub(in crate::cli) async fn delete(session: Session, wanted: DeleteWanted) -> Result<(), CliError> {
    let DeleteWanted { symbol, timeframe, since, until, terms } = wanted;
    if since >= until {
        return Err(CliError::Usage(format!("--until {until} is not after --since {since}")));
    }
    change_candles(session, (symbol, timeframe), RepairChange::Delete(since..until), terms).await
}

async fn change_candles(
    session: Session,
    (symbol, timeframe): (Symbol, Timeframe),
    change: RepairChange,
    terms: RepairTerms,
) -> Result<(), CliError> {
    let app = session.open().await?;
    // Without the strategies nobody knows how far they look.
    let problems = session.load_bundled(&app).await?;
    session.note_problems(&problems);
    let preview = app.mender.preview(&symbol, timeframe, &change).await?;
    if !terms.yes {
        return session.output.answer(&Report(RepairView::new(&preview, None, None)));
    }
    let author =
        Author { changed_by: name_or_user(terms.by), claimed_by: None, reason: terms.reason, at: Timestamp::now() };
    let repaired = app.mender.apply((&symbol, timeframe), change, author, terms.in_foreign_tables).await?;
    let redecided = match repaired.number.filter(|_| terms.redecide) {
        Some(number) => Some(decide(&session, &app, number, &preview).await?),
        None => None,
    };
    session.output.answer(&Report(RepairView::new(&preview, Some(repaired), redecided)))
}

/// Has the jobs decided again that rested on what a repair has changed.
pub(in crate::cli) async fn redecide(session: Session, number: i64) -> Result<(), CliError> {
    let app = session.open().await?;
    let problems = session.load_bundled(&app).await?;
    session.note_problems(&problems);
    let preview = app.mender.rested_on(number).await?;
    let redecided = decide(&session, &app, number, &preview).await?;
    let Preview { added, changed, removed, same, .. } = preview;
    let repaired = Repaired { number: Some(number), added, changed, removed, same };
    session.output.answer(&Report(RepairView::new(&preview, Some(repaired), Some(redecided))))
}

async fn decide(session: &Session, app: &App, number: i64, preview: &Preview) -> Result<Redecided, CliError> {
    let jobs = preview.jobs.len() as u64;
    let bar = if session.output.json { ProgressBar::hidden() } else { ProgressBar::new(jobs) };
    let template = ProgressStyle::with_template("deciding {bar:40} {pos}/{len} candles");
    bar.set_style(template.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let done = app.mender.redecide(number, preview, &mut |done| bar.set_position(done)).await;
    bar.finish_and_clear();
    Ok(done?)
}

#[derive(Serialize)]
#[serde(transparent)]
struct Report(RepairView);

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let view = &self.0;
        let RepairView { symbol, timeframe, kind, added, changed, removed, same, kept, .. } = view;
        match (view.applied, view.repair) {
            (true, Some(number)) => writeln!(f, "{symbol} {timeframe}, {kind}: done, repair {number}")?,
            (true, None) => writeln!(f, "{symbol} {timeframe}, {kind}: there was nothing to change")?,
            (false, _) => writeln!(f, "{symbol} {timeframe}, {kind}: this is what it would do")?,
        }
        writeln!(f, "  added       {added}\n  changed     {changed}\n  removed     {removed}\n  same        {same}")?;
        if *kept > 0 {
            writeln!(
                f,
                "  kept        {kept} that are stored and not among the given ones; see ta-bot candles delete"
            )?;
        }
        writeln!(f, "  jobs        {} finished ones rested on these candles", view.finished_jobs)?;
        let (signals, published) = (view.affected_signals, view.published_signals);
        writeln!(
            f,
            "  signals     {signals} rested on them, {published} of which were published; they stay as they are"
        )?;
        if let Some(RedecidedView { jobs, signals, gone, without_candle }) = &view.redecided {
            writeln!(
                f,
                "  redecided   {jobs} jobs, which gave {signals} signals (none is published); {gone} of the old signals \
                 are not given any more, and {without_candle} jobs have no candle now"
            )?;
        }
        if !view.changes.is_empty() {
            writeln!(f, "\n{}", changes(&view.changes))?;
        }
        if !view.signals.is_empty() {
            writeln!(f, "\n{}", affected(&view.signals))?;
        }
        if let Some(owner) = view.owner {
            writeln!(
                f,
                "\nThese candles are written by {owner}: it may undo the change, and everybody who reads its tables sees \
                 it. That takes --in-foreign-tables as well."
            )?;
        }
        match (view.applied, view.repair) {
            (false, _) => write!(f, "\nNothing was changed. Do it with --yes"),
            (true, Some(number)) if view.redecided.is_some() => {
                write!(f, "\nNext: ta-bot candles redecisions {number}")
            }
            (true, _) => write!(f, "\nA replay of an affected signal now says that its candles have changed."),
        }
    }
}

/// A table of candles that change, with every digit: a correction may be a small one.
fn changes(changes: &[CandleChangeView]) -> String {
    let row = |open: &str, age: &str, numbers: Option<&NumbersView>| {
        let numbers = numbers.map_or([const { None }; 5], |numbers| {
            let NumbersView { open, high, low, close, volume } = numbers;
            [open, high, low, close, volume].map(Some)
        });
        let numbers = numbers.map(|number| number.map_or_else(|| NOTHING.to_owned(), f64::to_string));
        [open.to_owned(), age.to_owned()].into_iter().chain(numbers).collect::<Vec<_>>()
    };
    let rows = changes
        .iter()
        .take(MOST_TOLD)
        .flat_map(|change| [row(&change.open_time, "old", change.old.as_ref()), row("", "new", change.new.as_ref())]);
    table(&["opened", "", "open", "high", "low", "close", "volume"], &[2, 3, 4, 5, 6], rows)
}

/// A table of signals that rested on candles that change.
fn affected(signals: &[SignalOfView]) -> String {
    let row = |signal: &SignalOfView| {
        let SignalOfView { signal_id, strategy, symbol, timeframe, action, candle_close, state } = signal;
        [signal_id, strategy, symbol, timeframe, action, candle_close]
            .map(String::clone)
            .into_iter()
            .chain([(*state).to_owned()])
            .collect::<Vec<_>>()
    };
    let header = ["signal", "strategy", "symbol", "timeframe", "action", "candle closed", "state"];
    table(&header, &[], signals.iter().take(MOST_TOLD).map(row))
}
