//! What an operator would look at on the server: whether it answers, has transactions, takes changes, and grants the
//! rights for that. Nothing stays changed: the change that is tried is undone.

use std::time::{Duration, Instant};

use mongodb::{
    bson::{DateTime, Document, doc},
    options::{Acknowledgment, WriteConcern},
};
use ta_bot_core::Timestamp;
use ta_bot_engine::support::{
    checkup::{Checkup, Finding, within},
    store_error::StoreError,
};

use super::database::{
    Connected, Mongo, READ_LIMIT, SERVER_LIMIT, WRITE_LIMIT,
    error::Failure,
    indexes::{self, APP_HISTORY, APP_SETTINGS, GLOBAL_LEVELS, LEVEL_HISTORY, MODULES, REMOVED_MODULES, SYMBOL_LEVELS},
};

/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(12);

const ANSWER: &str = "answer";
const SERVER_VERSION: &str = "version";
const CLOCK: &str = "clock";
const TRANSACTIONS: &str = "transactions";
const RIGHTS: &str = "rights";
const COMMIT: &str = "commit";
const INDEXES: &str = "indexes";

/// The names of the checks, in order.
pub const CHECKS: [&str; 7] = [ANSWER, SERVER_VERSION, CLOCK, TRANSACTIONS, RIGHTS, COMMIT, INDEXES];

const HAVE_IT_ANSWER: &str =
    "start MongoDB, and let the hosts of MONGODB_URI lead to it: look at their names, network policy and firewall";
const INTRODUCE: &str = "correct user, password and authSource in MONGODB_URI, percent-encoded (@ is %40)";
const LET_IT_WRITE: &str = "free space on the server's disk, and let a majority of the replica set be up";

/// What is kept in the database.
const COLLECTIONS: [&str; 7] =
    [GLOBAL_LEVELS, SYMBOL_LEVELS, LEVEL_HISTORY, APP_SETTINGS, APP_HISTORY, MODULES, REMOVED_MODULES];

/// What a server says of itself.
struct Greeting {
    version: String,
    /// How far its clock is ahead of this machine's, in milliseconds, if it tells its time.
    ahead_ms: Option<i64>,
    asked_for: Duration,
    has_transactions: bool,
}

/// Looks at the database.
pub async fn inspect(mongo: &Mongo) -> Vec<Finding> {
    within(LIMIT, &CHECKS, HAVE_IT_ANSWER, async |checkup| {
        let greeting = match mongo.run(READ_LIMIT, |connected| async move { greet(&connected).await }).await {
            Ok(greeting) => greeting,
            Err(error) => return no_answer(checkup, error),
        };
        checkup.ok(ANSWER, format!("{} answers", mongo.place()));
        checkup.ok(SERVER_VERSION, greeting.version);
        match greeting.ahead_ms {
            Some(ahead) => checkup.clock(CLOCK, ahead, greeting.asked_for),
            None => checkup.not_checked(CLOCK, "the server does not tell its time"),
        }
        if greeting.has_transactions {
            checkup.ok(TRANSACTIONS, "it is a member of a replica set");
        } else {
            checkup.wrong(
                TRANSACTIONS,
                "it is no member of a replica set, so it has no transactions and refuses every change",
                "run it as a replica set, of which one member is enough (mongod --replSet, rs.initiate())",
            );
        }
        try_change(mongo, checkup, greeting.has_transactions).await;
        let duplicates = mongo.run(READ_LIMIT, |connected| async move { indexes::doubled(&connected.database).await });
        match duplicates.await {
            Ok(doubled) if doubled.is_empty() => checkup.ok(INDEXES, "nothing keeps them from being unique"),
            Ok(doubled) => checkup.wrong(
                INDEXES,
                format!("two documents of the same {}: no change is taken", doubled.join(", and of the same ")),
                "remove one of the two documents",
            ),
            Err(error) => checkup.not_checked(INDEXES, error.reason()),
        }
    })
    .await
}

