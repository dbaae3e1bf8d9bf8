//! `ta-bot candles repairs` and `ta-bot candles redecisions`: what was changed by hand, and what is decided after that.

use std::fmt;

use serde::Serialize;
use ta_bot_api::views::revision::{RedecisionView, RepairEntryView};
use ta_bot_engine::signals::redecision_store::RedecisionFilter;

use crate::cli::{
    Session,
    args::RedecisionsWanted,
    error::CliError,
    output::{one_line, or_dash, price, table},
};

/// Lists changes of candles by hand.
pub(in crate::cli) async fn list(session: Session, limit: u32) -> Result<(), CliError> {
    let app = session.open().await?;
    let repairs = app.mender.repairs(limit).await?.into_iter().map(RepairEntryView::from).collect();
    session.output.answer(&Repairs { repairs })
}

#[derive(Serialize)]
struct Repairs {
    repairs: Vec<RepairEntryView>,
}

impl fmt::Display for Repairs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.repairs.is_empty() {
            return f.write_str("No candle was changed by hand.");
        }
        let row = |entry: &RepairEntryView| {
            let RepairEntryView {
                repair, symbol, timeframe, kind, first_open, last_open, changed_by, changed_at, ..
            } = entry;
            let counts = [entry.added, entry.changed, entry.removed].map(|count| count.to_string());
            let about = [repair.to_string(), symbol.clone(), timeframe.clone(), (*kind).to_owned()];
            let rest = [first_open, last_open, changed_at].map(String::clone);
            let why = entry.reason.as_deref().map(|reason| format!(": {}", one_line(reason))).unwrap_or_default();
            about.into_iter().chain(counts).chain(rest).chain([one_line(changed_by) + &why]).collect::<Vec<_>>()
        };
        let header = [
            "repair",
            "symbol",
            "timeframe",
            "kind",
            "added",
            "changed",
            "removed",
            "first opened",
            "last opened",
            "at",
            "by",
        ];
        f.write_str(&table(&header, &[0, 4, 5, 6], self.repairs.iter().map(row)))
    }
}

/// Lists what strategies decide on the candles after a repair.
pub(in crate::cli) async fn redecisions(session: Session, wanted: RedecisionsWanted) -> Result<(), CliError> {
    let RedecisionsWanted { repair, strategy, symbol, after, most } = wanted;
    let app = session.open().await?;
    let filter = RedecisionFilter { repair, strategy, symbol, after, limit: most.limit };
    let decisions = app.mender.redecisions(&filter).await?.into_iter().map(RedecisionView::from).collect();
    session.output.answer(&Redecisions { redecisions: decisions })
}

#[derive(Serialize)]
struct Redecisions {
    redecisions: Vec<RedecisionView>,
}

impl fmt::Display for Redecisions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.redecisions.is_empty() {
            return f.write_str("Nothing was decided again after this repair; ta-bot candles redecide REPAIR does it.");
        }
        let row = |decision: &RedecisionView| {
            let RedecisionView { strategy, symbol, timeframe, candle_close, outcome, signal_id, .. } = decision;
            let message = decision.message.as_ref();
            let number = |name: &str| or_dash(message.and_then(|message| message[name].as_f64()), price);
            let action = message.and_then(|message| message["action"].as_str()).unwrap_or(outcome);
            let about = [candle_close, symbol, timeframe, strategy].map(String::clone);
            let levels = ["price", "stop_loss", "take_profit"].map(number);
            let id = or_dash(signal_id.as_deref(), str::to_owned);
            about.into_iter().chain([action.to_owned()]).chain(levels).chain([id]).collect::<Vec<_>>()
        };
        let header =
            ["candle closed", "symbol", "timeframe", "strategy", "outcome", "price", "stop", "target", "signal"];
        f.write_str(&table(&header, &[5, 6, 7], self.redecisions.iter().map(row)))
    }
}
