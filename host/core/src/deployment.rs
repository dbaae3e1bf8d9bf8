//! Which module decides for a strategy, and from which candle on.
//!
//! Every change is an entry in one log and names the first candle close that it applies to, which lies after everything
//! decided before it. The module that decides a candle therefore follows from the log and the candle alone, no matter
//! how late the candle is evaluated, or by which process.

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
};

use serde::{
    Deserialize, Serialize,
    de::{IntoDeserializer as _, value},
};

use crate::{ModuleDigest, StrategyId, Timestamp};

mod levels;
mod needs;

pub(crate) use levels::held_at;
pub use levels::{DeployedLevel, LevelOfLog, LevelParameters, LevelsOfLog, RequestedLevels, requested_levels};

/// What an operator, or the service on their behalf, has decided about a strategy.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Deployment {
    /// The module that decides; `None` for the bundled one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<ModuleDigest>,
    /// Whether the strategy evaluates candles; `None` if the application's settings decide that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Why it is quarantined and so evaluates no candles even if enabled; `None` if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantined: Option<String>,
    /// The module that evaluates the same candles without publishing anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<Shadow>,
    /// The levels of the strategy's parameters that this very change changes. Later changes do not repeat them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<DeployedLevel>,
}

/// A module that evaluates the same candles as the one that decides, so that the two can be compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shadow {
    /// The module.
    pub module: ModuleDigest,
    /// The condition for automatic promotion, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promote: Option<Promotion>,
    /// Whether it was started although admission had refused it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unadmitted: bool,
}

/// The condition under which a shadow becomes the module that decides.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Promotion {
    /// The number of candles that both modules must have evaluated.
    pub after: u64,
    /// The largest share of those candles that may differ, from 0 to 1.
    pub most_differing: f64,
}

/// What a change did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub enum DeploymentAction {
    Activate,
    RollBack,
    Enable,
    Disable,
    /// The module failed too often.
    Quarantine,
    /// The strategy leaves quarantine.
    Lift,
    /// A shadow starts.
    Shadow,
    /// The shadow stops.
    EndShadow,
    /// The shadow becomes the module that decides.
    Promote,
}

impl DeploymentAction {
    /// The name used in messages, metrics and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Activate => "activate",
            Self::RollBack => "roll_back",
            Self::Enable => "enable",
            Self::Disable => "disable",
            Self::Quarantine => "quarantine",
            Self::Lift => "lift",
            Self::Shadow => "shadow",
            Self::EndShadow => "end_shadow",
            Self::Promote => "promote",
        }
    }
}

impl FromStr for DeploymentAction {
    type Err = value::Error;

    fn from_str(text: &str) -> Result<Self, value::Error> {
        Self::deserialize(text.into_deserializer())
    }
}

/// A change to be added to the log.
#[derive(Debug, Clone, PartialEq)]
pub struct DeploymentChange {
    /// The strategy.
    pub strategy: StrategyId,
    /// What the change does.
    pub action: DeploymentAction,
    /// The complete deployment after the change.
    pub deployment: Deployment,
    /// Who makes the change.
    pub changed_by: String,
    /// Whom the request names as its author, if it was sent with the token of somebody else.
    pub claimed_by: Option<String>,
    /// Why, if a reason was given.
    pub reason: Option<String>,
    /// When it is made.
    pub at: Timestamp,
}

/// An entry in the log.
#[derive(Debug, Clone, PartialEq)]
pub struct DeploymentEntry {
    /// Its position in the log, which all strategies share, counted from 1.
    pub revision: i64,
    /// The first candle close that it applies to, never before that of an earlier entry.
    pub from: Timestamp,
    /// The change.
    pub change: DeploymentChange,
}

impl Deployment {
    /// The modules that the deployment names.
    pub fn modules(&self) -> impl Iterator<Item = ModuleDigest> {
        self.module.into_iter().chain(self.shadow.as_ref().map(|shadow| shadow.module))
    }

    /// Whether the strategy evaluates candles, given that the application's settings say `enabled`.
    pub fn runs(&self, enabled: bool) -> bool {
        self.quarantined.is_none() && self.enabled.unwrap_or(enabled)
    }
}

impl DeploymentEntry {
    /// The shadow that runs from this entry on, if there is one.
    pub const fn shadow(&self) -> Option<&Shadow> {
        self.change.deployment.shadow.as_ref()
    }
}

/// One run of a shadow, from start to end. Other changes in between do not end it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shadowing<'a> {
    /// The shadow.
    pub shadow: &'a Shadow,
    /// The entry that started it. Its revision identifies the run.
    pub began: &'a DeploymentEntry,
    /// The entry that ended it; `None` while it runs.
    pub ended: Option<&'a DeploymentEntry>,
}

/// How many of a strategy's newest entries may still apply to candles to come, including late ones.
const RECENT: usize = 3;

