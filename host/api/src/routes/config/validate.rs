//! A dry run of a configuration.

use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use ta_bot_core::{StrategyId, Symbol};
use ta_bot_engine::settings::{
    config_store::ConfigKey,
    parameters::{Change, Merge},
};
use utoipa::ToSchema;

use super::{Shared, change::warnings};
use crate::{
    answer::{Answer, Envelope},
    error::ApiError,
    problem::Problem,
    request::{
        fields::Fields,
        refusals::GuestRefusals,
        target::known,
        write::{Given, WriteRequest, author},
    },
    views::warning::WarningView,
};

/// The configuration to check.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "describes the body, which is read field by field to report every problem")]
pub(super) struct ValidateBody {
    strategy_id: String,
    /// The symbol; null or absent for all symbols.
    symbol: Option<String>,
    /// Values by name.
    #[schema(value_type = Object)]
    parameters: Given,
}

/// A configuration that would be accepted.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ValidView {
    /// Always true: an invalid configuration gets the same error response as the write itself would.
    valid: bool,
    strategy_id: String,
    symbol: Option<String>,
    /// The parameters that would be stored.
    #[schema(value_type = Object)]
    parameters: Value,
    /// What to know of values that would be taken all the same.
    warnings: Vec<WarningView>,
}

/// Checks a configuration as PUT would, and stores nothing.
#[utoipa::path(
    post,
    path = "/api/v1/config/validate",
    tag = "configuration",
    request_body = ValidateBody,
    responses((status = 200, body = Envelope<ValidView>), GuestRefusals)
)]
pub(super) async fn validate(State(services): Shared, request: WriteRequest) -> Result<Answer<ValidView>, ApiError> {
    let mut fields = Fields::new(request.body.required()?, &["strategy_id", "symbol", "parameters"])?;
    let strategy: Option<StrategyId> = fields.required("strategy_id");
    let symbol: Option<Symbol> = fields.parsed("symbol");
    let given = fields.take("parameters").unwrap_or(Value::Null);
    let parameters = given.as_object().cloned();
    if parameters.is_none() {
        fields.refuse(Problem::new("parameters", &given, "an object of values by name"));
    }
    let author = author(&mut fields, request.caller);
    let (strategy, parameters) = fields.finish(strategy.zip(parameters))?;
    known(&services, &strategy)?;
    let key = ConfigKey { strategy, symbol };
    let view = ValidView {
        valid: true,
        strategy_id: key.strategy.to_string(),
        symbol: key.symbol.as_ref().map(ToString::to_string),
        warnings: warnings(&services, &key, &parameters),
        parameters: given,
    };
    let change = Change { key, parameters, merge: Merge::Replace, expected: None, validate_only: true, author };
    let check = async move { Ok(services.parameters.change(change).await?) };
    request.turns.take()?.run(check).await?;
    Ok(Answer::new(view))
}
