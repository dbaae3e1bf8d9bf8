//! What can go wrong with a command. The messages tell the user what to do next.

use std::{
    borrow::Cow,
    io,
    path::{Path, PathBuf},
};

use serde_json::{Value as Json, json};
use ta_bot_api::{
    access::NobodyMayCall,
    tokens::{LocalKeyError, TokenFileError},
};
use ta_bot_backtest::{
    run::{KeptError, RunError},
    trading::TradingError,
};
use ta_bot_core::{FailureId, ModuleDigest, ParameterProblem, SignalId, StrategyId, Symbol, Timeframe, Timestamp};
use ta_bot_engine::{
    deployments::{impact::ImpactError, rollout::RolloutError},
    market::{candle_store::SeriesSummary, import::ImportError},
    modules::{
        catalog::{CheckError, RemoveError, UploadError},
        judge::NotJudged,
        loader::LoadingError,
        signature::SignatureError,
    },
    pipeline::{analysis::AnalysisError, repair::RepairError},
    retention::{kind::Kind, store::RetentionStore},
    settings::parameters::ParameterError,
    signals::bus::BusError,
    supervision::failure::document::DocumentError,
    support::store_error::{StoreError, WriteError},
};
use ta_bot_wasm::SandboxError;
use thiserror::Error;

use crate::environment::EnvError;

mod docs;
mod project;

pub(in crate::cli) use docs::{Difference, DocsError};
pub(in crate::cli) use project::ProjectError;

/// Exit code of a command that failed.
pub(super) const FAILED: u8 = 1;
/// Exit code of wrong usage and of a wrong environment.
pub(super) const WRONG_USAGE: u8 = 2;

