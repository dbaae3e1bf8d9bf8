//! Costs on a MySQL server that replicas share.

use async_trait::async_trait;
use sqlx::{MySql, QueryBuilder, Row as _, mysql::MySqlRow};
use ta_bot_core::ModuleDigest;
use ta_bot_engine::{
    supervision::costs::{
        Cost, CostBy, CostEntry, CostFilter, CostGroup, CostStore, PEAKS, ROWS_IN_A_STATEMENT, SUMMED, hour_of,
    },
    support::store_error::StoreError,
};

use crate::mysql::database::{Mysql, batch::pieces, row, store_error};

/// The store of costs on a MySQL server.
#[derive(Debug, Clone)]
pub struct MysqlCosts {
    database: Mysql,
}

impl MysqlCosts {
    /// Costs in `database`.
    pub const fn new(database: Mysql) -> Self {
        Self { database }
    }
}

#[async_trait]
impl CostStore for MysqlCosts {
    async fn add(&self, entries: &[CostEntry]) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        // Sorted, so that replicas that add at the same time wait for each other and do not deadlock.
        let mut sorted: Vec<&CostEntry> = entries.iter().collect();
        sorted.sort_by(|one, other| (one.hour, &one.key).cmp(&(other.hour, &other.key)));
        let sorted = &sorted;
        let added = || async move {
            let mut transaction = self.database.begin().await?;
            let mut added = Ok(());
            for rows in pieces(sorted, ROWS_IN_A_STATEMENT) {
                added = addition(rows).build().execute(transaction.connection()).await.map(drop);
                if added.is_err() {
                    break;
                }
            }
            transaction.end(added).await
        };
        self.database.write(entries.len(), added).await
    }

    async fn sums(&self, filter: &CostFilter, by: CostBy) -> Result<Vec<(CostGroup, Cost)>, StoreError> {
        let rows = self.database.rows(selection(filter, by)).await?;
        rows.iter().map(|found| sum(found, by)).collect::<Result<_, _>>().map_err(|error| store_error(&error))
    }
}

fn addition(entries: &[&CostEntry]) -> QueryBuilder<MySql> {
    let mut query = QueryBuilder::new("INSERT INTO `ta_bot_costs` (`hour`, `strategy`, `module`, `symbol`");
    SUMMED.iter().chain(&PEAKS).for_each(|column| {
        query.push(", `").push(*column).push('`');
    });
    query.push(") ");
    query.push_values(entries, |mut row, CostEntry { hour, key, cost }| {
        row.push_bind(hour.millis()).push_bind(key.strategy.to_string()).push_bind(key.module.as_bytes().to_vec());
        row.push_bind(key.symbol.to_string());
        cost.stored().into_iter().for_each(|value| {
            row.push_bind(value);
        });
    });
    query.push(" ON DUPLICATE KEY UPDATE ");
    let sums = SUMMED.iter().map(|column| format!("`{column}` = `{column}` + VALUES(`{column}`)"));
    let peaks = PEAKS.iter().map(|column| format!("`{column}` = GREATEST(`{column}`, VALUES(`{column}`))"));
    query.push(sums.chain(peaks).collect::<Vec<_>>().join(", "));
    query
}

/// Adds only the requested conditions. The hour is the first column of the key, so no older row is read.
fn selection(filter: &CostFilter, by: CostBy) -> QueryBuilder<MySql> {
    let columns = by.columns().iter().map(|column| format!("`{column}`")).collect::<Vec<_>>().join(", ");
    let sums = SUMMED.iter().map(|column| format!("CAST(SUM(`{column}`) AS SIGNED) AS `{column}`"));
    let peaks = PEAKS.iter().map(|column| format!("MAX(`{column}`) AS `{column}`"));
    let values = sums.chain(peaks).collect::<Vec<_>>().join(", ");
    let mut query = QueryBuilder::new(format!("SELECT {columns}, {values} FROM `ta_bot_costs` WHERE `hour` >= "));
    query.push_bind(hour_of(filter.since).millis());
    if let Some(strategy) = &filter.strategy {
        query.push(" AND `strategy` = ").push_bind(strategy.to_string());
    }
    if let Some(module) = &filter.module {
        query.push(" AND `module` = ").push_bind(module.as_bytes().to_vec());
    }
    if let Some(symbol) = &filter.symbol {
        query.push(" AND `symbol` = ").push_bind(symbol.to_string());
    }
    query.push(" GROUP BY ").push(columns);
    query
}

fn sum(found: &MySqlRow, by: CostBy) -> Result<(CostGroup, Cost), sqlx::Error> {
    let names = |column| by.columns().contains(&column);
    let module = || {
        let bytes: &[u8] = found.try_get("module")?;
        let digest = ModuleDigest::from_slice(bytes);
        digest.ok_or_else(|| sqlx::Error::Decode("column module: no SHA-256".into()))
    };
    let group = CostGroup {
        strategy: names("strategy").then(|| row::parsed(found, "strategy")).transpose()?,
        module: names("module").then(module).transpose()?,
        symbol: names("symbol").then(|| row::parsed(found, "symbol")).transpose()?,
    };
    Ok((group, Cost::read(|column| found.try_get(column))?))
}
