//! The verdict on this service, for neighbours that watch several services: a message every 15 seconds.
//!
//! A verdict changes only after three equal samples, so that a fault of a moment alerts nobody. Every replica takes
//! samples. The leader sends them; replicas that disagreed would have the verdict change to and fro. If nobody is known
//! to lead, every replica says so.

use std::{sync::Arc, time::Duration};

use serde::Serialize;
use serde_json::{Map, Value as Json};
use ta_bot_core::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::{
    pipeline::leadership::Leadership,
    signals::bus::Bus,
    support::abilities::{Abilities, State},
};

/// The subject that verdicts are sent to.
pub const SUBJECT: &str = "evaluator.bot-ta-analysis.verdict";
/// The name of this service among those that send verdicts.
const SUBSYSTEM: &str = "bot-ta-analysis";
/// The time between two samples.
const PAUSE: Duration = Duration::from_secs(15);
/// How many equal samples change the verdict.
const SAMPLES: u32 = 3;
/// The longest reason, in characters.
const LONGEST_REASON: usize = 200;

/// What a service can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is not known yet.
    Unknown,
    /// A candle that closes now becomes a published signal.
    Healthy,
    /// It does not.
    Unhealthy,
}

/// Changes a verdict only after several equal samples.
#[derive(Debug)]
struct Hysteresis {
    verdict: Verdict,
    run: Verdict,
    length: u32,
}

impl Hysteresis {
    const fn new() -> Self {
        Self { verdict: Verdict::Unknown, run: Verdict::Unknown, length: 0 }
    }

    /// Takes a sample.
    fn take(&mut self, sample: Verdict) {
        self.length = if sample == self.run { self.length.saturating_add(1) } else { 1 };
        self.run = sample;
        if self.length >= SAMPLES {
            self.verdict = sample;
        }
    }
}

/// The message.
#[derive(Debug, Serialize)]
struct Message {
    subsystem: &'static str,
    verdict: Verdict,
    reason: String,
    detected_at: String,
    hysteresis: Run,
    #[serde(rename = "_otel_trace_context")]
    trace_context: Map<String, Json>,
}

/// The samples behind a verdict.
#[derive(Debug, Serialize)]
struct Run {
    policy: &'static str,
    n: u32,
    current_run_value: Verdict,
    current_run_length: u32,
}

/// Sends verdicts.
pub struct Verdicts {
    bus: Arc<dyn Bus>,
    abilities: Arc<Abilities>,
    leadership: Leadership,
    hysteresis: Hysteresis,
}

impl Verdicts {
    /// Verdicts on what this replica is able to do.
    pub const fn new(bus: Arc<dyn Bus>, abilities: Arc<Abilities>, leadership: Leadership) -> Self {
        Self { bus, abilities, leadership, hysteresis: Hysteresis::new() }
    }

