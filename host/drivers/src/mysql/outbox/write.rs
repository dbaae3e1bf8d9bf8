//! What a commit writes. Everything runs within a transaction of the caller, which is repeated from its beginning if
//! another transaction inserts the same row first.

use std::collections::{BTreeSet, HashMap, HashSet};

use sqlx::{AssertSqlSafe, MySql, MySqlConnection, QueryBuilder, Row as _, mysql::MySqlRow};
use ta_bot_core::{Job, Signal, SignalId, Timestamp};
use ta_bot_engine::signals::outbox::{
    Committed, FinishedJob,
    fence::{Begins, is_late, older, split},
};

use super::jobs::{BATCH, Key, candle_close, key, push_are, push_decided, revive};
use crate::mysql::{
    database::{
        batch::{largest_power, padded, pieces},
        row,
    },
    deployments::{first_behind, locked_head},
};

/// How many bytes of signals one statement inserts: a quarter of what servers accept by default. A single signal may be
/// larger.
const STATEMENT_BYTES: usize = 4 << 20;

/// How long the row of a probe is.
const PROBE_BYTES: usize = 64 << 10;

/// The id of a signal, and its message.
pub(super) type Message = (String, String);

/// When something is committed, and by which process.
pub(super) type Mark = (Timestamp, i64);

/// Marks jobs as finished and inserts the signals of those that were not finished before. Jobs that an outdated log
/// decided are left out, as far as `begins` identifies them. If `begins` is incomplete, returns what is known by now as
/// the inner error, and nothing of this may be committed. The signals of new jobs may be expected to be new: if they
/// `are_new` and one is not, the server refuses it.
///
/// The log is read last, when everything is written: no entry can be added during the rest of this transaction, so that
/// rest must be short.
pub(super) async fn finished(
    connection: &mut MySqlConnection,
    (given, are_new): (&[FinishedJob], bool),
    begins: &Begins,
    mark: Mark,
) -> Result<Result<(Committed, Vec<Message>), Begins>, sqlx::Error> {
    let (current, late) = split(given, begins);
    let keys: Vec<Key<'_>> = sorted(&current).collect();
    let mut new = HashSet::with_capacity(keys.len());
    for batch in keys.chunks(BATCH) {
        new.extend(new_jobs(&mut *connection, batch, mark.0).await?);
        revive(&mut *connection, batch).await?;
    }
    // Each key is removed when it is first met, so that a job that is given twice adds its signals once.
    let unsent: Vec<&Signal> =
        current.iter().filter(|done| new.remove(&key(&done.job))).flat_map(|done| &done.signals).collect();
    let (new, messages) = signals(&mut *connection, (&unsent, are_new), mark).await?;
    let outdated = unfinished(&mut *connection, &late).await?;
    let known = known_begins(connection, given, begins).await?;
    let is_all = !current.iter().any(|done| is_late(done, &known));
    Ok(if is_all { Ok((Committed { new, outdated }, messages)) } else { Err(known) })
}

/// Returns what `begins` says, and what the log says beyond that. From then on no entry is added until the transaction
/// ends.
async fn known_begins(
    connection: &mut MySqlConnection,
    given: &[FinishedJob],
    begins: &Begins,
) -> Result<Begins, sqlx::Error> {
    let head = locked_head(&mut *connection).await?;
    let mut known = begins.clone();
    for revision in older(given, head) {
        // The first entry after a revision stays the first, so a known one need not be read again.
        if !known.contains_key(&revision) {
            known.extend(first_behind(&mut *connection, revision).await?.map(|from| (revision, from)));
        }
    }
    Ok(known)
}

/// The keys of jobs, each once, in order.
fn sorted<'a>(jobs: &[&'a FinishedJob]) -> impl Iterator<Item = Key<'a>> {
    jobs.iter().map(|done| key(&done.job)).collect::<BTreeSet<_>>().into_iter()
}

