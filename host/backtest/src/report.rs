//! A report on an outcome: one HTML file that needs nothing else, and a summary for a terminal.
//!
//! Beside each picture of the page stand a sentence and a table that say the same. The page loads nothing: its style,
//! its script and the charts of TradingView Lightweight Charts (`assets/lightweight-charts`, with its licence) are in
//! it.

use crate::{
    money::{Outcome, Trade},
    statistics::{RandomEntriesResult, Statistics},
};

mod bars;
mod charts;
mod escape;
mod histogram;
mod page;
mod sentences;
mod summary;
mod tables;

#[cfg(test)]
mod tests;

pub use bars::Bars;

/// All that a report tells.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// What was tried, such as `rsi on BTCUSDT 15m`.
    pub title: &'a str,
    /// What it was made from, each with its name: modules and their digests, parameters, where the candles come from.
    pub facts: &'a [(String, String)],
    /// What came of it.
    pub outcome: &'a Outcome,
    /// All of its trades, those included that were taken before its end.
    pub trades: &'a [Trade],
    /// What it says.
    pub statistics: &'a Statistics,
    /// What entries by chance came to; `None` if that was not tried.
    pub random_entries: Option<&'a RandomEntriesResult>,
    /// How the same evaluations went live; `None` if that was not compared.
    pub certificate: Option<Certificate>,
    /// The candles that are drawn.
    pub candles: &'a [Bars],
}

/// How the evaluations that are stored from live went when they were made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Certificate {
    /// How many were made again.
    pub replayed: u64,
    /// How many of them gave the same bytes.
    pub equal: u64,
}

impl Report<'_> {
    /// The page, which is the same bytes for the same report.
    pub fn html(&self) -> String {
        page::html(self)
    }

    /// The summary for a terminal: plain text of lines up to about a hundred columns, without colours.
    pub fn summary(&self) -> String {
        summary::text(self)
    }
}
