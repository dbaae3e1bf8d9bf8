//! One strategy: its description, its parameters and their defaults.

use axum::extract::State;
use serde::Serialize;
use serde_json::{Value, json};
use ta_bot_core::{Columns, ExtraInput, InputSymbol, InputTimeframe, ParameterSpec};
use utoipa::ToSchema;

use super::list::StrategyView;
use crate::{
    answer::{Answer, Envelope},
    request::{refusals::ReadRefusals, target::Target, write::Shared},
};

/// A strategy in full.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StrategyDetail {
    #[serde(flatten)]
    summary: StrategyView,
    /// How many candles of the series under evaluation it gets.
    lookback: u32,
    /// The timeframes on which it runs; empty for all.
    timeframes: Vec<String>,
    /// Which columns of a candle it reads.
    columns: Vec<&'static str>,
    /// The extra series it reads.
    extra_inputs: Vec<ExtraView>,
    /// The parameters that can be set, in the strategy's own order.
    parameters: Vec<SpecView>,
}

/// An additional series that a strategy reads.
#[derive(Debug, Serialize, ToSchema)]
struct ExtraView {
    /// The symbol; null for the symbol under evaluation.
    symbol: Option<String>,
    /// `next_higher`, or a timeframe such as `1h`.
    timeframe: &'static str,
    lookback: u32,
    columns: Vec<&'static str>,
}

/// One parameter's declaration.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SpecView {
    name: String,
    description: String,
    /// `boolean`, `integer`, `number` or `text`.
    #[serde(rename = "type")]
    kind: Value,
    /// The default; null if the parameter is optional.
    default: Value,
    min: Option<f64>,
    max: Option<f64>,
    /// The allowed texts; empty for any.
    choices: Vec<String>,
    /// What values are allowed, in words.
    allowed: String,
}

/// One strategy.
#[utoipa::path(
    get,
    path = "/api/v1/strategies/{id}",
    operation_id = "get_strategy",
    tag = "strategies",
    params(("id" = String, Path, description = "The strategy")),
    responses((status = 200, body = Envelope<StrategyDetail>), ReadRefusals)
)]
pub(super) async fn detail(State(services): Shared, target: Target) -> Answer<StrategyDetail> {
    let described = target.module.description();
    Answer::new(StrategyDetail {
        summary: StrategyView::of(&services, &target.module),
        lookback: described.lookback,
        timeframes: described.timeframes.iter().map(|timeframe| timeframe.as_str().to_owned()).collect(),
        columns: columns(described.columns),
        extra_inputs: described.extra.iter().map(extra).collect(),
        parameters: described.schema.specs().iter().map(spec).collect(),
    })
}

/// The parameters that can be set.
#[utoipa::path(
    get,
    path = "/api/v1/strategies/{id}/schema",
    operation_id = "get_strategy_schema",
    tag = "strategies",
    params(("id" = String, Path, description = "The strategy")),
    responses((status = 200, body = Envelope<Vec<SpecView>>), ReadRefusals)
)]
pub(super) async fn schema(target: Target) -> Answer<Vec<SpecView>> {
    Answer::list(target.module.description().schema.specs().iter().map(spec).collect())
}

/// The default values, in the shape in which a configuration is written.
#[utoipa::path(
    get,
    path = "/api/v1/strategies/{id}/defaults",
    operation_id = "get_strategy_defaults",
    tag = "strategies",
    params(("id" = String, Path, description = "The strategy")),
    responses((status = 200, body = Envelope<Value>), ReadRefusals)
)]
pub(super) async fn defaults(target: Target) -> Answer<Value> {
    Answer::new(target.module.description().schema.defaults().to_json())
}

fn spec(spec: &ParameterSpec) -> SpecView {
    SpecView {
        name: spec.name.clone(),
        description: spec.description.clone(),
        kind: json!(spec.kind),
        default: json!(spec.default),
        min: spec.min,
        max: spec.max,
        choices: spec.choices.clone(),
        allowed: spec.allowed(),
    }
}

fn extra(input: &ExtraInput) -> ExtraView {
    ExtraView {
        symbol: match &input.symbol {
            InputSymbol::Own => None,
            InputSymbol::Fixed(symbol) => Some(symbol.to_string()),
        },
        timeframe: match input.timeframe {
            InputTimeframe::NextHigher => "next_higher",
            InputTimeframe::Fixed(timeframe) => timeframe.as_str(),
        },
        lookback: input.lookback,
        columns: columns(input.columns),
    }
}

fn columns(columns: Columns) -> Vec<&'static str> {
    let Columns { open_time, open, high, low, close, volume } = columns;
    let named =
        [("open_time", open_time), ("open", open), ("high", high), ("low", low), ("close", close), ("volume", volume)];
    named.into_iter().filter_map(|(name, is_read)| is_read.then_some(name)).collect()
}
