//! One series of candles on its way through a simulation.

use std::collections::VecDeque;

use ta_bot_core::{Candle, Series, Timestamp};

use super::signal::TradeSignal;

/// What a series is waiting for.
#[derive(Debug)]
pub(super) struct SeriesState {
    pub(super) series: Series,
    /// The place of its instrument.
    pub(super) instrument: usize,
    /// The open of its newest candle.
    pub(super) newest: Option<Timestamp>,
    /// The candle that has opened and not closed yet.
    pub(super) held: Option<Candle>,
    /// The range from low to high of the last candle that has closed.
    pub(super) range_before: f64,
    /// Signals that wait for a candle, in the order of their candles.
    pub(super) pending: VecDeque<Pending>,
}

/// A signal that waits for its candle.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) signal: TradeSignal,
    /// How many candles it lets pass.
    pub(super) late: u32,
}

impl SeriesState {
    pub(super) fn new(series: Series, instrument: usize) -> Self {
        Self { series, instrument, newest: None, held: None, range_before: 0.0, pending: VecDeque::new() }
    }

    /// When the candle that is open now closes.
    pub(super) fn closes(&self) -> Option<Timestamp> {
        self.held.map(|held| self.series.timeframe.close_of(held.open_time))
    }

    /// Adds a signal behind those for the same candle.
    pub(super) fn wait(&mut self, signal: TradeSignal, late: u32) {
        let place = self.pending.partition_point(|pending| pending.signal.candle_close <= signal.candle_close);
        self.pending.insert(place, Pending { signal, late });
    }

    /// The signals that are due at the open of a candle, which says that it opens at `open`.
    pub(super) fn due(&mut self, open: Timestamp) -> Vec<TradeSignal> {
        if self.pending.front().is_none_or(|pending| pending.signal.candle_close > open) {
            return Vec::new();
        }
        let come = self.pending.partition_point(|pending| pending.signal.candle_close <= open);
        let mut due = Vec::new();
        let waiting: Vec<Pending> = self.pending.drain(..come).collect();
        for pending in waiting.into_iter().rev() {
            match pending.late.checked_sub(1) {
                Some(late) => self.pending.push_front(Pending { late, ..pending }),
                None => due.push(pending.signal),
            }
        }
        due.reverse();
        due
    }

    /// Whether the candle that opens at `open` is the one for which a signal that lets `late` candles pass is meant.
    pub(super) fn is_on_time(&self, signal: &TradeSignal, late: u32, open: Timestamp) -> bool {
        open.millis() == signal.candle_close.millis() + i64::from(late) * self.series.timeframe.millis()
    }
}