/// Returns the jobs of `late` that are not finished, including what this transaction has written.
async fn unfinished(connection: &mut MySqlConnection, late: &[&FinishedJob]) -> Result<Vec<Job>, sqlx::Error> {
    let keys: Vec<Key<'_>> = sorted(late).collect();
    let mut unfinished = Vec::new();
    for batch in keys.chunks(BATCH) {
        let known = known_jobs(&mut *connection, batch).await?;
        let jobs = batch.iter().map(|(timeframe, candle_close, symbol)| Job {
            symbol: (*symbol).clone(),
            timeframe: *timeframe,
            candle_close: *candle_close,
        });
        unfinished.extend(jobs.filter(|job| !known.contains(job)));
    }
    Ok(unfinished)
}

/// Returns the jobs of `batch` that are finished, including those of a time of which jobs were removed. Of such a time
/// a dead job is not finished: it can still be tried again.
async fn known_jobs(connection: &mut MySqlConnection, batch: &[Key<'_>]) -> Result<HashSet<Job>, sqlx::Error> {
    let mut select = QueryBuilder::<MySql>::new(
        "SELECT `timeframe`, `candle_close`, `symbol`, CAST(0 AS SIGNED) AS `is_mark` FROM `finished_jobs` WHERE ",
    );
    push_are(&mut select, batch);
    select.push(" UNION ALL SELECT `timeframe`, `decided_to`, `symbol`, 1 FROM `begun_series` WHERE ");
    push_decided(&mut select, batch);
    let (mut known, mut marks) = (HashSet::new(), HashMap::new());
    for found in select.build().fetch_all(&mut *connection).await? {
        let is_mark = found.try_get::<i64, _>("is_mark")? == 1;
        let job = job(&found)?;
        if is_mark {
            marks.insert((job.timeframe, job.symbol), job.candle_close);
        } else {
            known.insert(job);
        }
    }
    if marks.is_empty() {
        return Ok(known);
    }
    let is_removed = |(timeframe, close, symbol): &&Key<'_>| {
        marks.get(&(*timeframe, (*symbol).clone())).is_some_and(|mark| close <= mark)
    };
    let removed: Vec<Key<'_>> = batch.iter().filter(is_removed).copied().collect();
    let dead = dead_jobs(connection, &removed).await?;
    let of = |(timeframe, candle_close, symbol): Key<'_>| Job { symbol: symbol.clone(), timeframe, candle_close };
    known.extend(removed.into_iter().map(of).filter(|job| !dead.contains(job)));
    Ok(known)
}

/// Returns those of some jobs that are dead.
async fn dead_jobs(connection: &mut MySqlConnection, keys: &[Key<'_>]) -> Result<HashSet<Job>, sqlx::Error> {
    let mut select = QueryBuilder::<MySql>::new("SELECT `timeframe`, `candle_close`, `symbol` FROM `dead_jobs` WHERE ");
    push_are(&mut select, keys);
    select.build().fetch_all(connection).await?.iter().map(job).collect()
}

fn job(found: &MySqlRow) -> Result<Job, sqlx::Error> {
    let (symbol, candle_close) = candle_close(found)?;
    Ok(Job { symbol, timeframe: row::parsed(found, "timeframe")?, candle_close })
}

/// Leaves out the signals on candles that count as decided because jobs or signals of their time were removed: nobody
/// knows any more whether they were sent.
pub(super) async fn of_kept_times<'a>(
    connection: &mut MySqlConnection,
    given: &[&'a Signal],
) -> Result<Vec<&'a Signal>, sqlx::Error> {
    let mut marks = HashMap::new();
    let keys: Vec<Key<'_>> = given.iter().map(|signal| key(&signal.job)).collect();
    for batch in keys.chunks(BATCH) {
        let mut select = QueryBuilder::<MySql>::new(
            "SELECT `timeframe`, `decided_to` AS `candle_close`, `symbol` FROM `begun_series` WHERE ",
        );
        push_decided(&mut select, batch);
        for found in select.build().fetch_all(&mut *connection).await? {
            let mark = job(&found)?;
            marks.insert((mark.timeframe, mark.symbol), mark.candle_close);
        }
    }
    let is_removed = |signal: &Signal| {
        marks
            .get(&(signal.job.timeframe, signal.job.symbol.clone()))
            .is_some_and(|mark| signal.job.candle_close <= *mark)
    };
    Ok(given.iter().filter(|signal| !is_removed(signal)).copied().collect())
}

