//! What another module would change: on the last closed candles, or beside the module that decides.

use std::{fmt, time::Duration};

use serde::Serialize;
use serde_json::Value as Json;
use ta_bot_core::StrategyId;
use tokio_util::sync::CancellationToken;

use super::{deployed::write_shadow, named, open, require};
use crate::{
    cli::{
        Session,
        args::CompareWanted,
        error::CliError,
        output::{one_line, or_dash, price, table},
    },
    comparison::Comparison,
    impact::{
        self, Question,
        view::{CandidateCost, CandidateView},
    },
    shadows::view::{DifferenceOnCandle, ShadowDetail, ShadowProgress},
};

/// Lets a module and the one that decides look at the last closed candles.
pub(super) async fn compare(session: &Session, wanted: CompareWanted) -> Result<(), CliError> {
    let CompareWanted { strategy, module, candles, examples, mut symbols, seconds } = wanted;
    let app = open(session).await?;
    let candidate = named::find(&app, &module).await?.digest;
    symbols.sort();
    symbols.dedup();
    let settings = app.analyst.settings.current();
    let unscheduled: Vec<_> = impact::unscheduled(&symbols, &settings.settings).cloned().collect();
    if !unscheduled.is_empty() {
        return Err(CliError::Unscheduled { given: unscheduled, scheduled: settings.settings.symbols.clone() });
    }
    let question = Question {
        strategy,
        candidate,
        candles,
        examples: examples as usize,
        symbols: (!symbols.is_empty()).then_some(symbols),
        time: Duration::from_secs(seconds.into()),
    };
    // Nobody waits longer than the process.
    let report = app.impact.of(&question, &CancellationToken::new()).await?;
    session.output.answer(&Compared(CandidateView::new(&question, &report)))
}

/// Shows what the newest shadow of a strategy would have changed.
pub(super) async fn differences(session: &Session, strategy: &StrategyId, limit: u32) -> Result<(), CliError> {
    let app = open(session).await?;
    require(&app, strategy)?;
    let detail = ShadowDetail::of(&*app.shadows, &app.registry.log(), strategy, limit).await?;
    session.output.answer(&Looked(detail))
}

#[derive(Serialize)]
#[serde(transparent)]
struct Compared(CandidateView);

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let view = &self.0;
        let incumbent = view.incumbent.as_deref().unwrap_or("none yet: everything that the candidate signals is added");
        writeln!(f, "  strategy    {}", view.strategy_id)?;
        writeln!(f, "  candidate   {}", view.module)?;
        writeln!(f, "  incumbent   {incumbent}")?;
        let on = if view.timeframes.is_empty() { "no timeframe".to_owned() } else { view.timeframes.join(", ") };
        writeln!(f, "  candles     {} compared, of {} symbols on {on}", view.compared, view.symbols)?;
        let counts = [view.agree, view.added, view.missed, view.changed, view.failed];
        writeln!(f, "  came of it  {}", in_words(Comparison::ALL.map(Comparison::as_str).into_iter().zip(counts)))?;
        if !view.failures.is_empty() {
            writeln!(f, "  failures    {}", in_words(view.failures.iter().map(|(code, count)| (*code, *count))))?;
        }
        let examples = &view.examples;
        let examples = [&examples.added, &examples.missed, &examples.changed, &examples.failed];
        write_differences(f, examples.into_iter().flatten())?;
        let costs = [("incumbent", view.cost.incumbent.as_ref()), ("candidate", Some(&view.cost.candidate))];
        let costs = costs.into_iter().filter_map(|(who, cost)| Some(cost_cells(who, cost?)));
        let header = ["cost", "evaluations", "total ms", "p50 ms", "p99 ms", "longest ms"];
        write!(f, "\n{}", table(&header, &[1, 2, 3, 4, 5], costs))?;
        if !view.complete {
            write!(
                f,
                "\n\nINCOMPLETE: time was up before every candle was looked at, or there was no room for some \
                 evaluations. Give more --seconds, or fewer --candles or symbols."
            )?;
        }
        Ok(())
    }
}

fn cost_cells(who: &str, cost: &CandidateCost) -> [String; 6] {
    let CandidateCost { evaluations, total_ms, p50_ms, p99_ms, max_ms } = cost;
    let [p50, p99, longest] = [p50_ms, p99_ms, max_ms].map(|ms| format!("{ms:.3}"));
    [who.to_owned(), evaluations.to_string(), format!("{total_ms:.1}"), p50, p99, longest]
}

#[derive(Serialize)]
#[serde(transparent)]
struct Looked(ShadowDetail);

