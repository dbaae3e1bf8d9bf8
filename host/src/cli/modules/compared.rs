//! What another module would change: on the last closed candles, or beside the module that decides.

use std::{fmt, time::Duration};

use serde::Serialize;
use serde_json::Value as Json;
use ta_bot_api::views::{
    impact::{CandidateCost, CandidateView},
    shadow::{DifferenceOnCandle, ShadowDetail, ShadowProgress},
};
use ta_bot_core::StrategyId;
use ta_bot_engine::deployments::impact::{self, Question};
use tokio_util::sync::CancellationToken;

use super::{deployed::write_shadow, named, open, require};
use crate::cli::{
    Session,
    args::CompareWanted,
    error::CliError,
    output::{NOTHING, one_line, price, table},
};

/// Evaluates the last closed candles with a module and with the one that decides.
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
    // Nothing cancels the comparison while this process runs.
    let report = app.impact.of(&question, &CancellationToken::new()).await?;
    session.output.answer(&Compared(CandidateView::new(&question, &report)))
}

/// Shows what the newest shadow of a strategy would have changed.
pub(super) async fn differences(session: &Session, strategy: &StrategyId, limit: u32) -> Result<(), CliError> {
    let app = session.open().await?;
    if app.registry.log().of(strategy).is_empty() {
        session.load_bundled(&app).await?;
        require(&app, strategy)?;
    }
    let detail = ShadowDetail::of(&*app.shadows, &app.registry.log(), strategy, limit).await?;
    session.output.answer(&Differences(detail))
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
        let timeframes = if view.timeframes.is_empty() { NOTHING } else { &view.timeframes.join(", ") };
        writeln!(f, "  symbols     {}\n  timeframes  {timeframes}", view.symbols)?;
        writeln!(f, "  candles     {} compared", view.counts.compared)?;
        writeln!(f, "  outcomes    {}", view.counts)?;
        if !view.failures.is_empty() {
            let failures = view.failures.iter().map(|(code, count)| format!("{code} {count}"));
            writeln!(f, "  failures    {}", failures.collect::<Vec<_>>().join(", "))?;
        }
        let examples = &view.examples;
        let examples = [&examples.added, &examples.missed, &examples.changed, &examples.failed];
        write_differences(f, examples.into_iter().flatten())?;
        let costs = [("incumbent", view.cost.incumbent.as_ref()), ("candidate", Some(&view.cost.candidate))];
        let costs = costs.into_iter().filter_map(|(who, cost)| Some(cost_cells(who, cost?)));
        let header = ["cost", "evaluations", "total ms", "p50 ms", "p99 ms", "longest ms"];
        write!(f, "\n{}", table(&header, &[1, 2, 3, 4, 5], costs))?;
        match (view.complete, view.counts.compared) {
            (false, _) => write!(
                f,
                "\n\nINCOMPLETE: time was up before every candle was looked at, or there was no room for some \
                 evaluations. Give fewer --candles or one --symbol, or try again when the machine is less busy."
            ),
            (true, 0) if view.timeframes.is_empty() => {
                write!(f, "\n\nNOTHING was compared: no timeframe that is scheduled is one of the module's.")
            }
            (true, 0) => write!(
                f,
                "\n\nNOTHING was compared: there are no closed candles of what is scheduled. `ta-bot candles list` says \
                 which there are."
            ),
            (true, _) => Ok(()),
        }
    }
}

fn cost_cells(who: &str, cost: &CandidateCost) -> [String; 6] {
    let CandidateCost { evaluations, total_ms, p50_ms, p99_ms, max_ms } = cost;
    let [p50, p99, longest] = [p50_ms, p99_ms, max_ms].map(|ms| format!("{ms:.3}"));
    [who.to_owned(), evaluations.to_string(), format!("{total_ms:.1}"), p50, p99, longest]
}

#[derive(Serialize)]
#[serde(transparent)]
struct Differences(ShadowDetail);

impl fmt::Display for Differences {
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
        match progress.ended_at {
            None => write_shadow(f, shadow)?,
            Some(_) => writeln!(f, "  shadow      {}", shadow.module)?,
        }
        writeln!(f, "  looks       at candles that close from {looks_from} on")?;
        writeln!(f, "  began       {began_at} by {}, revision {revision}", one_line(began_by))?;
        if let (Some(at), Some(action)) = (&progress.ended_at, progress.ended_by_action) {
            writeln!(f, "  ended       {at} by {action}")?;
        }
        writeln!(f, "  candles     {} compared", progress.counts.compared)?;
        writeln!(f, "  outcomes    {}", progress.counts)?;
        writeln!(f, "  differing   a share of {:.4}", progress.differing_share)?;
        write_differences(f, &progress.differences)
    }
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
        differs_in(&incumbent["signal"], &candidate["signal"]),
    ]
}

/// What a module answers, in short.
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

/// The fields in which two signals differ, as far as can be seen here: long values are cut off.
fn differs_in(incumbent: &Json, candidate: &Json) -> String {
    let Some(fields) = incumbent.as_object().filter(|_| candidate.is_object()) else { return NOTHING.to_owned() };
    let differing = fields.iter().filter(|(name, value)| candidate[name.as_str()] != **value);
    let names: Vec<_> = differing.map(|(name, _)| name.as_str()).collect();
    if names.is_empty() { "what is cut off here".to_owned() } else { names.join(", ") }
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
        assert_eq!(differs_in(&one["signal"], &other["signal"]), "stop_loss");
        assert_eq!(differs_in(&one["signal"], &one["signal"]), "what is cut off here");
        let none = json!({"outcome": "none", "reason": "insufficient_data"});
        assert_eq!(said(&none), "none insufficient_data");
        assert_eq!(differs_in(&one["signal"], &none["signal"]), NOTHING);
        let error = json!({"outcome": "error", "code": "trap", "message": "unreachable\n\u{1b}[31m"});
        assert_eq!(said(&error), "error trap unreachable \\u{1b}[31m");
    }
}
