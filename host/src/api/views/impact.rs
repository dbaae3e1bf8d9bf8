//! What a module would have changed in the words of JSON, for the API and for the commands.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    api::views::shadow::{ComparisonCounts, DifferenceOnCandle},
    engine::{
        deployments::impact::{Cost, Question, Report},
        evaluation::comparison::Comparison,
    },
};

/// What would have changed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CandidateView {
    pub(crate) strategy_id: String,
    /// The module that was asked about.
    pub(crate) module: String,
    /// The module that decides; null where the strategy is not there yet.
    pub(crate) incumbent: Option<String>,
    /// How many symbols were asked for.
    pub(crate) symbols: usize,
    /// The scheduled timeframes on which either module runs.
    pub(crate) timeframes: Vec<&'static str>,
    /// False where time was up before every candle was looked at, or the host had no room for some evaluations.
    pub(crate) complete: bool,
    #[serde(flatten)]
    pub(crate) counts: ComparisonCounts,
    /// How often by which error.
    pub(crate) failures: BTreeMap<&'static str, u64>,
    /// The newest candles of each kind of difference.
    pub(crate) examples: CandidateExamples,
    pub(crate) cost: CandidateCosts,
}

/// Candles on which the two differ, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CandidateExamples {
    pub(crate) added: Vec<DifferenceOnCandle>,
    pub(crate) missed: Vec<DifferenceOnCandle>,
    pub(crate) changed: Vec<DifferenceOnCandle>,
    pub(crate) failed: Vec<DifferenceOnCandle>,
}

/// What each of them costs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CandidateCosts {
    /// Null where the strategy is not there yet.
    pub(crate) incumbent: Option<CandidateCost>,
    pub(crate) candidate: CandidateCost,
}

/// What evaluations cost, in milliseconds.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CandidateCost {
    pub(crate) evaluations: usize,
    pub(crate) total_ms: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
}

impl From<Cost> for CandidateCost {
    fn from(Cost { evaluations, total_ms, p50_ms, p99_ms, max_ms }: Cost) -> Self {
        Self { evaluations, total_ms, p50_ms, p99_ms, max_ms }
    }
}

impl CandidateView {
    pub(crate) fn new(question: &Question, report: &Report) -> Self {
        let Report { incumbent, timeframes, symbols, complete, tally } = report;
        let examples = |comparison| {
            let examples = tally.examples(comparison).into_iter();
            examples.map(|example| DifferenceOnCandle::new(comparison, &example.job, example.said)).collect()
        };
        let (of_incumbent, of_candidate) = tally.costs();
        Self {
            strategy_id: question.strategy.to_string(),
            module: question.candidate.to_string(),
            incumbent: incumbent.map(|digest| digest.to_string()),
            symbols: *symbols,
            timeframes: timeframes.iter().map(|timeframe| timeframe.as_str()).collect(),
            complete: *complete,
            counts: ComparisonCounts::from(tally.counts()),
            failures: tally.failures().clone(),
            examples: CandidateExamples {
                added: examples(Comparison::Added),
                missed: examples(Comparison::Missed),
                changed: examples(Comparison::Changed),
                failed: examples(Comparison::Failed),
            },
            cost: CandidateCosts { incumbent: incumbent.map(|_| of_incumbent.into()), candidate: of_candidate.into() },
        }
    }
}
