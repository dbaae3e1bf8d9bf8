//! What is not made since nobody would take it: so a collector that is away costs no more than a look.

use std::sync::Arc;

use opentelemetry::{
    Context, KeyValue, TraceId,
    trace::{Link, SpanKind, TraceState},
};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, ShouldSample};
use tracing::Event;
use tracing_subscriber::{Layer, Registry, layer};

use super::room::Room;

/// Makes no span that would find no room. It is asked within a trace, too, which is begun only if [`Room::admits`] it.
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

/// Passes on lines of the log that have a chance to be taken.
pub(super) struct WhileTaken<L> {
    layer: L,
    room: Arc<Room>,
}

impl<L> WhileTaken<L> {
    pub(super) const fn new(layer: L, room: Arc<Room>) -> Self {
        Self { layer, room }
    }
}

impl<L: Layer<Registry>> Layer<Registry> for WhileTaken<L> {
    fn on_event(&self, event: &Event<'_>, context: layer::Context<'_, Registry>) {
        if self.room.admits() {
            self.layer.on_event(event, context);
        }
    }
}
