//! The stored signals: a list, newest first, and what came after a cursor.

use axum::extract::State;
use ta_bot_core::Timestamp;
use ta_bot_engine::{
    signals::{
        cursor::Cursor,
        outbox::{Outbox, SignalFilter, StoredSignal},
    },
    support::store_error::StoreError,
};

use crate::{
    answer::{Answer, Envelope},
    error::ApiError,
    problem::Problem,
    request::{
        fields::{Fields, QueryFields},
        refusals::ReadRefusals,
        write::Shared,
    },
    views::signal::SignalView,
};

mod stream;

pub(crate) use stream::Streams;
pub(super) use stream::{__path_stream, stream};

/// How many bytes the messages of one response have together. A single signal is returned even if it has more.
const MOST_BYTES: usize = 8 << 20;
/// How many signals are read from the store at once: each of an older version may have a megabyte.
const AT_ONCE: u32 = 50;
/// How many signals after a cursor one request looks at.
const MOST_SEEN: usize = 1000;

/// What the wanted signals are about.
fn about(fields: &mut Fields) -> SignalFilter {
    SignalFilter {
        strategy: fields.parsed("strategy"),
        symbol: fields.parsed("symbol"),
        timeframe: fields.parsed("timeframe"),
        action: fields.parsed("action"),
        ..SignalFilter::default()
    }
}

/// The newest signals that fit into a response, and the position before which there may be more.
async fn page(outbox: &dyn Outbox, wanted: &SignalFilter) -> Result<(Vec<StoredSignal>, Option<i64>), StoreError> {
    let mut filter = wanted.clone();
    let (mut found, mut bytes) = (Vec::new(), 0);
    loop {
        let missing = wanted.limit - found.len() as u32;
        filter.limit = missing.min(AT_ONCE);
        let read = outbox.signals(&filter).await?;
        let is_last = read.len() < filter.limit as usize;
        for signal in read {
            bytes += signal.message.len();
            if bytes > MOST_BYTES && !found.is_empty() {
                return Ok((found, filter.before));
            }
            filter.before = Some(signal.sequence);
            found.push(signal);
        }
        if is_last {
            return Ok((found, None));
        }
        if found.len() as u32 == wanted.limit {
            return Ok((found, filter.before));
        }
    }
}

/// The signals after a cursor, oldest first, as many as fit into a response; the cursor after them, and whether there
/// may be more. A filter that few signals match ends a page, too, so that no request reads a whole store.
async fn page_after(
    outbox: &dyn Outbox,
    mut cursor: Cursor,
    filter: &SignalFilter,
) -> Result<(Vec<StoredSignal>, Cursor, bool), StoreError> {
    let (mut found, mut bytes, mut seen) = (Vec::new(), 0, 0);
    while seen < MOST_SEEN {
        let now = Timestamp::now();
        let read = outbox.unseen(&cursor, AT_ONCE).await?;
        let is_last = read.len() < AT_ONCE as usize;
        seen += read.len();
        for signal in read {
            let is_wanted = filter.matches(&signal);
            if is_wanted {
                bytes += signal.message.len();
                if found.len() == filter.limit as usize || (bytes > MOST_BYTES && !found.is_empty()) {
                    return Ok((found, cursor, true));
                }
            }
            if cursor.take(signal.sequence, signal.created_at) && is_wanted {
                found.push(signal);
            }
        }
        if is_last {
            cursor.settle(now);
            return Ok((found, cursor, false));
        }
    }
    Ok((found, cursor, true))
}

/// Signals, newest first; or with `after` those that were stored after a cursor, oldest first.
///
/// A response has 8 MiB of messages at most. Newest first, `metadata.next` is the `before` with which the next request
/// goes on, and null if there are no more. With `after` it is the next request's `after`, and `metadata.more` says
/// whether it would give more now; a reader that goes on from there sees each signal exactly once, whichever replica
/// stores and whichever answers. `after=0` begins with the oldest signal. Such a page may be empty if there are more:
/// it ends after 1000 signals, whether they match or not.
#[utoipa::path(
    get,
    path = "/api/v1/signals",
    operation_id = "list_signals",
    tag = "journal",
    params(
        ("strategy" = Option<String>, Query, description = "Only of this strategy"),
        ("symbol" = Option<String>, Query, description = "Only of this symbol"),
        ("timeframe" = Option<String>, Query, description = "Only of this timeframe"),
        ("action" = Option<String>, Query, description = "Only of this action: buy, sell, hold or close"),
        ("state" = Option<String>, Query, description = "Only in this state: waiting, published, expired or withheld"),
        ("since" = Option<String>, Query, description = "Only of candles that closed at this moment or later"),
        ("until" = Option<String>, Query, description = "Only of candles that closed before this moment"),
        ("before" = Option<i64>, Query, description = "Only those stored before the one with this sequence"),
        ("after" = Option<String>, Query, description = "Only those stored after this cursor, oldest first"),
        ("limit" = Option<u32>, Query, description = "1 to 1000; 100 if absent"),
    ),
    responses((status = 200, body = Envelope<Vec<SignalView>>), ReadRefusals)
)]
pub(super) async fn list(State(services): Shared, query: QueryFields) -> Result<Answer<Vec<SignalView>>, ApiError> {
    let known = ["strategy", "symbol", "timeframe", "action", "state", "since", "until", "before", "after", "limit"];
    let mut fields = query.fields(&known)?;
    if fields.has("before")
        && let Some(after) = fields.text("after", usize::MAX)
    {
        fields.refuse(Problem::new("after", &after.into(), "either `after`, oldest first, or `before`, newest first"));
    }
    let after: Option<Cursor> = fields.parsed("after");
    let wanted = about(&mut fields);
    let filter = SignalFilter {
        state: fields.parsed("state"),
        since: fields.parsed("since"),
        until: fields.parsed("until"),
        before: fields.sequence("before"),
        limit: fields.limit(),
        ..wanted
    };
    if let (Some(since), Some(until)) = (filter.since, filter.until)
        && since >= until
    {
        fields.refuse(Problem::new("until", &until.to_string().into(), format!("a moment after since, {since}")));
    }
    fields.finish(Some(()))?;
    let outbox = &*services.outbox;
    let listed = |signals: Vec<StoredSignal>| {
        Answer::list(signals.into_iter().map(SignalView::from).collect()).with("limit", filter.limit)
    };
    if let Some(after) = after {
        let (signals, next, more) = page_after(outbox, after, &filter).await?;
        return Ok(listed(signals).with("next", next.to_string()).with("more", more));
    }
    let (signals, next) = page(outbox, &filter).await?;
    Ok(listed(signals).with("next", next))
}
