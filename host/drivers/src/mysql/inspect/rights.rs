//! What the account may do.
//!
//! What it may do with rows is tried with statements that touch none, so that rights count whichever way they came to
//! the account: by a role, by a pattern, for one table. What it may do with tables can't be tried, and is read from the
//! list of grants.

use sqlx::{AssertSqlSafe, MySqlConnection, mysql::MySqlDatabaseError};
use ta_bot_engine::support::checkup::Checkup;

use super::RIGHTS;

/// What the account has to be allowed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// Whether there are tables of ours already.
    pub(super) is_begun: bool,
    /// Whether the next start changes tables.
    pub(super) changes_tables: bool,
}

const ON_ROWS: [&str; 4] = ["SELECT", "INSERT", "UPDATE", "DELETE"];
const ON_TABLES: [&str; 3] = ["CREATE", "ALTER", "INDEX"];

/// Whether an error says that the account may not do this.
pub(super) fn is_denied(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else { return false };
    let number = error.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number);
    matches!(number, Some(1044 | 1142 | 1143 | 1227 | 1370))
}

/// Looks for what the account may not do and has to. On a server that takes no writes nothing can be tried, and the
/// list of grants counts alone.
pub(super) async fn look(
    connection: &mut MySqlConnection,
    checkup: &mut Checkup,
    wanted: Wanted,
    takes_writes: bool,
) -> Result<(), sqlx::Error> {
    let (user, database): (String, String) =
        sqlx::query_as("SELECT CAST(CURRENT_USER() AS CHAR), CAST(DATABASE() AS CHAR)")
            .fetch_one(&mut *connection)
            .await?;
    let mut lacking: Vec<String> = Vec::new();
    let mut unknown: Vec<&str> = Vec::new();
    if wanted.is_begun && takes_writes {
        lacking.extend(tried(connection).await?);
    }
    let listed = ON_ROWS.iter().filter(|_| !(wanted.is_begun && takes_writes));
    let listed: Vec<&str> = listed.chain(ON_TABLES.iter().filter(|_| wanted.changes_tables)).copied().collect();
    if !listed.is_empty() {
        let grants: Vec<String> = sqlx::query_scalar("SHOW GRANTS").fetch_all(connection).await?;
        let grants = Grants::read(&grants, &database);
        let (missing, has_role) = (grants.missing(&listed), grants.has_role);
        if has_role { unknown.extend(missing) } else { lacking.extend(missing.into_iter().map(str::to_owned)) }
    }
    let account = account(&user);
    if !lacking.is_empty() {
        let rights = lacking.iter().map(|right| right.split(' ').next().unwrap_or(right)).collect::<Vec<_>>();
        checkup.wrong(
            RIGHTS,
            format!("{account} lacks {}", lacking.join(", ")),
            format!("GRANT {} ON `{database}`.* TO {account}", without_repetition(&rights).join(", ")),
        );
    } else if !unknown.is_empty() {
        checkup
            .not_checked(RIGHTS, format!("{account} may have {} by a role, which can't be read", unknown.join(", ")));
    } else {
        checkup.ok(RIGHTS, format!("{account} has what it needs"));
    }
    Ok(())
}

/// The account as a statement names it.
fn account(user: &str) -> String {
    let (name, host) = user.rsplit_once('@').unwrap_or((user, "%"));
    format!("'{name}'@'{host}'")
}

fn without_repetition<'a>(rights: &[&'a str]) -> Vec<&'a str> {
    let all = ON_ROWS.iter().chain(&ON_TABLES);
    all.filter_map(|right| rights.iter().find(|given| *given == right)).copied().collect()
}

/// The rights that the account lacks on tables that are there: `UPDATE on signals`.
async fn tried(connection: &mut MySqlConnection) -> Result<Vec<String>, sqlx::Error> {
    // The columns that can be written, one of each table.
    let sql = "SELECT CAST(c.table_name AS CHAR), CAST(MIN(c.column_name) AS CHAR) FROM information_schema.columns c
               WHERE c.table_schema = DATABASE() AND COALESCE(c.extra, '') NOT LIKE '%generated%'
                 AND (c.table_name LIKE 'klines\\_%' OR c.table_name LIKE 'ta\\_bot\\_%'
                      OR c.table_name IN ('signals', 'finished_jobs', 'dead_jobs', 'begun_series'))
               GROUP BY c.table_name ORDER BY c.table_name";
    let tables: Vec<(String, String)> = sqlx::query_as(sql).fetch_all(&mut *connection).await?;
    let mut lacking: Vec<(&str, Vec<String>)> = ON_ROWS.map(|right| (right, Vec::new())).into();
    for (table, column) in tables {
        let of_others = table.starts_with("klines_");
        for (right, lacks) in &mut lacking {
            // Candles are only written by hand.
            if of_others && *right != "SELECT" {
                continue;
            }
            let statement = AssertSqlSafe(harmless(right, &table, &column));
            match sqlx::raw_sql(statement).execute(&mut *connection).await {
                Err(error) if is_denied(&error) => lacks.push(table.clone()),
                Err(error @ sqlx::Error::Io(_)) => return Err(error),
                // Whatever else it fails with comes after the rights are looked at.
                _ => {}
            }
        }
    }
    let lacking = lacking.into_iter().filter(|(_, tables)| !tables.is_empty());
    Ok(lacking.map(|(right, tables)| format!("{right} on {}", some_of(&tables))).collect())
}

