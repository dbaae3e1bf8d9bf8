//! A single process with its one database file.

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt as _, path::Path};

use sqlx::{ConnectOptions as _, Connection as _, sqlite::SqliteConnectOptions};
use ta_bot_core::Timestamp;
use ta_bot_tests::strategies_dir;

use super::{Line, Told, candles, command_of, import, sound_home};
use crate::run::{Done, Home};

/// The name of a variable, and its value.
type Variable<'a> = (&'a str, &'a str);

/// Everything below a folder, with its bytes. The memory that processes share who have the database open is none of it.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_none_or(|extension| extension != "sqlite-shm") {
                found.push((path.display().to_string(), fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_sound_set_up_gives_no_warning_and_is_left_as_it_is() {
    let home = sound_home();
    let before = contents(home.path());
    Told::beside_the_machine(&mut command_of(&home)).is_sound();
    let text = Done::of(command_of(&home).arg("doctor")).succeeded().stdout;
    for words in ["\n  ok  ", "sqlite\n", " 0 warnings, 0 wrong, 0 not checked\n", "--url http://"] {
        assert!(text.contains(words), "{words:?} is not in\n{text}");
    }
    let names = |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let after = contents(home.path());
    assert_eq!(names(&after), names(&before), "no file is made or removed");
    for (one, other) in before.iter().zip(&after) {
        assert!(one == other, "{} is not what it was", one.0);
    }
}

#[test]
fn before_the_first_start_nothing_is_missed() {
    let home = Home::new();
    let told = Told::beside_the_machine(&mut command_of(&home));
    told.finds_whatever_depends(&[]);
    let unknown = told.with(&["not_checked"]);
    assert!(unknown.len() == 1 && unknown[0]["found"].as_str().unwrap().contains("yet"), "{unknown:#?}");
    assert!(!home.data_dir().exists(), "nothing is made");
}

#[test]
fn wrong_usage_is_told_apart_from_what_is_wrong() {
    let home = Home::new();
    home.run(["doctor", "--url", "https://u:S3cretPw@host"]).failed(2, &["http://HOST:PORT"]);
    let mut command = home.command();
    let done = Done::of(command.env("TA_BOT_URL", "host:80").args(["doctor", "--json"]));
    assert_eq!((done.code, &done.json()["error"]["code"]), (Some(2), &"usage".into()));
}

/// What the environment itself says. Nothing has to be there for it.
#[test]
fn faults_of_the_environment() {
    let home = sound_home();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let cases: [(&[Variable<'_>], &[Line<'_>]); 7] = [
        (
            &[("GAP_WINDOW", "many"), ("LOG_LEVEL", "verbose"), ("MIN_CONFIDENCE", "2")],
            &[
                ("environment", "variables", "wrong", "GAP_WINDOW"),
                ("environment", "variables", "wrong", "LOG_LEVEL"),
                ("environment", "variables", "wrong", "MIN_CONFIDENCE"),
                // It is above MAX_CONFIDENCE as well.
                ("environment", "variables", "wrong", "MIN_CONFIDENCE"),
            ],
        ),
        (&[("MYSQL_URI", "postgres://u:S3cretPw@host/db")], &[("environment", "variables", "wrong", "MYSQL_URI")]),
        (
            &[("OTEL_ENABLED", "true"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")],
            &[("environment", "variables", "wrong", "OTEL_EXPORTER_OTLP_PROTOCOL")],
        ),
        (&[("MONGODB_URL", "mongodb://u:S3cretPw@host")], &[("environment", "spelling", "warning", "MONGODB_URI")]),
        (
            &[("HTTP_ADDR", "0.0.0.0:0"), ("API_ANONYMOUS_ROLE", "none")],
            &[("environment", "access", "wrong", "API_TOKENS_FILE")],
        ),
        (&[("HTTP_ADDR", &address)], &[("environment", "address", "wrong", "another port")]),
        (
            &[("HTTP_ADDR", "192.0.2.1:8080"), ("API_ANONYMOUS_ROLE", "viewer")],
            &[("environment", "address", "wrong", "an address of this machine")],
        ),
    ];
    for (variables, expected) in cases {
        let told = Told::beside_the_machine(command_of(&home).envs(variables.iter().copied()));
        let unknown: Vec<_> = told.with(&["not_checked"]).iter().map(|finding| finding["subject"].clone()).collect();
        // What is on a server whose address can't be used is not known.
        let of_mysql = variables[0].0 == "MYSQL_URI";
        assert_eq!(unknown.is_empty(), !of_mysql, "{variables:?}: {unknown:?}");
        told.finds_whatever_depends(expected);
    }
}

impl Told {
    /// Like [`finds`](Self::finds), for wrong variables: what depends on them is not checked.
    fn finds_whatever_depends(&self, expected: &[Line<'_>]) {
        let known: Vec<_> =
            self.findings.iter().filter(|finding| finding["verdict"] != "not_checked").cloned().collect();
        Self { code: self.code, findings: known }.finds(expected);
    }
}

#[test]
fn faults_of_files_beside_the_database() {
    let home = sound_home();
    let path = |name: &str| home.path().join(name).display().to_string();
    let line = |role: &str, rest: &str| format!("{role}:{}{rest}\n", "0".repeat(64));
    let write = |name: &str, text: &str, mode: u32| {
        fs::write(path(name), text).unwrap();
        fs::set_permissions(path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    write("bad-tokens", "admin:S3cretPw\n", 0o600);
    write("open-tokens", &line("operator", ""), 0o666);
    write("old-tokens", &(line("operator", ":ann:2026-01-01") + &line("operator", "").replace('0', "1")), 0o600);
    write("no-operator", &line("trader", ""), 0o600);
    write("receivers", "[{\"name\": \"desk\", \"url\": \"https://S3cretPw@host\"}]", 0o600);
    write("open-receivers", "[]", 0o644);
    let modules = home.path().join("modules");
    fs::create_dir(&modules).unwrap();
    fs::copy(strategies_dir().join("rsi.wasm"), modules.join("rsi.wasm")).unwrap();
    fs::write(modules.join("broken.wasm"), b"\0asm but not really").unwrap();
    for (variable, name, expected) in [
        ("API_TOKENS_FILE", "bad-tokens", ("tokens", "file", "wrong", "how a line is made")),
        ("API_TOKENS_FILE", "open-tokens", ("tokens", "file", "wrong", "correct the file")),
        ("API_TOKENS_FILE", "old-tokens", ("tokens", "validity", "warning", "a new token")),
        ("API_TOKENS_FILE", "no-operator", ("tokens", "operator", "warning", "operator:")),
        ("WEBHOOKS_FILE", "receivers", ("webhooks", "file", "wrong", "docs/signals.md")),
        ("WEBHOOKS_FILE", "open-receivers", ("webhooks", "file", "wrong", "docs/signals.md")),
        ("STRATEGIES_DIR", "nowhere", ("modules", "folder", "wrong", "STRATEGIES_DIR")),
        ("STRATEGIES_DIR", "modules", ("modules", "modules", "wrong", "modules check")),
    ] {
        Told::beside_the_machine(command_of(&home).env(variable, path(name))).finds(&[expected]);
    }
}

#[test]
fn faults_of_the_folder() {
    let home = sound_home();
    fs::set_permissions(home.data_dir(), fs::Permissions::from_mode(0o755)).unwrap();
    Told::beside_the_machine(&mut command_of(&home)).finds(&[("data", "mode", "warning", "chmod 700")]);
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    let told = Told::beside_the_machine(command_of(&home).env("DATA_DIR", &file));
    told.finds_whatever_depends(&[("data", "folder", "wrong", "a folder that the user")]);
}

#[tokio::test]
async fn faults_of_the_database() {
    let home = sound_home();
    let file = home.data_dir().join("ta-bot.sqlite");
    let run = async |sql: &'static str| {
        let mut connection = SqliteConnectOptions::new().filename(&file).connect().await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    };
    // Whoever closes it last puts the log into the file.
    run("SELECT 1").await;
    let whole = fs::read(&file).unwrap();
    let change = async |sql: &'static str| {
        fs::write(&file, &whole).unwrap();
        run(sql).await;
    };
    for (sql, expected) in [
        ("DELETE FROM schema_changes WHERE version > 14", ("sqlite", "schema", "warning", "start this version")),
        ("INSERT INTO schema_changes (version, oldest) VALUES (99, 99)", ("sqlite", "schema", "wrong", "newer one")),
        ("PRAGMA application_id = 7", ("sqlite", "file", "wrong", "another directory")),
    ] {
        change(sql).await;
        Told::beside_the_machine(&mut command_of(&home)).finds(&[expected]);
    }
    // The first half holds the list of tables.
    let mut damaged = whole.clone();
    damaged[whole.len() / 2..].iter_mut().step_by(7).for_each(|byte| *byte ^= 0x5a);
    fs::write(&file, damaged).unwrap();
    let told = Told::beside_the_machine(&mut command_of(&home));
    told.finds_whatever_depends(&[("sqlite", "integrity", "wrong", "from a backup")]);
    fs::write(&file, &whole).unwrap();
    Told::beside_the_machine(&mut command_of(&home)).is_sound();
}

#[test]
fn a_feed_that_stopped() {
    let home = Home::new();
    let long_ago = Timestamp::now().plus_millis(-10 * super::TIMEFRAME.millis());
    import(&mut command_of(&home), "BTCUSDT", &candles(home.path(), "BTCUSDT", long_ago));
    let nobody = ("candles", "age", "wrong", "start what writes the candles");
    Told::beside_the_machine(&mut command_of(&home)).finds(&[nobody, nobody]);
    import(&mut command_of(&home), "ETHUSDT", &candles(home.path(), "ETHUSDT", Timestamp::now()));
    Told::beside_the_machine(&mut command_of(&home)).finds(&[(
        "candles",
        "age",
        "wrong",
        "does not write this series",
    )]);
}
