//! Leader election with a row of MySQL: the one row of `ta_bot_leader` is the register.
//!
//! Each write gives the row another random version, and is made only over the version that its writer has read. So a
//! version never comes again, even if somebody deletes the row or the table. The table is made by the first leader: a
//! database that elects nobody has none. Nothing depends on the server's clock.

use std::{
    hash::{BuildHasher as _, RandomState},
    time::Duration,
};

use async_trait::async_trait;
use sqlx::{Row as _, mysql::MySqlRow};
use ta_bot_engine::pipeline::election::{Record, Register, RegisterError, States, Word};

use super::{
    MysqlUri,
    database::{Fault, apart::Apart},
};

/// The name of the row.
const NAME: &str = "ta-bot-leader";
/// The server's number for a table that is not there.
const NO_SUCH_TABLE: u16 = 1146;
/// The server's number for a row that is there already.
const DUPLICATE: u16 = 1062;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS `ta_bot_leader` (
    `name` VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    `version` BIGINT NOT NULL,
    `holder` VARCHAR(255) NULL,
    `acquired_us` BIGINT NULL,
    `renewed_us` BIGINT NULL,
    `duration_ms` BIGINT NOT NULL,
    `transitions` BIGINT NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4";
const READ: &str = "SELECT `version`, `holder`, `acquired_us`, `renewed_us`, `duration_ms`, `transitions`
    FROM `ta_bot_leader` WHERE `name` = ?";
const CREATE: &str = "INSERT INTO `ta_bot_leader`
    (`version`, `holder`, `acquired_us`, `renewed_us`, `duration_ms`, `transitions`, `name`)
    VALUES (?, ?, ?, ?, ?, ?, ?)";
const REPLACE: &str = "UPDATE `ta_bot_leader` SET `version` = ?, `holder` = ?, `acquired_us` = ?, `renewed_us` = ?,
    `duration_ms` = ?, `transitions` = ? WHERE `name` = ? AND `version` = ?";

/// The row of a database.
#[derive(Clone)]
pub struct MysqlLeader {
    database: Apart,
}

impl MysqlLeader {
    /// The row in the database at `uri`. It has connections of its own, since a term must not end because others are in
    /// use. The server need not be reachable.
    pub fn open(uri: &MysqlUri) -> Self {
        Self { database: Apart::open(uri) }
    }

    async fn within<T>(
        &self,
        limit: Duration,
        call: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, RegisterError> {
        if let Ok(answer) = tokio::time::timeout(limit, call).await {
            answer.map_err(|fault| RegisterError(self.database.failed(fault).to_string()))
        } else {
            let uri = self.database.uri();
            Err(RegisterError(format!("{uri}: no answer within {} ms about {NAME}", limit.as_millis())))
        }
    }

    /// Runs a write. Returns the record that it made, or `None` if another process was first.
    async fn write(&self, sql: &'static str, over: Option<i64>, word: &Word) -> Result<Option<Record<()>>, Fault> {
        let version = RandomState::new().hash_one(word.renewed) as i64;
        let query = sqlx::query(sql)
            .bind(version)
            .bind(word.holder.as_deref())
            .bind(word.acquired)
            .bind(word.renewed)
            .bind(word.duration.as_millis() as i64)
            .bind(word.transitions)
            .bind(NAME);
        let query = match over {
            Some(over) => query.bind(over),
            None => query,
        };
        let mut connection = self.database.connection().await?;
        let answer = query.execute(&mut *connection).await;
        match connection.end(answer) {
            Ok(done) if done.rows_affected() == 1 => Ok(Some(record(word.clone(), version))),
            Ok(_) => Ok(None),
            Err(fault) if fault.number() == Some(DUPLICATE) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    async fn make_table(&self) -> Result<(), Fault> {
        let mut connection = self.database.connection().await?;
        let answer = sqlx::raw_sql(TABLE).execute(&mut *connection).await;
        connection.end(answer).map(drop)
    }

    async fn find(&self) -> Result<Option<Record<()>>, Fault> {
        let mut connection = self.database.connection().await?;
        let answer = sqlx::query(READ).bind(NAME).fetch_optional(&mut *connection).await;
        match connection.end(answer) {
            Ok(row) => Ok(row.as_ref().map(read).transpose()?),
            Err(fault) if fault.number() == Some(NO_SUCH_TABLE) => Ok(None),
            Err(fault) => Err(fault),
        }
    }
}

fn read(row: &MySqlRow) -> Result<Record<()>, sqlx::Error> {
    let duration: i64 = row.try_get("duration_ms")?;
    let word = Word {
        holder: row.try_get("holder")?,
        acquired: row.try_get("acquired_us")?,
        renewed: row.try_get("renewed_us")?,
        duration: Duration::from_millis(u64::try_from(duration).unwrap_or_default()),
        transitions: row.try_get("transitions")?,
    };
    Ok(record(word, row.try_get("version")?))
}

fn record(word: Word, version: i64) -> Record<()> {
    Record { word, version: version.to_string(), rest: () }
}

#[async_trait]
impl Register for MysqlLeader {
    type Rest = ();
    const WAY: &'static str = "mysql";
    const WHAT: &'static str = "the row ta-bot-leader of ta_bot_leader";

    fn place(&self) -> String {
        self.database.uri().to_string()
    }

    async fn read(&self, limit: Duration) -> Result<Option<Record<()>>, RegisterError> {
        self.within(limit, self.find()).await
    }

    async fn create(&self, word: &Word, limit: Duration) -> Result<Option<Record<()>>, RegisterError> {
        let create = async {
            match self.write(CREATE, None, word).await {
                Err(fault) if fault.number() == Some(NO_SUCH_TABLE) => {
                    self.make_table().await?;
                    self.write(CREATE, None, word).await
                }
                written => written,
            }
        };
        self.within(limit, create).await
    }

    async fn replace(
        &self,
        record: &Record<()>,
        word: &Word,
        limit: Duration,
    ) -> Result<Option<Record<()>>, RegisterError> {
        // Each version was made above, so it is a number.
        let Ok(over) = record.version.parse() else { return Ok(None) };
        let replace = async {
            match self.write(REPLACE, Some(over), word).await {
                Err(fault) if fault.number() == Some(NO_SUCH_TABLE) => Ok(None),
                written => written,
            }
        };
        self.within(limit, replace).await
    }

    /// MySQL reports no changes.
    async fn watch(&self, _: Duration) -> Result<Option<States<()>>, RegisterError> {
        Ok(None)
    }
}