/// The first names of a list.
fn some_of(names: &[String]) -> String {
    const MOST: usize = 3;
    let named = names.iter().take(MOST).cloned().collect::<Vec<_>>().join(" and ");
    if names.len() > MOST { format!("{named} and {} more tables", names.len() - MOST) } else { named }
}

/// A statement that needs a right and touches no row.
fn harmless(right: &str, table: &str, column: &str) -> String {
    let (table, column) = (table.replace('`', "``"), column.replace('`', "``"));
    match right {
        "INSERT" => format!("INSERT INTO `{table}` (`{column}`) SELECT NULL FROM DUAL WHERE 1 = 0"),
        "UPDATE" => format!("UPDATE `{table}` SET `{column}` = NULL WHERE 1 = 0"),
        "DELETE" => format!("DELETE FROM `{table}` WHERE 1 = 0"),
        _ => format!("SELECT `{column}` FROM `{table}` LIMIT 0"),
    }
}

/// What a list of grants says of one database.
#[derive(Debug, Default)]
struct Grants {
    has_all: bool,
    rights: Vec<String>,
    /// Whether a role is granted, whose rights the list may not show.
    has_role: bool,
}

impl Grants {
    fn read(lines: &[String], database: &str) -> Self {
        let mut grants = Self::default();
        for line in lines {
            let Some(rest) = line.strip_prefix("GRANT ") else { continue };
            let Some((rights, place)) = rest.split_once(" ON ") else {
                grants.has_role = true;
                continue;
            };
            let place = place.split(" TO ").next().unwrap_or_default();
            if !place.split_once('.').is_some_and(|(of, tables)| tables == "*" && covers(of, database)) {
                continue;
            }
            grants.has_all |= rights.starts_with("ALL PRIVILEGES");
            grants.rights.extend(rights.split(',').map(|right| right.trim().to_owned()));
        }
        grants
    }

    /// Those of the wanted rights that are not granted.
    fn missing<'a>(&self, wanted: &[&'a str]) -> Vec<&'a str> {
        let is_granted = |right: &&str| self.has_all || self.rights.iter().any(|granted| granted == right);
        wanted.iter().filter(|right| !is_granted(right)).copied().collect()
    }
}

/// Whether the database of a grant, which may be a pattern, is or includes this one.
fn covers(granted: &str, database: &str) -> bool {
    if granted == "*" {
        return true;
    }
    let pattern: Vec<char> = granted.trim_matches('`').replace("``", "`").chars().collect();
    let name: Vec<char> = database.chars().collect();
    like(&pattern, &name)
}

fn like(pattern: &[char], name: &[char]) -> bool {
    match pattern {
        [] => name.is_empty(),
        ['\\', escaped, pattern @ ..] => name.first() == Some(escaped) && like(pattern, &name[1..]),
        ['%', pattern @ ..] => (0..=name.len()).any(|from| like(pattern, &name[from..])),
        ['_', pattern @ ..] => !name.is_empty() && like(pattern, &name[1..]),
        [letter, pattern @ ..] => name.first() == Some(letter) && like(pattern, &name[1..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(lines: &[&str], database: &str) -> Vec<&'static str> {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        Grants::read(&lines, database).missing(&["SELECT", "CREATE", "INDEX"])
    }

    #[test]
    fn grants_count_for_their_databases_alone() {
        let usage = "GRANT USAGE ON *.* TO `bot`@`%` IDENTIFIED BY PASSWORD '*1'";
        let own = r"GRANT SELECT, INSERT, CREATE ON `petro\_a`.* TO `bot`@`%`";
        assert_eq!(missing(&[usage, own], "petro_a"), ["INDEX"]);
        assert_eq!(missing(&[usage, own], "petroxa"), ["SELECT", "CREATE", "INDEX"]);
        assert_eq!(missing(&["GRANT ALL PRIVILEGES ON `petro%`.* TO `bot`@`%`"], "petrosa"), [""; 0]);
        assert_eq!(missing(&["GRANT ALL PRIVILEGES ON *.* TO `root`@`%` WITH GRANT OPTION"], "x"), [""; 0]);
        assert_eq!(missing(&["GRANT SELECT, CREATE, INDEX ON `a`.`signals` TO `bot`@`%`"], "a").len(), 3);
        assert!(Grants::read(&["GRANT `writers`@`%` TO `bot`@`%`".to_owned()], "a").has_role);
        assert_eq!(account("bot@10.%"), "'bot'@'10.%'");
    }

    #[test]
    fn a_right_is_granted_once() {
        assert_eq!(without_repetition(&["INDEX", "SELECT", "INDEX"]), ["SELECT", "INDEX"]);
    }
}
