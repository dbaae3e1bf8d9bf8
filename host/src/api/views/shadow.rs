//! What shadows would have changed in the words of JSON, for the API and for the commands.

use std::fmt;

use serde::Serialize;
use serde_json::Value as Json;
use ta_bot_core::{DeploymentLog, Job, Shadowing, StrategyId};
use utoipa::ToSchema;

use crate::{
    api::views::deployment::ShadowView,
    engine::{
        deployments::shadow_store::{Compared, Counts, Said, ShadowStore},
        evaluation::comparison::Comparison,
        support::store_error::StoreError,
    },
};

/// What a strategy's newest shadow would have changed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ShadowDetail {
    pub(crate) strategy_id: String,
    /// Null where no module has ever looked beside the one that decides.
    pub(crate) shadow: Option<ShadowProgress>,
}

/// How far a shadow has come.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ShadowProgress {
    #[serde(flatten)]
    pub(crate) shadow: ShadowView,
    /// The revision of the deployments with which it began.
    pub(crate) revision: i64,
    /// The first candle close at which it looks.
    pub(crate) looks_from: String,
    pub(crate) began_at: String,
    pub(crate) began_by: String,
    /// When it ended; null while it looks.
    pub(crate) ended_at: Option<String>,
    /// What ended it, such as `promote` or `end_shadow`; null while it looks.
    pub(crate) ended_by_action: Option<&'static str>,
    #[serde(flatten)]
    pub(crate) counts: ComparisonCounts,
    /// The share of candles on which they do not agree, from 0 to 1.
    pub(crate) differing_share: f64,
    /// The candles on which they do not agree, newest first. Of a shadow that differs very often the first 10,000 are kept.
    pub(crate) differences: Vec<DifferenceOnCandle>,
}

/// How often another module would have changed what.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ComparisonCounts {
    /// How many candles both have looked at.
    pub(crate) compared: u64,
    /// Nothing would have changed.
    agree: u64,
    /// Only the other module signals.
    added: u64,
    /// Only the module that decides signals.
    missed: u64,
    /// Both signal, and not the same.
    changed: u64,
    /// The other module gave no answer.
    failed: u64,
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
        }
    }
}

/// What happened, such as `agree 98, added 2`.
impl fmt::Display for ComparisonCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { compared: _, agree, added, missed, changed, failed } = self;
        let all = [("agree", agree), ("added", added), ("missed", missed), ("changed", changed), ("failed", failed)];
        let happened = all.iter().filter(|(_, count)| **count > 0).map(|(word, count)| format!("{word} {count}"));
        let words: Vec<_> = happened.collect();
        f.write_str(&if words.is_empty() { "nothing".to_owned() } else { words.join(", ") })
    }
}

/// A candle on which two modules differ.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DifferenceOnCandle {
    /// `added`, `missed`, `changed` or `failed`.
    pub(crate) difference: &'static str,
    pub(crate) symbol: String,
    pub(crate) timeframe: &'static str,
    pub(crate) candle_close: String,
    /// What the module that decides says: `outcome` and, as the case may be, `signal`, `reason`, or `code` and `message`.
    #[schema(value_type = Object)]
    pub(crate) incumbent: Json,
    /// What the other one says.
    #[schema(value_type = Object)]
    pub(crate) candidate: Json,
}

impl DifferenceOnCandle {
    pub(crate) fn new(comparison: Comparison, job: &Job, said: Said) -> Self {
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
    /// Of a strategy, with at most `limit` differences.
    pub(crate) async fn of(
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_happened_is_told() {
        let mut counts = Counts::default();
        assert_eq!(ComparisonCounts::from(&counts).to_string(), "nothing");
        counts.add(Comparison::Agree, 98);
        counts.add(Comparison::Missed, 2);
        assert_eq!(ComparisonCounts::from(&counts).to_string(), "agree 98, missed 2");
    }
}
