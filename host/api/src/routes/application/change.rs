//! A change of the settings.

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
    refusals::WriteRefusals,
    request::{
        condition::Condition,
        fields::Fields,
        write::{AuditView, Shared, WriteRequest, author, tell},
    },
};

/// What is to change; what is absent stays.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "describes the body; it is read field by field so that every problem is named")]
pub(super) struct SettingsBody {
    symbols: Option<Vec<String>>,
    /// May be called `candle_periods` too.
    timeframes: Option<Vec<String>>,
    /// A list of ids; an empty one enables none, and the text `all` all that are registered.
    #[schema(value_type = Option<EnabledBody>)]
    enabled_strategies: Option<Value>,
    min_confidence: Option<f64>,
    max_confidence: Option<f64>,
    /// Who; the token's role or `api` where absent.
    changed_by: Option<String>,
    /// Why.
    reason: Option<String>,
    /// Check only; store nothing.
    validate_only: Option<bool>,
}

/// Which strategies run.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "describes the field")]
enum EnabledBody {
    /// `all`.
    All(String),
    /// These.
    Only(Vec<String>),
}

/// What a change did, and what is in use since.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SettingsChange {
    /// The entry of the history; null where the settings were only checked.
    change: Option<AuditView>,
    validate_only: bool,
    settings: SettingsView,
}

const KNOWN: [&str; 9] = [
    "symbols",
    "timeframes",
    "candle_periods",
    "enabled_strategies",
    "min_confidence",
    "max_confidence",
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
    let (author, validate_only) = (author(&mut fields, request.caller), fields.flag("validate_only"));
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
    }
}

/// A list of strategies, or the word for all. Null is as good as absent everywhere, so it can't be that word.
fn enabled(fields: &mut Fields, name: &str) -> Option<Enabled> {
    const ALLOWED: &str = "a list of strategies, or \"all\"";
    match fields.take(name)? {
        Value::String(word) if word == "all" => Some(Enabled::All),
        value => fields.list_of(name, &value, ALLOWED).map(Enabled::Only),
    }
}

/// Tells of a change and answers what is in use since.
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

/// The version on which a write depends.
pub(super) async fn expected(services: &Services, condition: Condition) -> Result<Option<i64>, ApiError> {
    let current = async || {
        services.settings.refresh().await?;
        Ok(services.settings.current().version)
    };
    condition.expected(current).await
}
