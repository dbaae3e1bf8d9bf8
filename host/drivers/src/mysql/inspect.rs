//! What an operator would look at on the server: whether it answers, takes commits, has the schema, and grants the
//! rights for all that. Nothing stays changed: the commit that is tried is undone, and the statements by which rights
//! are found touch no row.

use std::time::{Duration, Instant};

use sqlx::{MySqlConnection, Row as _};
use ta_bot_core::Timestamp;
use ta_bot_engine::support::{
    checkup::{Checkup, Finding, within},
    schema::check,
};

use super::database::{Fault, MysqlUri, NAME, look, row::millis_of, schema, store_error};
use crate::mysql::outbox::try_commit;

mod rights;
mod tables;

use rights::Wanted;

/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(12);

const ANSWER: &str = "answer";
const SERVER_VERSION: &str = "version";
const CLOCK: &str = "clock";
const COMMIT: &str = "commit";
const DURABILITY: &str = "durability";
const PACKET: &str = "packet";
const CONNECTIONS: &str = "connections";
const SCHEMA: &str = "schema";
const RIGHTS: &str = "rights";
const TABLES: &str = "tables";
const CHARSET: &str = "charset";

/// The names of the checks, in order.
pub const CHECKS: [&str; 11] =
    [ANSWER, SERVER_VERSION, CLOCK, COMMIT, DURABILITY, PACKET, CONNECTIONS, SCHEMA, RIGHTS, TABLES, CHARSET];

const HAVE_IT_ANSWER: &str =
    "start MySQL, and let host and port of MYSQL_URI lead to it: look at its name, network policy and firewall";
const LET_IT_WRITE: &str =
    "end the server's read-only mode, or let MYSQL_URI name the server that takes writes; if it has no room, free some";

/// The first versions that have every statement: of MySQL and of MariaDB.
const OLDEST: [(u32, u32); 2] = [(8, 0), (10, 6)];
/// A bundle of a failure may be half of this.
const GOOD_PACKET: i64 = 16 << 20;
/// A commit of many signals is longer than this.
const LEAST_PACKET: i64 = 1 << 20;
/// From how much of what the server allows on there is a warning, in percent.
const CROWDED: i64 = 90;

/// Looks at the database at `uri`.
pub async fn inspect(uri: &MysqlUri) -> Vec<Finding> {
    within(LIMIT, &CHECKS, HAVE_IT_ANSWER, async |checkup| {
        let mut lease = match look::connection(uri).await {
            Ok(lease) => lease,
            Err(fault) => return checkup.wrong(ANSWER, told(&fault, uri), connecting(&fault)),
        };
        checkup.ok(ANSWER, format!("{uri} answers"));
        look_at(&mut lease, checkup).await;
    })
    .await
}

