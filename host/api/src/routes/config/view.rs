//! The JSON view of the parameters that apply at a level.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use ta_bot_core::Level;
use ta_bot_engine::settings::config_store::{ConfigKey, StoredConfig};
use utoipa::ToSchema;

use crate::{Services, error::ApiError, views::warning::MisfitView};

/// The parameters that apply to a strategy, for all symbols or for one.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ConfigView {
    strategy_id: String,
    /// The symbol; null for all symbols.
    symbol: Option<String>,
    /// The values that apply.
    #[schema(value_type = Object)]
    parameters: Value,
    /// Where each value comes from: `default`, `global` or `symbol`.
    #[schema(value_type = BTreeMap<String, String>)]
    origins: BTreeMap<String, Level>,
    /// Whether the strategy runs, which is the host's own parameter; null if what is stored is neither true nor false,
    /// and then the strategy does not run.
    enabled: Option<bool>,
    /// Where `enabled` comes from: `default`, `global` or `symbol`.
    #[schema(value_type = String)]
    enabled_origin: Level,
    /// The version of the nearest stored level; 0 if nothing is stored.
    version: i64,
    /// The name of the store that holds this level, or `default` if nothing is stored.
    source: &'static str,
    /// Whether parameters are stored for this symbol itself.
    is_override: bool,
    /// When the nearest level was first stored.
    created_at: Option<String>,
    /// When the nearest level last changed.
    updated_at: Option<String>,
    /// What is stored, at this level or at the one that it inherits from, and does not fit: the strategy is not
    /// evaluated, and `parameters` are those that would apply without it.
    misconfigured: Vec<MisfitView>,
    /// What is stored at this level itself; null if it only inherits.
    stored: Option<StoredView>,
}

/// What is stored at one level.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StoredView {
    /// The parameters that the level sets, and `enabled` if it sets it.
    #[schema(value_type = Object)]
    parameters: Value,
    /// The version, which `ETag` holds and `If-Match` is compared with.
    version: i64,
    created_at: String,
    updated_at: String,
    created_by: String,
}

impl ConfigView {
    /// Returns the view of `key`, and the version of this level itself, which is 0 if nothing is stored.
    pub(super) fn of(services: &Services, key: &ConfigKey) -> Result<(Self, i64), ApiError> {
        let book = &services.parameters;
        let (resolved, own) = book.read(key)?;
        let nearest = match (&own, &key.symbol) {
            (None, Some(_)) => book.read(&ConfigKey { symbol: None, ..key.clone() })?.1,
            _ => own.clone(),
        };
        let switch = book.switch(key);
        let view = Self {
            strategy_id: key.strategy.to_string(),
            symbol: key.symbol.as_ref().map(ToString::to_string),
            parameters: resolved.values.to_json(),
            origins: resolved.origins,
            enabled: switch.state.enabled(),
            enabled_origin: switch.level,
            version: resolved.version,
            source: if resolved.level == Level::Default { "default" } else { book.store_name() },
            is_override: resolved.level == Level::Symbol,
            created_at: nearest.as_ref().map(|level| level.created_at.to_string()),
            updated_at: nearest.as_ref().map(|level| level.updated_at.to_string()),
            misconfigured: misfits_at(services, key),
            stored: own.map(StoredView::from),
        };
        let version = view.stored.as_ref().map_or(0, |stored| stored.version);
        Ok((view, version))
    }
}

/// What does not fit of the parameters that count at a level.
fn misfits_at(services: &Services, key: &ConfigKey) -> Vec<MisfitView> {
    let Some(module) = services.registry.get(&key.strategy) else { return Vec::new() };
    let misfits = services.parameters.misfits(&module).into_iter();
    let counts = misfits.filter(|misfit| misfit.key.symbol.is_none() || misfit.key == *key);
    counts.map(MisfitView::from).collect()
}

impl From<StoredConfig> for StoredView {
    fn from(stored: StoredConfig) -> Self {
        Self {
            parameters: stored.parameters.into(),
            version: stored.version,
            created_at: stored.created_at.to_string(),
            updated_at: stored.updated_at.to_string(),
            created_by: stored.created_by,
        }
    }
}
