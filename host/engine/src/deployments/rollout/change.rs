//! Changes deployments. A change is checked against what is stored, written as one entry, and takes effect from the
//! next candle that nothing has been decided about.

use std::sync::Arc;

use futures_util::future::try_join_all;
use ta_bot_core::{
    Admission, ApplicationSettings, DeploymentAction, DeploymentChange, DeploymentEntry, DeploymentRequest, Known,
    ModuleDigest, RequestedLevels, StrategyId, Timestamp, TransitionError,
};
use ta_bot_wasm::StrategyModule;

use super::{Rollout, RolloutError};
use crate::{
    modules::loader::LoadingError,
    settings::config_store::Author,
    support::store_error::{StoreError, WriteError},
};

/// How often a change without a condition is tried if others change the same strategy at the same time.
const TRIES: u32 = 5;

/// The result of a change.
#[derive(Debug, Clone, PartialEq)]
pub enum Deployed {
    /// This entry was added.
    Added(Box<DeploymentEntry>),
    /// The deployment was already as requested.
    Unchanged,
    /// The change is valid. Nothing was stored.
    Valid,
}

impl Rollout {
    /// Applies `request` to a strategy, if the revision of its newest entry is `expected` (0: it has none). Without
    /// `expected`, the change is tried again if another writer was quicker.
    pub async fn change(
        &self,
        strategy: &StrategyId,
        request: DeploymentRequest,
        expected: Option<i64>,
        validate_only: bool,
        author: Author,
    ) -> Result<Deployed, RolloutError> {
        let mut tries = 1;
        loop {
            let done = self.try_to_change(strategy, request.clone(), expected, validate_only, author.clone()).await;
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
        request: DeploymentRequest,
        expected: Option<i64>,
        validate_only: bool,
        author: Author,
    ) -> Result<Deployed, RolloutError> {
        self.refresh().await?;
        let registry = &self.parts.registry;
        let log = registry.log();
        let (mut current, revision) = log
            .newest(strategy)
            .map_or_else(Default::default, |newest| (newest.change.deployment.clone(), newest.revision));
        // They belong to that change alone.
        current.parameters.clear();
        if let Some(expected) = expected.filter(|expected| *expected != revision) {
            return Err(WriteError::Conflict { expected, current: revision }.into());
        }
        let activates = matches!(request, DeploymentRequest::Activate { .. } | DeploymentRequest::Shadow { .. });
        if revision == 0 && registry.bundled(strategy).is_none() && !activates {
            return Err(RolloutError::UnknownStrategy(strategy.clone()));
        }
        let known = Known {
            strategy,
            current: &current,
            entries: log.of(strategy),
            bundled: registry.bundled(strategy).map(|module| module.digest()),
            begun: log.begun(strategy),
        };
        let admission = match known.needs_admission(&request) {
            Some(module) => self.admission(module).await?,
            None => None,
        };
        let levels = known.levels(&request)?;
        let (action, mut deployment) = known.next(request, admission)?;
        if let Some(shadow) = deployment.shadow.as_ref().filter(|_| action == DeploymentAction::Shadow) {
            self.check_strategy(strategy, shadow.module).await?;
        }
        deployment.parameters = self.parts.parameters.deployed(strategy, levels.clone()).await?;
        if deployment == current {
            return Ok(Deployed::Unchanged);
        }
        if deployment.module != current.module || !levels.is_empty() {
            self.check_module(strategy, deployment.module, &levels).await?;
        }
        if validate_only {
            return Ok(Deployed::Valid);
        }
        let Author { changed_by, claimed_by, reason, at } = author;
        let strategy_id = strategy.clone();
        let change = DeploymentChange { strategy: strategy_id, action, deployment, changed_by, claimed_by, reason, at };
        // Read last, so that few candles can be decided between this and the write. Those are decided anew.
        let seen = self.newest_close().await?;
        let entry = self.parts.store.add(&change, revision, seen).await?;
        tracing::info!(strategy.id = %strategy, action = action.as_str(), by = %change.changed_by,
            from = %entry.from, revision = entry.revision, "deployment changed");
        if let Err(error) = self.refresh().await {
            tracing::warn!(%error, "a deployment was written but can't be read back yet");
        }
        if let Err(error) = self.parts.parameters.settle(&entry).await {
            tracing::warn!(%error, "a deployment's parameters count but are not in the store of settings yet");
        }
        Ok(Deployed::Added(Box::new(entry)))
    }

    /// The verdict of admission on a module; `None` if no such module is stored.
    async fn admission(&self, module: ModuleDigest) -> Result<Option<Admission>, StoreError> {
        let kept = self.parts.modules.find(module).await?;
        Ok(kept.map(|kept| match &kept.judgement {
            Some(judgement) if judgement.admits() => Admission::Admitted,
            Some(_) => Admission::Refused,
            None if kept.waits() => Admission::Waiting,
            None => Admission::NeverChecked,
        }))
    }

    /// Checks that the module contains the strategy and accepts its stored parameters, with what is requested in place
    /// of some levels. Loads the module for that.
    async fn check_module(
        &self,
        strategy: &StrategyId,
        module: Option<ModuleDigest>,
        requested: &RequestedLevels,
    ) -> Result<(), RolloutError> {
        let module = match module {
            Some(digest) => self.check_strategy(strategy, digest).await?,
            None => {
                self.parts.registry.bundled(strategy).ok_or_else(|| TransitionError::NotBundled(strategy.clone()))?
            }
        };
        self.parts.parameters.refresh().await?;
        Ok(self.parts.parameters.fits(&module, requested).await?)
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

    /// The module that decides by the newest entry; `None` if the strategy does not exist yet.
    pub async fn incumbent(&self, strategy: &StrategyId) -> Result<Option<Arc<StrategyModule>>, LoadingError> {
        match self.parts.registry.log().newest(strategy).and_then(|newest| newest.change.deployment.module) {
            Some(digest) => self.parts.loader.get(digest).await.map(Some),
            None => Ok(self.parts.registry.bundled(strategy)),
        }
    }

    /// Returns a module that could decide for the strategy if it were admitted: it contains the strategy and accepts
    /// the stored parameters.
    pub async fn candidate(
        &self,
        strategy: &StrategyId,
        module: ModuleDigest,
    ) -> Result<Arc<StrategyModule>, RolloutError> {
        self.parts.modules.find(module).await?.ok_or(TransitionError::UnknownModule(module))?;
        self.check_module(strategy, Some(module), &RequestedLevels::new()).await?;
        self.check_strategy(strategy, module).await
    }

    /// The newest close of all scheduled series. Its candle may be under way.
    async fn newest_close(&self) -> Result<Option<Timestamp>, StoreError> {
        let settings = self.parts.settings.current();
        let now = Timestamp::now();
        let ApplicationSettings { symbols, timeframes, .. } = &settings.settings;
        let newest = timeframes.iter().map(|timeframe| self.parts.candles.newest_closes(*timeframe, symbols, now));
        let newest = try_join_all(newest).await?;
        Ok(newest.iter().flatten().map(|(_, close)| *close).max())
    }
}
