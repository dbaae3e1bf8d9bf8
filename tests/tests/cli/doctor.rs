//! `ta-bot doctor`: a sound set-up gives no warning, and each fault is found with its fix, and nothing else.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use serde_json::Value as Json;
use ta_bot_core::{Symbol, Timeframe, Timestamp};
use ta_bot_tests::market;

use crate::run::{Done, Home};

mod embedded;
mod everything;
mod machine;
mod mongodb;
mod mysql;
mod nats;
mod service;

/// What every address holds that has a password, and nobody may read.
const SECRET: &str = "S3cretPw";
/// The series of these set-ups. Its candles are long, so that none closes unnoticed during a test.
const TIMEFRAME: Timeframe = Timeframe::D1;
const SYMBOLS: [&str; 2] = ["BTCUSDT", "ETHUSDT"];

/// What the doctor said.
#[derive(Debug)]
struct Told {
    code: Option<i32>,
    findings: Vec<Json>,
}

/// A line that is to be found: subject, check, verdict, and a part of the fix.
type Line<'a> = (&'a str, &'a str, &'a str, &'a str);

impl Told {
    fn by(command: &mut Command) -> Self {
        let done = Done::of(command.args(["doctor", "--json"]));
        assert!(!format!("{done:?}").contains(SECRET), "a secret is shown: {done:?}");
        assert_eq!(done.stderr, "", "{done:?}");
        let findings = done.json()["findings"].as_array().unwrap_or_else(|| panic!("{done:?}")).clone();
        Self { code: done.code, findings }
    }

    /// Without what it says of the machine on which the test runs, which may have swap or little memory.
    fn beside_the_machine(command: &mut Command) -> Self {
        let mut told = Self::by(command);
        told.findings.retain(|finding| finding["subject"] != "machine" || finding["verdict"] != "warning");
        told
    }

    fn with(&self, verdicts: &[&str]) -> Vec<&Json> {
        self.findings.iter().filter(|finding| verdicts.iter().any(|verdict| finding["verdict"] == *verdict)).collect()
    }

    /// Nothing is wrong or worth a warning, and everything was looked at.
    fn is_sound(&self) {
        self.finds(&[]);
        let unknown = self.with(&["not_checked"]);
        assert!(unknown.is_empty(), "{unknown:#?}");
    }

    /// These lines are found, each with its fix, and nothing else. What is not checked depends on one of them: it is of
    /// the same subject, or of what is stored there.
    fn finds(&self, expected: &[Line<'_>]) {
        let found = self.with(&["wrong", "warning"]);
        let short = |finding: &Json| {
            let text = |field: &str| finding[field].as_str().unwrap_or_default().to_owned();
            (text("subject"), text("check"), text("verdict"))
        };
        let mut there: Vec<_> = found.iter().map(|finding| short(finding)).collect();
        let mut wanted: Vec<_> =
            expected.iter().map(|(s, c, v, _)| ((*s).to_owned(), (*c).to_owned(), (*v).to_owned())).collect();
        there.sort();
        wanted.sort();
        assert_eq!(there, wanted, "{found:#?}");
        for (subject, check, _, words) in expected {
            let is_it = |finding: &&&Json| finding["subject"] == *subject && finding["check"] == *check;
            let fixes: Vec<_> = found.iter().filter(is_it).filter_map(|finding| finding["fix"].as_str()).collect();
            assert!(fixes.iter().any(|fix| fix.contains(words)), "{words:?} is in none of {fixes:#?}");
        }
        for finding in self.with(&["ok"]) {
            assert!(finding["fix"].is_null(), "{finding}");
        }
        for finding in self.with(&["not_checked"]) {
            let (subject, stored) = (&finding["subject"], ["configuration", "candles"]);
            let depends = expected.iter().any(|(wrong, ..)| {
                subject == *wrong || (stored.iter().any(|name| subject == *name) && *wrong != "service")
            });
            assert!(depends, "{finding} does not depend on {expected:?}");
        }
        let is_wrong = expected.iter().any(|(.., verdict, _)| *verdict == "wrong");
        assert_eq!(self.code, Some(i32::from(is_wrong)), "{expected:?}");
    }
}

/// Checks these cases at once, since most of the time is spent waiting for an answer that does not come.
fn at_once<T: Sync>(cases: &[T], check: impl Fn(&T) + Sync) {
    thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| check(case));
        }
    });
}

/// A store with candles up to now.
fn sound_home() -> Home {
    let home = Home::new();
    for symbol in SYMBOLS {
        import(&mut command_of(&home), symbol, &candles(home.path(), symbol, Timestamp::now()));
    }
    home
}

/// The binary in the environment of a home, for the series of this test.
fn command_of(home: &Home) -> Command {
    let mut command = home.command();
    schedule(&mut command);
    command
}

fn schedule(command: &mut Command) {
    command.env("SUPPORTED_SYMBOLS", SYMBOLS.join(",")).env("SUPPORTED_TIMEFRAMES", TIMEFRAME.as_str());
}

/// A file of candles, the last of which is the newest that had closed at a moment.
fn candles(folder: &Path, symbol: &str, until: Timestamp) -> PathBuf {
    const COUNT: i64 = 5;
    let length = TIMEFRAME.millis();
    let last_close = until.millis() - until.millis() % length;
    let first = Timestamp::from_millis(last_close - COUNT * length);
    let symbol: Symbol = symbol.parse().unwrap();
    let row = |candle: &ta_bot_core::Candle| {
        let ta_bot_core::Candle { open_time, open, high, low, close, volume } = candle;
        format!("{},{open},{high},{low},{close},{volume}\n", open_time.millis())
    };
    let rows: String = market(&symbol, TIMEFRAME, first, COUNT).iter().map(row).collect();
    let path = folder.join(format!("{symbol}_{TIMEFRAME}_{}.csv", until.millis()));
    fs::write(&path, format!("open_time_ms,open,high,low,close,volume\n{rows}")).unwrap();
    path
}

fn import(command: &mut Command, symbol: &str, file: &Path) {
    let arguments = ["--symbol", symbol, "--timeframe", TIMEFRAME.as_str()];
    Done::of(command.args(["candles", "import"]).arg(file).args(arguments)).succeeded();
}
