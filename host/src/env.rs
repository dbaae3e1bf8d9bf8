//! The environment, read once and checked as a whole: every mistake is reported, not only the first.

use std::{fmt::Display, net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use ta_bot_core::{ApplicationSettings, StrategyId};
use ta_bot_wasm::Limits;
use thiserror::Error;

/// A variable that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{name}: {problem}")]
pub struct EnvError {
    /// Which variable.
    pub name: &'static str,
    /// What was given, what is allowed, what to do.
    pub problem: String,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// Everything that the environment decides.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Where the service listens.
    pub http_addr: SocketAddr,
    /// Where the embedded database and the compiled modules are.
    pub data_dir: PathBuf,
    /// Where the bundled modules are.
    pub strategies_dir: PathBuf,
    /// Where signals go.
    pub subject: String,
    /// What counts until an operator changes it.
    pub settings: ApplicationSettings,
    /// How old parameters in use may be.
    pub cache_ttl: Duration,
    /// How much is logged, by the syntax of `tracing`'s filter.
    pub log_level: String,
    /// How it is written; none means by where it goes.
    pub log_format: Option<LogFormat>,
    /// The file of API tokens.
    pub tokens_file: Option<PathBuf>,
    /// What an evaluation may use.
    pub limits: Limits,
    /// This process's name among replicas.
    pub identity: String,
}

/// Variables that ask for parts which this version does not have yet. Ignoring them would leave an operator believing
/// that the data is where it is not.
const NOT_BUILT: [&str; 3] = ["MYSQL_URI", "MONGODB_URI", "NATS_URL"];

impl Environment {
    /// Reads every variable through `get`.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<EnvError>> {
        let mut reader = Reader { get, errors: Vec::new() };
        let environment = Self {
            http_addr: reader.parsed("HTTP_ADDR", "127.0.0.1:8080", "an address and a port, such as 127.0.0.1:8080"),
            data_dir: reader.text("DATA_DIR", "./data").into(),
            strategies_dir: reader.text("STRATEGIES_DIR", "./target/strategies").into(),
            subject: reader.text("NATS_TOPIC_INTENTS", "cio.intent.trading"),
            settings: reader.settings(),
            cache_ttl: Duration::from_secs(reader.in_range("CONFIG_CACHE_TTL_SECONDS", "60", 1, 86_400)),
            log_level: reader.text("LOG_LEVEL", "info"),
            log_format: reader.log_format(),
            tokens_file: reader.given("API_TOKENS_FILE").map(PathBuf::from),
            limits: reader.limits(),
            identity: reader.given("POD_NAME").or_else(hostname).unwrap_or_else(|| "ta-bot".to_owned()),
        };
        reader.refuse_what_is_not_built();
        if reader.errors.is_empty() { Ok(environment) } else { Err(reader.errors) }
    }
}

fn hostname() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

struct Reader<Get> {
    get: Get,
    errors: Vec<EnvError>,
}

impl<Get: Fn(&str) -> Option<String>> Reader<Get> {
    /// A variable that is set to something.
    fn given(&self, name: &str) -> Option<String> {
        (self.get)(name).filter(|value| !value.trim().is_empty())
    }

    fn text(&self, name: &str, default: &str) -> String {
        self.given(name).unwrap_or_else(|| default.to_owned())
    }

    fn refuse(&mut self, name: &'static str, problem: String) {
        self.errors.push(EnvError { name, problem });
    }

