//! Traces of the way of a candle: from its announcement, over the queue of jobs and the evaluations, to the signals
//! that go out.
//!
//! Nothing is recorded unless this process exports traces ([`record_with`]). A context that came in goes on in any
//! case.
//!
//! A signal's message is written before the signal is sent, often by another replica than the one that sends it. So the
//! ids of three spans follow from the signal's id, see [`SignalSpans`].

use std::{
    borrow::Cow,
    cell::Cell,
    fmt::Display,
    future::Future,
    sync::OnceLock,
    time::{Duration, SystemTime},
};

use opentelemetry::{
    Context, ContextGuard, KeyValue, SpanId, TraceFlags, TraceId,
    context::FutureExt as _,
    global::BoxedTracer,
    trace::{SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt as _, TraceState, Tracer as _},
};
use ta_bot_core::{Job, Timestamp};

static RECORDER: OnceLock<Recorder> = OnceLock::new();

/// What records the spans of this process.
struct Recorder {
    tracer: BoxedTracer,
    /// Whether somebody takes them at the moment.
    are_wanted: Box<dyn Fn() -> bool + Send + Sync>,
}

thread_local! {
    static CHOSEN: Cell<Option<SpanId>> = const { Cell::new(None) };
}

/// Has the spans of this process recorded from now on, except while `are_wanted` says no: it is asked before a trace
/// goes on here, so that one that nobody takes costs nothing. Only the first call counts.
pub fn record_with(tracer: BoxedTracer, are_wanted: impl Fn() -> bool + Send + Sync + 'static) {
    RECORDER.set(Recorder { tracer, are_wanted: Box::new(are_wanted) }).ok();
}

/// What makes spans, whether they are wanted at the moment or not.
fn tracer() -> Option<&'static BoxedTracer> {
    RECORDER.get().map(|recorder| &recorder.tracer)
}

/// What makes spans, if they are wanted at the moment.
fn wanted_tracer() -> Option<&'static BoxedTracer> {
    RECORDER.get().filter(|recorder| (recorder.are_wanted)()).map(|recorder| &recorder.tracer)
}

/// The id of the span that is being made, if it was chosen. For the source of ids of the tracer.
pub fn chosen_id() -> Option<SpanId> {
    CHOSEN.take()
}

/// A span that is under way, or the context that came in if none is recorded. The span ends with its last copy.
#[derive(Debug, Clone, Default)]
pub struct Span {
    context: Option<Context>,
    /// The context that came in, in the W3C `traceparent` format.
    incoming: Option<String>,
}

/// What is known of a span at its beginning.
#[derive(Debug)]
pub struct Begun {
    /// What is done, without anything that varies much.
    pub name: Cow<'static, str>,
    /// Whether work is sent, taken, or done here.
    pub kind: SpanKind,
    /// Details, under the names of the semantic conventions if they have one.
    pub attributes: Vec<KeyValue>,
}

impl Span {
    /// Begins a span below the context that came in as a W3C `traceparent`, or a new trace. `begun` is only called if
    /// spans are recorded at the moment.
    pub fn begin(incoming: Option<&str>, begun: impl FnOnce() -> Begun) -> Self {
        let context = wanted_tracer().map(|tracer| {
            let parent = incoming.and_then(parse).map(|parent| Context::new().with_remote_span_context(parent));
            let parent = parent.unwrap_or_default();
            let span = tracer.build_with_context(begun().builder(), &parent);
            parent.with_span(span)
        });
        Self { incoming: if context.is_none() { incoming.map(str::to_owned) } else { None }, context }
    }

    /// The span that the caller runs in, see [`around`](Self::around) and [`enter`](Self::enter).
    pub fn current() -> Self {
        let context = tracer().map(|_| Context::current()).filter(Context::has_active_span);
        Self { context, incoming: None }
    }

    /// Begins a span below this one; if this one is not recorded, it stands for the other too.
    #[must_use]
    pub fn child(&self, begun: impl FnOnce() -> Begun) -> Self {
        let Some((tracer, context)) = self.recording() else { return self.clone() };
        let span = tracer.build_with_context(begun().builder(), context);
        Self { context: Some(context.with_span(span)), incoming: None }
    }

    /// Records a span below this one that has just ended. `id` is chosen if others have to know it.
    pub fn record(&self, id: Option<SpanId>, lasted: Duration, begun: impl FnOnce() -> Begun) {
        if let Some((_, context)) = self.recording() {
            let now = SystemTime::now();
            record(context, id, (now.checked_sub(lasted).unwrap_or(now), now), begun());
        }
    }

    /// This place in the trace, in the W3C `traceparent` format.
    pub fn traceparent(&self) -> Option<String> {
        let Some(context) = &self.context else { return self.incoming.clone() };
        let span = context.span();
        let here = span.span_context();
        let flags = here.trace_flags().to_u8();
        here.is_valid().then(|| format!("00-{}-{}-{flags:02x}", here.trace_id(), here.span_id()))
    }

    /// Notes that what the span is about did not come off.
    pub fn fail(&self, reason: &dyn Display) {
        if let Some((_, context)) = self.recording() {
            context.span().set_status(Status::error(reason.to_string()));
        }
    }

    /// Adds details that were not known at the beginning.
    pub fn add(&self, attributes: impl FnOnce() -> Vec<KeyValue>) {
        if let Some((_, context)) = self.recording() {
            context.span().set_attributes(attributes());
        }
    }

