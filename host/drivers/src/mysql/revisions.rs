//! Revisions of candles on a MySQL server that replicas share.

use async_trait::async_trait;
use sqlx::{MySql, MySqlConnection, QueryBuilder, mysql::MySqlRow};
use ta_bot_engine::{
    market::revision_store::{KEPT, Numbers, ROWS_IN_A_STATEMENT, Revision, RevisionFilter, RevisionStore},
    support::store_error::StoreError,
};

use crate::mysql::database::{Mysql, batch::pieces, row, store_error};

/// The store of revisions on a MySQL server.
#[derive(Debug, Clone)]
pub struct MysqlRevisions {
    database: Mysql,
}

impl MysqlRevisions {
    /// Revisions in `database`.
    pub const fn new(database: Mysql) -> Self {
        Self { database }
    }
}

#[async_trait]
impl RevisionStore for MysqlRevisions {
    async fn add(&self, revisions: &[Revision]) -> Result<(), StoreError> {
        if revisions.is_empty() {
            return Ok(());
        }
        let added = || async move {
            let mut transaction = self.database.begin().await?;
            let added = insert(transaction.connection(), revisions).await;
            transaction.end(added).await
        };
        self.database.write(revisions.len(), added).await?;
        // In a transaction of its own: one that inserts and then locks rows of others would conflict with theirs.
        let thinned = || async move {
            let mut transaction = self.database.begin().await?;
            let thinned = thin_out(transaction.connection()).await;
            transaction.end(thinned).await
        };
        self.database.write(revisions.len(), thinned).await
    }

    async fn list(&self, filter: &RevisionFilter) -> Result<Vec<Revision>, StoreError> {
        let rows = self.database.rows(selection(filter)).await?;
        rows.iter().map(revision).collect::<Result<_, _>>().map_err(|error| store_error(&error))
    }
}

/// Inserts what is not stored yet. Every value fits its column, so only duplicates are ignored.
async fn insert(connection: &mut MySqlConnection, revisions: &[Revision]) -> Result<(), sqlx::Error> {
    for rows in pieces(revisions, ROWS_IN_A_STATEMENT) {
        addition(rows)?.build().execute(&mut *connection).await?;
    }
    Ok(())
}

fn addition(revisions: &[Revision]) -> Result<QueryBuilder<MySql>, sqlx::Error> {
    let written = |revision: &Revision| {
        let new = revision.new.map(|candle| row::to_json(&Numbers::from(candle))).transpose()?;
        Ok((row::to_json(&Numbers::from(revision.old))?, new))
    };
    let written: Vec<_> = revisions.iter().map(written).collect::<Result<_, sqlx::Error>>()?;
    let mut query = QueryBuilder::new(
        "INSERT IGNORE INTO `ta_bot_revisions`
             (`id`, `symbol`, `timeframe`, `open_time`, `old`, `new`, `noticed_at`) ",
    );
    query.push_values(revisions.iter().zip(written), |mut row, (revision, (old, new))| {
        row.push_bind(revision.id().to_string()).push_bind(revision.symbol.to_string());
        row.push_bind(revision.timeframe.as_str()).push_bind(revision.open_time().millis());
        row.push_bind(old).push_bind(new).push_bind(revision.noticed_at.millis());
    });
    Ok(query)
}

/// Deletes what is not among the newest.
async fn thin_out(connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
    let sql = "SELECT `sequence` FROM `ta_bot_revisions` ORDER BY `sequence` DESC LIMIT 1 OFFSET ?";
    let surplus = sqlx::query_scalar::<_, i64>(sql).bind(i64::from(KEPT));
    let Some(newest) = surplus.fetch_optional(&mut *connection).await? else { return Ok(()) };
    let delete = sqlx::query("DELETE FROM `ta_bot_revisions` WHERE `sequence` <= ?").bind(newest);
    delete.execute(connection).await.map(drop)
}

/// At most [`KEPT`] rows are read, so only their order has an index.
fn selection(filter: &RevisionFilter) -> QueryBuilder<MySql> {
    let mut query = QueryBuilder::new(
        "SELECT `symbol`, `timeframe`, `open_time`, `old`, `new`, `noticed_at` FROM `ta_bot_revisions` WHERE TRUE",
    );
    if let Some(symbol) = &filter.symbol {
        query.push(" AND `symbol` = ").push_bind(symbol.as_str());
    }
    if let Some(timeframe) = filter.timeframe {
        query.push(" AND `timeframe` = ").push_bind(timeframe.as_str());
    }
    query.push(" ORDER BY `sequence` DESC LIMIT ").push_bind(i64::from(filter.limit));
    query
}

fn revision(found: &MySqlRow) -> Result<Revision, sqlx::Error> {
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