async fn look_at(connection: &mut MySqlConnection, checkup: &mut Checkup) {
    let steps: [(&'static str, Result<(), sqlx::Error>); 5] = [
        (SERVER_VERSION, version(connection, checkup).await),
        (CLOCK, clock(connection, checkup).await),
        (DURABILITY, durability(connection, checkup).await),
        (PACKET, packet(connection, checkup).await),
        (CONNECTIONS, crowd(connection, checkup).await),
    ];
    for (check, done) in steps {
        unless_failed(checkup, check, done);
    }
    let begun = match schema::changes(connection).await {
        Ok(changes) => {
            let newest = schema::newest(&changes);
            tell_schema(checkup, newest, check(NAME, schema::VERSION, &changes, "let MYSQL_URI name another database"));
            newest
        }
        Err(error) => return unless_failed(checkup, SCHEMA, Err(error)),
    };
    let takes_writes = commit(connection, checkup, begun).await;
    let wanted = Wanted { is_begun: begun > 0, changes_tables: begun < schema::VERSION };
    let granted = rights::look(connection, checkup, wanted, takes_writes).await;
    unless_failed(checkup, RIGHTS, granted);
    let looked = tables::look(connection, checkup, begun >= schema::VERSION).await;
    unless_failed(checkup, TABLES, looked);
    let looked = tables::charset(connection, checkup).await;
    unless_failed(checkup, CHARSET, looked);
}

/// A question that every server answers, and that this one did not. The first is wrong, and those after it mostly fail
/// for the same reason.
fn unless_failed(checkup: &mut Checkup, check: &'static str, done: Result<(), sqlx::Error>) {
    let Err(error) = done else { return };
    let reason = store_error(&error).reason();
    let is_out_of_statements = Fault::Sql(error).number() == Some(1461);
    if is_out_of_statements && !checkup.has(CONNECTIONS) {
        let fix = "raise the server's max_prepared_stmt_count: each replica keeps up to 1,280";
        checkup.wrong(CONNECTIONS, reason.clone(), fix);
    }
    if checkup.has(check) {
        return;
    }
    if checkup.is_one_wrong() {
        checkup.not_checked(check, reason);
    } else {
        checkup.wrong(check, reason, HAVE_IT_ANSWER);
    }
}

/// Why there is no connection, without what to do.
fn told(fault: &Fault, uri: &MysqlUri) -> String {
    match fault {
        Fault::Sql(sqlx::Error::Database(error)) => format!("{uri}: {}", error.message()),
        Fault::Sql(error) => format!("{uri}: {error}"),
        Fault::Store(error) => error.clone().reason(),
    }
}

/// What to do if there is no connection.
fn connecting(fault: &Fault) -> &'static str {
    match fault.number() {
        Some(1045 | 1698) => "correct user and password in MYSQL_URI, percent-encoded (@ is %40)",
        Some(1044) => "grant the account its rights on the database, or correct the database in MYSQL_URI",
        Some(1049) => "create the database, or correct its name in MYSQL_URI",
        Some(1040 | 1203 | 1226) => "raise the server's max_connections, or what the account may have",
        _ => HAVE_IT_ANSWER,
    }
}

async fn version(connection: &mut MySqlConnection, checkup: &mut Checkup) -> Result<(), sqlx::Error> {
    let text: String = sqlx::query_scalar("SELECT CAST(VERSION() AS CHAR)").fetch_one(connection).await?;
    let is_maria = text.contains("MariaDB");
    let [mysql, maria] = OLDEST;
    let (name, oldest) = if is_maria { ("MariaDB", maria) } else { ("MySQL", mysql) };
    let mut numbers = text.split(['.', '-']).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) if (major, minor) < oldest => checkup.warning(
            SERVER_VERSION,
            format!("{text} is older than {name} {}.{}, with which nobody has tried it", oldest.0, oldest.1),
            format!("upgrade the server to {name} {}.{} or newer", oldest.0, oldest.1),
        ),
        (Some(Ok(_)), Some(Ok(_))) => checkup.ok(SERVER_VERSION, format!("{name} {text}")),
        _ => checkup.not_checked(SERVER_VERSION, format!("it says that it is {text:?}, which names no version")),
    }
    Ok(())
}

async fn clock(connection: &mut MySqlConnection, checkup: &mut Checkup) -> Result<(), sqlx::Error> {
    let sql = format!("SELECT {}", millis_of("UTC_TIMESTAMP(3)"));
    let asked = Instant::now();
    let theirs: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(connection).await?;
    checkup.clock(CLOCK, theirs.saturating_sub(Timestamp::now().millis()), asked.elapsed());
    Ok(())
}

async fn durability(connection: &mut MySqlConnection, checkup: &mut Checkup) -> Result<(), sqlx::Error> {
    let sql = "SELECT CAST(@@GLOBAL.innodb_flush_log_at_trx_commit AS SIGNED)";
    let flush: i64 = sqlx::query_scalar(sql).fetch_one(connection).await?;
    if flush == 1 {
        checkup.ok(DURABILITY, "a commit is on the server's disk");
    } else {
        checkup.warning(
            DURABILITY,
            format!("innodb_flush_log_at_trx_commit is {flush}: a crash of the server's machine loses commits"),
            "set innodb_flush_log_at_trx_commit = 1 in the server's configuration",
        );
    }
    Ok(())
}

async fn packet(connection: &mut MySqlConnection, checkup: &mut Checkup) -> Result<(), sqlx::Error> {
    let sql = "SELECT CAST(@@GLOBAL.max_allowed_packet AS SIGNED)";
    let bytes: i64 = sqlx::query_scalar(sql).fetch_one(connection).await?;
    let found = format!("max_allowed_packet is {bytes} bytes");
    let fix = format!("set max_allowed_packet = {GOOD_PACKET} or more in the server's configuration");
    match bytes {
        ..LEAST_PACKET => checkup.wrong(PACKET, format!("{found}: commits of many signals are refused"), fix),
        LEAST_PACKET..GOOD_PACKET => {
            checkup.warning(PACKET, format!("{found}: large bundles of failures are refused"), fix);
        }
        _ => checkup.ok(PACKET, found),
    }
    Ok(())
}

