//! Runs shadows: each looks at decided candles and is compared with the module that decided. The comparisons are
//! stored, and a shadow that reaches its thresholds becomes the module that decides.
//!
//! This happens outside the path of a candle. The number of waiting candles is bounded; if shadows can't keep up they
//! miss candles, which is counted. Nothing that a shadow says is published, stored among the signals or counted as an
//! execution.

use std::{collections::HashSet, sync::Arc, time::Duration};

use ta_bot_core::{DeploymentEntry, DeploymentRequest, Promotion, Shadow, StrategyId, Timestamp, TransitionError};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use crate::{
    deployments::{
        rollout::{Deployed, RolloutError},
        shadow_store::{Compared, Counts, ShadowStore},
    },
    pipeline::analysis::{Analyst, ToCompare},
    settings::config_store::Author,
    signals::bus::{Bus, Notice},
    support::{
        backoff::Backoff,
        log_limit::LogLimit,
        metrics::Metrics,
        room::Room,
        store_error::{StoreError, WriteError},
    },
};

/// The largest number of candles that may wait for their shadows.
const MOST_WAITING: usize = 128;
/// How many comparisons are collected before they are stored.
const BATCH: usize = 64;
/// How many differences of one shadow are listed. They suffice to judge a shadow that differs more often.
const MOST_LISTED: u64 = 10_000;
/// Pauses between tries while the store is unavailable.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(10));
/// How often the rows of ended shadows are looked for.
const TIDY: Duration = Duration::from_mins(10);
/// How long ago a shadow must have ended before its rows are removed. Until then late candles of its time may still be
/// compared.
const ENDED_FOR_MS: i64 = 3_600_000;
/// The author of an automatic promotion.
const AUTHOR: &str = "ta-bot";

/// Accepts decided candles. Cheap to clone.
#[derive(Clone)]
pub struct Shadows {
    waiting: mpsc::Sender<ToCompare>,
    /// The disk that comparisons go to, if signals go there as well.
    disk: Option<Arc<Room>>,
    metrics: Arc<Metrics>,
    missed: Arc<LogLimit>,
}

/// Lets the shadows look at the candles that a [`Shadows`] accepts.
pub struct Observer {
    waiting: mpsc::Receiver<ToCompare>,
    analyst: Arc<Analyst>,
    store: Arc<dyn ShadowStore>,
    bus: Arc<dyn Bus>,
    failing: LogLimit,
    /// Ended shadows whose rows have been removed.
    forgotten: HashSet<i64>,
}

/// Creates a handle that accepts candles, and the observer that lets shadows look at them while it runs.
pub fn shadows(analyst: &Arc<Analyst>, store: Arc<dyn ShadowStore>, bus: Arc<dyn Bus>) -> (Shadows, Observer) {
    let (sender, waiting) = mpsc::channel(MOST_WAITING);
    let shadows =
        Shadows { waiting: sender, disk: None, metrics: Arc::clone(&analyst.metrics), missed: Arc::default() };
    let analyst = Arc::clone(analyst);
    (shadows, Observer { waiting, analyst, store, bus, failing: LogLimit::default(), forgotten: HashSet::new() })
}

impl Shadows {
    /// Lets shadows miss candles while this disk has little room, which is left to signals.
    #[must_use]
    pub fn on_disk(self, disk: Option<Arc<Room>>) -> Self {
        Self { disk, ..self }
    }

    /// Accepts a candle if there is room for it. Never waits.
    pub fn take(&self, candle: ToCompare) {
        if self.disk.as_ref().is_some_and(|disk| disk.is_low()) {
            self.metrics.shadows.dropped();
            if let Some(withheld) = self.missed.admit() {
                tracing::warn!(job = %candle.job, withheld, "shadows miss a candle: the disk of DATA_DIR is nearly full");
            }
            return;
        }
        if let Err(mpsc::error::TrySendError::Full(candle)) = self.waiting.try_send(candle) {
            self.metrics.shadows.dropped();
            if let Some(withheld) = self.missed.admit() {
                tracing::warn!(job = %candle.job, withheld, "shadows miss a candle: too many are waiting");
            }
        }
    }
}