    /// Runs `work` so that the lines that it logs belong to this span.
    pub async fn around<T>(&self, work: impl Future<Output = T>) -> T {
        match &self.context {
            Some(context) => work.with_context(context.clone()).await,
            None => work.await,
        }
    }

    /// Makes the lines that this thread logs belong to this span, until the guard is dropped.
    pub fn enter(&self) -> Option<ContextGuard> {
        self.context.clone().map(Context::attach)
    }

    fn recording(&self) -> Option<(&'static BoxedTracer, &Context)> {
        let context = self.context.as_ref().filter(|context| context.span().is_recording())?;
        Some((tracer()?, context))
    }
}

impl Begun {
    /// Work that is done here.
    pub fn internal(name: impl Into<Cow<'static, str>>, attributes: Vec<KeyValue>) -> Self {
        Self { name: name.into(), kind: SpanKind::Internal, attributes }
    }

    fn builder(self) -> SpanBuilder {
        SpanBuilder::from_name(self.name).with_kind(self.kind).with_attributes(self.attributes)
    }
}

/// The attributes that say which candle a span is about.
pub fn candle(job: &Job) -> Vec<KeyValue> {
    vec![
        KeyValue::new("candle.symbol", job.symbol.to_string()),
        KeyValue::new("candle.timeframe", job.timeframe.as_str()),
        KeyValue::new("candle.close_time", job.candle_close.to_string()),
    ]
}

/// The spans whose ids follow from the id of a signal, since they are recorded apart: its evaluation by the replica
/// that decides, the others by the replica that publishes. The reader of the message goes on below the last of them.
#[derive(Debug, Clone, Copy)]
pub struct SignalSpans {
    evaluation: SpanId,
    publish: SpanId,
}

impl SignalSpans {
    /// The spans of the signal with this id, which has 64 hexadecimal digits.
    pub fn of(signal_id: &str) -> Option<Self> {
        let id = |digits: std::ops::Range<usize>| SpanId::from_hex(signal_id.get(digits)?).ok();
        Some(Self { evaluation: id(48..64)?, publish: id(32..48)? })
    }

    /// The id of the span of its evaluation.
    pub const fn evaluation(self) -> SpanId {
        self.evaluation
    }

    /// Records that a signal was published: how long it waited since its commit, and the sending. `traceparent` is the
    /// context in its message.
    pub fn published(
        self,
        traceparent: &str,
        committed: Timestamp,
        sending: Duration,
        attributes: impl FnOnce() -> Vec<KeyValue>,
    ) {
        let Some(message) = parse(traceparent).filter(SpanContext::is_sampled) else { return };
        if tracer().is_none() {
            return;
        }
        let of_evaluation =
            SpanContext::new(message.trace_id(), self.evaluation, message.trace_flags(), true, TraceState::NONE);
        let evaluation = Context::new().with_remote_span_context(of_evaluation);
        let now = SystemTime::now();
        let committed = SystemTime::UNIX_EPOCH + Duration::from_millis(committed.millis().max(0) as u64);
        let relay = record(&evaluation, None, (committed.min(now), now), Begun::internal("relay", Vec::new()));
        let sent = Begun { name: "send signals".into(), kind: SpanKind::Producer, attributes: attributes() };
        record(&relay, Some(self.publish), (now.checked_sub(sending).unwrap_or(now), now), sent);
    }

    /// Whether spans are recorded at the moment: if not, nothing has to be known of a signal.
    pub fn are_recorded() -> bool {
        wanted_tracer().is_some()
    }
}

/// Records a span that is over, and returns its context.
fn record(parent: &Context, id: Option<SpanId>, (from, to): (SystemTime, SystemTime), begun: Begun) -> Context {
    let Some(tracer) = tracer() else { return Context::new() };
    CHOSEN.set(id);
    let span = tracer.build_with_context(begun.builder().with_start_time(from), parent);
    CHOSEN.set(None);
    let context = parent.with_span(span);
    context.span().end_with_timestamp(to);
    context
}

/// Reads a W3C `traceparent`. Trace contexts of zeros mean that there is none.
fn parse(traceparent: &str) -> Option<SpanContext> {
    let mut parts = traceparent.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_whole = version.len() == 2 && trace.len() == 32 && span.len() == 16 && flags.len() == 2;
    if !is_whole || version == "ff" {
        return None;
    }
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    Some(SpanContext::new(trace, span, flags, true, TraceState::NONE)).filter(SpanContext::is_valid)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_context_goes_on_although_nothing_is_recorded() {
        let begun = || -> Begun { unreachable!("nothing is recorded") };
        assert_eq!(Span::begin(Some(PARENT), begun).traceparent().as_deref(), Some(PARENT));
        assert_eq!(Span::begin(None, begun).traceparent(), None);
    }

    #[test]
    fn only_whole_contexts_are_read() {
        let read = parse(PARENT).unwrap();
        assert!(read.is_sampled() && read.is_remote());
        let zeros = "00-00000000000000000000000000000000-0000000000000000-01";
        let short = &PARENT[..54];
        for wrong in ["", "00-1-2-01", zeros, short, &PARENT.replace("af", "zz"), &PARENT.replacen("00", "ff", 1)] {
            assert!(parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_signal_names_its_spans() {
        let id = "0123456789abcdef0123456789abcdef1111111111111111222222222222222a";
        let spans = SignalSpans::of(id).unwrap();
        assert_eq!(
            (spans.publish.to_string().as_str(), spans.evaluation.to_string().as_str()),
            (&id[32..48], &id[48..])
        );
        assert!(SignalSpans::of("short").is_none() && SignalSpans::of(&"é".repeat(64)).is_none());
    }
}
