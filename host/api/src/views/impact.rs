//! The JSON view of what a module would have changed, for the API and the commands.

use std::collections::BTreeMap;

use serde::Serialize;
use ta_bot_engine::{
    deployments::impact::{Cost, Question, Report},
    evaluation::comparison::Comparison,
};
use utoipa::ToSchema;

use crate::views::shadow::{ComparisonCounts, DifferenceOnCandle};

/// What would have changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct CandidateView {
    pub strategy_id: String,
    /// The candidate module.
    pub module: String,
    /// The module that decides; null if the strategy does not exist yet.
    pub incumbent: Option<String>,
    /// The number of symbols.
    pub symbols: usize,
    /// The scheduled timeframes on which at least one of the two modules runs.
    pub timeframes: Vec<&'static str>,
    /// False if time ran out before every candle was evaluated, or if the host had no room for some evaluations.
    pub complete: bool,
    #[serde(flatten)]
    pub counts: ComparisonCounts,
    /// The number of the candidate's failures for each error code.
    pub failures: BTreeMap<&'static str, u64>,
    /// The newest candles for each kind of difference.
    pub examples: CandidateExamples,
    pub cost: CandidateCosts,
}

/// Candles on which the two modules differ, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct CandidateExamples {
    pub added: Vec<DifferenceOnCandle>,
    pub missed: Vec<DifferenceOnCandle>,
    pub changed: Vec<DifferenceOnCandle>,
    pub failed: Vec<DifferenceOnCandle>,
}

/// What each of the two modules costs.
#[derive(Debug, Serialize, ToSchema)]
pub struct CandidateCosts {
    /// Null if the strategy does not exist yet.
    pub incumbent: Option<CandidateCost>,
    pub candidate: CandidateCost,
}

/// What evaluations cost, in milliseconds.
#[derive(Debug, Serialize, ToSchema)]
pub struct CandidateCost {
    pub evaluations: usize,
    pub total_ms: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
}

impl From<Cost> for CandidateCost {
    fn from(Cost { evaluations, total_ms, p50_ms, p99_ms, max_ms }: Cost) -> Self {
        Self { evaluations, total_ms, p50_ms, p99_ms, max_ms }
    }
}

impl CandidateView {
    pub fn new(question: &Question, report: &Report) -> Self {
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
