//! Changing what is deployed: checked against what is stored, written as one entry, and in force from the next candle on
//! that nothing has been decided about.

use std::sync::Arc;

use futures_util::future::try_join_all;
use ta_bot_core::{
    ApplicationSettings, Deployment, DeploymentAction, DeploymentChange, DeploymentEntry, ModuleDigest, Promotion,
    Shadow, StrategyId, Timestamp,
};
use ta_bot_wasm::StrategyModule;

use super::{Rollout, RolloutError};
use crate::{
    config::Author,
    loader::LoadingError,
    store::{StoreError, WriteError},
};

/// How often a change without a condition is tried where others change the same strategy at once.
const TRIES: u32 = 5;

/// What an operator wants.
#[derive(Debug, Clone, PartialEq)]
pub enum Wanted {
    /// This module is to decide; none for the bundled one.
    Activate(Option<ModuleDigest>),
    /// The module of this revision is to decide again; where none is given the one before the present one.
    RollBack(Option<i64>),
    /// The strategy is to look at candles, whatever the application's settings say.
    Enable,
    /// It is not to.
    Disable,
    /// It is to look at candles again after it failed too often.
    Lift,
    /// This module is to look at the same candles and publish nothing. With `unadmitted` also if admission refused it.
    Shadow {
        /// Which module.
        module: ModuleDigest,
        /// When it is to decide, by itself.
        promote: Option<Promotion>,
        /// Whether it need not be admitted.
        unadmitted: bool,
    },
    /// No module is to look beside the one that decides.
    EndShadow,
    /// The shadow is to decide.
    Promote,
    /// The module failed too often.
    Quarantine {
        /// Which: another one that decides by now is not touched.
        module: ModuleDigest,
        /// Since which revision its failures count: one that was put to work anew behind it is not touched either.
        since: i64,
        /// How.
        why: String,
    },
}

/// What a change came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Deployed {
    /// This entry was added.
    Added(Box<DeploymentEntry>),
    /// It was so already.
    Unchanged,
    /// Nothing speaks against it, and nothing was stored.
    Valid,
}

impl Rollout {
    /// Brings a strategy to what is wanted, if its newest entry is `expected` (0: it has none). Without that condition it is
    /// tried again where somebody else was quicker.
    pub async fn change(
        &self,
        strategy: &StrategyId,
        wanted: Wanted,
        expected: Option<i64>,
        validate_only: bool,
        author: Author,
    ) -> Result<Deployed, RolloutError> {
        let mut tries = 1;
        loop {
            let done = self.try_to_change(strategy, wanted.clone(), expected, validate_only, author.clone()).await;
            match done {
                Err(RolloutError::Write(WriteError::Conflict { .. })) if expected.is_none() && tries < TRIES => {
                    tries += 1;
                }
                done => return done,
            }
        }
    }

    async fn try_to_change(
        &self,
        strategy: &StrategyId,
        wanted: Wanted,
        expected: Option<i64>,
        validate_only: bool,
        author: Author,
    ) -> Result<Deployed, RolloutError> {
        self.refresh().await?;
        let registry = &self.parts.registry;
        let log = registry.log();
        let (current, revision) = log
            .newest(strategy)
            .map_or_else(Default::default, |newest| (newest.change.deployment.clone(), newest.revision));
        if let Some(expected) = expected.filter(|expected| *expected != revision) {
            return Err(WriteError::Conflict { expected, current: revision }.into());
        }
        let activates = matches!(wanted, Wanted::Activate(_) | Wanted::Shadow { .. });
        if revision == 0 && registry.bundled(strategy).is_none() && !activates {
            return Err(RolloutError::UnknownStrategy(strategy.clone()));
        }
        let (action, deployment) = self.next(strategy, &current, log.of(strategy), wanted).await?;
        if deployment == current {
            return Ok(Deployed::Unchanged);
        }
        if deployment.module != current.module {
            self.check_module(strategy, deployment.module).await?;
        }
        if validate_only {
            return Ok(Deployed::Valid);
        }
        let Author { changed_by, reason, at } = author;
        let change = DeploymentChange { strategy: strategy.clone(), action, deployment, changed_by, reason, at };
        // Read last, so that little can be decided between this and the write; that is decided anew.
        let seen = self.newest_close().await?;
        let entry = self.parts.store.add(&change, revision, seen).await?;
        tracing::info!(strategy.id = %strategy, action = action.as_str(), by = %change.changed_by,
            from = %entry.from, revision = entry.revision, "deployment changed");
        if let Err(error) = self.refresh().await {
            tracing::warn!(%error, "a deployment was written but could not be read again yet");
        }
        Ok(Deployed::Added(Box::new(entry)))
    }

