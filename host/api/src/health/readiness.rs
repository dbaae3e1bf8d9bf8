//! Whether requests can be sent to this replica.

use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use ta_bot_engine::{
    modules::registry::Progress,
    support::abilities::{Ability, State},
};
use utoipa::ToSchema;

use super::{Answer, Health, Measured};

/// One part that is not ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct NotReady {
    /// The name of the part.
    pub part: &'static str,
    /// Why it is not ready.
    pub reason: String,
}

/// The document returned by `/ready`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Readiness {
    /// Whether requests can be sent to this process.
    pub ready: bool,
    /// The parts that are not ready.
    pub not_ready: Vec<NotReady>,
}

/// Which parts have answered since the start.
#[derive(Debug, Default)]
pub(super) struct Answered([AtomicBool; 4]);

impl Answered {
    pub(super) fn note(&self, measured: &Measured) {
        for (answered, (_, answer)) in self.0.iter().zip(parts(measured)) {
            answered.fetch_or(answer.is_ok(), Ordering::Relaxed);
        }
    }

    fn are_all(&self) -> bool {
        self.0.iter().all(|answered| answered.load(Ordering::Relaxed))
    }

    /// The parts that have not answered yet, and why they did not the last time.
    fn missing(&self, measured: &Measured) -> Vec<NotReady> {
        let missing = self.0.iter().zip(parts(measured)).filter(|(answered, _)| !answered.load(Ordering::Relaxed));
        missing.filter_map(|(_, (part, answer))| Some(NotReady { part, reason: answer.clone().err()? })).collect()
    }
}

fn parts(measured: &Measured) -> [(&'static str, &Answer); 4] {
    let Measured { candles, outbox, config, bus } = measured;
    [("candle store", candles), ("outbox", outbox), ("config store", config), ("bus", bus)]
}

impl Health {
    /// Builds the document for `/ready`. Once every part has answered, the parts are not asked any more: whether they
    /// still answer makes this replica neither more nor less ready.
    pub async fn readiness(&self) -> Readiness {
        let mut not_ready =
            if self.answered.are_all() { Vec::new() } else { self.answered.missing(&self.measure().await) };
        match &*self.sources.registry.progress() {
            Progress::Ready => {}
            Progress::Loading => {
                not_ready.push(NotReady { part: "modules", reason: "still being compiled".to_owned() });
            }
            Progress::Incomplete(failed) => {
                not_ready.extend(failed.iter().map(|reason| NotReady { part: "modules", reason: reason.clone() }));
            }
        }
        if let Err(error) = self.sources.books.known() {
            not_ready.push(NotReady { part: "configuration", reason: error.to_string() });
        }
        let unknown = |state: &State| state.able.is_none() && state.ability != Ability::Leader;
        if self.sources.abilities.all().iter().any(unknown) {
            let reason = "it was not tried yet what this replica is able to do".to_owned();
            not_ready.push(NotReady { part: "abilities", reason });
        }
        if self.ending.load(Ordering::Relaxed) {
            not_ready.push(NotReady { part: "service", reason: "shutting down".to_owned() });
        }
        Readiness { ready: not_ready.is_empty(), not_ready }
    }
}