fn no_answer(checkup: &mut Checkup, error: StoreError) {
    let reason = error.reason();
    let fix = if reason.contains("check the user") { INTRODUCE } else { HAVE_IT_ANSWER };
    checkup.wrong(ANSWER, reason, fix);
}

async fn greet(connected: &Connected) -> Result<Greeting, Failure> {
    let asked = Instant::now();
    // The first command that needs the right to ask.
    connected.database.run_command(doc! { "ping": 1 }).await?;
    let hello = connected.database.run_command(doc! { "hello": 1 }).await?;
    let told: Option<&DateTime> = hello.get_datetime("localTime").ok();
    let ahead_ms = told.map(|told| told.timestamp_millis().saturating_sub(Timestamp::now().millis()));
    let asked_for = asked.elapsed();
    let build = connected.database.run_command(doc! { "buildInfo": 1 }).await?;
    let version = build.get_str("version").unwrap_or("of no known version").to_owned();
    let is_router = hello.get_str("msg").is_ok_and(|msg| msg == "isdbgrid");
    Ok(Greeting { version, ahead_ms, asked_for, has_transactions: is_router || hello.contains_key("setName") })
}

/// What came of trying to read and to change.
enum Tried {
    Done,
    Denied(String),
}

/// Reads from each collection, and writes to each in a transaction that is undone.
async fn try_change(mongo: &Mongo, checkup: &mut Checkup, has_transactions: bool) {
    let tried = mongo.run(WRITE_LIMIT, move |connected| async move {
        let tried = change(&connected, has_transactions).await;
        match tried {
            Err(failure) if failure.is_denied() => Ok(Tried::Denied(failure.message())),
            tried => tried.map(|()| Tried::Done),
        }
    });
    match tried.await {
        Ok(Tried::Done) if has_transactions => {
            checkup.ok(RIGHTS, "the user may read and change what is kept");
            checkup.ok(COMMIT, "a change was tried and undone");
        }
        Ok(Tried::Done) => {
            checkup.ok(RIGHTS, "the user may read what is kept");
            checkup.not_checked(COMMIT, "there are no transactions");
        }
        Ok(Tried::Denied(said)) => {
            let fix = "give the user of MONGODB_URI the role readWrite on the database (db.grantRolesToUser)";
            checkup.wrong(RIGHTS, said, fix);
            checkup.not_checked(COMMIT, "the user lacks a right");
        }
        Err(error) => {
            checkup.not_checked(RIGHTS, "a change failed for another reason");
            checkup.wrong(COMMIT, error.reason(), LET_IT_WRITE);
        }
    }
}

async fn change(connected: &Connected, has_transactions: bool) -> Result<(), Failure> {
    let database = &connected.database;
    let there = database.list_collection_names().await?;
    let mut ours: Vec<&str> = COLLECTIONS.into_iter().filter(|name| there.iter().any(|there| there == name)).collect();
    for name in &ours {
        database.collection::<Document>(name).find_one(doc! {}).max_time(SERVER_LIMIT).await?;
    }
    if !has_transactions {
        return Ok(());
    }
    if let Some(name) = ours.first() {
        // It changes nothing, and a majority has to be there all the same.
        let concern = WriteConcern::builder().w(Acknowledgment::Majority).w_timeout(SERVER_LIMIT).journal(true).build();
        let nobody = doc! { "_id": "nobody, asked for by ta-bot doctor" };
        let nothing = doc! { "$set": { "nothing": true } };
        database.collection::<Document>(name).update_one(nobody, nothing).write_concern(concern).await?;
    } else {
        ours.push(LEVEL_HISTORY);
    }
    let mut session = connected.client.start_session().await?;
    session.start_transaction().max_commit_time(SERVER_LIMIT).await?;
    let probe = format!("ta-bot doctor {}", std::process::id());
    let mut written = Ok(());
    for name in ours {
        let document = doc! { "strategy_id": &probe, "symbol": &probe };
        let inserted = database.collection::<Document>(name).insert_one(document).session(&mut session).await;
        written = inserted.map(drop);
        if written.is_err() {
            break;
        }
    }
    let undone = session.abort_transaction().await;
    written?;
    Ok(undone?)
}
