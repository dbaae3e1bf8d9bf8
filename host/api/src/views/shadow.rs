//! The JSON view of what shadows would have changed, for the API and the commands.

use std::fmt;

use serde::Serialize;
use serde_json::Value as Json;
use ta_bot_core::{DeploymentLog, Job, Shadowing, StrategyId};
use ta_bot_engine::{
    deployments::shadow_store::{Compared, Counts, Said, ShadowStore},
    evaluation::comparison::Comparison,
    support::store_error::StoreError,
};
use utoipa::ToSchema;

use crate::views::deployment::ShadowView;

/// What a strategy's newest shadow would have changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct ShadowDetail {
    pub strategy_id: String,
    /// The newest shadow; null if the strategy never had one.
    pub shadow: Option<ShadowProgress>,
}

/// The progress of a shadow.
#[derive(Debug, Serialize, ToSchema)]
pub struct ShadowProgress {
    #[serde(flatten)]
    pub shadow: ShadowView,
    /// The deployment revision with which it began.
    pub revision: i64,
    /// The first candle close that it evaluates.
    pub looks_from: String,
    pub began_at: String,
    pub began_by: String,
    /// When it ended; null while it runs.
    pub ended_at: Option<String>,
    /// The action that ended it, such as `promote` or `end_shadow`; null while it runs.
    pub ended_by_action: Option<&'static str>,
    #[serde(flatten)]
    pub counts: ComparisonCounts,
    /// The share of compared candles on which the two modules differ, from 0 to 1.
    pub differing_share: f64,
    /// The candles on which they differ, newest first. For a shadow that differs very often, only the first 10,000 are
    /// kept.
    pub differences: Vec<DifferenceOnCandle>,
}

/// How often another module would have changed something, by kind.
#[derive(Debug, Serialize, ToSchema)]
pub struct ComparisonCounts {
    /// The number of candles that both modules have evaluated.
    pub compared: u64,
    /// Nothing would have changed.
    agree: u64,
    /// Only the other module gives a signal.
    added: u64,
    /// Only the module that decides gives a signal.
    missed: u64,
    /// Both give a signal, but not the same one.
    changed: u64,
    /// The other module gave no answer.
    failed: u64,
    #[serde(skip)]
    counts: Counts,
}

impl From<&Counts> for ComparisonCounts {
    fn from(counts: &Counts) -> Self {
        Self {
            compared: counts.compared(),
            agree: counts.of(Comparison::Agree),
            added: counts.of(Comparison::Added),
            missed: counts.of(Comparison::Missed),
            changed: counts.of(Comparison::Changed),
            failed: counts.of(Comparison::Failed),
            counts: counts.clone(),
        }
    }
}

impl fmt::Display for ComparisonCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.counts.fmt(f)
    }
}

/// A candle on which two modules differ.
#[derive(Debug, Serialize, ToSchema)]
pub struct DifferenceOnCandle {
    /// `added`, `missed`, `changed` or `failed`.
    pub difference: &'static str,
    pub symbol: String,
    pub timeframe: &'static str,
    pub candle_close: String,
    /// The answer of the module that decides: `outcome` and, depending on it, `signal`, `reason`, or `code` and
    /// `message`.
    #[schema(value_type = Object)]
    pub incumbent: Json,
    /// The answer of the other module.
    #[schema(value_type = Object)]
    pub candidate: Json,
}

impl DifferenceOnCandle {
    pub fn new(comparison: Comparison, job: &Job, said: Said) -> Self {
        Self {
            difference: comparison.as_str(),
            symbol: job.symbol.to_string(),
            timeframe: job.timeframe.as_str(),
            candle_close: job.candle_close.to_string(),
            incumbent: said.incumbent,
            candidate: said.candidate,
        }
    }
}

impl ShadowDetail {
    /// The newest shadow of a strategy, with at most `limit` differences.
    pub async fn of(
        store: &dyn ShadowStore,
        log: &DeploymentLog,
        strategy: &StrategyId,
        limit: u32,
    ) -> Result<Self, StoreError> {
        let shadow = match log.shadows(strategy).next_back() {
            Some(shadowing) => {
                let began = shadowing.began.revision;
                let (counts, listed) = tokio::try_join!(store.counts(began), store.listed(began, limit))?;
                Some(ShadowProgress::new(&shadowing, &counts, listed))
            }
            None => None,
        };
        Ok(Self { strategy_id: strategy.to_string(), shadow })
    }
}

impl ShadowProgress {
    fn new(shadowing: &Shadowing<'_>, counts: &Counts, listed: Vec<Compared>) -> Self {
        let Shadowing { shadow, began, ended } = shadowing;
        let difference = |one: Compared| Some(DifferenceOnCandle::new(one.comparison, &one.job, one.said?));
        Self {
            shadow: ShadowView::from(*shadow),
            revision: began.revision,
            looks_from: began.from.to_string(),
            began_at: began.change.at.to_string(),
            began_by: began.change.changed_by.clone(),
            ended_at: ended.map(|ended| ended.change.at.to_string()),
            ended_by_action: ended.map(|ended| ended.change.action.as_str()),
            counts: ComparisonCounts::from(counts),
            differing_share: counts.share(),
            differences: listed.into_iter().filter_map(difference).collect(),
        }
    }
}