    /// What holds when that was done.
    async fn next(
        &self,
        strategy: &StrategyId,
        current: &Deployment,
        entries: &[DeploymentEntry],
        wanted: Wanted,
    ) -> Result<(DeploymentAction, Deployment), RolloutError> {
        use DeploymentAction as A;
        let current = current.clone();
        Ok(match wanted {
            Wanted::Activate(module) => {
                if let Some(module) = module {
                    self.check_admission(strategy, module, entries).await?;
                }
                (A::Activate, self.with_module(strategy, &current, entries, module)?)
            }
            Wanted::RollBack(revision) => {
                let module = before(&current, entries, revision)?;
                (A::RollBack, self.with_module(strategy, &current, entries, module)?)
            }
            Wanted::Promote => {
                let shadow = current.shadow.clone().ok_or_else(|| RolloutError::NoShadow(strategy.clone()))?;
                self.check_admission(strategy, shadow.module, entries).await?;
                (A::Promote, self.with_module(strategy, &current, entries, Some(shadow.module))?)
            }
            Wanted::Enable if current.quarantined.is_some() => {
                return Err(RolloutError::Quarantined(strategy.clone()));
            }
            Wanted::Enable => (A::Enable, Deployment { enabled: Some(true), ..current }),
            Wanted::Disable => (A::Disable, Deployment { enabled: Some(false), ..current }),
            Wanted::Lift if current.quarantined.is_none() => {
                return Err(RolloutError::NotQuarantined(strategy.clone()));
            }
            Wanted::Lift => (A::Lift, Deployment { quarantined: None, ..current }),
            Wanted::EndShadow if current.shadow.is_none() => return Err(RolloutError::NoShadow(strategy.clone())),
            Wanted::EndShadow => (A::EndShadow, Deployment { shadow: None, ..current }),
            Wanted::Shadow { module, promote, unadmitted } => {
                if self.deciding(strategy, &current) == Some(module) {
                    return Err(RolloutError::DecidesAlready(module));
                }
                let unadmitted = match self.check_admission(strategy, module, entries).await {
                    Err(RolloutError::NotAdmitted(_)) if unadmitted && promote.is_some() => {
                        return Err(RolloutError::NeverPromoted(module));
                    }
                    Err(RolloutError::NotAdmitted(_)) if unadmitted => true,
                    checked => checked.map(|()| false)?,
                };
                self.check_strategy(strategy, module).await?;
                let (enabled, shadow) =
                    (self.enabled(strategy, &current, entries), Some(Shadow { module, promote, unadmitted }));
                (A::Shadow, Deployment { enabled, shadow, ..current })
            }
            Wanted::Quarantine { module, since, why } => {
                // Each failure asks for it; and somebody may have been quicker, with another module in its place.
                let is_over = current.quarantined.is_some()
                    || self.deciding(strategy, &current) != Some(module)
                    || self.parts.registry.log().begun(strategy) > since;
                let quarantined = if is_over { current.quarantined.clone() } else { Some(why) };
                (A::Quarantine, Deployment { quarantined, ..current })
            }
        })
    }

    /// Another module begins without quarantine and without a shadow. A strategy that was not there before is enabled.
    fn with_module(
        &self,
        strategy: &StrategyId,
        current: &Deployment,
        entries: &[DeploymentEntry],
        module: Option<ModuleDigest>,
    ) -> Result<Deployment, RolloutError> {
        let is_bundled = self.parts.registry.bundled(strategy).is_some();
        if module.is_none() && !is_bundled {
            return Err(RolloutError::NotBundled(strategy.clone()));
        }
        let enabled = self.enabled(strategy, current, entries);
        Ok(Deployment { module, enabled, quarantined: None, shadow: None })
    }

    /// Whether it looks at candles from now on: as before, but a strategy that had no module begins to.
    fn enabled(&self, strategy: &StrategyId, current: &Deployment, entries: &[DeploymentEntry]) -> Option<bool> {
        let had_one = self.parts.registry.bundled(strategy).is_some()
            || entries.iter().any(|entry| entry.change.deployment.module.is_some());
        current.enabled.or((!had_one).then_some(true))
    }

