//! The environment, read once and checked as a whole: every mistake is reported, not only the first.

use std::{fmt::Display, net::SocketAddr, num::NonZeroU32, path::PathBuf, str::FromStr, time::Duration};

use ta_bot_api::{
    access::{AllowedHosts, HeaderName},
    health::Build,
    tokens::Role,
};
use ta_bot_core::{ApplicationSettings, CandleSources, MAX_LOOKBACK, SignalTimestamp, StrategyId, Timeframe};
use ta_bot_wasm::Limits;
use thiserror::Error;

use ta_bot_engine::{
    market::candles::DEFAULT_PATIENCE,
    modules::signature::{PublicKey, TrustedKeys},
    pipeline::analysis::DEFAULT_GAP_WINDOW,
    retention::kind::Keep,
    signals::{actions::PublishedActions, expiry::MaxAge, subject::SignalSubject},
    support::{metrics::MetricSymbols, room::LowWater},
};

mod access;
mod build;
mod election;
pub mod names;
mod retention;
mod servers;
mod signals;
#[cfg(test)]
mod tests;

#[cfg(feature = "kubernetes")]
pub use servers::LeasePlace;
pub use servers::{Absent, Election, Mongo, MysqlUri, NatsSettings, OtlpSettings, WebhooksFile};

/// A variable that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{name}: {problem}")]
pub struct EnvError {
    /// Which variable.
    pub name: &'static str,
    /// What was given, what is allowed, and what to do.
    pub problem: String,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// Text for people.
    Text,
}

/// Everything that the environment decides.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Where the service listens.
    pub http_addr: SocketAddr,
    /// The folder of the embedded database and the compiled modules.
    pub data_dir: PathBuf,
    /// The folder of the bundled modules.
    pub strategies_dir: PathBuf,
    /// The folder of modules that an image brings compiled; `None` if it brings none.
    pub compiled_dir: Option<PathBuf>,
    /// The subject that signals are published to.
    pub subject: SignalSubject,
    /// The actions whose signals are published.
    pub published_actions: PublishedActions,
    /// What the `timestamp` of signals says.
    pub signal_timestamp: SignalTimestamp,
    /// The settings that apply until an operator changes them.
    pub settings: ApplicationSettings,
    /// How old parameters in use may be.
    pub cache_ttl: Duration,
    /// Which timeframe candles are made of if their rows are missing or unfinished.
    pub candle_sources: CandleSources,
    /// How long after its close a candle is waited for if its row is missing or unfinished.
    pub candle_patience: Duration,
    /// How many of the newest candles of a window must be without a hole; 0: holes keep no strategy from being asked.
    pub gap_window: u32,
    /// What is set and not taken, for the log.
    pub warnings: Vec<EnvError>,
    /// How old a signal may become before it is published.
    pub signal_max_age: MaxAge,
    /// How much is logged, in the syntax of `tracing`'s filter.
    pub log_level: String,
    /// How the log is written; `None` means that this depends on where the log goes.
    pub log_format: Option<LogFormat>,
    /// The file of API tokens.
    pub tokens_file: Option<PathBuf>,
    /// The header that may carry a token beside `Authorization`.
    pub token_header: Option<HeaderName>,
    /// The names under which requests without a token are answered, beside those of this machine.
    pub allowed_hosts: AllowedHosts,
    /// What requests without a token may do; `None` means nothing that needs a role.
    pub anonymous_role: Option<Role>,
    /// How many requests each token that sets no limit of its own may make in a minute, and all callers without a token
    /// together; `None` means without a bound.
    pub requests_per_minute: Option<NonZeroU32>,
    /// What this binary was built of.
    pub build: Build,
    /// The keys whose signatures of modules count; `None` means that modules need no signature.
    pub trusted_keys: Option<TrustedKeys>,
    /// What an evaluation may use.
    pub limits: Limits,
    /// How long the evaluations of one strategy may take per minute in total; `None` means without a bound.
    pub strategy_budget: Option<Duration>,
    /// How long an evaluation may run before its strategy keeps the others waiting; `None`: as long as it likes.
    pub strategy_slow: Option<Duration>,
    /// This process's name among replicas.
    pub identity: String,
    /// The MySQL of candles, signals and jobs; `None` means the embedded database.
    pub mysql: Option<MysqlUri>,
    /// The MongoDB of configuration and modules; `None` means the embedded database.
    pub mongo: Option<Mongo>,
    /// The NATS of events, jobs and signals; `None` means that they stay in this process.
    pub nats: Option<NatsSettings>,
    /// How replicas elect a leader; `None` means that this process is alone.
    pub election: Option<Election>,
    /// The file of receivers of signals over HTTP; `None` means that there are none.
    pub webhooks: Option<WebhooksFile>,
    /// Where traces, metrics and logs go; `None` means nowhere.
    pub telemetry: Option<Box<OtlpSettings>>,
    /// Which symbols have metrics of their own.
    pub metric_symbols: MetricSymbols,
    /// How long things are kept.
    pub keep: Keep,
    /// How much of its disk the folder of the data leaves to what can't wait.
    pub low_water: LowWater,
    /// The pod that this process runs in, and the namespace of that.
    pub pod: (Option<String>, Option<String>),
}

