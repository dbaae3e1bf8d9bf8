//! MySQL as the only server.

use std::process::Command;

use ta_bot_core::Timestamp;
use ta_bot_test_servers::{MariaDb, Mode, Proxy};

use super::{Line, SECRET, SYMBOLS, Told, candles, command_of, import};
use crate::run::Home;

const DATABASE: &str = "market";
const ACCOUNT: &str = "ta_bot";

/// A server with a schema, an account that has its rights, and candles up to now.
struct Sound {
    home: Home,
    server: MariaDb,
    uri: String,
}

impl Sound {
    async fn start() -> Self {
        let (home, server) = (Home::new(), MariaDb::start().await.unwrap());
        server.create_database(DATABASE).await.unwrap();
        let rights = "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX";
        let account = format!(
            "SET GLOBAL innodb_flush_log_at_trx_commit = 1; CREATE USER '{ACCOUNT}'@'%' IDENTIFIED BY '{SECRET}';
             GRANT {rights} ON `{DATABASE}`.* TO '{ACCOUNT}'@'%'"
        );
        server.sql(&account).await.unwrap();
        let uri = format!("mysql://{ACCOUNT}:{SECRET}@{}/{DATABASE}", server.address());
        Self { home, server, uri }
    }

    fn command(&self) -> Command {
        let mut command = command_of(&self.home);
        command.env("MYSQL_URI", &self.uri);
        command
    }

    fn told(&self) -> Told {
        Told::beside_the_machine(&mut self.command())
    }

    async fn sql(&self, statements: &str) {
        self.server.sql(&format!("USE `{DATABASE}`; {statements}")).await.unwrap();
    }