impl fmt::Display for Looked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ShadowDetail { strategy_id, shadow } = &self.0;
        let Some(progress) = shadow else {
            return write!(
                f,
                "No module has ever looked beside the one of {strategy_id}: ta-bot modules shadow {strategy_id} DIGEST"
            );
        };
        let ShadowProgress { shadow, revision, looks_from, began_at, began_by, .. } = progress;
        writeln!(f, "  strategy    {strategy_id}")?;
        write_shadow(f, shadow)?;
        writeln!(f, "  looks       at candles that close from {looks_from} on")?;
        writeln!(f, "  began       {began_at} by {}, revision {revision}", one_line(began_by))?;
        if let (Some(at), Some(action)) = (&progress.ended_at, progress.ended_by_action) {
            writeln!(f, "  ended       {at} by {action}")?;
        }
        let counts = [progress.agree, progress.added, progress.missed, progress.changed, progress.failed];
        writeln!(f, "  candles     {} compared", progress.compared)?;
        writeln!(f, "  came of it  {}", in_words(Comparison::ALL.map(Comparison::as_str).into_iter().zip(counts)))?;
        writeln!(f, "  differing   a share of {:.4}", progress.differing_share)?;
        write_differences(f, &progress.differences)
    }
}

/// Such as `agree 98, added 2`.
fn in_words(counts: impl Iterator<Item = (&'static str, u64)>) -> String {
    let words: Vec<_> = counts.filter(|(_, count)| *count > 0).map(|(word, count)| format!("{word} {count}")).collect();
    if words.is_empty() { "nothing yet".to_owned() } else { words.join(", ") }
}

fn write_differences<'a>(
    f: &mut fmt::Formatter<'_>,
    differences: impl IntoIterator<Item = &'a DifferenceOnCandle>,
) -> fmt::Result {
    let mut rows = differences.into_iter().map(cells).peekable();
    if rows.peek().is_none() {
        return Ok(());
    }
    let header = ["candle close", "symbol", "timeframe", "difference", "incumbent", "candidate", "differs in"];
    writeln!(f, "\n{}", table(&header, &[], rows))
}

fn cells(difference: &DifferenceOnCandle) -> [String; 7] {
    let DifferenceOnCandle { difference, symbol, timeframe, candle_close, incumbent, candidate } = difference;
    [
        candle_close.clone(),
        symbol.clone(),
        (*timeframe).to_owned(),
        (*difference).to_owned(),
        said(incumbent),
        said(candidate),
        or_dash(
            Some(differing(&incumbent["signal"], &candidate["signal"])).filter(|names| !names.is_empty()),
            |names| names.join(", "),
        ),
    ]
}

/// What a module says, in short.
fn said(brief: &Json) -> String {
    let text = |value: &Json| value.as_str().map(one_line);
    let words = match &brief["signal"] {
        Json::Null => {
            [&brief["outcome"], &brief["reason"], &brief["code"], &brief["message"]].map(text).into_iter().flatten()
        }
        signal => {
            let confidence = signal["confidence"].as_f64().map(|confidence| format!("{confidence:.2}"));
            let at = signal["price"].as_f64().map(|at| format!("at {}", price(at)));
            [text(&signal["action"]), confidence, at, None].into_iter().flatten()
        }
    };
    words.collect::<Vec<_>>().join(" ")
}

/// Which fields of two signals are not the same; none where one of them is no signal.
fn differing<'a>(incumbent: &'a Json, candidate: &Json) -> Vec<&'a str> {
    let fields = incumbent.as_object().filter(|_| candidate.is_object()).into_iter().flatten();
    fields.filter(|(name, value)| candidate[name.as_str()] != **value).map(|(name, _)| name.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_modules_say_is_told_in_short() {
        let one = json!({"outcome": "signal", "signal": {"action": "buy", "confidence": 0.7, "price": 10.5, "stop_loss": 9.0}});
        let mut other = one.clone();
        other["signal"]["stop_loss"] = Json::Null;
        assert_eq!(said(&one), "buy 0.70 at 10.5000");
        assert_eq!(differing(&one["signal"], &other["signal"]), ["stop_loss"]);
        let none = json!({"outcome": "none", "reason": "insufficient_data"});
        assert_eq!(said(&none), "none insufficient_data");
        assert!(differing(&one["signal"], &none["signal"]).is_empty());
        let error = json!({"outcome": "error", "code": "trap", "message": "unreachable\n\u{1b}[31m"});
        assert_eq!(said(&error), "error trap unreachable \u{fffd}[31m");
    }

    #[test]
    fn only_what_happened_is_counted_in_words() {
        assert_eq!(in_words([("agree", 98), ("added", 0), ("missed", 2)].into_iter()), "agree 98, missed 2");
        assert_eq!(in_words([("agree", 0)].into_iter()), "nothing yet");
    }
}
