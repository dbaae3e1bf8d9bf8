//! One change: the document and its history, in one transaction.

use std::time::Duration;

use mongodb::{
    ClientSession, Collection,
    bson::{Bson, Document, doc, oid::ObjectId},
    error::UNKNOWN_TRANSACTION_COMMIT_RESULT,
    options::ReadConcern,
};
use serde_json::Value as Json;
use ta_bot_engine::{
    settings::config_store::ChangeAction,
    support::{backoff::Backoff, store_error::WriteError},
};
use tokio::time::Instant;

use super::{
    APP_HISTORY, APP_SETTINGS, AuditEntry, Author, ConfigKey, Connected, Failure, LEVEL_HISTORY, SERVER_LIMIT,
    document, levels_of, value,
};

/// Pauses between attempts of writers that conflict.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(8), Duration::from_millis(500));

/// Reads what a document holds, in the form that the history records.
type Contents = fn(&Document) -> Result<Json, Failure>;

/// The place of a change: a document and its history.
pub(super) struct Place {
    key: Option<ConfigKey>,
    documents: &'static str,
    history: &'static str,
    /// Finds the document.
    filter: Document,
    /// The fields of a new document by which it is found.
    identity: Document,
    /// Finds the entries of exactly this document.
    entries: Document,
    /// Finds the entries that share one order with them.
    ordered: Document,
    contents: Contents,
}

/// The change to make.
pub(super) struct Change {
    pub(super) new: Option<Json>,
    pub(super) expected: Option<i64>,
    pub(super) author: Author,
    /// The whole document that takes the place of the stored one, if not only the fields of `new` change.
    pub(super) whole: Option<Document>,
}

/// The entry of a change; `None` if there was nothing to do; or the conflict with a writer that was first.
type Written = Result<Option<AuditEntry>, WriteError>;

impl Place {
    pub(super) fn of_level(key: &ConfigKey) -> Self {
        Self {
            key: Some(key.clone()),
            documents: levels_of(key),
            history: LEVEL_HISTORY,
            filter: document::level_filter(key),
            identity: document::level_filter(key),
            entries: document::history_filter(key),
            ordered: doc! { "strategy_id": key.strategy.as_str() },
            contents: |found| Ok(Json::Object(document::counted(found).map_err(Failure::Corrupt)?.parameters)),
        }
    }

    pub(super) fn of_settings() -> Self {
        Self {
            key: None,
            documents: APP_SETTINGS,
            history: APP_HISTORY,
            filter: document::settings_filter(),
            // The fixed id keeps two first writers from both inserting a document.
            identity: doc! { "_id": "application", "config_type": "application" },
            entries: doc! {},
            ordered: doc! {},
            contents: |found| {
                serde_json::to_value(document::settings(found)?).map_err(|error| Failure::Corrupt(error.to_string()))
            },
        }
    }
}

/// Repeats the transaction until its outcome is known, or until the caller stops waiting.
pub(super) async fn write(connected: &Connected, place: &Place, change: &Change) -> Result<Written, Failure> {
    let mut session = connected.client.start_session().await?;
    // The id of the entry is the same in every attempt. If the answer to a commit was lost, and a server that was
    // restarted knows nothing of the commit, it may have been done all the same.
    let id = ObjectId::new();
    let mut pauses = PAUSES;
    let mut done_before = Ok(None);
    loop {
        let (done, again) = match done_before {
            Ok(Some(entry)) => return Ok(Ok(Some(entry))),
            Ok(None) => {
                let done = attempt(connected, &mut session, place, change, id).await;
                let again = done.as_ref().is_err_and(Failure::is_worth_repeating);
                (done, again)
            }
            Err(failure) => (Err(failure), true),
        };
        let pause = pauses.pause();
        if !again || Instant::now() + pause >= connected.deadline {
            return done;
        }
        tokio::time::sleep(pause).await;
        done_before = entry_of(connected, place, id).await;
    }
}

/// Returns the entry with this id, if an attempt was committed.
async fn entry_of(connected: &Connected, place: &Place, id: ObjectId) -> Result<Option<AuditEntry>, Failure> {
    let history = connected.database.collection::<Document>(place.history);
    let found = history.find_one(doc! { "_id": id }).max_time(SERVER_LIMIT).await?;
    Ok(found.map(|found| document::entry(&found, place.key.clone())))
}

async fn attempt(
    connected: &Connected,
    session: &mut ClientSession,
    place: &Place,
    change: &Change,
    id: ObjectId,
) -> Result<Written, Failure> {
    // The transaction reads what was stored when it began, and two transactions that write the same document can't both
    // succeed.
    session.start_transaction().read_concern(ReadConcern::snapshot()).max_commit_time(SERVER_LIMIT).await?;
    let written = within(connected, session, place, change, id).await;
    if matches!(written, Ok(Ok(Some(_)))) {
        commit(session, connected.deadline).await?;
    } else {
        // If that fails, the server gives up the transaction by itself.
        let _ = session.abort_transaction().await;
    }
    written
}