impl Environment {
    /// Reads every variable through `get`.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<EnvError>> {
        let (environment, errors) = Self::read_all(get);
        if errors.is_empty() { Ok(environment) } else { Err(errors) }
    }

    /// The folder in which runs of backtests are kept.
    pub fn backtests(&self) -> PathBuf {
        self.data_dir.join("backtests")
    }

    /// Reads every variable through `get`, and says beside it what can't be used. What depends on such a variable has
    /// no meaning: nothing may be done by it.
    pub fn read_all(get: impl Fn(&str) -> Option<String>) -> (Self, Vec<EnvError>) {
        let mut reader = Reader { get, errors: Vec::new(), warnings: Vec::new() };
        let subject = reader.subject();
        let patience = DEFAULT_PATIENCE.as_secs().to_string();
        let mut environment = Self {
            http_addr: reader.parsed("HTTP_ADDR", "127.0.0.1:8080", "an address and a port, such as 127.0.0.1:8080"),
            data_dir: reader.text("DATA_DIR", "./data").into(),
            strategies_dir: reader.text("STRATEGIES_DIR", "./target/strategies").into(),
            compiled_dir: reader.given("COMPILED_DIR").map(PathBuf::from),
            subject: subject.clone(),
            published_actions: reader.published_actions(),
            signal_timestamp: reader.signal_timestamp(),
            settings: reader.settings(),
            candle_sources: reader.parsed(
                "CANDLE_SOURCES",
                "",
                "pairs of a longer and a shorter timeframe, such as 15m=5m,1h=5m, or none",
            ),
            candle_patience: Duration::from_secs(reader.in_range("CANDLE_PATIENCE_SECONDS", &patience, 0, 3600)),
            gap_window: reader.in_range("GAP_WINDOW", &DEFAULT_GAP_WINDOW.to_string(), 0, MAX_LOOKBACK),
            signal_max_age: reader.signal_max_age(),
            cache_ttl: Duration::from_secs(reader.in_range("CONFIG_CACHE_TTL_SECONDS", "60", 1, 86_400)),
            log_level: reader.text("LOG_LEVEL", "info"),
            log_format: reader.log_format(),
            tokens_file: reader.given("API_TOKENS_FILE").map(PathBuf::from),
            token_header: reader.token_header(),
            allowed_hosts: reader.allowed_hosts(),
            anonymous_role: None,
            requests_per_minute: reader.requests_per_minute(),
            build: reader.build(),
            trusted_keys: reader.trusted_keys(),
            limits: reader.limits(),
            strategy_budget: reader.strategy_budget(),
            strategy_slow: reader.strategy_slow(),
            identity: reader.given("POD_NAME").or_else(hostname).unwrap_or_else(|| "ta-bot".to_owned()),
            mysql: reader.mysql(),
            mongo: reader.mongo(),
            nats: reader.nats(&subject),
            election: None,
            webhooks: reader.webhooks(),
            telemetry: reader.telemetry(),
            metric_symbols: reader.parsed("METRICS_SYMBOLS", "auto", MetricSymbols::ALLOWED),
            keep: reader.keep(),
            low_water: reader.low_water(),
            pod: (reader.given("POD_NAME"), reader.given("POD_NAMESPACE")),
            warnings: std::mem::take(&mut reader.warnings),
        };
        environment.election = reader.election(&environment);
        environment.anonymous_role = reader.anonymous_role(&environment);
        (environment, reader.errors)
    }
}

