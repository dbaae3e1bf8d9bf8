//! The tables: whether they are there, and can be read as quickly and written as fully as they have to be.

use sqlx::MySqlConnection;
use ta_bot_core::Timeframe;
use ta_bot_engine::support::checkup::Checkup;

use super::{CHARSET, TABLES, schema};
use crate::mysql::database::klines::table;

/// The tables of this version's schema.
const OURS: [&str; 16] = [
    "begun_series",
    "dead_jobs",
    "finished_jobs",
    "signals",
    "ta_bot_candle_repairs",
    "ta_bot_costs",
    "ta_bot_deployment_head",
    "ta_bot_deployments",
    "ta_bot_failures",
    "ta_bot_redecisions",
    "ta_bot_revisions",
    "ta_bot_schema_changes",
    "ta_bot_shadow_comparisons",
    "ta_bot_shadow_counts",
    "ta_bot_retention",
    "ta_bot_signal_readers",
];

/// Looks at the tables. `is_current` says whether the schema is this version's.
pub(super) async fn look(
    connection: &mut MySqlConnection,
    checkup: &mut Checkup,
    is_current: bool,
) -> Result<(), sqlx::Error> {
    let sql = "SELECT CAST(table_name AS CHAR) FROM information_schema.tables WHERE table_schema = DATABASE()";
    let there: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut *connection).await?;
    let gone: Vec<&str> =
        OURS.into_iter().filter(|name| is_current && !there.iter().any(|there| there == name)).collect();
    if !gone.is_empty() {
        let found = format!("of the tables of TA Bot there is no {}, or the account may not see it", gone.join(", "));
        checkup.wrong(TABLES, found, "restore them from a backup of the database, or grant the account its rights");
    }
    let missing = schema::missing_klines(connection).await?;
    if is_current && !missing.is_empty() {
        let names: Vec<&str> = missing.iter().map(|timeframe| table(*timeframe)).collect();
        checkup.warning(
            TABLES,
            format!("there is no {}", names.join(", ")),
            "let the Data Extractor make them, or restart TA Bot, which makes what is missing",
        );
    }
    for name in schema::without_index(connection).await? {
        checkup.warning(
            TABLES,
            format!("{name} has no index on symbol and timestamp: each read goes through the whole table"),
            format!("CREATE INDEX `idx_{name}_symbol_timestamp` ON `{name}` (`symbol`, `timestamp`)"),
        );
    }
    let dated = schema::with_moment_of_writing(connection).await?;
    let is_there = |timeframe: &Timeframe| !missing.contains(timeframe);
    for name in Timeframe::ALL.into_iter().filter(is_there).map(table).filter(|name| !dated.contains(*name)) {
        checkup.warning(
            TABLES,
            format!("{name} has no column extracted_at: candles that are still open can't be told apart"),
            format!("have the Data Extractor add it: ALTER TABLE `{name}` ADD COLUMN `extracted_at` DATETIME NULL"),
        );
    }
    if !checkup.has(TABLES) {
        let note = if is_current { "all are there" } else { "the next start makes those that are missing" };
        checkup.ok(TABLES, note);
    }
    Ok(())
}

/// Whether our own tables take any character. A table that another service made may not.
pub(super) async fn charset(connection: &mut MySqlConnection, checkup: &mut Checkup) -> Result<(), sqlx::Error> {
    let sql = "SELECT CAST(table_name AS CHAR), CAST(MIN(character_set_name) AS CHAR)
               FROM information_schema.columns
               WHERE table_schema = DATABASE() AND character_set_name NOT IN ('utf8mb4')
                 AND (table_name LIKE 'ta\\_bot\\_%'
                      OR table_name IN ('signals', 'finished_jobs', 'dead_jobs', 'begun_series'))
               GROUP BY table_name";
    let narrow: Vec<(String, String)> = sqlx::query_as(sql).fetch_all(connection).await?;
    for (name, charset) in &narrow {
        checkup.warning(
            CHARSET,
            format!("{name} has columns in {charset}, which do not take every character of a signal"),
            format!("ALTER TABLE `{name}` CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"),
        );
    }
    if narrow.is_empty() {
        checkup.ok(CHARSET, "the tables of TA Bot take every character");
    }
    Ok(())
}
