//! The settings in use.

use axum::extract::State;
use serde::Serialize;
use ta_bot_engine::settings::config_store::StoredSettings;
use utoipa::ToSchema;

use crate::{
    Services,
    answer::{Answer, Envelope},
    error::ApiError,
    request::{refusals::ReadRefusals, write::Shared},
};

/// What the service runs, and which signals it sends.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SettingsView {
    symbols: Vec<String>,
    timeframes: Vec<String>,
    /// The enabled strategies: null means all registered ones, an empty list means none.
    enabled_strategies: Option<Vec<String>>,
    min_confidence: f64,
    max_confidence: f64,
    /// The series whose holes belong to their market, each as symbol and timeframe.
    accepted_holes: Vec<String>,
    /// The version; 0 while the environment's settings are in use.
    version: i64,
    /// Where the settings come from: `environment`, or the store's name.
    source: &'static str,
    /// When they were last changed; null while the environment's settings are in use.
    updated_at: Option<String>,
}

impl SettingsView {
    pub(super) fn of(services: &Services, stored: &StoredSettings) -> Self {
        let settings = &stored.settings;
        let is_stored = stored.version > 0;
        let enabled = settings.enabled_strategies.as_ref();
        Self {
            symbols: settings.symbols.iter().map(ToString::to_string).collect(),
            timeframes: settings.timeframes.iter().map(|timeframe| timeframe.as_str().to_owned()).collect(),
            enabled_strategies: enabled.map(|enabled| enabled.iter().map(ToString::to_string).collect()),
            min_confidence: settings.min_confidence,
            max_confidence: settings.max_confidence,
            accepted_holes: settings.accepted_holes.iter().map(ToString::to_string).collect(),
            version: stored.version,
            source: if is_stored { services.settings.store_name() } else { "environment" },
            updated_at: is_stored.then(|| stored.updated_at.to_string()),
        }
    }
}

/// The settings in use.
#[utoipa::path(
    get,
    path = "/api/v1/config/application",
    operation_id = "get_application_settings",
    tag = "application",
    responses(
        (status = 200, body = Envelope<SettingsView>, headers(("ETag" = String, description = "The version, quoted"))),
        ReadRefusals,
    )
)]
pub(super) async fn get(State(services): Shared) -> Result<Answer<SettingsView>, ApiError> {
    services.settings.known()?;
    let current = services.settings.current();
    Ok(Answer::new(SettingsView::of(&services, &current)).version(current.version))
}