fn hostname() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// The intervals of exchanges that are no timeframes here.
const FOREIGN_INTERVALS: [&str; 2] = ["1s", "1M"];

struct Reader<Get> {
    get: Get,
    errors: Vec<EnvError>,
    warnings: Vec<EnvError>,
}

impl<Get: Fn(&str) -> Option<String>> Reader<Get> {
    /// The value of a variable, unless it is unset or blank.
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
                // The default only lets the reader go on and find the other mistakes; what is read is thrown away.
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

    /// An interval that exchanges have and TA Bot has not is left out: services share the variable. A text that is no
    /// interval at all is a mistake.
    fn timeframes(&mut self, text: &str) -> Vec<Timeframe> {
        const NAME: &str = "SUPPORTED_TIMEFRAMES";
        let is_foreign = |entry: &&str| FOREIGN_INTERVALS.contains(&entry.trim());
        let (foreign, own): (Vec<&str>, Vec<&str>) = text.split(',').partition(is_foreign);
        let timeframes = self.list(NAME, &own.join(","));
        if timeframes.is_empty() && !foreign.is_empty() {
            self.refuse(NAME, format!("{text} names no timeframe: give some, such as 5m,15m,1h"));
        }
        for interval in foreign {
            let problem = format!("{} is left out: TA Bot has no candles of that length", interval.trim());
            self.warnings.push(EnvError { name: NAME, problem });
        }
        timeframes
    }

    fn settings(&mut self) -> ApplicationSettings {
        let symbols = self.text("SUPPORTED_SYMBOLS", "BTCUSDT,ETHUSDT,ADAUSDT");
        let timeframes = self.text("SUPPORTED_TIMEFRAMES", "5m,15m,1h");
        // If the variable is set to nothing, no strategy is enabled; if it is not set, every bundled strategy is.
        let enabled = (self.get)("ENABLED_STRATEGIES");
        let settings = ApplicationSettings {
            symbols: self.list("SUPPORTED_SYMBOLS", &symbols),
            timeframes: self.timeframes(&timeframes),
            enabled_strategies: enabled.map(|text| self.list::<StrategyId>("ENABLED_STRATEGIES", &text)),
            min_confidence: self.in_range("MIN_CONFIDENCE", "0.6", 0.0, 1.0),
            max_confidence: self.in_range("MAX_CONFIDENCE", "0.95", 0.0, 1.0),
            accepted_holes: Vec::new(),
        };
        if settings.min_confidence > settings.max_confidence {
            let most = settings.max_confidence;
            self.refuse("MIN_CONFIDENCE", format!("{} is above MAX_CONFIDENCE, {most}", settings.min_confidence));
        }
        settings
    }

    /// A wrong key is named by its place in the list, since its text may be a secret that was put here by mistake.
    fn trusted_keys(&mut self) -> Option<TrustedKeys> {
        const NAME: &str = "MODULE_TRUSTED_KEYS";
        let text = self.given(NAME)?;
        let mut keys: Vec<PublicKey> = Vec::new();
        let entries = text.split(',').map(str::trim).enumerate();
        for (index, entry) in entries.filter(|(_, entry)| !entry.is_empty()) {
            let place = index + 1;
            match entry.parse() {
                Ok(key) if keys.contains(&key) => {
                    self.refuse(NAME, format!("entry {place} is the same key as one before it: remove it"));
                }
                Ok(key) => keys.push(key),
                Err(error) => self.refuse(NAME, format!("entry {place} is no key: {error}")),
            }
        }
        let trusted = TrustedKeys::new(keys);
        // The variable is set but trusts nobody. That must not come to mean that everybody is trusted.
        if trusted.is_none() && !self.errors.iter().any(|error| error.name == NAME) {
            self.refuse(NAME, "it holds no key: give at least one, or unset it to take modules unsigned".to_owned());
        }
        trusted
    }

    fn limits(&mut self) -> Limits {
        let timeout = self.in_range("STRATEGY_TIMEOUT_MS", "250", 1, 60_000);
        let megabytes: usize = self.in_range("STRATEGY_MEMORY_MB", "64", 1, 4096);
        Limits { timeout: Duration::from_millis(timeout), memory_bytes: megabytes << 20, ..Limits::default() }
    }

