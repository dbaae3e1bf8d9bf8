//! The index of the pages, which also says how the signals on them were chosen.

use std::fmt::Write as _;

use ta_bot_core::{ApplicationSettings, StrategyDescription, StrategyId};

use super::{
    MARK,
    market::Market,
    scan::Scan,
    text::{cell, moment, number},
};

/// What the index says about a strategy.
pub(super) struct Entry {
    id: StrategyId,
    description: String,
    /// The actions of its signals.
    actions: Vec<&'static str>,
}

impl Entry {
    pub(super) fn new(description: &StrategyDescription, scan: &Scan) -> Self {
        Self {
            id: description.id.clone(),
            description: description.description.clone(),
            actions: scan.signals.keys().copied().collect(),
        }
    }
}

/// The whole page.
pub(super) fn index(entries: &[Entry], market: &Market, settings: &ApplicationSettings) -> String {
    let mut table = "| strategy | signals seen | what it does |\n|---|---|---|".to_owned();
    for Entry { id, description, actions } in entries {
        let actions = if actions.is_empty() { "–".to_owned() } else { actions.join(", ") };
        // Writing to a `String` can't fail.
        write!(table, "\n| [`{id}`]({id}.md) | {actions} | {} |", cell(description)).ok();
    }
    let (min, max) = (number(settings.min_confidence), number(settings.max_confidence));
    let parts = [
        format!("{MARK} (make docs) from the strategies' modules: change those. -->"),
        "# Strategies".to_owned(),
        "How to write one: [Writing a strategy](../strategies.md). What becomes of a decision: \
         [Signals](../signals.md)."
            .to_owned(),
        table,
        "## The signals shown".to_owned(),
        format!(
            "Every strategy was evaluated, with its default parameters, on each candle below for which its windows are \
             full, extra inputs included. The signals counted are those that the host lets through: confidence from \
             {min} to {max}, stop and target on their sides of the price. Of these a page shows one: a buy or sell \
             before a hold or close, then the one of the highest confidence, then the earliest, then by symbol and \
             timeframe. One signal shows what the rule does, not whether it pays."
        ),
        series(market),
    ];
    parts.join("\n\n") + "\n"
}

fn series(market: &Market) -> String {
    let mut table = "| candles of | how many | first closed | last closed |\n|---|---:|---|---|".to_owned();
    for series in market.iter() {
        let count = series.len();
        let (first, last) = (moment(series.close_time(0)), moment(series.close_time(count - 1)));
        write!(table, "\n| {} {} | {count} | {first} | {last} |", series.symbol, series.timeframe).ok();
    }
    table
}
