//! What an operator would look at in the file: whether there is one, whose it is, which schema it has, and whether it
//! is whole. Nothing is changed, and no file is made beside it.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{
    ConnectOptions as _, Connection as _,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};
use ta_bot_engine::support::{
    checkup::{Checkup, Finding, within},
    schema::check,
    store_error::StoreError,
};

use super::{Database, NAME, file_in, schema, store_error};

/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(12);
/// How long reading the whole file may take.
const READ_ALL: Duration = Duration::from_secs(8);
const BUSY: Duration = Duration::from_secs(3);

const FILE: &str = "file";
const SCHEMA: &str = "schema";
const INTEGRITY: &str = "integrity";

/// The names of the checks, in order.
pub const CHECKS: [&str; 3] = [FILE, SCHEMA, INTEGRITY];

const RESTORE: &str = "stop the service and put the file back from a backup";
const ELSEWHERE: &str = "move the file away, or set DATA_DIR to another directory";
const READABLE: &str = "make DATA_DIR and the files in it readable and writable for the user that runs TA Bot";

/// Looks at the database in `data_dir`.
pub async fn inspect(data_dir: &Path) -> Vec<Finding> {
    within(LIMIT, &CHECKS, "let the disk of DATA_DIR answer", async |checkup| {
        let path = file_in(data_dir);
        match fs::metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                checkup.ok(FILE, "there is none yet: the first start makes it");
                checkup.ok(SCHEMA, "the first start makes it");
                return checkup.ok(INTEGRITY, "there is nothing to read yet");
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
                return checkup.not_checked(FILE, "DATA_DIR is no folder");
            }
            Err(error) => return checkup.wrong(FILE, format!("{} can't be read: {error}", path.display()), READABLE),
            Ok(found) if found.len() == 0 => {
                checkup.ok(FILE, "it is empty: the next start fills it");
                checkup.ok(SCHEMA, "the next start makes it");
                return checkup.ok(INTEGRITY, "there is nothing to read yet");
            }
            Ok(_) => {}
        }
        match look(&path, checkup).await {
            Ok(()) => {}
            Err(error @ StoreError::Corrupt { .. }) if checkup.has(FILE) => {
                checkup.wrong(INTEGRITY, error.reason(), RESTORE);
            }
            Err(error @ StoreError::Corrupt { .. }) => checkup.wrong(FILE, error.reason(), RESTORE),
            Err(error) => checkup.wrong(FILE, error.reason(), READABLE),
        }
    })
    .await
}

async fn look(path: &Path, checkup: &mut Checkup) -> Result<(), StoreError> {
    let failed = |error| store_error(&error);
    let mut connection = options(path).connect().await.map_err(failed)?;
    let (version, application, tables) = match schema::marks(&mut connection).await {
        Err(error) if is_damaged(&error) => {
            checkup.ok(FILE, path.display().to_string());
            return Err(failed(error));
        }
        marks => marks.map_err(failed)?,
    };
    if !schema::is_ours(application, tables) {
        checkup.wrong(FILE, format!("{} is another program's database", path.display()), ELSEWHERE);
        return Ok(());
    }
    checkup.ok(FILE, path.display().to_string());
    let changes = schema::changes(&mut connection, version).await?;
    let (newest, ours) = (changes.iter().map(|change| change.version).max().unwrap_or_default(), schema::VERSION);
    match check(NAME, ours, &changes, "set DATA_DIR to another directory") {
        Err(error) => checkup.wrong(
            SCHEMA,
            error.reason(),
            "run the version of TA Bot that made it or a newer one, or set DATA_DIR to another directory",
        ),
        Ok(()) if newest < ours => checkup.warning(
            SCHEMA,
            format!("it has version {newest}, and this TA Bot's is {ours}"),
            "back the file up, then start this version: it brings the schema up to date",
        ),
        Ok(()) => checkup.ok(SCHEMA, format!("version {newest}")),
    }
    let read = sqlx::query_scalar::<_, String>("PRAGMA quick_check(3)").fetch_all(&mut connection);
    match tokio::time::timeout(READ_ALL, read).await {
        Ok(Ok(problems)) if problems == ["ok"] => checkup.ok(INTEGRITY, "the file is whole"),
        Ok(Ok(problems)) => checkup.wrong(INTEGRITY, format!("the file is damaged: {}", problems.join("; ")), RESTORE),
        Ok(Err(error)) => return Err(failed(error)),
        Err(_) => {
            let seconds = READ_ALL.as_secs();
            checkup.not_checked(INTEGRITY, format!("the file is too large to be read within {seconds} s"));
            // Nobody waits for the answer any more.
            return Ok(());
        }
    }
    connection.close().await.map_err(failed)
}

/// Whether SQLite says that the file was one of its own and is not whole.
fn is_damaged(error: &sqlx::Error) -> bool {
    const CORRUPT: i32 = 11;
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<i32>().ok());
    code.is_some_and(|code| code & 0xff == CORRUPT)
}

/// Opens for reading. If nobody has the file open, no log is beside it, and the file is all there is: SQLite would make
/// the log and leave it behind.
fn options(path: &Path) -> SqliteConnectOptions {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let is_alone = !PathBuf::from(log).exists();
    let options = SqliteConnectOptions::new().filename(path).read_only(true).immutable(is_alone);
    options.create_if_missing(false).busy_timeout(BUSY).disable_statement_logging()
}

impl Database {
    /// Opens the database in `data_dir` for reading, and leaves it as it is. `None` if there is none yet.
    pub fn as_it_is(data_dir: &Path) -> Option<Self> {
        let path = file_in(data_dir);
        if fs::metadata(&path).map_or(0, |found| found.len()) == 0 {
            return None;
        }
        let pool =
            || SqlitePoolOptions::new().max_connections(1).acquire_timeout(BUSY).connect_lazy_with(options(&path));
        Some(Self { writer: pool(), readers: pool(), path: path.as_path().into() })
    }
}
