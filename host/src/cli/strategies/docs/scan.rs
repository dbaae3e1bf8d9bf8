//! What a strategy answers on the candles, and which of its signals is shown.
//!
//! The strategy is evaluated with its defaults on every candle for which all of its windows are full. Of the decisions
//! that the host lets through, one is chosen: a buy or sell before a hold or close, then the highest confidence, then
//! the earliest candle, then the first symbol and timeframe.

use std::{cmp::Ordering, collections::BTreeMap};

use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use ta_bot_core::{
    Action, ApplicationSettings, CandleSlice, Decision, EvaluationError, ParameterLevels, ResolvedParameters, Signal,
    Timestamp,
};
use ta_bot_engine::evaluation::{Inputs, Origin, Outcome, series_of};
use ta_bot_wasm::StrategyModule;

use super::market::Market;
use crate::cli::error::DocsError;

/// The results of a strategy on a market.
#[derive(Default)]
pub(super) struct Scan {
    /// How many candles it was evaluated on.
    pub(super) candles: usize,
    /// How many signals of each action it gave.
    pub(super) signals: BTreeMap<&'static str, usize>,
    /// How many decisions the host dropped, by reason.
    pub(super) dropped: BTreeMap<&'static str, usize>,
    /// How many times it answered that it failed.
    pub(super) failed: usize,
    /// The signal that is shown.
    pub(super) found: Option<Found>,
}

/// A signal and the candle that it was given on.
pub(super) struct Found {
    pub(super) series: usize,
    pub(super) candle: usize,
    pub(super) close: Timestamp,
    pub(super) signal: Box<Signal>,
    /// What the strategy itself decided.
    pub(super) decision: Decision,
}

impl Scan {
    /// Evaluates a strategy on every candle, on all threads.
    pub(super) fn of(
        module: &StrategyModule,
        market: &Market,
        settings: &ApplicationSettings,
    ) -> Result<Self, DocsError> {
        let description = module.description();
        let parameters = ResolvedParameters::resolve(&description.schema, &ParameterLevels::default());
        let first = description.lookback as usize - 1;
        let series = market.iter().enumerate().filter(|(_, series)| description.runs_on(series.timeframe));
        let places: Vec<(usize, usize)> =
            series.flat_map(|(index, series)| (first..series.len()).map(move |candle| (index, candle))).collect();
        let looked = places.par_iter().try_fold(Self::default, |mut scan, place| {
            scan.look((module, &parameters, settings), market, *place)?;
            Ok(scan)
        });
        looked.try_reduce(Self::default, |one, other| Ok(one.with(other)))
    }

    /// Evaluates one candle, if every extra input has its full window.
    fn look(
        &mut self,
        (module, parameters, settings): (&StrategyModule, &ResolvedParameters, &ApplicationSettings),
        market: &Market,
        (series, candle): (usize, usize),
    ) -> Result<(), DocsError> {
        let description = module.description();
        let from = candle + 1 - description.lookback as usize;
        let base = market.series(series).span(from..candle + 1);
        let job = market.series(series).job(candle);
        let window = |input| market.closed(&series_of(input, &job)?, job.candle_close, input.lookback);
        let Some(extra) = description.extra.iter().map(window).collect::<Option<Vec<CandleSlice<'_>>>>() else {
            return Ok(());
        };
        self.candles += 1;
        let inputs = Inputs { module, parameters, job: &job, base, extra: &extra, settings, origin: Origin::NONE };
        let answer = inputs.evaluate();
        match answer.outcome {
            Outcome::None
            | Outcome::Skipped(_)
            | Outcome::Gap(_)
            | Outcome::Error(EvaluationError::InsufficientData { .. }) => {}
            Outcome::Error(EvaluationError::Failed(_)) => self.failed += 1,
            Outcome::Error(error) => {
                return Err(DocsError::Evaluation { strategy: description.id.clone(), job, error });
            }
            Outcome::Dropped(_, reason) => *self.dropped.entry(reason.as_str()).or_default() += 1,
            Outcome::Signal(signal) => {
                *self.signals.entry(signal.action.as_str()).or_default() += 1;
                if let Some(decision) = answer.decision {
                    self.offer(Found { series, candle, close: job.candle_close, signal, decision });
                }
            }
        }
        Ok(())
    }

    fn offer(&mut self, found: Found) {
        if self.found.as_ref().is_none_or(|best| found.order(best).is_lt()) {
            self.found = Some(found);
        }
    }

    /// The sum of both scans.
    fn with(mut self, other: Self) -> Self {
        self.candles += other.candles;
        self.failed += other.failed;
        for (counts, more) in [(&mut self.signals, other.signals), (&mut self.dropped, other.dropped)] {
            for (name, count) in more {
                *counts.entry(name).or_default() += count;
            }
        }
        if let Some(found) = other.found {
            self.offer(found);
        }
        self
    }
}

impl Found {
    /// The better signal comes first. Series are in the order of their symbols and timeframes.
    fn order(&self, other: &Self) -> Ordering {
        let trades = |found: &Self| matches!(found.signal.action, Action::Buy | Action::Sell);
        trades(other)
            .cmp(&trades(self))
            .then(other.signal.confidence.total_cmp(&self.signal.confidence))
            .then(self.close.cmp(&other.close))
            .then(self.series.cmp(&other.series))
    }

    /// A price in the signal's message: `price`, `stop_loss` or `take_profit`.
    pub(super) fn price(&self, name: &str) -> Option<f64> {
        self.signal.message[name].as_f64()
    }
}
