//! The store of what shadows would have changed: a row for each candle that both modules have looked at.
//!
//! A shadow is identified by the revision of the deployments' log with which it began. Each candle counts once, however
//! often its job runs and on whichever replica. The counts are stored separately, so that they stay when a shadow has
//! ended and the rows in which it agreed are removed.

use std::{collections::BTreeMap, fmt};

use async_trait::async_trait;
use serde_json::Value as Json;
use ta_bot_core::{Job, Promotion};

use crate::{evaluation::comparison::Comparison, support::store_error::StoreError};

#[cfg(any(test, feature = "contract-tests"))]
pub mod contract;

/// What a shadow would have changed on one candle.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// The revision of the log with which the shadow began.
    pub began: i64,
    /// The job that names the candle.
    pub job: Job,
    /// What the shadow would have changed.
    pub comparison: Comparison,
    /// What both modules said; `None` if this comparison is not listed.
    pub said: Option<Said>,
}

/// What both modules said, [in short](crate::evaluation::comparison::brief).
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// What the module that decided said.
    pub incumbent: Json,
    /// What the shadow said.
    pub candidate: Json,
}

/// How often each comparison occurred.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts(BTreeMap<Comparison, u64>);

/// Lists the comparisons that occurred, such as `agree 98, added 2`.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let happened = self.0.iter().filter(|(_, count)| **count > 0);
        let words: Vec<_> = happened.map(|(comparison, count)| format!("{} {count}", comparison.as_str())).collect();
        f.write_str(&if words.is_empty() { "nothing".to_owned() } else { words.join(", ") })
    }
}

impl Counts {
    /// Returns how often a comparison occurred.
    pub fn of(&self, comparison: Comparison) -> u64 {
        self.0.get(&comparison).copied().unwrap_or_default()
    }

    /// Adds to the count of a comparison.
    pub fn add(&mut self, comparison: Comparison, count: u64) {
        *self.0.entry(comparison).or_default() += count;
    }

    /// Returns how many candles were compared.
    pub fn compared(&self) -> u64 {
        self.0.values().sum()
    }

    /// Returns on how many candles the two modules did not agree.
    pub fn differing(&self) -> u64 {
        self.compared() - self.of(Comparison::Agree)
    }

    /// Returns the share of candles on which the two modules did not agree, from 0 to 1; 0 if nothing was compared.
    pub fn share(&self) -> f64 {
        self.differing() as f64 / (self.compared() as f64).max(1.0)
    }

    /// Whether the counts reach the thresholds for the promotion of the shadow.
    pub fn reach(&self, promotion: &Promotion) -> bool {
        self.compared() >= promotion.after && self.share() <= promotion.most_differing
    }
}

/// A store of comparisons.
#[async_trait]
pub trait ShadowStore: Send + Sync {
    /// Adds comparisons and counts them. A comparison is ignored if the same shadow already has one for its candle.
    async fn record(&self, compared: &[Compared]) -> Result<(), StoreError>;

    /// Returns the counts of the shadow that began with this revision.
    async fn counts(&self, began: i64) -> Result<Counts, StoreError>;

    /// Returns the newest listed comparisons, newest candle first.
    async fn listed(&self, began: i64, limit: u32) -> Result<Vec<Compared>, StoreError>;

    /// Removes the rows of a shadow that are not listed. The counts stay. If a removed candle is recorded again it
    /// counts again, so the shadow should have ended a while ago.
    async fn forget(&self, began: i64) -> Result<(), StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(of: &[(Comparison, u64)]) -> Counts {
        let mut counts = Counts::default();
        for (comparison, count) in of {
            counts.add(*comparison, *count);
        }
        counts
    }

    #[test]
    fn a_shadow_is_promoted_by_how_many_and_by_their_share() {
        use Comparison::{Added, Agree, Failed};
        let promotion = |after, most_differing| Promotion { after, most_differing };
        let good = counts(&[(Agree, 98), (Added, 1), (Failed, 1)]);
        assert_eq!((good.compared(), good.differing()), (100, 2));
        assert!(good.reach(&promotion(100, 0.02)) && good.reach(&promotion(1, 1.0)));
        assert!(!good.reach(&promotion(101, 0.02)), "too few");
        assert!(!good.reach(&promotion(100, 0.019)), "too many differ");
        assert!(counts(&[(Agree, 5)]).reach(&promotion(5, 0.0)));
        assert!(!counts(&[]).reach(&promotion(1, 1.0)));
        assert!(counts(&[]).share() == 0.0 && counts(&[(Added, 3)]).share() == 1.0);
    }

    #[test]
    fn only_what_happened_is_told() {
        assert_eq!(counts(&[]).to_string(), "nothing");
        assert_eq!(counts(&[(Comparison::Missed, 2), (Comparison::Agree, 98)]).to_string(), "agree 98, missed 2");
    }
}