/// The log, as far as it has been read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeploymentLog {
    revision: i64,
    strategies: BTreeMap<StrategyId, Vec<DeploymentEntry>>,
}

impl DeploymentLog {
    /// The revision of the last entry; 0 if there is none.
    pub const fn revision(&self) -> i64 {
        self.revision
    }

    /// Adds the entries read after [`revision`](Self::revision), in order. Known entries are ignored.
    pub fn extend(&mut self, entries: impl IntoIterator<Item = DeploymentEntry>) {
        for entry in entries {
            if entry.revision > self.revision {
                self.revision = entry.revision;
                self.strategies.entry(entry.change.strategy.clone()).or_default().push(entry);
            }
        }
    }

    /// The strategies that have entries.
    pub fn strategies(&self) -> impl Iterator<Item = &StrategyId> {
        self.strategies.keys()
    }

    /// The entries of a strategy, oldest first.
    pub fn of(&self, strategy: &StrategyId) -> &[DeploymentEntry] {
        self.strategies.get(strategy).map_or(&[], Vec::as_slice)
    }

    /// The modules that the newest entry of each strategy names.
    pub fn newest_modules(&self) -> BTreeSet<ModuleDigest> {
        self.modules_of_newest(1)
    }

    /// The modules that the newest few entries of each strategy name.
    pub fn recent_modules(&self) -> BTreeSet<ModuleDigest> {
        self.modules_of_newest(RECENT)
    }

    fn modules_of_newest(&self, count: usize) -> BTreeSet<ModuleDigest> {
        let newest = self.strategies.values().flat_map(|entries| entries.iter().rev().take(count));
        newest.flat_map(|entry| entry.change.deployment.modules()).collect()
    }

    /// The newest entry of a strategy. It may apply only to candles that have not closed yet.
    pub fn newest(&self, strategy: &StrategyId) -> Option<&DeploymentEntry> {
        self.of(strategy).last()
    }

    /// The revision at which the strategy's current module was last activated, rolled back to, promoted or let out of
    /// quarantine: what it did before no longer counts. 0 if there is no such entry.
    pub fn begun(&self, strategy: &StrategyId) -> i64 {
        use DeploymentAction::{Activate, Lift, Promote, RollBack};
        let begins = |entry: &&DeploymentEntry| matches!(entry.change.action, Activate | RollBack | Promote | Lift);
        self.of(strategy).iter().rev().find(begins).map_or(0, |entry| entry.revision)
    }

    /// The entry that applies to a strategy's candles that close at `candle_close`. `None` means that the bundled
    /// module decides and the settings say whether it runs.
    pub fn at(&self, strategy: &StrategyId, candle_close: Timestamp) -> Option<&DeploymentEntry> {
        self.of(strategy).iter().rev().find(|entry| entry.from <= candle_close)
    }

