//! An analysis in words.

use serde::Serialize;
use ta_bot_core::millis;
use ta_bot_engine::{evaluation::StrategyOutcome, pipeline::analysis::Analysis};
use utoipa::ToSchema;

use super::publish::Published;
use crate::views::outcome::OutcomeView;

/// What came of a candle.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AnalysisView {
    symbol: String,
    timeframe: String,
    /// When the candle closed.
    candle_close: String,
    /// How many candles were read.
    candles: usize,
    /// Reading included.
    duration_ms: f64,
    /// How many strategies gave a signal.
    signals: usize,
    /// Each enabled strategy that runs on this timeframe, by id.
    strategies: Vec<StrategyOutcomeView>,
    /// Null unless `publish` was asked for.
    published: Option<Published>,
}

/// What came of one strategy.
#[derive(Debug, Serialize, ToSchema)]
struct StrategyOutcomeView {
    strategy: String,
    /// SHA-256 of the module.
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
        outcome: OutcomeView::new(&outcome.outcome, outcome.duration, &outcome.log),
    }
}