/// Why a command failed.
#[derive(Debug, Error)]
pub(super) enum CliError {
    #[error("{}", lines(.0))]
    Environment(Vec<EnvError>),
    #[error(transparent)]
    Tokens(TokenFileError),
    #[error(transparent)]
    Access(NobodyMayCall),
    #[error(transparent)]
    LocalKey(LocalKeyError),
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Bus(#[from] BusError),
    #[error(
        "there is no stream of signals, because the bus is in the process of the service: set NATS_URL as the service has it"
    )]
    NoStream,
    #[error(transparent)]
    Import(#[from] ImportError),
    #[error(transparent)]
    Analysis(#[from] AnalysisError),
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// An error from the wiring of the parts, which has no error type of its own.
    #[error("{0:#}")]
    App(anyhow::Error),
    #[error("{0}")]
    Start(String),
    #[error(
        "there are no candles yet. Import candles first: ta-bot candles import FILE --symbol BTCUSDT --timeframe 15m \
         (the folder examples/candles of the project has samples)"
    )]
    NoCandles,
    #[error("there are no candles of {symbol} {timeframe}. There are: {}", named(.there))]
    UnknownSeries { symbol: Symbol, timeframe: Timeframe, there: Vec<SeriesSummary> },
    #[error("there are no candles of {symbol}{}. There are: {}", of(*.timeframe), named(.there))]
    NoSeries { symbol: Symbol, timeframe: Option<Timeframe>, there: Vec<SeriesSummary> },
    #[error("no candle of {symbol} {timeframe} had closed at {at}. The oldest closed at {first}")]
    TooEarly { symbol: Symbol, timeframe: Timeframe, at: Timestamp, first: Timestamp },
    #[error("--at {at} lies in the future (it is {now} now): leave --at away for the newest candle, or correct it")]
    Future { at: Timestamp, now: Timestamp },
    #[error(
        "there are no strategies: STRATEGIES_DIR {} {problem}. Run `make strategies` to build the built-in ones, or \
         give another folder by --strategies-dir", path.display()
    )]
    NoStrategies { path: PathBuf, problem: String },
    #[error("none of the strategies can be used:\n{}", .0.join("\n"))]
    NoneUsable(Vec<String>),
    #[error("there is no strategy {id}. There are: {}", listed(.known))]
    UnknownStrategy { id: StrategyId, known: Vec<StrategyId> },
    #[error("there is no signal {0} in this store; `ta-bot signals list` lists them")]
    UnknownSignal(SignalId),
    #[error(
        "there is no signal {what} in this store; if there was one, it was stored before {removed_to}, and such signals are no \
         longer kept (RETENTION_SIGNALS_DAYS)"
    )]
    NoLongerKept { what: String, removed_to: Timestamp },
    #[error("there is no signal with the number {0} in this store; `ta-bot signals list` lists them")]
    UnknownSequence(i64),
    #[error("there is no failure {0} in this store; `ta-bot failures list` lists them")]
    UnknownFailure(FailureId),
    #[error(
        "{} can't be read ({reason}): give a signal_id of 64 hex digits, or the file of a failure's bundle as GET \
         /api/v1/failures/ID and `ta-bot failures download` give it", path.display()
    )]
    BundleFile { path: PathBuf, reason: io::Error },
    #[error("{} is no bundle of a failure: {problem}", path.display())]
    Bundle { path: PathBuf, problem: DocumentError },
    #[error(
        "{} has the digest {found}, and the bundle is of the module {wanted}: give that one's file, or none where it is in \
         STRATEGIES_DIR", path.display()
    )]
    OtherModule { path: PathBuf, found: ModuleDigest, wanted: ModuleDigest },
    #[error("{} can't be read: {reason}", path.display())]
    ModuleFile { path: PathBuf, reason: io::Error },
    #[error("{} is no strategy: {problem}. {advice}", path.display())]
    Unfit { path: PathBuf, kind: Cow<'static, str>, problem: String, advice: String },
    #[error("{} could not be checked, which says nothing about it: {problem}. Try again", path.display())]
    NotJudged { path: PathBuf, problem: NotJudged },
    #[error("{} can't be read: {problem}", path.display())]
    KeyFile { path: PathBuf, problem: String },
    #[error("{} can't be written: {reason}", path.display())]
    Write { path: PathBuf, reason: io::Error },
    #[error("{} is there already, and a key is never overwritten: give another name", path.display())]
    KeyExists { path: PathBuf },
    #[error("{} is there already, and a file is never overwritten: give another name", path.display())]
    FileExists { path: PathBuf },
    #[error(
        "there is no module {0}: `ta-bot modules list` lists those that were uploaded, and `ta-bot modules upload` takes \
         one more"
    )]
    UnknownModule(String),
    #[error("several modules begin with {given}: {}. Give more digits", listed(.there))]
    AmbiguousModule { given: String, there: Vec<ModuleDigest> },
    #[error(
        "the module {module} was taken but could not be checked, which says nothing about it: {problem}. Upload it again; a \
         service on this store checks it, too"
    )]
    Unchecked { module: ModuleDigest, problem: CheckError },
    #[error(transparent)]
    Upload(UploadError),
    #[error(transparent)]
    Remove(RemoveError),
    #[error("{}", told(.0))]
    Rollout(RolloutError),
    #[error(
        "not scheduled: {}. Scheduled are: {}. SUPPORTED_SYMBOLS and POST /api/v1/config/application say which are",
        listed(.given), listed(.scheduled)
    )]
    Unscheduled { given: Vec<Symbol>, scheduled: Vec<Symbol> },
    #[error(transparent)]
    TooMuch(ImpactError),
    #[error(transparent)]
    Repair(RepairError),
    #[error("{} is not signed by a trusted key: {problem}", path.display())]
    Signature { path: PathBuf, problem: SignatureError },
    #[error("the key can't be made: {0}")]
    Key(SignatureError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Trading(#[from] TradingError),
    #[error("{} holds no assumptions of a backtest: {problem}. docs/backtest.md says what it may hold", path.display())]
    Terms { path: PathBuf, problem: String },
    #[error(transparent)]
    Docs(#[from] DocsError),
    #[error(transparent)]
    Project(#[from] ProjectError),
    #[error("the answer can't be written: {0}")]
    Output(io::Error),
}

impl CliError {
    /// Converts an error of the wiring, and finds the errors in it that have a variant of their own.
    pub(super) fn of_app(error: anyhow::Error) -> Self {
        // The token file belongs to the environment, though only the service reads it.
        let error = match error.downcast::<TokenFileError>() {
            Ok(tokens) => return Self::Tokens(tokens),
            Err(other) => other,
        };
        // So does a file of which only the drivers know what it says.
        let error = match error.downcast::<EnvError>() {
            Ok(variable) => return Self::Environment(vec![variable]),
            Err(other) => other,
        };
        let error = match error.downcast::<NobodyMayCall>() {
            Ok(closed) => return Self::Access(closed),
            Err(other) => other,
        };
        let error = match error.downcast::<LocalKeyError>() {
            Ok(key) => return Self::LocalKey(key),
            Err(other) => other,
        };
        error.downcast::<StoreError>().map_or_else(Self::App, Self::Store)
    }

    /// For a signal that is not there: the error that says up to when signals are no longer kept, if some were removed.
    pub(super) async fn or_no_longer_kept(self, signals: &dyn RetentionStore) -> Self {
        let what = match &self {
            Self::UnknownSignal(id) => id.to_string(),
            Self::UnknownSequence(number) => format!("with the number {number}"),
            _ => return self,
        };
        match signals.removed_to(Kind::Signals).await {
            Ok(Some(removed_to)) => Self::NoLongerKept { what, removed_to },
            Ok(None) => self,
            Err(error) => error.into(),
        }
    }

    /// A stable word for programs.
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::Environment(_) | Self::Tokens(_) | Self::Access(_) => "environment",
            Self::LocalKey(_) => "local_key",
            Self::Usage(_) => "usage",
            Self::Store(_) => "store",
            Self::Bus(_) => "bus",
            Self::NoStream => "no_stream",
            Self::Import(_) => "import",
            Self::Analysis(_) => "analysis",
            Self::Sandbox(_) | Self::App(_) | Self::Start(_) | Self::Key(_) => "failed",
            Self::NoCandles => "no_candles",
            Self::UnknownSeries { .. } | Self::NoSeries { .. } => "unknown_series",
            Self::TooEarly { .. } => "too_early",
            Self::Future { .. } => "future",
            Self::NoStrategies { .. } => "no_strategies",
            Self::NoneUsable(_) => "no_usable_strategies",
            Self::UnknownStrategy { .. } => "unknown_strategy",
            Self::UnknownSignal(_) | Self::UnknownSequence(_) | Self::NoLongerKept { .. } => "unknown_signal",
            Self::UnknownFailure(_) => "unknown_failure",
            Self::ModuleFile { .. } | Self::BundleFile { .. } => "unreadable_file",
            Self::Bundle { .. } => "bad_bundle",
            Self::OtherModule { .. } => "other_module",
            Self::Unfit { .. } => "unfit_module",
            Self::KeyFile { .. } => "unreadable_key",
            Self::Write { .. } => "unwritable_file",
            Self::KeyExists { .. } => "key_exists",
            Self::FileExists { .. } => "file_exists",
            Self::UnknownModule(_) => "unknown_module",
            Self::AmbiguousModule { .. } => "ambiguous_module",
            Self::Unchecked { .. } | Self::NotJudged { .. } => "unchecked",
            Self::Upload(error) => error.code(),
            Self::Remove(error) => error.code(),
            Self::Rollout(error) => error.code(),
            Self::Unscheduled { .. } => "unscheduled_symbol",
            Self::TooMuch(_) => "too_much",
            Self::Repair(RepairError::Foreign(_)) => "foreign_tables",
            Self::Repair(RepairError::UnknownRepair(_)) => "unknown_repair",
            Self::Repair(_) => "unsound_candle",
            Self::Signature { .. } => "bad_signature",
            Self::Run(RunError::Kept(_)) => "run_folder",
            Self::Run(RunError::Stopped) => "stopped",
            Self::Run(_) => "run",
            Self::Trading(TradingError::Assumptions(_)) | Self::Terms { .. } => "assumptions",
            Self::Trading(_) => "trading",
            Self::Docs(error) => error.code(),
            Self::Project(error) => error.code(),
            Self::Output(_) => "output",
        }
    }

    pub(super) const fn exit_code(&self) -> u8 {
        match self {
            Self::Environment(_) | Self::Tokens(_) | Self::Access(_) | Self::Usage(_) => WRONG_USAGE,
            _ => FAILED,
        }
    }

    pub(super) fn to_json(&self) -> Json {
        json!({"error": {"code": self.code(), "message": self.to_string(), "details": self.details()}})
    }

    fn details(&self) -> Json {
        match self {
            Self::Environment(errors) => {
                let entry = |error: &EnvError| json!({"variable": error.name, "problem": error.problem});
                errors.iter().map(entry).collect()
            }
            Self::UnknownSeries { there, .. } | Self::NoSeries { there, .. } => {
                let entry = |series: &SeriesSummary| json!({"symbol": series.symbol, "timeframe": series.timeframe});
                there.iter().map(entry).collect()
            }
            Self::NoneUsable(problems) => json!(problems),
            Self::Docs(error) => error.details(),
            Self::UnknownStrategy { known, .. } => json!(known),
            Self::AmbiguousModule { there, .. } => json!(there),
            Self::Unscheduled { given, .. } => json!(given),
            Self::Rollout(RolloutError::Misfits(problems)) => json!(problems),
            Self::Rollout(RolloutError::Write(WriteError::Conflict { expected, current })) => {
                json!({"expected_version": expected, "current_version": current})
            }
            Self::Unfit { path, kind, problem, advice } => {
                json!({"file": shown(path), "kind": kind, "problem": problem, "advice": advice})
            }
            _ => Json::Null,
        }
    }
}

impl From<RolloutError> for CliError {
    fn from(error: RolloutError) -> Self {
        match error {
            RolloutError::Write(WriteError::Store(error))
            | RolloutError::Loading(LoadingError::Store(error))
            | RolloutError::Parameters(ParameterError::Write(WriteError::Store(error))) => Self::Store(error),
            error => Self::Rollout(error),
        }
    }
}

impl From<KeptError> for CliError {
    fn from(error: KeptError) -> Self {
        Self::Run(error.into())
    }
}

impl From<RemoveError> for CliError {
    fn from(error: RemoveError) -> Self {
        match error {
            RemoveError::Store(error) => Self::Store(error),
            RemoveError::Unknown(digest) => Self::UnknownModule(digest.to_string()),
            error => Self::Remove(error),
        }
    }
}

impl From<RepairError> for CliError {
    fn from(error: RepairError) -> Self {
        match error {
            RepairError::Store(error) => error.into(),
            RepairError::Analysis(error) => error.into(),
            error => Self::Repair(error),
        }
    }
}

impl From<ImpactError> for CliError {
    fn from(error: ImpactError) -> Self {
        match error {
            ImpactError::Rollout(error) => error.into(),
            ImpactError::Analysis(error) => error.into(),
            // This process asks only one question, so it is never busy with another.
            ImpactError::TooMuch { .. } | ImpactError::Busy => Self::TooMuch(error),
        }
    }
}

/// Why a change was refused, with each parameter on its own line.
fn told(error: &RolloutError) -> String {
    let RolloutError::Misfits(problems) = error else { return error.to_string() };
    let line = |ParameterProblem { parameter, given, allowed, .. }: &ParameterProblem| {
        format!("{parameter}: {given} is stored, and allowed is {allowed}")
    };
    [error.to_string()].into_iter().chain(problems.iter().map(line)).collect::<Vec<_>>().join("\n")
}

/// A comma-separated list of names, cut off after a certain number.
fn listed<T: ToString>(all: &[T]) -> String {
    const MOST: usize = 50;
    let named = all.iter().take(MOST).map(T::to_string).collect::<Vec<_>>().join(", ");
    match all.len() {
        0 => "none".to_owned(),
        count if count > MOST => format!("{named} and {} more", count - MOST),
        _ => named,
    }
}

/// A timeframe after a symbol, if there is one.
fn of(timeframe: Option<Timeframe>) -> String {
    timeframe.map(|timeframe| format!(" {timeframe}")).unwrap_or_default()
}

/// A path as text, for JSON.
pub(super) fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn lines(errors: &[EnvError]) -> String {
    errors.iter().map(EnvError::to_string).collect::<Vec<_>>().join("\n")
}

/// The series by symbol: `BTCUSDT 5m, 15m; ETHUSDT 1h`.
fn named(series: &[SeriesSummary]) -> String {
    let of_symbol = |group: &[SeriesSummary]| {
        let mut timeframes: Vec<Timeframe> = group.iter().map(|series| series.timeframe).collect();
        timeframes.sort();
        let timeframes: Vec<&str> = timeframes.into_iter().map(Timeframe::as_str).collect();
        group.first().map(|first| format!("{} {}", first.symbol, timeframes.join(", "))).unwrap_or_default()
    };
    series.chunk_by(|one, next| one.symbol == next.symbol).map(of_symbol).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_a_row_have_an_end() {
        assert_eq!((listed::<u8>(&[]).as_str(), listed(&[1, 2]).as_str()), ("none", "1, 2"));
        assert!(listed(&[7; 53]).ends_with("7, 7 and 3 more"));
    }

    #[test]
    fn what_there_is_goes_by_symbol() {
        let at = Timestamp::from_millis(0);
        let series = |symbol: &str, timeframe| SeriesSummary {
            symbol: symbol.parse().unwrap(),
            timeframe,
            candles: 1,
            first_open: at,
            last_open: at,
        };
        let there =
            vec![series("ADAUSDT", Timeframe::H1), series("ADAUSDT", Timeframe::M5), series("BTCUSDT", Timeframe::M15)];
        assert_eq!(named(&there), "ADAUSDT 5m, 1h; BTCUSDT 15m");
    }

    #[test]
    fn every_variable_is_named() {
        let wrong = |name| EnvError { name, problem: "is wrong".to_owned() };
        let error = CliError::Environment(vec![wrong("HTTP_ADDR"), wrong("LOG_LEVEL")]);
        assert_eq!(error.to_string(), "HTTP_ADDR: is wrong\nLOG_LEVEL: is wrong");
        assert_eq!(error.exit_code(), WRONG_USAGE);
        assert_eq!(error.to_json()["error"]["details"][1]["variable"], "LOG_LEVEL");
    }
}
