//! The signals as they are stored, as server-sent events.
//!
//! Each event's id is the cursor after it, so a client that lost its connection goes on where it was, with any replica.
//! A client that reads slowly is not waited for: it gets what it has missed from the store.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::State,
    http::HeaderMap,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::{Stream, StreamExt as _, stream as streams};
use serde_json::Value;
use ta_bot_engine::{
    signals::{
        cursor::{Cursor, CursorError},
        feed::{Follower, from_now_on},
        outbox::{SignalFilter, StoredSignal},
    },
    support::backoff::Backoff,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    error::ApiError,
    problem::Problem,
    request::{fields::QueryFields, refusals::StreamRefusals, write::Shared},
    views::signal::SignalView,
};

/// How many clients may follow the signals at once.
const MOST: usize = 256;
/// How long a stream without signals stays silent. A client, or a proxy, gives up a connection that says nothing.
const SILENCE: Duration = Duration::from_secs(15);
/// The pauses while the store fails.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(5));
/// The header with which a client says after which event it goes on.
const LAST_EVENT_ID: &str = "last-event-id";

/// The places for clients that follow the signals.
#[derive(Debug, Clone)]
pub(crate) struct Streams(Arc<Semaphore>);

impl Streams {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(MOST)))
    }
}

/// What a client follows, for as long as it does.
struct Following {
    follower: Follower,
    filter: SignalFilter,
    pauses: Backoff,
    _place: OwnedSemaphorePermit,
}

impl Following {
    /// The next event; `None` if the service ends.
    async fn next(mut self) -> Option<(Event, Self)> {
        loop {
            match self.follower.next().await {
                Ok(Some(signal)) if self.filter.matches(&signal) => {
                    self.pauses.reset();
                    return Some((event(&signal, self.follower.cursor()), self));
                }
                Ok(Some(_)) => {}
                Ok(None) => return None,
                // The feed logs that the store fails; the client hears nothing until it works again.
                Err(_) => tokio::time::sleep(self.pauses.pause()).await,
            }
        }
    }
}

/// Signals as they are stored, as server-sent events.
///
/// Each event is called `signal`; its data is a signal as in the list, in the state in which it was stored, and its id
/// the cursor after it. A client that lost its connection sends the last id as `Last-Event-ID`, as browsers do by
/// themselves, and misses no signal; `after` in the query does the same. Without either the stream begins now. At most
/// 256 clients may follow at once.
#[utoipa::path(
    get,
    path = "/api/v1/signals/stream",
    operation_id = "follow_signals",
    tag = "journal",
    params(
        ("strategy" = Option<String>, Query, description = "Only of this strategy"),
        ("symbol" = Option<String>, Query, description = "Only of this symbol"),
        ("timeframe" = Option<String>, Query, description = "Only of this timeframe"),
        ("action" = Option<String>, Query, description = "Only of this action: buy, sell, hold or close"),
        ("after" = Option<String>, Query, description = "Only those stored after this cursor; 0: from the oldest on"),
        ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event; counts before `after`"),
    ),
    responses(
        (status = 200, body = String, content_type = "text/event-stream", description = "Events, until the client goes"),
        StreamRefusals
    )
)]
pub(crate) async fn stream(
    State(services): Shared,
    Extension(streams): Extension<Streams>,
    headers: HeaderMap,
    query: QueryFields,
) -> Result<Response, ApiError> {
    let mut fields = query.fields(&["strategy", "symbol", "timeframe", "action", "after"])?;
    let after: Option<Cursor> = fields.parsed("after");
    let last = last_event(&headers).map_err(|problem| fields.refuse(problem)).ok().flatten();
    let filter = super::about(&mut fields);
    fields.finish(Some(()))?;
    let place = streams.0.try_acquire_owned().map_err(|_| ApiError::TooManyStreams { most: MOST })?;
    let cursor = match last.or(after) {
        Some(cursor) => cursor,
        None => from_now_on(&*services.outbox).await?,
    };
    let following = Following { follower: services.feed.follow(cursor), filter, pauses: PAUSES, _place: place };
    let ending = services.ending.clone();
    let events = streams::unfold(following, Following::next).take_until(ending.cancelled_owned());
    Ok(answer(events))
}

/// The cursor after the last event that the client has seen, if it says so.
fn last_event(headers: &HeaderMap) -> Result<Option<Cursor>, Problem> {
    let Some(id) = headers.get(LAST_EVENT_ID).filter(|id| !id.is_empty()) else { return Ok(None) };
    let id = String::from_utf8_lossy(id.as_bytes());
    id.parse()
        .map(Some)
        .map_err(|error: CursorError| Problem::new("Last-Event-ID", &Value::from(&*id), error.to_string()))
}

fn event(signal: &Arc<StoredSignal>, cursor: &Cursor) -> Event {
    let view = SignalView::from(StoredSignal::clone(signal));
    let event = Event::default().event("signal").id(cursor.to_string());
    // A view consists of texts and numbers, which can always be written.
    event.json_data(&view).unwrap_or_default()
}

fn answer(events: impl Stream<Item = Event> + Send + 'static) -> Response {
    let events = Sse::new(events.map(Ok::<_, Infallible>)).keep_alive(KeepAlive::new().interval(SILENCE));
    // A proxy must pass each event on when it comes.
    ([("x-accel-buffering", "no")], events).into_response()
}
