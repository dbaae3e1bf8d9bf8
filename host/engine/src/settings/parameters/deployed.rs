//! Parameters that come with a deployment: what its entry in the log says about them, and how they get into the store.

use serde_json::{Map, Value as Json};
use ta_bot_core::{DeployedLevel, DeploymentEntry, LevelOfLog, LevelParameters, RequestedLevels, StrategyId};

use super::{
    ParameterBook, ParameterError,
    write::{Wanted, parameters_of, version_of},
};
use crate::settings::config_store::{Author, ConfigKey, StoredConfig};

impl ParameterBook {
    /// What a deployment's entry says about the levels that are requested. Levels that hold already what they are to
    /// hold are left out.
    pub async fn deployed(
        &self,
        strategy: &StrategyId,
        requested: RequestedLevels,
    ) -> Result<Vec<DeployedLevel>, ParameterError> {
        let mut deployed = Vec::new();
        for (symbol, parameters) in requested {
            let key = ConfigKey { strategy: strategy.clone(), symbol: symbol.clone() };
            let stored = self.book.store().get(&key).await?;
            let over = match &stored {
                Some(stored) => stored.version,
                None => self.last_entry(&key, 0).await?.map_or(0, |entry| entry.version),
            };
            let before = self.held(&key, stored.as_ref());
            if before != parameters {
                deployed.push(DeployedLevel { symbol, parameters, before, over });
            }
        }
        Ok(deployed)
    }

    /// Brings what a deployment says about levels into the store, so that their history has it. What was stored since
    /// the deployment was requested stays. As long as this has not happened, the log counts.
    pub async fn settle(&self, entry: &DeploymentEntry) -> Result<(), ParameterError> {
        let change = &entry.change;
        if change.deployment.parameters.is_empty() {
            return Ok(());
        }
        let reason = match &change.reason {
            Some(reason) => format!("deployment {}: {reason}", entry.revision),
            None => format!("deployment {}", entry.revision),
        };
        let author = Author {
            changed_by: change.changed_by.clone(),
            claimed_by: change.claimed_by.clone(),
            reason: Some(reason),
            at: change.at,
        };
        for level in &change.deployment.parameters {
            let key = ConfigKey { strategy: change.strategy.clone(), symbol: level.symbol.clone() };
            let stored = self.book.store().get(&key).await?;
            let version = version_of(stored.as_ref());
            if version <= level.over {
                let wanted = Wanted::beside(level.parameters.clone(), stored.as_ref()).level();
                self.book.store().write(&key, wanted.as_ref(), Some(version), &author).await?;
            }
        }
        self.book.follow().await;
        Ok(())
    }

    /// The strategy's parameters that a level holds by the log's newest entry, beside what is stored.
    pub(super) fn held(&self, key: &ConfigKey, stored: Option<&StoredConfig>) -> LevelParameters {
        match self.unsettled(key, stored) {
            Some(deployed) => deployed,
            None => parameters_of(stored.map(|stored| Json::Object(stored.parameters.clone()))),
        }
    }

    /// What a deployment brought to a level, if the store does not hold it yet.
    pub(super) fn unsettled(&self, key: &ConfigKey, stored: Option<&StoredConfig>) -> Option<LevelParameters> {
        match self.registry.log().newest_levels(&key.strategy).level(key.symbol.as_ref()) {
            Some(LevelOfLog::Since { parameters, over }) if version_of(stored) <= over => Some(parameters.cloned()),
            _ => None,
        }
    }

    /// What a level that is to hold nothing has to be stored as: nothing, unless a deployment has brought parameters to
    /// it. Then an empty level says that they no longer count.
    pub(super) fn nothing(&self, key: &ConfigKey) -> Option<Map<String, Json>> {
        match self.registry.log().newest_levels(&key.strategy).level(key.symbol.as_ref()) {
            Some(LevelOfLog::Since { parameters: Some(_), .. }) => Some(Map::new()),
            _ => None,
        }
    }
}