/// Inserts the jobs that are not finished, and returns them.
async fn new_jobs<'a>(
    connection: &mut MySqlConnection,
    batch: &[Key<'a>],
    at: Timestamp,
) -> Result<Vec<Key<'a>>, sqlx::Error> {
    let known = known_jobs(&mut *connection, batch).await?;
    let known: HashSet<Key<'_>> = known.iter().map(key).collect();
    let new: Vec<Key<'a>> = batch.iter().filter(|key| !known.contains(*key)).copied().collect();
    for piece in pieces(&new, BATCH) {
        let mut insert = QueryBuilder::<MySql>::new(
            "INSERT INTO `finished_jobs` (`timeframe`, `candle_close`, `symbol`, `finished_at`) ",
        );
        insert.push_values(piece, |mut values, (timeframe, close, symbol)| {
            values.push_bind(timeframe.as_str()).push_bind(close.millis());
            values.push_bind(symbol.as_str()).push_bind(at.millis());
        });
        insert.build().execute(&mut *connection).await?;
    }
    Ok(new)
}

/// Writes into the tables of a commit, for a transaction that is undone: a job that nobody has, and a row as long as
/// the signals of a few candles, so that there must be room in the table. The row is no signal, as it has no id.
pub(super) async fn probe(connection: &mut MySqlConnection, by: i64) -> Result<(), sqlx::Error> {
    let sql = format!(
        "INSERT INTO `finished_jobs` (`timeframe`, `candle_close`, `symbol`, `finished_at`)
             VALUES ('none', 0, '{by:016x}', 0);
         INSERT INTO `signals` (`symbol`, `timeframe`, `period`, `signal_type`, `confidence`, `strategy`, `metadata`,
             `timestamp`, `created_at`, `message`)
             VALUES ('PROBE', 'none', 'none', 'none', 0, 'probe', '{{}}', UTC_TIMESTAMP(), UTC_TIMESTAMP(),
                     REPEAT(' ', {PROBE_BYTES}))"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop)
}

/// Inserts signals that are not stored yet, in the given order, and returns their ids, and the messages of those that
/// wait now. Does not ask which are stored if all of them `are_new`.
pub(super) async fn signals(
    connection: &mut MySqlConnection,
    (given, are_new): (&[&Signal], bool),
    mark: Mark,
) -> Result<(Vec<SignalId>, Vec<Message>), sqlx::Error> {
    let mut known = HashSet::new();
    let asked = if are_new { &[] } else { given };
    for batch in asked.chunks(BATCH) {
        let mut select = QueryBuilder::<MySql>::new("SELECT `signal_id` FROM `signals` WHERE `signal_id` IN (");
        let ids: Vec<&str> = batch.iter().map(|signal| signal.id.as_str()).collect();
        push_list(&mut select, &ids);
        let found: Vec<String> = select.push(")").build_query_scalar().fetch_all(&mut *connection).await?;
        known.extend(found);
    }
    let mut new = Vec::with_capacity(given.len());
    for signal in given {
        if known.insert(signal.id.as_str().to_owned()) {
            new.push(Texts::of(signal, mark.0)?);
        }
    }
    let mut rest = &new[..];
    while !rest.is_empty() {
        let (batch, after) = rest.split_at(fitting(rest));
        insert(batch, mark).build().execute(&mut *connection).await?;
        rest = after;
    }
    let ids = new.iter().map(|texts| texts.signal.id.clone()).collect();
    let waiting = new.into_iter().filter(|texts| !texts.signal.is_withheld);
    Ok((ids, waiting.map(|texts| (texts.signal.id.as_str().to_owned(), texts.message)).collect()))
}

/// The update for what became of signals that waited, before and behind the moment at which it happened.
pub(super) type Ended = (&'static str, &'static str);

/// The bus has acknowledged them.
pub(super) const PUBLISHED: Ended = (
    "UPDATE `signals` SET `published_at` = COALESCE(`published_at`, ",
    "), `expired_at` = NULL, `withheld_at` = NULL, `waiting` = NULL WHERE `signal_id` IN (",
);
/// They are too old to be sent, if they still wait.
pub(super) const EXPIRED: Ended =
    ("UPDATE `signals` SET `expired_at` = ", ", `waiting` = NULL WHERE `waiting` = 1 AND `signal_id` IN (");

/// They are of an action that is not published, if they still wait.
pub(super) const WITHHELD: Ended =
    ("UPDATE `signals` SET `withheld_at` = ", ", `waiting` = NULL WHERE `waiting` = 1 AND `signal_id` IN (");

/// Says what became of signals. `ids` must be sorted.
pub(super) async fn mark(
    connection: &mut MySqlConnection,
    ids: &[&str],
    at: Timestamp,
    (update, rest): Ended,
) -> Result<(), sqlx::Error> {
    for batch in ids.chunks(BATCH) {
        let mut update = QueryBuilder::<MySql>::new(update);
        update.push_bind(row::datetime(at)).push(rest);
        push_list(&mut update, batch);
        update.push(")").build().execute(&mut *connection).await?;
    }
    Ok(())
}

pub(super) fn push_list(query: &mut QueryBuilder<MySql>, values: &[&str]) {
    let mut list = query.separated(", ");
    for value in padded(values) {
        list.push_bind(value);
    }
}

/// A signal with its parts that are stored as JSON.
struct Texts<'a> {
    signal: &'a Signal,
    metadata: String,
    message: String,
    provenance: String,
}

