//! What a path names: a strategy, and a symbol if the path has one.

use std::{collections::HashMap, sync::Arc};

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use ta_bot_core::StrategyId;
use ta_bot_engine::{modules::registry::Progress, settings::config_store::ConfigKey};
use ta_bot_wasm::StrategyModule;

use crate::{Services, error::ApiError};

/// A configuration level of an existing strategy. Any valid symbol is accepted, because a symbol may be configured
/// before it has candles.
pub(crate) struct Target {
    pub(crate) key: ConfigKey,
    pub(crate) module: Arc<StrategyModule>,
}

impl FromRequestParts<Arc<Services>> for Target {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, services: &Arc<Services>) -> Result<Self, ApiError> {
        let Path(names): Path<HashMap<String, String>> =
            Path::from_request_parts(parts, services).await.map_err(|_| ApiError::UnknownRoute)?;
        let name = names.get("id").ok_or(ApiError::UnknownRoute)?;
        let id = name.parse::<StrategyId>().map_err(|error| ApiError::UnknownStrategy(error.to_string()))?;
        let module = known(services, &id)?;
        let symbol = names.get("symbol").map(|name| name.parse()).transpose();
        let symbol = symbol.map_err(|error: ta_bot_core::SymbolError| ApiError::BadSymbol(error.to_string()))?;
        Ok(Self { key: ConfigKey { strategy: id, symbol }, module })
    }
}

/// The module of an existing strategy. While modules are being compiled, an unknown strategy may still appear, so that
/// is reported as loading.
pub(crate) fn known(services: &Services, id: &StrategyId) -> Result<Arc<StrategyModule>, ApiError> {
    if let Some(module) = services.registry.get(id) {
        return Ok(module);
    }
    if *services.registry.progress() == Progress::Loading || services.registry.awaits(id) {
        return Err(ApiError::Loading);
    }
    let strategies = services.registry.strategies();
    let names: Vec<&str> = strategies.keys().map(StrategyId::as_str).collect();
    let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    Err(ApiError::UnknownStrategy(format!("there is no strategy {id}; there are {names}")))
}