impl Observer {
    /// Works until `stop` is cancelled. Candles that are still waiting then are missed.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut tidy = interval(TIDY);
        tidy.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                _ = tidy.tick() => {
                    // This may take long. If it is interrupted it continues with the rest next time.
                    stop.run_until_cancelled(self.tidy(Timestamp::now())).await;
                }
                candle = self.waiting.recv() => match candle {
                    Some(candle) => self.work_on(candle, &stop).await,
                    None => return,
                },
            }
        }
    }

    /// Compares a candle and those that wait behind it, up to a full batch, and stores the comparisons.
    async fn work_on(&mut self, candle: ToCompare, stop: &CancellationToken) {
        let mut compared = Vec::new();
        let mut next = Some(candle);
        while let Some(candle) = next.take() {
            let job = candle.job.clone();
            match self.analyst.compare(candle).await {
                Ok(of_candle) => compared.extend(of_candle),
                Err(error) => {
                    self.analyst.metrics.shadows.dropped();
                    if let Some(withheld) = self.failing.admit() {
                        tracing::warn!(%job, %error, withheld, "shadows miss a candle");
                    }
                }
            }
            if compared.len() < BATCH && !stop.is_cancelled() {
                next = self.waiting.try_recv().ok();
            }
        }
        if !compared.is_empty() && self.keep(&mut compared, stop).await {
            stop.run_until_cancelled(self.promote_those_of(&compared)).await;
        }
    }

    /// Stores comparisons. Retries while the store is unavailable, until `stop` is cancelled. Returns whether they were
    /// stored.
    async fn keep(&self, compared: &mut [Compared], stop: &CancellationToken) -> bool {
        let mut pauses = PAUSES;
        loop {
            match self.try_to_keep(compared).await {
                Ok(()) => return true,
                Err(error @ StoreError::Corrupt { .. }) => {
                    tracing::error!(count = compared.len(), %error, "comparisons of shadows can't be stored");
                    return false;
                }
                Err(error) => {
                    if let Some(withheld) = self.failing.admit() {
                        tracing::warn!(%error, withheld, "comparisons of shadows can't be stored yet; trying again");
                    }
                }
            }
            if stop.run_until_cancelled(tokio::time::sleep(pauses.pause())).await.is_none() {
                return false;
            }
        }
    }

    async fn try_to_keep(&self, compared: &mut [Compared]) -> Result<(), StoreError> {
        let began: HashSet<i64> = compared.iter().filter(|one| one.said.is_some()).map(|one| one.began).collect();
        for began in began {
            if self.store.counts(began).await?.differing() >= MOST_LISTED {
                compared.iter_mut().filter(|one| one.began == began).for_each(|one| one.said = None);
            }
        }
        self.store.record(compared).await
    }

    /// Promotes the shadows that have reached their thresholds. Nothing waits for that, so if a store is unavailable,
    /// the next candle tries again.
    async fn promote_those_of(&self, compared: &[Compared]) {
        let began: HashSet<i64> = compared.iter().map(|one| one.began).collect();
        for Candidate { strategy, newest, shadow, promotion, .. } in self.candidates(&began) {
            let counts = match self.store.counts(newest.began).await {
                Ok(counts) => counts,
                Err(error) => {
                    tracing::warn!(strategy.id = %strategy, %error, "the counts of a shadow can't be read");
                    continue;
                }
            };
            if counts.reach(&promotion) {
                self.promote(&strategy, newest.revision, &shadow, &counts).await;
            }
        }
    }

    /// Returns those of these shadows that are still active and have thresholds for promotion.
    fn candidates(&self, began: &HashSet<i64>) -> Vec<Candidate> {
        let log = self.analyst.registry.log();
        let candidate = |strategy: &StrategyId| {
            let shadowing = log.shadows(strategy).next_back().filter(|one| one.ended.is_none())?;
            let newest = log.newest(strategy)?;
            let looks = began.contains(&shadowing.began.revision) && newest.change.deployment.quarantined.is_none();
            let promotion = shadowing.shadow.promote.filter(|_| looks && !shadowing.shadow.unadmitted)?;
            let newest = Newest { revision: newest.revision, began: shadowing.began.revision };
            Some(Candidate { strategy: strategy.clone(), newest, shadow: shadowing.shadow.clone(), promotion })
        };
        log.strategies().filter_map(candidate).collect()
    }

    /// Promotes a shadow, if the strategy's deployment has not changed since `expected`. So only one replica does it,
    /// and a quicker change by an operator wins.
    async fn promote(&self, strategy: &StrategyId, expected: i64, shadow: &Shadow, counts: &Counts) {
        let reason = format!(
            "of {} candles {} differ, a share of {:.4}: {}",
            counts.compared(),
            counts.differing(),
            counts.share(),
            counts
        );
        let author =
            Author { changed_by: AUTHOR.to_owned(), claimed_by: None, reason: Some(reason), at: Timestamp::now() };
        let promoted =
            self.analyst.rollout.change(strategy, DeploymentRequest::Promote, Some(expected), false, author).await;
        match promoted {
            Ok(Deployed::Added(entry)) => {
                tracing::info!(strategy.id = %strategy, module = %shadow.module, revision = entry.revision,
                    from = %entry.from, "a shadow is promoted");
                if let Err(error) = self.bus.notify(Notice::DeploymentsChanged).await {
                    tracing::warn!(%error, "the other replicas can't be notified of a promotion yet");
                }
            }
            // Another replica or an operator was quicker.
            Ok(_)
            | Err(
                RolloutError::Write(WriteError::Conflict { .. })
                | RolloutError::Transition(TransitionError::NoShadow(_)),
            ) => {}
            Err(error) => {
                if let Some(withheld) = self.failing.admit() {
                    tracing::warn!(strategy.id = %strategy, module = %shadow.module, %error, withheld,
                        "a shadow has reached its thresholds but can't be promoted; it stays a shadow");
                }
            }
        }
    }

    /// Removes the unlisted rows of shadows that ended a while ago.
    async fn tidy(&mut self, now: Timestamp) {
        let log = self.analyst.registry.log();
        let ended = log.strategies().flat_map(|strategy| log.shadows(strategy)).filter(|shadowing| {
            let since = |ended: &DeploymentEntry| now.millis().saturating_sub(ended.change.at.millis());
            shadowing.ended.is_some_and(|ended| since(ended) > ENDED_FOR_MS)
        });
        for began in ended.map(|shadowing| shadowing.began.revision).collect::<Vec<_>>() {
            if self.forgotten.contains(&began) {
                continue;
            }
            match self.store.forget(began).await {
                Ok(()) => self.forgotten.insert(began),
                Err(error) => {
                    tracing::warn!(%error, "the rows of an ended shadow can't be removed yet");
                    return;
                }
            };
        }
    }
}

/// A shadow that can be promoted.
struct Candidate {
    strategy: StrategyId,
    newest: Newest,
    shadow: Shadow,
    promotion: Promotion,
}

/// Revisions of the log.
struct Newest {
    /// The revision of the strategy's newest entry.
    revision: i64,
    /// The revision of the entry with which the shadow began.
    began: i64,
}

#[cfg(test)]
mod tests;