impl<'a> Texts<'a> {
    fn of(signal: &'a Signal, at: Timestamp) -> Result<Self, sqlx::Error> {
        let metadata = row::to_json(&signal.message["metadata"])?;
        let (message, provenance) = (row::to_json(&*signal.message_at(at))?, row::to_json(&signal.provenance)?);
        Ok(Self { signal, metadata, message, provenance })
    }

    const fn bytes(&self) -> usize {
        self.metadata.len() + self.message.len() + self.provenance.len()
    }
}

/// How many of the first rows go into one statement: at least one, and a power of two.
fn fitting(rows: &[Texts<'_>]) -> usize {
    let mut bytes = 0;
    let fits = |texts: &&Texts<'_>| {
        bytes += texts.bytes();
        bytes <= STATEMENT_BYTES
    };
    largest_power(rows.iter().take(BATCH).take_while(fits).count()).unwrap_or(1)
}

fn insert(batch: &[Texts<'_>], (at, by): Mark) -> QueryBuilder<MySql> {
    let mut insert = QueryBuilder::new(
        "INSERT INTO `signals` (`symbol`, `timeframe`, `period`, `signal_type`, `confidence`, `strategy`, `metadata`,
         `timestamp`, `created_at`, `signal_id`, `message`, `provenance`, `committed_at`, `committed_by`, `waiting`,
         `withheld_at`) ",
    );
    insert.push_values(batch, |mut values, Texts { signal, metadata, message, provenance }| {
        let Job { symbol, timeframe, candle_close } = &signal.job;
        let at = row::datetime(at);
        values.push_bind(symbol.as_str()).push_bind(timeframe.as_str()).push_bind(timeframe.as_str());
        values.push_bind(signal.action.as_str()).push_bind(signal.confidence).push_bind(signal.strategy.as_str());
        values.push_bind(metadata).push_bind(row::datetime(*candle_close)).push_bind(at.clone());
        values.push_bind(signal.id.as_str()).push_bind(message).push_bind(provenance);
        values.push_bind(at.clone()).push_bind(by).push_bind((!signal.is_withheld).then_some(1_i8));
        values.push_bind(signal.is_withheld.then_some(at));
    });
    insert
}
