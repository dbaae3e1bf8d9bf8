//! No span is made that would find no room: so a collector that is away costs no more than a look.

use std::sync::Arc;

use opentelemetry::{
    Context, KeyValue, TraceId,
    trace::{Link, SpanKind, TraceState},
};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, ShouldSample};

use super::room::Room;

#[derive(Debug, Clone)]
pub(super) struct WhileThereIsRoom {
    sampler: Sampler,
    room: Arc<Room>,
}

impl WhileThereIsRoom {
    pub(super) const fn new(sampler: Sampler, room: Arc<Room>) -> Self {
        Self { sampler, room }
    }
}

impl ShouldSample for WhileThereIsRoom {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let sampled = self.sampler.should_sample(parent, trace, name, kind, attributes, links);
        if sampled.decision != SamplingDecision::Drop && self.room.is_full() {
            self.room.lose(1);
            let (decision, attributes) = (SamplingDecision::Drop, Vec::new());
            return SamplingResult { decision, attributes, trace_state: TraceState::default() };
        }
        sampled
    }
}