/// Requests the commit until its outcome is known.
async fn commit(session: &mut ClientSession, deadline: Instant) -> Result<(), Failure> {
    let mut pauses = PAUSES;
    while let Err(error) = session.commit_transaction().await {
        let pause = pauses.pause();
        if !error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT) || Instant::now() + pause >= deadline {
            return Err(error.into());
        }
        tokio::time::sleep(pause).await;
    }
    Ok(())
}

async fn within(
    connected: &Connected,
    session: &mut ClientSession,
    place: &Place,
    change: &Change,
    id: ObjectId,
) -> Result<Written, Failure> {
    let documents = connected.database.collection::<Document>(place.documents);
    let history = connected.database.collection::<Document>(place.history);
    let newest = doc! { "version": -1, "_id": 1 };
    let stored = documents.find_one(place.filter.clone()).sort(newest).session(&mut *session).await?;
    let current = stored.as_ref().map(document::version).transpose().map_err(Failure::Corrupt)?.unwrap_or(0);
    if let Some(expected) = change.expected.filter(|expected| *expected != current) {
        return Ok(Err(WriteError::Conflict { expected, current }));
    }
    let action = match (&stored, &change.new) {
        (None, None) => return Ok(Ok(None)),
        (None, Some(_)) => ChangeAction::Create,
        (Some(_), Some(_)) => ChangeAction::Update,
        (Some(_), None) => ChangeAction::Delete,
    };
    // The history keeps the versions of deleted documents.
    let known = highest(&history, session, &place.entries, "version").await?;
    let sequence = highest(&history, session, &place.ordered, "sequence").await? + 1;
    let entry = AuditEntry {
        key: place.key.clone(),
        action,
        old: stored.as_ref().map(place.contents).transpose()?,
        new: change.new.clone(),
        version: known.max(current) + 1,
        author: change.author.clone(),
    };
    let replaced = match &change.whole {
        Some(whole) => put(&documents, session, whole, stored.as_ref()).await?,
        None => replace(&documents, session, place, stored.as_ref(), &entry).await?,
    };
    if replaced != 1 {
        return Err(Failure::Overtaken);
    }
    let mut identity = doc! { "_id": id };
    identity.extend(if place.key.is_some() {
        place.entries.clone()
    } else {
        doc! { "config_type": "application" }
    });
    let mut recorded = document::of_entry(&entry, identity, sequence);
    if let Some(stored) = stored.filter(|_| current != known) {
        // Somebody else wrote this document. It is kept as it is, so that it can be put back.
        recorded.insert(document::OLDER_DOCUMENT, stored);
    }
    history.insert_one(recorded).session(&mut *session).await?;
    Ok(Ok(Some(entry)))
}

/// The highest number that the entries have in `field`; 0 if none of them has one.
async fn highest(
    history: &Collection<Document>,
    session: &mut ClientSession,
    entries: &Document,
    field: &str,
) -> Result<i64, Failure> {
    let mut order = Document::new();
    order.insert(field, -1);
    let found = history.find_one(entries.clone()).sort(order).session(session).await?;
    Ok(found.and_then(|entry| value::whole(&entry, field)).unwrap_or(0))
}

/// Puts a whole document in place of the stored one, unless that is no longer the document that was read. Returns how
/// many documents were changed.
async fn put(
    documents: &Collection<Document>,
    session: &mut ClientSession,
    whole: &Document,
    stored: Option<&Document>,
) -> Result<u64, Failure> {
    let Some(stored) = stored else {
        documents.insert_one(whole).session(session).await?;
        return Ok(1);
    };
    let mut whole = whole.clone();
    // A document can't change its id, and has another one if it was deleted and stored again.
    whole.remove("_id");
    Ok(documents.replace_one(same(stored), whole).session(session).await?.matched_count)
}

/// Changes the document to what its history entry says, unless it is no longer the document that was read. Returns how
/// many documents were changed.
async fn replace(
    documents: &Collection<Document>,
    session: &mut ClientSession,
    place: &Place,
    stored: Option<&Document>,
    entry: &AuditEntry,
) -> Result<u64, Failure> {
    let at = value::from_moment(entry.author.at);
    let author = entry.author.changed_by.as_str();
    let new = entry.new.as_ref().map(value::from_json);
    Ok(match (stored, new) {
        (Some(stored), Some(new)) => {
            let changed = doc! { "parameters": new, "version": entry.version, "updated_at": at, "updated_by": author };
            let update = documents.update_one(same(stored), doc! { "$set": changed });
            update.session(session).await?.matched_count
        }
        (Some(stored), None) => documents.delete_one(same(stored)).session(session).await?.deleted_count,
        (None, new) => {
            let mut document = place.identity.clone();
            document.extend(doc! {
                "parameters": new, "version": entry.version, "created_at": at.clone(), "updated_at": at,
                "created_by": author, "metadata": {},
            });
            documents.insert_one(document).session(session).await?;
            1
        }
    })
}

/// Matches exactly the document that was read, in the version that was read. Null matches a document without a version.
fn same(stored: &Document) -> Document {
    let field = |name: &str| stored.get(name).cloned().unwrap_or(Bson::Null);
    doc! { "_id": field("_id"), "version": field("version") }
}
