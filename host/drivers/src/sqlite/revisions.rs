//! Revisions of candles in the embedded database.

use async_trait::async_trait;
use sqlx::{QueryBuilder, Sqlite, sqlite::SqliteRow};
use ta_bot_engine::{
    market::revision_store::{KEPT, Numbers, ROWS_IN_A_STATEMENT, Revision, RevisionFilter, RevisionStore},
    support::store_error::StoreError,
};

use crate::sqlite::database::{Database, row};

/// The embedded store of revisions.
#[derive(Debug, Clone)]
pub struct SqliteRevisions {
    database: Database,
}

impl SqliteRevisions {
    /// Revisions in `database`.
    pub const fn new(database: Database) -> Self {
        Self { database }
    }
}

#[async_trait]
impl RevisionStore for SqliteRevisions {
    async fn add(&self, revisions: &[Revision]) -> Result<(), StoreError> {
        if revisions.is_empty() {
            return Ok(());
        }
        let added = async {
            let mut transaction = self.database.begin().await?;
            for rows in revisions.chunks(ROWS_IN_A_STATEMENT) {
                addition(rows)?.build().execute(&mut *transaction).await?;
            }
            let sql = "DELETE FROM revisions WHERE sequence <=
                       (SELECT sequence FROM revisions ORDER BY sequence DESC LIMIT 1 OFFSET ?)";
            sqlx::query(sql).bind(KEPT).execute(&mut *transaction).await?;
            transaction.commit().await
        };
        self.database.write(revisions.len(), added).await
    }

    async fn list(&self, filter: &RevisionFilter) -> Result<Vec<Revision>, StoreError> {
        let found = async {
            let rows = selection(filter).build().fetch_all(self.database.readers()).await?;
            rows.iter().map(revision).collect()
        };
        self.database.read(found).await
    }
}

fn addition(revisions: &[Revision]) -> Result<QueryBuilder<Sqlite>, sqlx::Error> {
    let written = |revision: &Revision| {
        let new = revision.new.map(|candle| row::to_json(&Numbers::from(candle))).transpose()?;
        Ok((row::to_json(&Numbers::from(revision.old))?, new))
    };
    let written: Vec<_> = revisions.iter().map(written).collect::<Result<_, sqlx::Error>>()?;
    let mut query =
        QueryBuilder::new("INSERT INTO revisions (id, symbol, timeframe, open_time, old, new, noticed_at) ");
    query.push_values(revisions.iter().zip(written), |mut row, (revision, (old, new))| {
        row.push_bind(revision.id().to_string()).push_bind(revision.symbol.as_str());
        row.push_bind(revision.timeframe.as_str()).push_bind(revision.open_time().millis());
        row.push_bind(old).push_bind(new).push_bind(revision.noticed_at.millis());
    });
    query.push(" ON CONFLICT (id) DO NOTHING");
    Ok(query)
}

/// At most [`KEPT`] rows are read, so only their order has an index.
fn selection(filter: &RevisionFilter) -> QueryBuilder<Sqlite> {
    let mut query =
        QueryBuilder::new("SELECT symbol, timeframe, open_time, old, new, noticed_at FROM revisions WHERE TRUE");
    if let Some(symbol) = &filter.symbol {
        query.push(" AND symbol = ").push_bind(symbol.as_str());
    }
    if let Some(timeframe) = filter.timeframe {
        query.push(" AND timeframe = ").push_bind(timeframe.as_str());
    }
    query.push(" ORDER BY sequence DESC LIMIT ").push_bind(filter.limit);
    query
}

fn revision(found: &SqliteRow) -> Result<Revision, sqlx::Error> {
    let open_time = row::moment(found, "open_time")?;
    let new: Option<Numbers> = row::json_or_none(found, "new")?;
    Ok(Revision {
        symbol: row::parsed(found, "symbol")?,
        timeframe: row::parsed(found, "timeframe")?,
        old: row::json::<Numbers>(found, "old")?.candle(open_time),
        new: new.map(|numbers| numbers.candle(open_time)),
        noticed_at: row::moment(found, "noticed_at")?,
    })
}
