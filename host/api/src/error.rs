//! Every way in which a request can fail, and the one place that chooses its status and message.
//!
//! Error texts of stores and drivers go to the log only: the response says which store is unavailable and no more.

use std::borrow::Borrow;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use ta_bot_core::{ModuleDigest, SignalId, Symbol, Timeframe, Timestamp, TransitionError};
use ta_bot_engine::{
    deployments::{impact::ImpactError, rollout::RolloutError},
    modules::{
        catalog::{RemoveError, UploadError},
        loader::LoadingError,
    },
    pipeline::{analysis::AnalysisError, repair::RepairError},
    settings::{application::SettingsError, parameters::ParameterError},
    signals::bus::BusError,
    support::store_error::{StoreError, WriteError},
};
use ta_bot_wasm::InspectError;
use thiserror::Error;

use super::{
    answer::{ErrorBody, failure},
    problem::{Problem, Problems},
};
use crate::tokens::Role;

/// Why a request fails.
#[derive(Debug, Error)]
pub(crate) enum ApiError {
    #[error("{0}")]
    Malformed(String),
    #[error("there is no field {field:?} here; there are {known}")]
    UnknownField { field: String, known: String },
    #[error("this token is none of API_TOKENS_FILE: give a valid one, as Authorization: Bearer <token>")]
    NoToken,
    #[error("this token was valid until the end of {last_day} (UTC): give one that still is, see API_TOKENS_FILE")]
    Expired { last_day: String },
    #[error(
        "this needs the role {needed}, and a request without a token has {} here (API_ANONYMOUS_ROLE): give a token, as \
         Authorization: Bearer <token>; without API_TOKENS_FILE that is the key in DATA_DIR (ta-bot local-key)",
        .role.map_or("none", Role::as_str)
    )]
    Anonymous { needed: Role, role: Option<Role> },
    #[error("this needs the role {needed}; the token's role is {role}")]
    Forbidden { needed: Role, role: Role },
    #[error(
        "this comes from a page of another site (says its {header}), and such a page must not change anything here; use a \
         page of this address, or a program such as curl; a proxy before the service has to pass the header Host on"
    )]
    CrossSite { header: &'static str },
    #[error(
        "{who} may make {per_minute} requests a minute here, and has made them: try again in {retry_after} s; \
         API_REQUESTS_PER_MINUTE and API_TOKENS_FILE set how many"
    )]
    TooManyRequests { who: &'static str, per_minute: u32, retry_after: u32 },
    #[error("strategies are running for other requests; try again")]
    Busy,
    #[error("{most} modules are being uploaded already, and that is the most at once; try again")]
    UploadsBusy { most: usize },
    #[error("{most} clients follow the signals already, and that is the most at once; try again, or read the list")]
    TooManyStreams { most: usize },
    #[error("there is nothing at this path; /api/v1/openapi.json describes what there is")]
    UnknownRoute,
    #[error("this path does not take this method; see the header Allow")]
    Method,
    #[error("{0}")]
    UnknownStrategy(String),
    #[error("{0}")]
    BadSymbol(String),
    #[error("there are no closed candles of {0} {1}; GET /api/v1/candles lists what is there")]
    NoCandles(Symbol, Timeframe),
    #[error("no dead job fits that is not being retried already; GET /api/v1/dead-jobs lists them, with retried_at")]
    NoDeadJobs,
    #[error("{0}")]
    UnknownSignal(String),
    #[error(
        "there is no signal {id}; if there was one, it was stored before {removed_to}, and such signals are no longer kept \
         (RETENTION_SIGNALS_DAYS)"
    )]
    NoLongerKept { id: SignalId, removed_to: Timestamp },
    #[error("there is no failure {0:?}; GET /api/v1/failures lists them with their id, 64 hex digits")]
    UnknownFailure(String),
    #[error("the body did not arrive in time")]
    SlowBody,
    #[error("the body is too large: give at most {limit} bytes")]
    TooLarge { limit: usize },
    #[error("the body must be {expected}: send Content-Type: {expected}, not {given}")]
    MediaType { expected: &'static str, given: String },
    #[error(
        "without tokens (API_TOKENS_FILE) modules are taken, given and deployed, and candles changed, with the key in \
         DATA_DIR only: give it as Authorization: Bearer <key> (`ta-bot local-key` prints it to those who may read DATA_DIR), \
         or give the service tokens and use an operator's"
    )]
    LocalOnly,
    #[error(
        "without a token, only requests to localhost or a loopback address are answered, and this one's Host is \
         {given:?}: give a token, as Authorization: Bearer <token>, or let the service name this host in \
         HTTP_ALLOWED_HOSTS"
    )]
    Host { given: String },
    #[error(
        "too many connections are open: close some and try again; /healthz, /live, /ready, /health and /metrics are \
         answered all the same"
    )]
    Crowded,
    #[error("{0:?} is no digest of a module: give its SHA-256, 64 hex digits; GET /api/v1/modules lists them")]
    BadDigest(String),
    #[error("there is no module {0}; GET /api/v1/modules lists those that were uploaded")]
    UnknownModule(ModuleDigest),
    #[error("{} of the values can't be taken", .0.count())]
    Invalid(Problems),
    #[error("the strategies are still being compiled")]
    Loading,
    #[error("the request could not be answered: {0}")]
    Panic(String),
    #[error("metrics can't be written: {0}")]
    Metrics(#[from] prometheus::Error),
    #[error(transparent)]
    Parameters(#[from] ParameterError),
    #[error(transparent)]
    Rollout(#[from] RolloutError),
    #[error(transparent)]
    TooMuch(ImpactError),
    #[error(
        "{jobs} finished jobs would be decided again, and {most} are the most for a request: do it on the service's stores by \
         `ta-bot candles` with --redecide, or repair a shorter stretch"
    )]
    TooManyJobs { jobs: usize, most: usize },
    #[error(transparent)]
    Repair(RepairError),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Analysis(#[from] AnalysisError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Bus(#[from] BusError),
    #[error(transparent)]
    Upload(#[from] UploadError),
    #[error(transparent)]
    Remove(#[from] RemoveError),
}

/// The text of an error that the response hides, for the request's line in the log.
#[derive(Debug, Clone)]
pub(crate) struct Cause(pub(crate) String);

/// After how many seconds a request is worth trying again that found no room, or a part that is away.
const RETRY_AFTER: u32 = 1;

/// Status, code, a message that replaces the error's own text if needed, and details.
type Choice = (StatusCode, &'static str, Option<String>, Value);

impl ApiError {
    /// The error for a name that means nothing in its place.
    pub(crate) fn unknown_field<T: Borrow<str>>(field: &str, known: &[T]) -> Self {
        let field = field.chars().take(100).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Self::UnknownField { field, known }
    }

    fn choose(&self) -> Choice {
        use StatusCode as S;
        let told = |status, code| (status, code, None, Value::Null);
        let hidden = |status, code, message: &str| (status, code, Some(message.to_owned()), Value::Null);
        match self {
            Self::Malformed(_) => told(S::BAD_REQUEST, "malformed"),
            Self::UnknownField { .. } => told(S::BAD_REQUEST, "unknown_field"),
            Self::NoToken | Self::Anonymous { .. } | Self::Expired { .. } => told(S::UNAUTHORIZED, "unauthorized"),
            Self::Forbidden { .. } => told(S::FORBIDDEN, "forbidden"),
            Self::CrossSite { .. } => told(S::FORBIDDEN, "cross_site"),
            Self::LocalOnly => told(S::FORBIDDEN, "local_only"),
            Self::Host { .. } => told(S::FORBIDDEN, "host_not_allowed"),
            Self::Crowded => told(S::SERVICE_UNAVAILABLE, "too_many_connections"),
            Self::BadDigest(_) | Self::UnknownModule(_) => told(S::NOT_FOUND, "unknown_module"),
            Self::Upload(error) => choose_for_upload(error),
            Self::Remove(error @ RemoveError::Unknown(_)) => told(S::NOT_FOUND, error.code()),
            Self::Remove(
                error @ (RemoveError::Bundled(_) | RemoveError::InUse { .. } | RemoveError::MadeSignals { .. }),
            ) => told(S::CONFLICT, error.code()),
            Self::TooMuch(_) | Self::TooManyJobs { .. } => told(S::UNPROCESSABLE_ENTITY, "too_much"),
            Self::Repair(RepairError::UnknownRepair(_)) => told(S::NOT_FOUND, "unknown_repair"),
            Self::Repair(RepairError::Foreign(_)) => told(S::UNPROCESSABLE_ENTITY, "foreign_tables"),
            Self::Repair(_) => told(S::UNPROCESSABLE_ENTITY, "unsound_candle"),
            Self::UploadsBusy { .. } | Self::TooManyStreams { .. } | Self::Busy => told(S::TOO_MANY_REQUESTS, "busy"),
            Self::TooManyRequests { .. } => told(S::TOO_MANY_REQUESTS, "too_many_requests"),
            Self::UnknownRoute => told(S::NOT_FOUND, "not_found"),
            Self::Method => told(S::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::UnknownStrategy(_) | Self::Parameters(ParameterError::UnknownStrategy(_)) => {
                told(S::NOT_FOUND, "unknown_strategy")
            }
            Self::BadSymbol(_) | Self::NoCandles(..) | Self::Analysis(AnalysisError::NoCandle(_)) => {
                told(S::NOT_FOUND, "unknown_symbol")
            }
            Self::UnknownSignal(_) => told(S::NOT_FOUND, "unknown_signal"),
            Self::NoLongerKept { removed_to, .. } => {
                (S::NOT_FOUND, "unknown_signal", None, json!({"removed_to": removed_to.to_string()}))
            }
            Self::UnknownFailure(_) => told(S::NOT_FOUND, "unknown_failure"),
            Self::NoDeadJobs => told(S::NOT_FOUND, "unknown_job"),
            Self::SlowBody => told(S::REQUEST_TIMEOUT, "timeout"),
            Self::TooLarge { .. } => told(S::PAYLOAD_TOO_LARGE, "too_large"),
            Self::MediaType { .. } => told(S::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"),
            Self::Invalid(problems) => self.refused(problems),
            Self::Parameters(ParameterError::Invalid(problems)) | Self::Rollout(RolloutError::Misfits(problems)) => {
                self.refused(&problems.iter().collect())
            }
            Self::Settings(SettingsError::Invalid(problems)) => self.refused(&problems.iter().collect()),
            Self::Parameters(ParameterError::Refused(reason)) => refused_by_strategy(reason),
            Self::Parameters(ParameterError::Unchecked(error)) => {
                (S::UNPROCESSABLE_ENTITY, "unchecked", None, json!({"cause": error.code()}))
            }
            Self::Parameters(ParameterError::UnknownVersion(version))
            | Self::Settings(SettingsError::UnknownVersion(version)) => {
                let problem = Problem::new("target_version", &json!(version), "a version of the history, see audit");
                (S::UNPROCESSABLE_ENTITY, "unknown_version", None, json!([problem]))
            }
            Self::Parameters(ParameterError::Write(WriteError::Conflict { expected, current }))
            | Self::Settings(SettingsError::Write(WriteError::Conflict { expected, current })) => {
                conflict(*expected, *current)
            }
            Self::Parameters(ParameterError::Write(WriteError::Store(error)))
            | Self::Settings(SettingsError::Write(WriteError::Store(error)))
            | Self::Analysis(AnalysisError::Store(error))
            | Self::Remove(RemoveError::Store(error))
            | Self::Store(error) => choose_for_store(error),
            Self::Rollout(error) => choose_for_rollout(error),
            Self::Bus(_) => hidden(S::SERVICE_UNAVAILABLE, "bus_away", "the bus is away; try again"),
            Self::Loading | Self::Settings(SettingsError::Loading) => told(S::SERVICE_UNAVAILABLE, "loading"),
            Self::Analysis(AnalysisError::GivenUp) => told(S::SERVICE_UNAVAILABLE, "given_up"),
            Self::Analysis(AnalysisError::NoRoom(..)) => told(S::SERVICE_UNAVAILABLE, "busy"),
            Self::Analysis(AnalysisError::Module(error)) if error.is_passing() => choose_for_loading(error),
            // The caller named no module, so this is the service's own failure.
            Self::Analysis(AnalysisError::Module(_)) => hidden(
                S::INTERNAL_SERVER_ERROR,
                "bad_module",
                "a deployed module can't be had; the service's log says why",
            ),
            Self::Analysis(AnalysisError::Refused { .. }) => told(S::INTERNAL_SERVER_ERROR, "bad_candles"),
            Self::Analysis(AnalysisError::Window(_)) => {
                hidden(S::INTERNAL_SERVER_ERROR, "bad_candles", "the stored candles of this series can't be used")
            }
            Self::Panic(_) | Self::Metrics(_) => {
                hidden(S::INTERNAL_SERVER_ERROR, "internal", "the service failed; its log says why")
            }
        }
    }

    fn refused(&self, problems: &Problems) -> Choice {
        let message = format!("{self}{}", problems.remark());
        (StatusCode::UNPROCESSABLE_ENTITY, "invalid", Some(message), json!(problems.named()))
    }
}

fn conflict(expected: i64, current: i64) -> Choice {
    let details = json!({"expected_version": expected, "current_version": current});
    (StatusCode::CONFLICT, "version_conflict", None, details)
}

fn refused_by_strategy(reason: &str) -> Choice {
    let problem = Problem::new("*", &Value::Null, reason);
    (StatusCode::UNPROCESSABLE_ENTITY, "refused_by_strategy", None, json!([problem]))
}

const fn of_transition(error: &TransitionError) -> StatusCode {
    match error {
        TransitionError::UnknownModule(_) => StatusCode::NOT_FOUND,
        TransitionError::NotAdmitted(_)
        | TransitionError::NeverChecked(_)
        | TransitionError::NeverPromoted(_)
        | TransitionError::NotBundled(_)
        | TransitionError::NothingBefore
        | TransitionError::UnknownRevision(_) => StatusCode::UNPROCESSABLE_ENTITY,
        TransitionError::Waiting(_)
        | TransitionError::Quarantined(_)
        | TransitionError::NotQuarantined(_)
        | TransitionError::NoShadow(_)
        | TransitionError::DecidesAlready(_) => StatusCode::CONFLICT,
    }
}

fn choose_for_rollout(error: &RolloutError) -> Choice {
    use StatusCode as S;
    let status = match error {
        RolloutError::UnknownStrategy(_) => S::NOT_FOUND,
        RolloutError::OtherStrategy { .. } | RolloutError::Misfits(_) => S::UNPROCESSABLE_ENTITY,
        RolloutError::Transition(error) => of_transition(error),
        RolloutError::Refused(reason) => return refused_by_strategy(reason),
        RolloutError::Loading(error) => return choose_for_loading(error),
        RolloutError::Parameters(ParameterError::Unchecked(cause)) => {
            return (S::UNPROCESSABLE_ENTITY, error.code(), None, json!({"cause": cause.code()}));
        }
        RolloutError::Parameters(ParameterError::Write(WriteError::Store(error)))
        | RolloutError::Write(WriteError::Store(error)) => return choose_for_store(error),
        RolloutError::Write(WriteError::Conflict { expected, current }) => return conflict(*expected, *current),
        RolloutError::Parameters(_) => S::INTERNAL_SERVER_ERROR,
    };
    (status, error.code(), None, Value::Null)
}

fn choose_for_loading(error: &LoadingError) -> Choice {
    use StatusCode as S;
    let status = match error {
        LoadingError::Unknown(_) => S::NOT_FOUND,
        LoadingError::Damaged(_) => S::INTERNAL_SERVER_ERROR,
        LoadingError::Unusable { .. } => S::UNPROCESSABLE_ENTITY,
        LoadingError::NoRoom(_) | LoadingError::NotCompiled(_) | LoadingError::GivenUp => S::SERVICE_UNAVAILABLE,
        LoadingError::Store(error) => return choose_for_store(error),
    };
    (status, error.code(), None, Value::Null)
}

fn choose_for_upload(error: &UploadError) -> Choice {
    let status = match error {
        UploadError::Refused(InspectError::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
        UploadError::Refused(_) | UploadError::NotSigned | UploadError::Signature(_) => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        UploadError::Full => StatusCode::TOO_MANY_REQUESTS,
        UploadError::NoRoom { .. } => StatusCode::INSUFFICIENT_STORAGE,
        UploadError::Store(error) => return choose_for_store(error),
    };
    (status, error.code(), None, Value::Null)
}

fn choose_for_store(error: &StoreError) -> Choice {
    let (status, store, said) = match error {
        // The caller gave the value, and the reason names nothing but the value, its column and the remedy.
        StoreError::DoesNotFit { reason, .. } => {
            return (StatusCode::UNPROCESSABLE_ENTITY, error.code(), Some(reason.clone()), Value::Null);
        }
        StoreError::Unavailable { store, .. } => (StatusCode::SERVICE_UNAVAILABLE, store, "is away"),
        StoreError::CannotWrite { store, .. } => (StatusCode::SERVICE_UNAVAILABLE, store, "can't write"),
        StoreError::Corrupt { store, .. } => (StatusCode::INTERNAL_SERVER_ERROR, store, "holds what can't be read"),
    };
    (status, error.code(), Some(format!("{store} {said}; the service's log says why")), json!({"store": store}))
}

impl From<RepairError> for ApiError {
    fn from(error: RepairError) -> Self {
        match error {
            RepairError::Store(error) => error.into(),
            RepairError::Analysis(error) => error.into(),
            error => Self::Repair(error),
        }
    }
}

impl From<ImpactError> for ApiError {
    fn from(error: ImpactError) -> Self {
        match error {
            ImpactError::TooMuch { .. } => Self::TooMuch(error),
            ImpactError::Busy => Self::Busy,
            ImpactError::Rollout(error) => error.into(),
            ImpactError::Analysis(error) => error.into(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code, message, details) = self.choose();
        let told = self.to_string();
        let message = message.unwrap_or_else(|| told.clone());
        let is_passing = matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS);
        let retry_after = match self {
            Self::TooManyRequests { retry_after, .. } => Some(retry_after),
            _ => is_passing.then_some(RETRY_AFTER),
        };
        let mut response = failure(status, ErrorBody { code, message, details }, retry_after);
        if status.is_server_error() {
            response.extensions_mut().insert(Cause(told));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