    /// What is found while a fault is there.
    async fn with(&self, fault: &str, mend: &str, expected: &[Line<'_>]) {
        self.sql(fault).await;
        self.told().finds(expected);
        self.sql(mend).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_mysql_is_found_and_nothing_else() {
    let sound = Sound::start().await;
    before_the_first_start(&sound).await;
    for symbol in SYMBOLS {
        import(&mut sound.command(), symbol, &candles(sound.home.path(), symbol, Timestamp::now()));
    }
    sound.told().is_sound();
    connections(&sound);
    rights(&sound).await;
    server(&sound).await;
    schema(&sound).await;
    sound.told().is_sound();
    hanging(&sound).await;
}

/// No table is missed yet, and the rights to make them are asked for.
async fn before_the_first_start(sound: &Sound) {
    let told = sound.told();
    told.finds_but_candles(&[]);
    assert_eq!(sound.server.sql(&format!("SHOW TABLES IN `{DATABASE}`")).await.unwrap(), "", "no table is made");
    sound.sql(&format!("REVOKE CREATE, INDEX ON `{DATABASE}`.* FROM '{ACCOUNT}'@'%'")).await;
    sound.told().finds_but_candles(&[(
        "mysql",
        "rights",
        "wrong",
        "GRANT CREATE, INDEX ON `market`.* TO 'ta_bot'@'%'",
    )]);
    sound.sql(&format!("GRANT CREATE, INDEX ON `{DATABASE}`.* TO '{ACCOUNT}'@'%'")).await;
}

impl Told {
    /// Like [`finds`](Self::finds), where there are no candles yet.
    fn finds_but_candles(&self, expected: &[Line<'_>]) {
        let others: Vec<_> = self.findings.iter().filter(|finding| finding["subject"] != "candles").cloned().collect();
        Self { code: self.code, findings: others }.finds(expected);
    }
}

/// There is no connection.
fn connections(sound: &Sound) {
    let wrong_port = format!("mysql://{ACCOUNT}:{SECRET}@127.0.0.1:1/{DATABASE}");
    for (uri, fix) in [
        (sound.uri.replace(SECRET, "another"), "user and password"),
        (sound.uri.replace(DATABASE, "nowhere"), "the database in MYSQL_URI"),
        (wrong_port, "start MySQL"),
    ] {
        let told = Told::beside_the_machine(sound.command().env("MYSQL_URI", uri));
        told.finds(&[("mysql", "answer", "wrong", fix)]);
    }
}

async fn rights(sound: &Sound) {
    for (right, fix) in [("UPDATE", "GRANT UPDATE"), ("DELETE", "GRANT DELETE"), ("INSERT", "GRANT INSERT")] {
        let revoke = format!("REVOKE {right} ON `{DATABASE}`.* FROM '{ACCOUNT}'@'%'");
        let grant = format!("GRANT {right} ON `{DATABASE}`.* TO '{ACCOUNT}'@'%'");
        sound.with(&revoke, &grant, &[("mysql", "rights", "wrong", fix)]).await;
    }
}

/// What the server is set to. Its clock can't be moved, so each session of the account is moved as it begins.
async fn server(sound: &Sound) {
    for (fault, mend, expected) in [
        ("SET GLOBAL read_only = 1", "SET GLOBAL read_only = 0", ("mysql", "commit", "wrong", "takes writes")),
        (
            "SET GLOBAL init_connect = 'SET timestamp = UNIX_TIMESTAMP() + 600'",
            "SET GLOBAL init_connect = ''",
            ("mysql", "clock", "wrong", "NTP"),
        ),
        (
            "SET GLOBAL innodb_flush_log_at_trx_commit = 2",
            "SET GLOBAL innodb_flush_log_at_trx_commit = 1",
            ("mysql", "durability", "warning", "innodb_flush_log_at_trx_commit = 1"),
        ),
        (
            "SET GLOBAL max_allowed_packet = 65536",
            "SET GLOBAL max_allowed_packet = 16777216",
            ("mysql", "packet", "wrong", "max_allowed_packet"),
        ),
        (
            "SET GLOBAL max_prepared_stmt_count = 0",
            "SET GLOBAL max_prepared_stmt_count = 16382",
            ("mysql", "connections", "wrong", "max_prepared_stmt_count"),
        ),
    ] {
        sound.with(fault, mend, &[expected]).await;
    }
}

async fn schema(sound: &Sound) {
    for (fault, mend, expected) in [
        (
            "DELETE FROM ta_bot_schema_changes WHERE version > 10",
            "INSERT INTO ta_bot_schema_changes (version, oldest) VALUES (11, 7), (12, 7), (13, 7)",
            ("mysql", "schema", "warning", "start this version once"),
        ),
        (
            "INSERT INTO ta_bot_schema_changes (version, oldest) VALUES (99, 99)",
            "DELETE FROM ta_bot_schema_changes WHERE version = 99",
            ("mysql", "schema", "wrong", "newer one"),
        ),
        (
            "RENAME TABLE dead_jobs TO dead_jobs_away",
            "RENAME TABLE dead_jobs_away TO dead_jobs",
            ("mysql", "tables", "wrong", "from a backup"),
        ),
        (
            "RENAME TABLE klines_m3 TO away",
            "RENAME TABLE away TO klines_m3",
            ("mysql", "tables", "warning", "Data Extractor"),
        ),
        (
            "ALTER TABLE klines_m5 DROP INDEX idx_klines_m5_symbol_timestamp",
            "CREATE INDEX idx_klines_m5_symbol_timestamp ON klines_m5 (symbol, timestamp)",
            ("mysql", "tables", "warning", "CREATE INDEX `idx_klines_m5_symbol_timestamp`"),
        ),
        (
            "ALTER TABLE klines_m5 CHANGE extracted_at extracted DATETIME NOT NULL",
            "ALTER TABLE klines_m5 CHANGE extracted extracted_at DATETIME NOT NULL",
            ("mysql", "tables", "warning", "ADD COLUMN `extracted_at`"),
        ),
        (
            "ALTER TABLE dead_jobs CONVERT TO CHARACTER SET latin1",
            "ALTER TABLE dead_jobs CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
            ("mysql", "charset", "warning", "CONVERT TO CHARACTER SET utf8mb4"),
        ),
        (
            "CREATE TABLE kept SELECT * FROM klines_d1; DELETE FROM klines_d1 WHERE symbol = 'ETHUSDT'",
            "INSERT IGNORE INTO klines_d1 SELECT * FROM kept; DROP TABLE kept",
            ("candles", "age", "wrong", "Data Extractor"),
        ),
    ] {
        sound.with(fault, mend, &[expected]).await;
    }
}

/// A server that accepts connections and says nothing.
async fn hanging(sound: &Sound) {
    let proxy = Proxy::start(sound.server.address()).unwrap();
    proxy.set(Mode::Stall).await.unwrap();
    let uri = format!("mysql://{ACCOUNT}:{SECRET}@{}/{DATABASE}", proxy.address());
    Told::beside_the_machine(sound.command().env("MYSQL_URI", uri)).finds(&[(
        "mysql",
        "answer",
        "wrong",
        "start MySQL",
    )]);
}
