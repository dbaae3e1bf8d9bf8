//! Writes a bundle as JSON and reads it back strictly: a document that was changed, or has another format, is refused
//! with the reason.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use ta_bot_core::{Job, Level, Parameters, ResolvedParameters, Timestamp, ValueKind};
use ta_bot_wasm::{Limits, LogLevel, LogLine};
use thiserror::Error;
use utoipa::ToSchema;

use super::{Failure, RecordedError};

mod exact;
mod window;

use window::FailureWindow;

/// The value of the field `format`.
pub const FORMAT: &str = "ta-bot-failure/1";
/// The largest document, in bytes. The largest windows that a strategy may ask for take a third of that.
pub const LARGEST_DOCUMENT: usize = 32 << 20;
/// The largest number of windows that a module may ask for: its own series and eight more.
const MOST_WINDOWS: usize = 9;

/// Why bytes are not a valid bundle.
#[derive(Debug, Error)]
pub enum DocumentError {
    /// There are too many bytes.
    #[error("it has more than {LARGEST_DOCUMENT} bytes, and no bundle has")]
    TooLarge,
    /// The bytes are not JSON, or a field is missing, unknown or of the wrong type.
    #[error("it is no document of the format {FORMAT}: {0}")]
    Json(String),
    /// The document has another format.
    #[error("its format is {0}, and this version reads {FORMAT}: use the version of TA Bot that wrote it")]
    Format(String),
    /// A field has an invalid value.
    #[error("{field}: {problem}")]
    Field {
        /// The path of the field.
        field: String,
        /// What is wrong.
        problem: String,
    },
    /// A hash in the document does not match the document's content.
    #[error(
        "{field} is {stored}, and what the document holds makes {made}: it was changed after it was written, download it \
         again"
    )]
    Changed {
        /// The field with the hash.
        field: &'static str,
        /// The hash in the document.
        stored: String,
        /// The hash of the content.
        made: String,
    },
}

/// An evaluation that failed, with everything that its outcome followed from. It contains no code.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FailureDocument {
    /// `ta-bot-failure/1`.
    format: String,
    /// SHA-256 of the module digest, parameter hash, window hash, symbol, timeframe, candle close and code. The same
    /// failure always has the same id.
    id: String,
    /// When it failed first.
    at: String,
    strategy: String,
    /// SHA-256 of the module's bytes.
    module_digest: String,
    wit_version: String,
    host_version: String,
    limits: FailureLimits,
    job: FailureJob,
    parameters: FailureParameters,
    windows: FailureWindows,
    outcome: FailureOutcome,
    /// What the strategy logged.
    log: Vec<FailureLogLine>,
}

/// The limits of the evaluation.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FailureLimits {
    timeout_ms: u64,
    memory_bytes: usize,
    log_bytes: usize,
    log_lines: usize,
    result_bytes: usize,
}

/// The candle.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FailureJob {
    symbol: String,
    timeframe: String,
    candle_close: String,
}

/// The parameters of the strategy.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FailureParameters {
    /// The version of the nearest stored level; 0 if nothing is stored.
    version: i64,
    /// SHA-256 of the values in canonical JSON.
    hash: String,
    values: Vec<FailureParameter>,
}

/// A parameter with its type, because JSON does not distinguish 5 from 5.0.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FailureParameter {
    name: String,
    /// `boolean`, `integer`, `number` or `text`.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    kind: ValueKind,
    value: Json,
}

/// The windows that the strategy was given.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FailureWindows {
    /// SHA-256 of all candles.
    hash: String,
    /// The strategy's own series first, then its extra inputs in order.
    series: Vec<FailureWindow>,
}

/// How it failed.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FailureOutcome {
    /// `trap`, `timeout`, `limit`, `failed` or `invalid_decision`.
    code: String,
    message: String,
}

/// A line of the strategy's log.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FailureLogLine {
    /// `debug`, `info`, `warn` or `error`.
    level: String,
    message: String,
}

impl Failure {
    /// Writes the failure as a document.
    pub fn to_json(&self) -> String {
        // The document consists of strings, numbers and lists of them, so serialising it can't fail.
        serde_json::to_string(&FailureDocument::new(self)).unwrap_or_default()
    }

    /// Reads a document.
    pub fn read(bytes: &[u8]) -> Result<Self, DocumentError> {
        /// Read first, because another format may have other fields.
        #[derive(Deserialize)]
        struct Head {
            format: Json,
        }
        if bytes.len() > LARGEST_DOCUMENT {
            return Err(DocumentError::TooLarge);
        }
        let json = |error: serde_json::Error| DocumentError::Json(in_short(&error.to_string()));
        let Head { format } = serde_json::from_slice(bytes).map_err(json)?;
        if format != FORMAT {
            return Err(DocumentError::Format(in_short(&format.to_string())));
        }
        serde_json::from_slice::<FailureDocument>(bytes).map_err(json)?.read()
    }
}

impl FailureDocument {
    fn new(failure: &Failure) -> Self {
        let Failure { limits, job, parameters, error, .. } = failure;
        let value = |(name, value): (&str, &ta_bot_core::Value)| FailureParameter {
            name: name.to_owned(),
            kind: value.kind(),
            value: value.to_json(),
        };
        Self {
            format: FORMAT.to_owned(),
            id: failure.id().to_string(),
            at: failure.at.to_string(),
            strategy: failure.strategy.to_string(),
            module_digest: failure.module.to_string(),
            wit_version: failure.wit_version.clone(),
            host_version: failure.host_version.clone(),
            limits: FailureLimits {
                timeout_ms: limits.timeout.as_millis() as u64,
                memory_bytes: limits.memory_bytes,
                log_bytes: limits.log_bytes,
                log_lines: limits.log_lines,
                result_bytes: limits.result_bytes,
            },
            job: FailureJob {
                symbol: job.symbol.to_string(),
                timeframe: job.timeframe.as_str().to_owned(),
                candle_close: job.candle_close.to_string(),
            },
            parameters: FailureParameters {
                version: parameters.version,
                hash: parameters.hash.to_string(),
                values: parameters.values.iter().map(value).collect(),
            },
            windows: FailureWindows {
                hash: failure.window_hash().to_string(),
                series: failure.windows.iter().map(FailureWindow::new).collect(),
            },
            outcome: FailureOutcome { code: error.code.clone(), message: error.message.clone() },
            log: failure.log.iter().map(FailureLogLine::new).collect(),
        }
    }