    fn parsed<T: FromStr>(&mut self, name: &'static str, default: &str, allowed: &str) -> T
    where
        T::Err: Display,
    {
        let text = self.text(name, default);
        match text.trim().parse() {
            Ok(value) => value,
            Err(error) => {
                self.refuse(name, format!("{text:?} is not {allowed} ({error})"));
                // Only to go on and find the other mistakes; what is read is thrown away.
                default.parse().unwrap_or_else(|_| unreachable!("the default of {name} parses"))
            }
        }
    }

    fn in_range<T: FromStr + PartialOrd + Display + Copy>(
        &mut self,
        name: &'static str,
        default: &str,
        min: T,
        max: T,
    ) -> T
    where
        T::Err: Display,
    {
        let allowed = format!("a number from {min} to {max}");
        let value: T = self.parsed(name, default, &allowed);
        // A NaN lies in no range.
        if !(min..=max).contains(&value) {
            self.refuse(name, format!("{value} is not {allowed}"));
        }
        value
    }

    fn list<T: FromStr>(&mut self, name: &'static str, text: &str) -> Vec<T>
    where
        T::Err: Display,
    {
        let mut list = Vec::new();
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            match entry.parse() {
                Ok(value) => list.push(value),
                Err(error) => self.refuse(name, format!("{error}")),
            }
        }
        list
    }

    fn settings(&mut self) -> ApplicationSettings {
        let symbols = self.text("SUPPORTED_SYMBOLS", "BTCUSDT,ETHUSDT,ADAUSDT");
        let timeframes = self.text("SUPPORTED_TIMEFRAMES", "5m,15m,1h");
        // Set to nothing means none; not set at all means every bundled strategy.
        let enabled = (self.get)("ENABLED_STRATEGIES");
        let settings = ApplicationSettings {
            symbols: self.list("SUPPORTED_SYMBOLS", &symbols),
            timeframes: self.list("SUPPORTED_TIMEFRAMES", &timeframes),
            enabled_strategies: enabled.map(|text| self.list::<StrategyId>("ENABLED_STRATEGIES", &text)),
            min_confidence: self.in_range("MIN_CONFIDENCE", "0.6", 0.0, 1.0),
            max_confidence: self.in_range("MAX_CONFIDENCE", "0.95", 0.0, 1.0),
        };
        if settings.min_confidence > settings.max_confidence {
            let most = settings.max_confidence;
            self.refuse("MIN_CONFIDENCE", format!("{} is above MAX_CONFIDENCE, {most}", settings.min_confidence));
        }
        settings
    }

    fn limits(&mut self) -> Limits {
        let timeout = self.in_range("STRATEGY_TIMEOUT_MS", "250", 1, 60_000);
        let megabytes: usize = self.in_range("STRATEGY_MEMORY_MB", "64", 1, 4096);
        Limits { timeout: Duration::from_millis(timeout), memory_bytes: megabytes << 20, ..Limits::default() }
    }

    fn log_format(&mut self) -> Option<LogFormat> {
        match self.given("LOG_FORMAT").as_deref().map(str::trim) {
            None => None,
            Some("json") => Some(LogFormat::Json),
            Some("text") => Some(LogFormat::Text),
            Some(other) => {
                self.refuse("LOG_FORMAT", format!("{other:?} is neither json nor text"));
                None
            }
        }
    }

    /// True or false, however it is written; off where it is not set.
    fn switch(&mut self, name: &'static str) -> bool {
        match self.text(name, "false").trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => true,
            "false" | "0" | "no" | "off" => false,
            other => {
                self.refuse(name, format!("{other:?} is neither true nor false"));
                false
            }
        }
    }

    fn refuse_what_is_not_built(&mut self) {
        for name in NOT_BUILT {
            if self.given(name).is_some() {
                self.refuse(
                    name,
                    "this version has the embedded stores and bus only; unset it to run with those".to_owned(),
                );
            }
        }
        for name in ["LEADER_ELECTION_ENABLED", "OTEL_ENABLED"] {
            if self.switch(name) {
                self.refuse(name, "this version does not have it; unset it or set it to false".to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Environment, Vec<EnvError>> {
        Environment::read(|name| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_defaults_are_the_documented_ones() {
        let environment = read(&[]).unwrap();
        assert_eq!(environment.http_addr.to_string(), "127.0.0.1:8080");
        assert_eq!(environment.settings.symbols.len(), 3);
        assert_eq!(environment.settings.enabled_strategies, None);
        assert_eq!(environment.limits, Limits::default());
        assert_eq!(environment.cache_ttl, Duration::from_mins(1));
    }

    #[test]
    fn an_empty_list_of_strategies_means_none() {
        assert_eq!(read(&[("ENABLED_STRATEGIES", "")]).unwrap().settings.enabled_strategies, Some(vec![]));
        let some = read(&[("ENABLED_STRATEGIES", "rsi, macd,")]).unwrap().settings.enabled_strategies;
        assert_eq!(some.unwrap().len(), 2);
    }

    #[test]
    fn a_switch_is_read_however_it_is_written() {
        assert!(read(&[("OTEL_ENABLED", "False"), ("LEADER_ELECTION_ENABLED", "0")]).is_ok());
        assert!(read(&[("LEADER_ELECTION_ENABLED", "True")]).unwrap_err()[0].problem.contains("does not have it"));
        assert!(read(&[("OTEL_ENABLED", "maybe")]).unwrap_err()[0].problem.contains("neither"));
    }

    #[test]
    fn every_mistake_is_reported() {
        let errors = read(&[
            ("HTTP_ADDR", "here"),
            ("SUPPORTED_TIMEFRAMES", "5m,5min"),
            ("MIN_CONFIDENCE", "nan"),
            ("MAX_CONFIDENCE", "0.7"),
            ("STRATEGY_TIMEOUT_MS", "0"),
            ("LOG_FORMAT", "xml"),
            ("MYSQL_URI", "mysql://x"),
            ("OTEL_ENABLED", "true"),
        ])
        .unwrap_err();
        let names: Vec<_> = errors.iter().map(|error| error.name).collect();
        assert_eq!(
            names,
            [
                "HTTP_ADDR",
                "SUPPORTED_TIMEFRAMES",
                "MIN_CONFIDENCE",
                "LOG_FORMAT",
                "STRATEGY_TIMEOUT_MS",
                "MYSQL_URI",
                "OTEL_ENABLED"
            ]
        );
        assert!(errors[0].to_string().contains("127.0.0.1:8080"));
    }
}
