use std::{fs::File, io::Read as _, process::Stdio};

use crate::run::{Done, Home};

#[test]
fn versions_and_help_go_to_stdout() {
    let home = Home::new();
    for arguments in [["version"], ["--version"], ["--help"]] {
        let done = home.run(arguments).succeeded();
        assert!(done.stdout.contains("ta-bot") && done.stderr.is_empty(), "{done:?}");
    }
    assert_eq!(home.json(&["version"])["wit_version"], "1.0.0");
    let help = home.run(["serve", "--help"]).succeeded().stdout;
    assert!(help.contains("MADE UP"), "{help}");
}

#[test]
fn every_wrong_variable_is_named_whatever_the_command() {
    let home = Home::new();
    let wrong = |arguments: &[&str]| {
        let mut command = home.command();
        command.env("HTTP_ADDR", "here").env("LOG_LEVEL", "loud").env("MYSQL_URI", "mysql://x");
        Done::of(command.args(arguments))
    };
    wrong(&["serve"]).failed(2, &["HTTP_ADDR", "LOG_LEVEL", "MYSQL_URI"]);
    let error = wrong(&["candles", "list", "--json"]);
    assert_eq!(error.code, Some(2));
    let names: Vec<_> =
        error.json()["error"]["details"].as_array().unwrap().iter().map(|e| e["variable"].clone()).collect();
    assert_eq!(names, ["HTTP_ADDR", "MYSQL_URI", "LOG_LEVEL"]);
}

/// Neither what is wrong with an address nor what a server that is away does to it shows its password, at any level of
/// the log.
#[test]
fn no_password_of_an_address_is_shown() {
    let home = Home::new();
    let shown = |name: &str, address: &str| {
        let mut command = home.command();
        command.env(name, address).env("LOG_LEVEL", "trace").args(["candles", "list"]);
        let done = Done::of(&mut command);
        (done.code, done.stdout + &done.stderr)
    };
    for (name, address) in [
        ("MONGODB_URI", "mongodb://u:S3cretPw"),
        ("MONGODB_URI", "mongodb://u:S3cret/Pw@127.0.0.1:1/"),
        ("MONGODB_URI", "mongodb://u:S3cretPw@127.0.0.1:1/?serverSelectionTimeoutMS=200"),
        ("MYSQL_URI", "mysql://u:S3cretPw"),
        ("MYSQL_URI", "mysql://u:S3cret/Pw@127.0.0.1:1/db"),
        ("MYSQL_URI", "mysql://u:S3cretPw@127.0.0.1:1/db"),
        ("NATS_URL", "nats://u:S3cretPw"),
        ("NATS_URL", "nats://u:S3cret/Pw@127.0.0.1:1"),
        ("NATS_URL", "nats://u:S3cretPw@127.0.0.1:1"),
        ("NATS_URL", "nats://S3cretPw@127.0.0.1:1"),
    ] {
        let (code, text) = shown(name, address);
        assert!(!text.contains("S3cret"), "{name}={address}: {text}");
        let is_malformed = !address.contains('@') || address.contains("S3cret/");
        assert_eq!(code == Some(2), is_malformed, "{name}={address}: {text}");
    }
}

#[test]
fn wrong_usage_exits_with_2() {
    let home = Home::new();
    home.run(["candels"]).failed(2, &["candles"]);
    home.run(["analyze", "B", "15m"]).failed(2, &["no symbol"]);
    home.run(["analyze", "BTCUSDT", "15min"]).failed(2, &["no timeframe"]);
    let error = home.run(["analyze", "BTCUSDT", "15m", "--at", "noon", "--json"]);
    assert_eq!((error.code, &error.json()["error"]["code"]), (Some(2), &"usage".into()));
}

/// Nobody who only wants to see what there is starts a service.
#[test]
fn without_a_command_there_is_help_and_no_service() {
    let home = Home::new();
    let done = home.run::<&str>([]);
    assert_eq!((done.code, done.stdout.as_str()), (Some(2), ""), "{done:?}");
    for word in ["Usage: ta-bot", "serve", "Run the service"] {
        assert!(done.stderr.contains(word), "{word:?} is not in {done:?}");
    }
    assert!(!home.data_dir().exists(), "no service has begun");
    let asked = home.run(["--json"]);
    assert_eq!((asked.code, &asked.json()["error"]["code"]), (Some(2), &"usage".into()));
}

#[test]
fn options_win_over_the_environment() {
    let home = Home::with_candles();
    let other = home.path().join("other");
    let list = home.json(&["candles", "list", "--data-dir", other.to_str().unwrap()]);
    assert_eq!(list["series"], serde_json::json!([]));
    assert!(other.join("ta-bot.sqlite").exists());
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let home = Home::with_candles();
    let mut command = home.command();
    command.args(["strategies", "show", "rsi"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(0), ""));
}

#[test]
fn an_answer_that_can_not_be_written_is_a_failure() {
    let home = Home::with_candles();
    let mut command = home.command();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let child = command.args(["candles", "list"]).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("can't be written") && !stderr.contains("panicked"), "{stderr}");
}

#[test]
fn answers_are_quiet_unless_a_level_is_given() {
    let home = Home::with_candles();
    assert_eq!(home.run(["analyze", "BTCUSDT", "15m"]).succeeded().stderr, "");
    let mut command = home.command();
    let done = Done::of(command.env("LOG_LEVEL", "info").args(["analyze", "BTCUSDT", "15m"])).succeeded();
    let first: serde_json::Value = serde_json::from_str(done.stderr.lines().next().unwrap()).unwrap();
    assert_eq!(first["level"], "INFO", "one JSON object a line if stderr is no terminal");
}
