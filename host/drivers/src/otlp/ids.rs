//! The ids of spans: chosen ones if others have to know them, else chance.

use opentelemetry::{SpanId, TraceId};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};
use ta_bot_engine::support::traces::chosen_id;

#[derive(Debug, Default)]
pub(super) struct Ids(RandomIdGenerator);

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        self.0.new_trace_id()
    }

    fn new_span_id(&self) -> SpanId {
        chosen_id().unwrap_or_else(|| self.0.new_span_id())
    }
}