async fn crowd(connection: &mut MySqlConnection, checkup: &mut Checkup) -> Result<(), sqlx::Error> {
    let sql = "SELECT CAST(@@GLOBAL.max_connections AS SIGNED), CAST(@@GLOBAL.max_prepared_stmt_count AS SIGNED)";
    let (most, most_statements): (i64, i64) = sqlx::query_as(sql).fetch_one(&mut *connection).await?;
    let sql = "SHOW GLOBAL STATUS WHERE Variable_name IN ('Threads_connected', 'Prepared_stmt_count')";
    let (mut open, mut statements) = (None, None);
    for row in sqlx::raw_sql(sql).fetch_all(connection).await? {
        let value: Option<i64> = row.try_get::<String, _>(1)?.parse().ok();
        if row.try_get::<String, _>(0)?.starts_with("Threads") { open = value } else { statements = value }
    }
    let (Some(open), Some(statements)) = (open, statements) else {
        checkup.not_checked(CONNECTIONS, "the server does not tell how many connections and statements it has");
        return Ok(());
    };
    let found = format!("{open} of {most} connections and {statements} of {most_statements} prepared statements");
    let is_crowded = |there: i64, most: i64| there.saturating_mul(100) >= most.saturating_mul(CROWDED);
    if is_crowded(open, most) {
        checkup.warning(CONNECTIONS, found, "raise the server's max_connections: each replica has up to 5");
    } else if is_crowded(statements, most_statements) {
        let fix = "raise the server's max_prepared_stmt_count: each replica keeps up to 1,280";
        checkup.warning(CONNECTIONS, found, fix);
    } else {
        checkup.ok(CONNECTIONS, found);
    }
    Ok(())
}

fn tell_schema(
    checkup: &mut Checkup,
    newest: i64,
    usable: Result<(), ta_bot_engine::support::store_error::StoreError>,
) {
    let ours = schema::VERSION;
    match usable {
        Err(error) => checkup.wrong(
            SCHEMA,
            error.reason(),
            "run the version of TA Bot that made it or a newer one, or let MYSQL_URI name another database",
        ),
        Ok(()) if newest == 0 => checkup.ok(SCHEMA, "there is none yet: the first start makes it"),
        Ok(()) if newest < ours => checkup.warning(
            SCHEMA,
            format!("it has version {newest}, and this TA Bot's is {ours}"),
            "start this version once with an account that has CREATE, ALTER and INDEX: it brings the schema up to date",
        ),
        Ok(()) => checkup.ok(SCHEMA, format!("version {newest}")),
    }
}

/// Whether the server takes writes.
async fn commit(connection: &mut MySqlConnection, checkup: &mut Checkup, begun: i64) -> bool {
    let sql = "SELECT CAST(@@GLOBAL.read_only AS SIGNED)";
    let is_read_only = sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut *connection).await.is_ok_and(|set| set != 0);
    if begun == 0 {
        if is_read_only {
            checkup.wrong(COMMIT, "the server is read-only", LET_IT_WRITE);
        } else {
            checkup.ok(COMMIT, "the server is not read-only; there is no table yet to try it on");
        }
        return !is_read_only;
    }
    match try_commit(connection).await {
        Ok(()) if is_read_only => checkup.warning(
            COMMIT,
            "the server is read-only, and takes writes of this account all the same",
            LET_IT_WRITE,
        ),
        Ok(()) => checkup.ok(COMMIT, "a commit was tried and undone"),
        // What a right lacks is told there.
        Err(error) if rights::is_denied(&error) => {
            checkup.not_checked(COMMIT, "the account lacks a right");
        }
        Err(error) => checkup.wrong(COMMIT, store_error(&error).reason(), LET_IT_WRITE),
    }
    // What was begun is undone in any case.
    sqlx::raw_sql("ROLLBACK").execute(connection).await.ok();
    !is_read_only
}