    /// Every shadow that a strategy has had, oldest first.
    pub fn shadows(&self, strategy: &StrategyId) -> impl DoubleEndedIterator<Item = Shadowing<'_>> {
        let entries = self.of(strategy);
        let mut spans = Vec::new();
        let mut behind = 0;
        for span in entries.chunk_by(|one, next| one.shadow() == next.shadow()) {
            behind += span.len();
            spans.push((&span[0], entries.get(behind)));
        }
        spans.into_iter().filter_map(|(began, ended)| Some(Shadowing { shadow: began.shadow()?, began, ended }))
    }

    /// The shadow that evaluates a strategy's candles that close at `candle_close`.
    pub fn shadow_at(&self, strategy: &StrategyId, candle_close: Timestamp) -> Option<Shadowing<'_>> {
        let entries = self.of(strategy);
        let holds = entries.iter().rposition(|entry| entry.from <= candle_close)?;
        let shadow = entries[holds].shadow()?;
        let is_still = |entry: &&DeploymentEntry| entry.shadow() == Some(shadow);
        let began = entries[..=holds].iter().rev().take_while(is_still).last()?;
        Some(Shadowing { shadow, began, ended: entries[holds..].iter().find(|entry| !is_still(entry)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(revision: i64, strategy: &str, from: i64, module: u8) -> DeploymentEntry {
        let deployment = Deployment { module: Some(ModuleDigest::of(&[module])), ..Deployment::default() };
        DeploymentEntry {
            revision,
            from: Timestamp::from_millis(from),
            change: DeploymentChange {
                strategy: strategy.parse().unwrap(),
                action: DeploymentAction::Activate,
                deployment,
                changed_by: "ann".to_owned(),
                claimed_by: None,
                reason: None,
                at: Timestamp::from_millis(0),
            },
        }
    }

    #[test]
    fn the_newest_entry_that_had_begun_decides() {
        let mut log = DeploymentLog::default();
        log.extend([entry(1, "rsi", 10, 1), entry(2, "macd", 10, 2), entry(3, "rsi", 20, 3), entry(4, "rsi", 20, 4)]);
        let rsi = "rsi".parse().unwrap();
        let decides = |close| log.at(&rsi, Timestamp::from_millis(close)).map(|entry| entry.revision);
        assert_eq!([9, 10, 19, 20, 99].map(decides), [None, Some(1), Some(1), Some(4), Some(4)]);
        assert_eq!(log.newest(&rsi).unwrap().revision, 4);
        assert_eq!(log.at(&"other".parse().unwrap(), Timestamp::from_millis(99)), None);
    }

    #[test]
    fn a_module_begins_with_what_puts_it_to_work() {
        let mut log = DeploymentLog::default();
        let rsi = "rsi".parse().unwrap();
        assert_eq!(log.begun(&rsi), 0);
        let mut quarantine = entry(2, "rsi", 20, 1);
        quarantine.change.action = DeploymentAction::Quarantine;
        log.extend([entry(1, "rsi", 10, 1), quarantine.clone()]);
        assert_eq!(log.begun(&rsi), 1);
        let mut lift = quarantine;
        (lift.revision, lift.change.action) = (3, DeploymentAction::Lift);
        log.extend([lift]);
        assert_eq!(log.begun(&rsi), 3);
    }

    #[test]
    fn a_shadow_looks_from_its_entry_to_that_which_ends_it() {
        let shadow =
            |module: u8| Some(Shadow { module: ModuleDigest::of(&[module]), promote: None, unadmitted: false });
        let with = |revision, from, of: Option<u8>| {
            let mut entry = entry(revision, "rsi", from, 1);
            entry.change.deployment.shadow = of.and_then(shadow);
            entry
        };
        let mut log = DeploymentLog::default();
        log.extend([
            with(1, 10, None),
            with(2, 20, Some(2)),
            with(3, 30, Some(2)),
            with(4, 40, Some(3)),
            with(5, 50, None),
        ]);
        let rsi = "rsi".parse().unwrap();
        let looks = |close| log.shadow_at(&rsi, Timestamp::from_millis(close)).map(|one| one.began.revision);
        assert_eq!([9, 10, 20, 30, 39, 40, 50].map(looks), [None, None, Some(2), Some(2), Some(2), Some(4), None]);
        let all = log.shadows(&rsi).map(|one| (one.began.revision, one.ended.map(|entry| entry.revision)));
        assert_eq!(all.collect::<Vec<_>>(), [(2, Some(4)), (4, Some(5))]);
        log.extend([with(6, 60, Some(2))]);
        let newest = log.shadows(&rsi).next_back().unwrap();
        assert_eq!((newest.began.revision, newest.ended), (6, None));
        for shadowing in log.shadows(&rsi) {
            assert_eq!(log.shadow_at(&rsi, shadowing.began.from), Some(shadowing));
        }
        assert_eq!(log.shadow_at(&"macd".parse().unwrap(), Timestamp::from_millis(99)), None);
    }

    #[test]
    fn what_is_read_twice_counts_once() {
        let mut log = DeploymentLog::default();
        log.extend([entry(1, "rsi", 10, 1)]);
        log.extend([entry(1, "rsi", 10, 1), entry(2, "rsi", 20, 2)]);
        assert_eq!((log.revision(), log.of(&"rsi".parse().unwrap()).len()), (2, 2));
    }

    #[test]
    fn an_action_is_read_by_its_word() {
        let all = [
            DeploymentAction::Activate,
            DeploymentAction::RollBack,
            DeploymentAction::Enable,
            DeploymentAction::Disable,
            DeploymentAction::Quarantine,
            DeploymentAction::Lift,
            DeploymentAction::Shadow,
            DeploymentAction::EndShadow,
            DeploymentAction::Promote,
        ];
        for action in all {
            assert_eq!(action.as_str().parse(), Ok(action));
        }
        let error = "Activate".parse::<DeploymentAction>().unwrap_err().to_string();
        assert!(error.contains("`Activate`") && error.contains("`roll_back`"), "{error}");
    }

    #[test]
    fn a_deployment_is_stored_as_it_is() {
        let promote = Some(Promotion { after: 100, most_differing: 0.01 });
        let shadow = Some(Shadow { module: ModuleDigest::of(b"new"), promote, unadmitted: true });
        let whole = Deployment {
            module: Some(ModuleDigest::of(b"old")),
            enabled: Some(true),
            quarantined: Some("it trapped".to_owned()),
            shadow,
            parameters: vec![DeployedLevel {
                symbol: Some("BTCUSDT".parse().unwrap()),
                parameters: Some(serde_json::Map::new()),
                before: None,
                over: 3,
            }],
        };
        for deployment in [whole, Deployment::default()] {
            let text = serde_json::to_string(&deployment).unwrap();
            assert_eq!(serde_json::from_str::<Deployment>(&text).unwrap(), deployment);
        }
        assert_eq!(serde_json::to_string(&Deployment::default()).unwrap(), "{}");
    }
}
