//! What `/health` says of the abilities of this replica.

use serde::Serialize;
use ta_bot_engine::support::abilities::{Ability, State};
use utoipa::ToSchema;

/// Whether each step from a closed candle to a published signal can be done now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AbilitiesReport {
    /// Whether a replica leads, so that closed candles become jobs.
    pub leader: AbilityReport,
    /// Whether jobs can be queued.
    pub queue: AbilityReport,
    /// Whether candles can be read.
    pub read_candles: AbilityReport,
    /// Whether decided jobs and their signals can be committed.
    pub commit: AbilityReport,
    /// Whether signals can be published.
    pub publish: AbilityReport,
}

/// What is known of one ability: by what happened when it was last needed, or by a probe if that is a while ago.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AbilityReport {
    /// Whether it is there; null if nothing has tried it yet.
    pub ok: Option<bool>,
    /// Since when it is so.
    pub since: Option<String>,
    /// When it last succeeded.
    pub last_success: Option<String>,
    /// Why it is missing.
    pub error: Option<String>,
    /// What an operator does about it.
    pub remedy: Option<&'static str>,
}

impl AbilitiesReport {
    pub(super) fn new(states: &[State]) -> Self {
        let of = |wanted: Ability| AbilityReport::new(states.iter().find(|state| state.ability == wanted));
        Self {
            leader: of(Ability::Leader),
            queue: of(Ability::Queue),
            read_candles: of(Ability::ReadCandles),
            commit: of(Ability::Commit),
            publish: of(Ability::Publish),
        }
    }

    pub(super) fn is_one_missing(&self) -> bool {
        self.all().iter().any(|ability| ability.ok == Some(false))
    }

    pub(super) fn is_one_unknown(&self) -> bool {
        self.all().iter().any(|ability| ability.ok.is_none())
    }

    const fn all(&self) -> [&AbilityReport; Ability::ALL.len()] {
        [&self.leader, &self.queue, &self.read_candles, &self.commit, &self.publish]
    }
}

impl AbilityReport {
    fn new(state: Option<&State>) -> Self {
        let trouble = state.and_then(|state| state.trouble.as_ref());
        Self {
            ok: state.and_then(|state| state.able),
            since: state.and_then(|state| state.since).map(|since| since.to_string()),
            last_success: state.and_then(|state| state.last_success).map(|success| success.to_string()),
            error: trouble.map(|trouble| trouble.reason.clone()),
            remedy: trouble.map(|trouble| trouble.remedy),
        }
    }
}
