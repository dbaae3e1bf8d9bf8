//! The JSON view of an analysis.

use serde::Serialize;
use ta_bot_core::millis;
use ta_bot_engine::{evaluation::StrategyOutcome, pipeline::analysis::Analysis};
use utoipa::ToSchema;

use super::publish::Published;
use crate::views::{outcome::OutcomeView, window::RefusedView};

/// The result of analysing one candle.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AnalysisView {
    symbol: String,
    timeframe: String,
    /// When the candle closed.
    candle_close: String,
    /// The number of candles that were read.
    candles: usize,
    /// The candles that were left out of the windows, for each series that has such.
    refused: Vec<RefusedView>,
    /// The duration, including the reading of candles.
    duration_ms: f64,
    /// The number of strategies that gave a signal.
    signals: usize,
    /// Each enabled strategy that runs on this timeframe, ordered by id.
    strategies: Vec<StrategyOutcomeView>,
    /// What was sent; null unless `publish` was requested.
    published: Option<Published>,
}

/// The outcome of one strategy.
#[derive(Debug, Serialize, ToSchema)]
struct StrategyOutcomeView {
    strategy: String,
    /// The SHA-256 of the module.
    digest: String,
    #[serde(flatten)]
    outcome: OutcomeView,
}

impl AnalysisView {
    pub(super) fn new(analysis: &Analysis, published: Option<Published>) -> Self {
        Self {
            symbol: analysis.job.symbol.to_string(),
            timeframe: analysis.job.timeframe.as_str().to_owned(),
            candle_close: analysis.job.candle_close.to_string(),
            candles: analysis.candles,
            refused: analysis.refused.iter().map(RefusedView::from).collect(),
            duration_ms: millis(analysis.duration),
            signals: analysis.signals().count(),
            strategies: analysis.outcomes.iter().map(strategy).collect(),
            published,
        }
    }
}

fn strategy(outcome: &StrategyOutcome) -> StrategyOutcomeView {
    StrategyOutcomeView {
        strategy: outcome.strategy.to_string(),
        digest: outcome.digest.to_string(),
        outcome: OutcomeView::new(&outcome.outcome, &outcome.holes, outcome.duration, &outcome.log),
    }
}
