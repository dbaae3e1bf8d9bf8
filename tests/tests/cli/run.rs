//! Runs the binary in an environment of its own.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value as Json;
use ta_bot_tests::{binary, root, two_strategies_dir};
use tempfile::TempDir;

/// An empty store and the built-in strategies.
pub(crate) struct Home {
    folder: TempDir,
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    /// A store with sample candles of two symbols.
    pub(crate) fn with_candles() -> Self {
        let home = Self::new();
        for (symbol, timeframe) in [("BTCUSDT", "15m"), ("BTCUSDT", "1h"), ("ADAUSDT", "5m")] {
            let file = sample(symbol, timeframe);
            let import = [OsStr::new("candles"), "import".as_ref(), file.as_ref()];
            let options = ["--symbol", symbol, "--timeframe", timeframe].map(OsStr::new);
            home.run(import.into_iter().chain(options)).succeeded();
        }
        home
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.path().join("data")
    }

    /// A command of the binary with only this environment.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(binary::ta_bot());
        self.environment(&mut command);
        command
    }

    pub(crate) fn environment(&self, command: &mut Command) {
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("DATA_DIR", self.data_dir())
            .env("STRATEGIES_DIR", two_strategies_dir())
            .env("HTTP_ADDR", "127.0.0.1:0")
            // A slow evaluation on a busy machine must not fail the command.
            .env("STRATEGY_TIMEOUT_MS", "20000")
            .current_dir(self.path())
            .stdin(Stdio::null());
    }

    pub(crate) fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Done {
        Done::of(self.command().args(arguments))
    }

    /// Runs with `--json` and returns the document, which has to be all of stdout.
    pub(crate) fn json(&self, arguments: &[&str]) -> Json {
        self.run(arguments.iter().chain(&["--json"])).json()
    }
}

impl Done {
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let done = Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) };
        assert!(!done.stderr.contains("panicked"), "{done:?}");
        done
    }

    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    /// Checks that the command failed with `code`, with each of `words` on stderr and nothing on stdout.
    pub(crate) fn failed(&self, code: i32, words: &[&str]) {
        assert_eq!((self.code, self.stdout.as_str()), (Some(code), ""), "{self:?}");
        assert!(self.stderr.starts_with("error: "), "{self:?}");
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is not in {self:?}");
        }
    }

    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A file of sample candles.
pub(crate) fn sample(symbol: &str, timeframe: &str) -> PathBuf {
    root().join(format!("examples/candles/{symbol}_{timeframe}.csv"))
}
