//! Where it is kept what shadows would have changed: a row for each candle that both modules have looked at.
//!
//! A shadow is named by the revision of the deployments' log with which it began. Each candle counts once, however often
//! its job comes and wherever it is done. The counts are kept by themselves, so that they stay when a shadow has ended and
//! the rows in which it agreed are removed.

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
    /// The revision with which the shadow began.
    pub began: i64,
    /// The candle.
    pub job: Job,
    /// What it would have changed.
    pub comparison: Comparison,
    /// What both said, where that is to be listed.
    pub said: Option<Said>,
}

/// What both modules said, [in brief](crate::evaluation::comparison::brief).
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// The module that decided.
    pub incumbent: Json,
    /// The shadow.
    pub candidate: Json,
}

/// How often a shadow would have changed what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts(BTreeMap<Comparison, u64>);

/// What happened, such as `agree 98, added 2`.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let happened = self.0.iter().filter(|(_, count)| **count > 0);
        let words: Vec<_> = happened.map(|(comparison, count)| format!("{} {count}", comparison.as_str())).collect();
        f.write_str(&if words.is_empty() { "nothing".to_owned() } else { words.join(", ") })
    }
}

impl Counts {
    /// How often that.
    pub fn of(&self, comparison: Comparison) -> u64 {
        self.0.get(&comparison).copied().unwrap_or_default()
    }

    /// One more.
    pub fn add(&mut self, comparison: Comparison, count: u64) {
        *self.0.entry(comparison).or_default() += count;
    }

    /// How many candles were compared.
    pub fn compared(&self) -> u64 {
        self.0.values().sum()
    }

    /// On how many of them the two did not agree.
    pub fn differing(&self) -> u64 {
        self.compared() - self.of(Comparison::Agree)
    }

    /// The share of those on which they did not agree, from 0 to 1; 0 where nothing was compared.
    pub fn share(&self) -> f64 {
        self.differing() as f64 / (self.compared() as f64).max(1.0)
    }

    /// Whether that is enough for the shadow to decide.
    pub fn reach(&self, promotion: &Promotion) -> bool {
        self.compared() >= promotion.after && self.share() <= promotion.most_differing
    }
}

/// A store of comparisons.
#[async_trait]
pub trait ShadowStore: Send + Sync {
    /// Adds comparisons and counts them. Those whose candle is known of the same shadow are left alone.
    async fn record(&self, compared: &[Compared]) -> Result<(), StoreError>;

    /// The counts of a shadow, by the revision with which it began.
    async fn counts(&self, began: i64) -> Result<Counts, StoreError>;

    /// The newest of the comparisons that are to be listed, newest candle first.
    async fn listed(&self, began: i64, limit: u32) -> Result<Vec<Compared>, StoreError>;

    /// Removes the rows of a shadow that are not listed. The counts stay. A candle that is recorded again after that counts
    /// again, so the shadow should have ended a while ago.
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