    fn read(self) -> Result<Failure, DocumentError> {
        let job = Job {
            symbol: parsed("job.symbol", &self.job.symbol)?,
            timeframe: parsed("job.timeframe", &self.job.timeframe)?,
            // What a document records is no moment that somebody gives by hand, so it may be any.
            candle_close: Timestamp::from_date(&self.job.candle_close)
                .map_or_else(|| parsed("job.candle_close", &self.job.candle_close), Ok)?,
        };
        if !(1..=MOST_WINDOWS).contains(&self.windows.series.len()) {
            let problem = format!("{} windows: a strategy has 1 to {MOST_WINDOWS}", self.windows.series.len());
            return Err(field("windows.series", problem));
        }
        let windows = self.windows.series.into_iter().enumerate().map(|(index, window)| window.read(index));
        let failure = Failure {
            at: parsed("at", &self.at)?,
            strategy: parsed("strategy", &self.strategy)?,
            module: digest("module_digest", &self.module_digest)?,
            wit_version: self.wit_version,
            host_version: self.host_version,
            limits: self.limits.read()?,
            job,
            parameters: self.parameters.read()?,
            windows: windows.collect::<Result<_, _>>()?,
            error: RecordedError { code: self.outcome.code, message: self.outcome.message },
            log: self.log.into_iter().map(FailureLogLine::read).collect::<Result<_, _>>()?,
        };
        let own = Some((failure.job.symbol.clone(), failure.job.timeframe));
        if failure.windows[0].series != own {
            return Err(field("windows.series[0]", "it is not the job's own series".to_owned()));
        }
        unchanged("windows.hash", &self.windows.hash, &failure.window_hash().to_string())?;
        unchanged("id", &self.id, &failure.id().to_string())?;
        Ok(failure)
    }
}

impl FailureLimits {
    /// Checks each limit against the largest value that the service's environment allows.
    fn read(self) -> Result<Limits, DocumentError> {
        let Self { timeout_ms, memory_bytes, log_bytes, log_lines, result_bytes } = self;
        within("limits.timeout_ms", timeout_ms, 60_000)?;
        within("limits.memory_bytes", memory_bytes as u64, 4096 << 20)?;
        within("limits.log_bytes", log_bytes as u64, 16 << 20)?;
        within("limits.log_lines", log_lines as u64, 1 << 20)?;
        within("limits.result_bytes", result_bytes as u64, 64 << 20)?;
        let timeout = std::time::Duration::from_millis(timeout_ms);
        Ok(Limits { timeout, memory_bytes, log_bytes, log_lines, result_bytes })
    }
}

impl FailureParameters {
    fn read(self) -> Result<ResolvedParameters, DocumentError> {
        let mut values = Parameters::default();
        for FailureParameter { name, kind, value } in self.values {
            let path = || format!("parameters.{}", in_short(&name));
            if values.get(&name).is_some() {
                return Err(field(path(), "it is there twice".to_owned()));
            }
            let problem = || format!("{} is not {}", in_short(&value.to_string()), kind.as_str());
            let value = kind.read(&value).ok_or_else(|| field(path(), problem()))?;
            values.set(name, value);
        }
        let hash = values.hash();
        unchanged("parameters.hash", &self.hash, &hash.to_string())?;
        Ok(ResolvedParameters { values, origins: BTreeMap::new(), version: self.version, level: Level::Default, hash })
    }
}

impl FailureLogLine {
    fn new(line: &LogLine) -> Self {
        Self { level: line.level.as_str().to_owned(), message: line.message.clone() }
    }

    fn read(self) -> Result<LogLine, DocumentError> {
        let level = LogLevel::ALL.into_iter().find(|level| level.as_str() == self.level);
        let unknown = || field("log", format!("{:?} is no level: debug, info, warn or error", in_short(&self.level)));
        Ok(LogLine { level: level.ok_or_else(unknown)?, message: self.message })
    }
}

fn field(field: impl Into<String>, problem: String) -> DocumentError {
    DocumentError::Field { field: field.into(), problem }
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(name: &str, text: &str) -> Result<T, DocumentError> {
    text.parse().map_err(|error: T::Err| field(name, in_short(&error.to_string())))
}

fn digest<Of>(name: &str, text: &str) -> Result<ta_bot_core::Digest<Of>, DocumentError> {
    text.parse().map_err(|_| field(name, format!("{:?} is no SHA-256 of 64 hex digits", in_short(text))))
}

fn within(name: &str, given: u64, most: u64) -> Result<(), DocumentError> {
    if (1..=most).contains(&given) { Ok(()) } else { Err(field(name, format!("{given}: give 1 to {most}"))) }
}

fn unchanged(field: &'static str, stored: &str, made: &str) -> Result<(), DocumentError> {
    if stored == made {
        return Ok(());
    }
    Err(DocumentError::Changed { field, stored: in_short(stored), made: made.to_owned() })
}

/// Cuts a text from a document to a length that fits into a line.
fn in_short(text: &str) -> String {
    text.chars().take(200).collect()
}
