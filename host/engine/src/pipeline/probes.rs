//! Tries what nothing has done for a while, so that this replica knows what it is able to do also between candles.
//!
//! Every probe has its own time limit, and they run side by side: one that hangs does not hide the others. Together
//! with the pauses a fault is known within ten seconds.

use std::{
    fmt::Display,
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use ta_bot_core::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::{
    market::candles::Candles,
    pipeline::{job_queue::JobQueue, leadership::Leadership},
    settings::application::SettingsBook,
    signals::{bus::Bus, outbox::Outbox},
    support::{
        abilities::{Abilities, Ability, Trouble},
        metrics::Metrics,
        store_error::StoreError,
    },
};

/// The pause between two looks at what is known.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a probe may take.
const LIMIT: Duration = Duration::from_secs(3);
/// How long after the start a replica may take to find out who leads. Before that it is not known.
const UNTIL_LEADER: Duration = Duration::from_secs(7);
/// If this process runs so much later than it should, it does not get the processor.
const LATE: Duration = Duration::from_secs(1);

/// Keeps the abilities of this replica known.
pub struct Probes {
    /// Takes what the probes find.
    pub abilities: Arc<Abilities>,
    /// The candles that are read.
    pub candles: Arc<Candles>,
    /// The settings, which say what is scheduled.
    pub settings: Arc<SettingsBook>,
    /// The store of signals.
    pub outbox: Arc<dyn Outbox>,
    /// The queue of jobs.
    pub queue: Arc<dyn JobQueue>,
    /// The bus that signals are published on.
    pub bus: Arc<dyn Bus>,
    /// Whether somebody leads.
    pub leadership: Leadership,
    /// The metrics.
    pub metrics: Arc<Metrics>,
}

impl Probes {
    /// Probes until `stop` is cancelled.
    pub async fn run(self, stop: CancellationToken) {
        let begun = Instant::now();
        let probing = async {
            loop {
                self.probe(begun.elapsed() < UNTIL_LEADER).await;
                self.pause().await;
            }
        };
        stop.run_until_cancelled(probing).await;
    }

    /// Probes what nothing has done for a while.
    async fn probe(&self, is_start: bool) {
        if self.leadership.leader().is_some() || !is_start {
            self.note_leader();
        }
        let read = async { self.read().await.map_err(|error| Trouble::of_store(Ability::ReadCandles, &error)) };
        let commit = async { self.outbox.probe().await.map_err(|error| Trouble::of_store(Ability::Commit, &error)) };
        let queue = async { self.queue.probe().await.map_err(|error| trouble(Ability::Queue, &error)) };
        let publish = async { self.bus.probe().await.map_err(|error| trouble(Ability::Publish, &error)) };
        tokio::join!(
            self.try_out(Ability::ReadCandles, read),
            self.try_out(Ability::Commit, commit),
            self.try_out(Ability::Queue, queue),
            self.try_out(Ability::Publish, publish),
        );
    }

    async fn try_out(&self, ability: Ability, probe: impl Future<Output = Result<(), Trouble>>) {
        if !self.abilities.is_quiet(ability) {
            return;
        }
        let late = |_| Err(trouble(ability, &format!("no answer within {} s", LIMIT.as_secs())));
        let found = tokio::time::timeout(LIMIT, probe).await.unwrap_or_else(late);
        self.abilities.probed(ability, found);
    }

    fn note_leader(&self) {
        let known = if self.leadership.leader().is_some() {
            Ok(())
        } else {
            let problem = self.leadership.problem();
            let problem = problem.unwrap_or_else(|| "this replica knows of no replica that leads".to_owned());
            Err(trouble(Ability::Leader, &problem))
        };
        self.abilities.probed(Ability::Leader, known);
    }

    /// Reads the newest candle of one symbol on every scheduled timeframe: each timeframe has a table of its own.
    async fn read(&self) -> Result<(), StoreError> {
        let settings = self.settings.current();
        let Some(symbol) = settings.settings.symbols.first() else { return self.candles.ping().await };
        for timeframe in &settings.settings.timeframes {
            self.candles.newest_closes(*timeframe, std::slice::from_ref(symbol), Timestamp::now()).await?;
        }
        Ok(())
    }

    /// Waits, and notices if that takes much longer than it should.
    async fn pause(&self) {
        let begun = Instant::now();
        tokio::time::sleep(PAUSE).await;
        let late = begun.elapsed().saturating_sub(PAUSE);
        if late >= LATE {
            self.metrics.delivery.paused_seconds.inc_by(late.as_secs_f64());
            tracing::warn!(
                seconds = late.as_secs_f64(),
                "this process did not run for a while: unless somebody paused it, give it more CPU"
            );
        }
    }
}

fn trouble(ability: Ability, reason: &impl Display) -> Trouble {
    Trouble::new(ability, reason)
}

#[cfg(test)]
mod tests;