    /// The module that decides by a deployment.
    fn deciding(&self, strategy: &StrategyId, deployment: &Deployment) -> Option<ModuleDigest> {
        deployment.module.or_else(|| self.parts.registry.bundled(strategy).map(|module| module.digest()))
    }

    /// A module has to be admitted, but for the one that came with this service, and those that have decided before.
    async fn check_admission(
        &self,
        strategy: &StrategyId,
        module: ModuleDigest,
        entries: &[DeploymentEntry],
    ) -> Result<(), RolloutError> {
        let kept = self.parts.modules.find(module).await?.ok_or(RolloutError::UnknownModule(module))?;
        let is_bundled = || self.parts.registry.bundled(strategy).is_some_and(|bundled| bundled.digest() == module);
        let has_decided = || entries.iter().any(|entry| entry.change.deployment.module == Some(module));
        match kept.judgement {
            None if is_bundled() || has_decided() => Ok(()),
            None if kept.waits() => Err(RolloutError::Waiting(module)),
            None => Err(RolloutError::NeverChecked(module)),
            Some(judgement) if judgement.admits() => Ok(()),
            Some(_) => Err(RolloutError::NotAdmitted(module)),
        }
    }

    /// Whether the module holds the strategy, and takes the parameters that are stored for it. It is installed here by then.
    async fn check_module(&self, strategy: &StrategyId, module: Option<ModuleDigest>) -> Result<(), RolloutError> {
        let module = match module {
            Some(digest) => self.check_strategy(strategy, digest).await?,
            None => self.parts.registry.bundled(strategy).ok_or_else(|| RolloutError::NotBundled(strategy.clone()))?,
        };
        self.parts.parameters.refresh().await?;
        Ok(self.parts.parameters.fits(&module).await?)
    }

    async fn check_strategy(
        &self,
        strategy: &StrategyId,
        module: ModuleDigest,
    ) -> Result<Arc<StrategyModule>, RolloutError> {
        let loaded = self.parts.loader.get(module).await?;
        let holds = &loaded.description().id;
        if holds == strategy {
            return Ok(loaded);
        }
        Err(RolloutError::OtherStrategy { module, holds: holds.clone(), strategy: strategy.clone() })
    }

    /// The module that decides by the newest entry; none where the strategy is not there yet.
    pub async fn incumbent(&self, strategy: &StrategyId) -> Result<Option<Arc<StrategyModule>>, LoadingError> {
        match self.parts.registry.log().newest(strategy).and_then(|newest| newest.change.deployment.module) {
            Some(digest) => self.parts.loader.get(digest).await.map(Some),
            None => Ok(self.parts.registry.bundled(strategy)),
        }
    }

    /// A module that could decide for the strategy if it were admitted: it holds it and takes the stored parameters.
    pub async fn candidate(
        &self,
        strategy: &StrategyId,
        module: ModuleDigest,
    ) -> Result<Arc<StrategyModule>, RolloutError> {
        self.parts.modules.find(module).await?.ok_or(RolloutError::UnknownModule(module))?;
        self.check_module(strategy, Some(module)).await?;
        self.check_strategy(strategy, module).await
    }

    /// The newest close of all that is scheduled: its candle may be under way.
    async fn newest_close(&self) -> Result<Option<Timestamp>, StoreError> {
        let (settings, now) = (self.parts.settings.current(), Timestamp::now());
        let ApplicationSettings { symbols, timeframes, .. } = &settings.settings;
        let newest = timeframes.iter().map(|timeframe| self.parts.candles.newest_closes(*timeframe, symbols, now));
        let newest = try_join_all(newest).await?;
        Ok(newest.iter().flatten().map(|(_, close)| *close).max())
    }
}

/// The module to go back to.
fn before(
    current: &Deployment,
    entries: &[DeploymentEntry],
    revision: Option<i64>,
) -> Result<Option<ModuleDigest>, RolloutError> {
    match revision {
        Some(0) => Ok(None),
        Some(revision) => {
            let entry = entries.iter().find(|entry| entry.revision == revision);
            Ok(entry.ok_or(RolloutError::UnknownRevision(revision))?.change.deployment.module)
        }
        None => {
            let other = entries.iter().rev().find(|entry| entry.change.deployment.module != current.module);
            match other {
                Some(other) => Ok(other.change.deployment.module),
                // Before the first entry the bundled module decided.
                None if current.module.is_some() => Ok(None),
                None => Err(RolloutError::NothingBefore),
            }
        }
    }
}
