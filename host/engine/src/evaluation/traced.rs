//! What the trace of a candle tells of each strategy.

use opentelemetry::KeyValue;
use ta_bot_core::{Job, Signal};

use super::outcome::{Outcome, StrategyOutcome};
use crate::support::traces::{Begun, SignalSpans, Span};

impl StrategyOutcome {
    /// Adds this evaluation, which has just ended, to the trace of its candle. A strategy that was not asked has no
    /// span.
    pub fn record(&self, trace: &Span, job: &Job) {
        let spans = match &self.outcome {
            Outcome::Skipped(_) => return,
            Outcome::Signal(signal) => SignalSpans::of(signal.id.as_str()),
            _ => None,
        };
        trace.record(spans.map(SignalSpans::evaluation), self.duration, || {
            let mut attributes = vec![
                KeyValue::new("strategy.id", self.strategy.to_string()),
                KeyValue::new("strategy.digest", self.digest.to_string()),
                KeyValue::new("strategy.outcome", self.outcome.kind()),
            ];
            match &self.outcome {
                Outcome::Signal(signal) => attributes.extend(decision(self.strategy.as_str(), signal, job)),
                Outcome::Error(error) => attributes.push(KeyValue::new("error.type", error.status().as_str())),
                _ => {}
            }
            Begun::internal(format!("evaluate {}", self.strategy), attributes)
        });
    }
}

/// What the older service told of a decision, under its names. All are texts, as they were there.
fn decision(strategy: &str, signal: &Signal, job: &Job) -> [KeyValue; 5] {
    let intent = signal.id.as_str().get(..32).unwrap_or_default();
    [
        KeyValue::new("decision.intent_id", intent.to_owned()),
        KeyValue::new("decision.strategy_id", strategy.to_owned()),
        KeyValue::new("decision.symbol", job.symbol.to_string()),
        KeyValue::new("decision.action", signal.action.as_str()),
        KeyValue::new("decision.confidence", signal.confidence.to_string()),
    ]
}