    /// Takes samples until `stop` is cancelled.
    pub async fn run(mut self, stop: CancellationToken) {
        let sampling = async {
            loop {
                let message = self.sample();
                if self.leadership.term().is_some() || self.leadership.leader().is_none() {
                    self.send(&message).await;
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        stop.run_until_cancelled(sampling).await;
    }

    /// Takes a sample.
    fn sample(&mut self) -> Message {
        let (sample, reason) = judge(&self.abilities.all());
        self.hysteresis.take(sample);
        let Hysteresis { verdict, run, length } = self.hysteresis;
        Message {
            subsystem: SUBSYSTEM,
            verdict,
            reason,
            detected_at: Timestamp::now().to_string(),
            hysteresis: Run {
                policy: "consecutive_samples",
                n: SAMPLES,
                current_run_value: run,
                current_run_length: length,
            },
            trace_context: Map::new(),
        }
    }

    async fn send(&self, message: &Message) {
        let told = match serde_json::to_string(message) {
            Ok(text) => self.bus.tell(SUBJECT, text).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = told {
            // A bus that is away is logged where signals are published.
            tracing::debug!(error, "the verdict could not be sent");
        }
    }
}

/// The sample that follows from what is known, and its reason in one line.
fn judge(abilities: &[State]) -> (Verdict, String) {
    let lacking = abilities.iter().find(|state| state.able == Some(false));
    if let Some(State { ability, since, trouble, .. }) = lacking {
        let since = since.map_or_else(String::new, |since| format!(" since {since}"));
        let reason = trouble.as_ref().map_or("", |trouble| &trouble.reason);
        return (Verdict::Unhealthy, one_line(&format!("{}{since}: {reason}", ability.lack())));
    }
    match abilities.iter().find(|state| state.able.is_none()) {
        Some(state) => (Verdict::Unknown, format!("it is not known yet whether {}", state.ability.lack())),
        None => (Verdict::Healthy, "candles are read, jobs queued and committed, signals published".to_owned()),
    }
}

/// A text without line breaks, and not too long.
fn one_line(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(LONGEST_REASON).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        signals::bus::local::LocalBus,
        support::{
            abilities::{Ability, Trouble},
            metrics::Metrics,
        },
    };

    fn verdicts() -> Verdicts {
        let abilities = Arc::new(Abilities::new(Arc::new(Metrics::new().unwrap())));
        Verdicts::new(Arc::new(LocalBus::new()), abilities, Leadership::single_node("here".to_owned()))
    }

    #[test]
    fn a_verdict_changes_after_three_equal_samples() {
        use Verdict::{Healthy, Unhealthy, Unknown};
        let mut hysteresis = Hysteresis::new();
        let samples = [
            (Healthy, Unknown, 1),
            (Healthy, Unknown, 2),
            (Healthy, Healthy, 3),
            (Unhealthy, Healthy, 1),
            (Unhealthy, Healthy, 2),
            (Healthy, Healthy, 1),
            (Unhealthy, Healthy, 1),
            (Unhealthy, Healthy, 2),
            (Unhealthy, Unhealthy, 3),
            (Unhealthy, Unhealthy, 4),
        ];
        for (sample, verdict, length) in samples {
            hysteresis.take(sample);
            assert_eq!((hysteresis.verdict, hysteresis.run, hysteresis.length), (verdict, sample, length));
        }
    }

    #[test]
    fn the_message_is_as_its_readers_know_it() {
        let mut verdicts = verdicts();
        let first = serde_json::to_value(verdicts.sample()).unwrap();
        assert_eq!((&first["subsystem"], &first["verdict"]), (&Json::from("bot-ta-analysis"), &Json::from("unknown")));
        for ability in Ability::ALL {
            verdicts.abilities.worked(ability);
        }
        verdicts.sample();
        verdicts.sample();
        let last = serde_json::to_value(verdicts.sample()).unwrap();
        assert_eq!(last["verdict"], "healthy");
        assert!(last["detected_at"].as_str().unwrap().ends_with("+00:00"), "{last}");
        let run = serde_json::json!({
            "policy": "consecutive_samples", "n": 3, "current_run_value": "healthy", "current_run_length": 3,
        });
        assert_eq!((&last["hysteresis"], &last["_otel_trace_context"]), (&run, &serde_json::json!({})));
        assert_eq!(last.as_object().unwrap().len(), 6);
    }

    #[test]
    fn the_reason_is_one_line() {
        let mut verdicts = verdicts();
        for ability in Ability::ALL {
            verdicts.abilities.worked(ability);
        }
        let reason = format!("the disk\nis full {}", "ä".repeat(300));
        verdicts.abilities.failed(Ability::Commit, Trouble::new(Ability::Commit, &reason));
        let message = verdicts.sample();
        assert_eq!((message.hysteresis.current_run_value, message.reason.chars().count()), (Verdict::Unhealthy, 200));
        assert!(message.reason.starts_with("decided jobs can't be committed since "), "{}", message.reason);
        assert!(message.reason.contains("the disk is full ä"), "{}", message.reason);
    }
}
