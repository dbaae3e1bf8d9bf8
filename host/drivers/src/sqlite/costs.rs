//! Costs in the embedded database.

use async_trait::async_trait;
use sqlx::{QueryBuilder, Row as _, Sqlite, sqlite::SqliteRow};
use ta_bot_core::ModuleDigest;
use ta_bot_engine::{
    supervision::costs::{
        Cost, CostBy, CostEntry, CostFilter, CostGroup, CostStore, PEAKS, ROWS_IN_A_STATEMENT, SUMMED, hour_of,
    },
    support::store_error::StoreError,
};

use crate::sqlite::database::{Database, row};

/// The embedded store of costs.
#[derive(Debug, Clone)]
pub struct SqliteCosts {
    database: Database,
}

impl SqliteCosts {
    /// Costs in `database`.
    pub const fn new(database: Database) -> Self {
        Self { database }
    }
}

#[async_trait]
impl CostStore for SqliteCosts {
    async fn add(&self, entries: &[CostEntry]) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        let added = async {
            let mut transaction = self.database.begin().await?;
            for rows in entries.chunks(ROWS_IN_A_STATEMENT) {
                addition(rows).build().execute(&mut *transaction).await?;
            }
            transaction.commit().await
        };
        self.database.write(entries.len(), added).await
    }

    async fn sums(&self, filter: &CostFilter, by: CostBy) -> Result<Vec<(CostGroup, Cost)>, StoreError> {
        let found = async {
            let rows = selection(filter, by).build().fetch_all(self.database.readers()).await?;
            rows.iter().map(|found| sum(found, by)).collect()
        };
        self.database.read(found).await
    }
}

fn addition(entries: &[CostEntry]) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("INSERT INTO costs (hour, strategy, module, symbol");
    SUMMED.iter().chain(&PEAKS).for_each(|column| {
        query.push(", ").push(*column);
    });
    query.push(") ");
    query.push_values(entries, |mut row, CostEntry { hour, key, cost }| {
        row.push_bind(hour.millis()).push_bind(key.strategy.as_str()).push_bind(key.module.as_bytes().as_slice());
        row.push_bind(key.symbol.as_str());
        cost.stored().into_iter().for_each(|value| {
            row.push_bind(value);
        });
    });
    query.push(" ON CONFLICT (hour, strategy, module, symbol) DO UPDATE SET ");
    let sums = SUMMED.iter().map(|column| format!("{column} = {column} + excluded.{column}"));
    let peaks = PEAKS.iter().map(|column| format!("{column} = max({column}, excluded.{column})"));
    query.push(sums.chain(peaks).collect::<Vec<_>>().join(", "));
    query
}

/// Adds only the requested conditions. The hour is the first column of the key, so no older row is read.
fn selection(filter: &CostFilter, by: CostBy) -> QueryBuilder<Sqlite> {
    let columns = by.columns().join(", ");
    let sums = SUMMED.iter().map(|column| format!("sum({column}) AS {column}"));
    let peaks = PEAKS.iter().map(|column| format!("max({column}) AS {column}"));
    let values = sums.chain(peaks).collect::<Vec<_>>().join(", ");
    let mut query = QueryBuilder::new(format!("SELECT {columns}, {values} FROM costs WHERE hour >= "));
    query.push_bind(hour_of(filter.since).millis());
    if let Some(strategy) = &filter.strategy {
        query.push(" AND strategy = ").push_bind(strategy.as_str());
    }
    if let Some(module) = &filter.module {
        query.push(" AND module = ").push_bind(module.as_bytes().as_slice());
    }
    if let Some(symbol) = &filter.symbol {
        query.push(" AND symbol = ").push_bind(symbol.as_str());
    }
    query.push(" GROUP BY ").push(columns);
    query
}

fn sum(found: &SqliteRow, by: CostBy) -> Result<(CostGroup, Cost), sqlx::Error> {
    let names = |column| by.columns().contains(&column);
    let module = || {
        let bytes: &[u8] = found.try_get("module")?;
        ModuleDigest::from_slice(bytes).ok_or_else(|| row::undecodable("module", "no SHA-256"))
    };
    let group = CostGroup {
        strategy: names("strategy").then(|| row::parsed(found, "strategy")).transpose()?,
        module: names("module").then(module).transpose()?,
        symbol: names("symbol").then(|| row::parsed(found, "symbol")).transpose()?,
    };
    Ok((group, Cost::read(|column| found.try_get(column))?))
}
