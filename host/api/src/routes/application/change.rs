//! Changing the settings.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use ta_bot_core::{Enabled, SettingsPatch};
use ta_bot_engine::{settings::config_store::AuditEntry, signals::bus::Notice};
use utoipa::ToSchema;

use super::view::SettingsView;
use crate::{
    Services,
    answer::{Answer, Envelope},
    error::ApiError,
    request::{
        condition::Condition,
        fields::Fields,
        refusals::WriteRefusals,
        write::{AuditView, Shared, WriteRequest, author, tell},
    },
};

/// The settings to change; absent ones stay as they are.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "describes the body, which is read field by field to report every problem")]
pub(super) struct SettingsBody {
    symbols: Option<Vec<String>>,
    /// May also be called `candle_periods`.
    timeframes: Option<Vec<String>>,
    /// A list of strategy ids, which may be empty to enable none, or the text `all` for all registered strategies.
    #[schema(value_type = Option<EnabledBody>)]
    enabled_strategies: Option<Value>,
    min_confidence: Option<f64>,
    max_confidence: Option<f64>,
    /// The series whose holes belong to their market, each as symbol and timeframe, such as `ADAUSDT 5m`.
    accepted_holes: Option<Vec<String>>,
    /// Who makes the change; defaults to the token's role or `api`.
    changed_by: Option<String>,
    /// The reason for the change.
    reason: Option<String>,
    /// Only check the settings; store nothing.
    validate_only: Option<bool>,
}

/// Which strategies run.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "describes the field")]
enum EnabledBody {
    /// All registered strategies, as the text `all`.
    All(String),
    /// Only these strategies.
    Only(Vec<String>),
}

/// What a change did, and the settings in use after it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SettingsChange {
    /// The entry in the history; null if the settings were only checked.
    change: Option<AuditView>,
    validate_only: bool,
    settings: SettingsView,
}

const KNOWN: [&str; 10] = [
    "symbols",
    "timeframes",
    "candle_periods",
    "enabled_strategies",
    "min_confidence",
    "max_confidence",
    "accepted_holes",
    "changed_by",
    "reason",
    "validate_only",
];

/// Changes the settings that the body names.
#[utoipa::path(
    post,
    path = "/api/v1/config/application",
    operation_id = "change_application_settings",
    tag = "application",
    params(("If-Match" = Option<String>, Header, description = "Write only if this version is stored; * for any")),
    request_body = SettingsBody,
    responses((status = 200, body = Envelope<SettingsChange>), WriteRefusals)
)]
pub(super) async fn post(State(services): Shared, request: WriteRequest) -> Result<Answer<SettingsChange>, ApiError> {
    let mut fields = Fields::new(request.body.required()?, &KNOWN)?;
    let patch = patch(&mut fields);
    let author = author(&mut fields, &request.sender);
    let validate_only = fields.flag("validate_only");
    let patch = fields.finish(Some(patch))?;
    let expected = expected(&services, request.condition).await?;
    let entry = services.settings.change(patch, expected, validate_only, &author).await?;
    Ok(done(&services, entry, validate_only).await)
}

fn patch(fields: &mut Fields) -> SettingsPatch {
    SettingsPatch {
        symbols: fields.list("symbols"),
        timeframes: fields.list("timeframes").or_else(|| fields.list("candle_periods")),
        enabled_strategies: enabled(fields, "enabled_strategies"),
        min_confidence: fields.number("min_confidence"),
        max_confidence: fields.number("max_confidence"),
        accepted_holes: fields.list("accepted_holes"),
    }
}

/// A list of strategies, or the word `all`. Null counts as absent everywhere, so it can't stand for all.
fn enabled(fields: &mut Fields, name: &str) -> Option<Enabled> {
    const ALLOWED: &str = "a list of strategies, or \"all\"";
    match fields.take(name)? {
        Value::String(word) if word == "all" => Some(Enabled::All),
        value => fields.list_of(name, &value, ALLOWED).map(Enabled::Only),
    }
}

/// Notifies replicas of a change, and returns the settings in use after it.
pub(super) async fn done(
    services: &Services,
    entry: Option<AuditEntry>,
    validate_only: bool,
) -> Answer<SettingsChange> {
    if entry.is_some() {
        tell(services, Notice::ConfigurationChanged).await;
    }
    let current = services.settings.current();
    let version = entry.as_ref().map_or(current.version, |entry| entry.version);
    let settings = SettingsView::of(services, &current);
    Answer::new(SettingsChange { change: entry.map(AuditView::from), validate_only, settings }).version(version)
}

/// The version that must be stored for a write to succeed.
pub(super) async fn expected(services: &Services, condition: Condition) -> Result<Option<i64>, ApiError> {
    let current = async || {
        services.settings.refresh().await?;
        Ok(services.settings.current().version)
    };
    condition.expected(current).await
}