    fn signal_max_age(&mut self) -> MaxAge {
        const NAME: &str = "SIGNAL_MAX_AGE_SECONDS";
        if self.given(NAME).is_none() {
            return MaxAge::NextClose;
        }
        match self.in_range(NAME, "0", 0, 31_536_000) {
            0 => MaxAge::Unlimited,
            seconds => MaxAge::Limited(Duration::from_secs(seconds)),
        }
    }

    fn strategy_budget(&mut self) -> Option<Duration> {
        const NAME: &str = "STRATEGY_BUDGET_MS_PER_MINUTE";
        self.given(NAME)?;
        // The maximum is an hour, on the assumption that the threads of a machine can't take more than that in a
        // minute.
        Some(Duration::from_millis(self.in_range(NAME, "60000", 1, 3_600_000)))
    }

    fn strategy_slow(&mut self) -> Option<Duration> {
        let slow = Duration::from_millis(self.in_range("STRATEGY_SLOW_MS", "25", 0, 60_000));
        (!slow.is_zero()).then_some(slow)
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

    /// Reads true or false, however it is written; false if the variable is not set.
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

    /// The standard variables of OpenTelemetry count only if `OTEL_ENABLED` is true: services share them.
    #[cfg(feature = "otlp")]
    fn telemetry(&mut self) -> Option<Box<OtlpSettings>> {
        if !self.switch("OTEL_ENABLED") {
            return None;
        }
        match OtlpSettings::read(|name| (self.get)(name)) {
            Ok(settings) => settings.map(Box::new),
            Err(problems) => {
                for (name, problem) in problems {
                    self.refuse(name, problem);
                }
                None
            }
        }
    }

    /// Services share the variable, so it does not end one that has no use for it.
    #[cfg(not(feature = "otlp"))]
    fn telemetry(&mut self) -> Option<Box<OtlpSettings>> {
        const NAME: &str = "OTEL_ENABLED";
        if self.switch(NAME) {
            let problem = "this build of TA Bot sends no telemetry: metrics are at /metrics".to_owned();
            self.warnings.push(EnvError { name: NAME, problem });
        }
        None
    }

    #[cfg(feature = "mysql")]
    fn mysql(&mut self) -> Option<MysqlUri> {
        let parsed = self.given("MYSQL_URI")?.parse();
        parsed.map_err(|error: ta_bot_drivers::mysql::MysqlUriError| self.refuse("MYSQL_URI", error.to_string())).ok()
    }

    #[cfg(feature = "mongodb")]
    fn mongo(&mut self) -> Option<Mongo> {
        let opened = Mongo::open(&self.given("MONGODB_URI")?, &self.text("MONGODB_DATABASE", "petrosa"));
        opened.map_err(|error| self.refuse("MONGODB_URI", error.to_string())).ok()
    }

    #[cfg(feature = "webhooks")]
    fn webhooks(&self) -> Option<WebhooksFile> {
        self.given("WEBHOOKS_FILE").map(WebhooksFile::from)
    }

    #[cfg(not(feature = "webhooks"))]
    fn webhooks(&mut self) -> Option<WebhooksFile> {
        self.absent("WEBHOOKS_FILE")
    }

    #[cfg(not(feature = "mysql"))]
    fn mysql(&mut self) -> Option<MysqlUri> {
        self.absent("MYSQL_URI")
    }

    #[cfg(not(feature = "mongodb"))]
    fn mongo(&mut self) -> Option<Mongo> {
        self.absent("MONGODB_URI")
    }

    #[cfg(not(feature = "nats"))]
    fn nats(&mut self, _: &SignalSubject) -> Option<NatsSettings> {
        self.absent("NATS_URL")
    }

    /// Refuses a variable that names a server for which this build has no client.
    #[cfg(not(all(feature = "mongodb", feature = "mysql", feature = "nats", feature = "webhooks")))]
    fn absent(&mut self, name: &'static str) -> Option<Absent> {
        if self.given(name).is_some() {
            self.refuse(name, servers::ABSENT.to_owned());
        }
        None
    }
}
