//! What the shadow of a strategy would have changed.

use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use ta_bot_core::{Job, Shadowing};
use utoipa::ToSchema;

use super::deployment::Name;
use crate::{
    comparison::Comparison,
    http::{
        answer::{Answer, Envelope},
        error::ApiError,
        fields::QueryFields,
        journal::{DEFAULT_LIMIT, LIMITS},
        openapi::ReadRefusals,
        target,
        write::Shared,
    },
    rollout::view::ShadowView,
    shadows::{Compared, Counts, Said},
};

/// What a strategy's newest shadow would have changed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ShadowDetail {
    strategy_id: String,
    /// Null where no module has ever looked beside the one that decides.
    shadow: Option<ShadowProgress>,
}

/// How far a shadow has come.
#[derive(Debug, Serialize, ToSchema)]
struct ShadowProgress {
    #[serde(flatten)]
    shadow: ShadowView,
    /// The revision of the deployments with which it began.
    revision: i64,
    /// The first candle close at which it looks.
    looks_from: String,
    began_at: String,
    began_by: String,
    /// When it ended; null while it looks.
    ended_at: Option<String>,
    /// What ended it, such as `promote` or `end_shadow`; null while it looks.
    ended_by_action: Option<&'static str>,
    /// How many candles both have looked at.
    compared: u64,
    /// Nothing would have changed.
    agree: u64,
    /// Only the shadow signals.
    added: u64,
    /// Only the module that decides signals.
    missed: u64,
    /// Both signal, and not the same.
    changed: u64,
    /// The shadow gave no answer.
    failed: u64,
    /// The share of candles on which they do not agree, from 0 to 1.
    differing_share: f64,
    /// The candles on which they do not agree, newest first. Of a shadow that differs very often the first 10,000 are kept.
    differences: Vec<DifferenceOnCandle>,
}

/// A candle on which two modules differ.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DifferenceOnCandle {
    /// `added`, `missed`, `changed` or `failed`.
    difference: &'static str,
    symbol: String,
    timeframe: &'static str,
    candle_close: String,
    /// What the module that decides says: `outcome` and, as the case may be, `signal`, `reason`, or `code` and `message`.
    #[schema(value_type = Object)]
    incumbent: Value,
    /// What the other one says.
    #[schema(value_type = Object)]
    candidate: Value,
}

impl DifferenceOnCandle {
    pub(super) fn new(comparison: Comparison, job: &Job, said: Said) -> Self {
        Self {
            difference: comparison.as_str(),
            symbol: job.symbol.to_string(),
            timeframe: job.timeframe.as_str(),
            candle_close: job.candle_close.to_string(),
            incumbent: said.incumbent,
            candidate: said.candidate,
        }
    }
}

impl ShadowProgress {
    fn new(shadowing: &Shadowing<'_>, counts: &Counts, listed: Vec<Compared>) -> Self {
        let Shadowing { shadow, began, ended } = shadowing;
        let difference = |one: Compared| Some(DifferenceOnCandle::new(one.comparison, &one.job, one.said?));
        Self {
            shadow: ShadowView::from(*shadow),
            revision: began.revision,
            looks_from: began.from.to_string(),
            began_at: began.change.at.to_string(),
            began_by: began.change.changed_by.clone(),
            ended_at: ended.map(|ended| ended.change.at.to_string()),
            ended_by_action: ended.map(|ended| ended.change.action.as_str()),
            compared: counts.compared(),
            agree: counts.of(Comparison::Agree),
            added: counts.of(Comparison::Added),
            missed: counts.of(Comparison::Missed),
            changed: counts.of(Comparison::Changed),
            failed: counts.of(Comparison::Failed),
            differing_share: counts.share(),
            differences: listed.into_iter().filter_map(difference).collect(),
        }
    }
}

/// What the newest shadow of a strategy would have changed so far, or has when it ended.
#[utoipa::path(
    get,
    path = "/api/v1/strategies/{id}/shadow",
    operation_id = "get_shadow",
    tag = "strategies",
    params(
        ("id" = String, Path, description = "The strategy"),
        ("limit" = Option<u32>, Query, description = "How many differences, 1 to 1000; 100 where absent"),
    ),
    responses((status = 200, body = Envelope<ShadowDetail>), ReadRefusals)
)]
pub(super) async fn read(
    State(services): Shared,
    Name(id): Name,
    query: QueryFields,
) -> Result<Answer<ShadowDetail>, ApiError> {
    let mut fields = query.fields(&["limit"])?;
    let limit = fields.bounded("limit", &LIMITS, DEFAULT_LIMIT);
    fields.finish(Some(()))?;
    let log = services.registry.log();
    if log.of(&id).is_empty() {
        target::known(&services, &id)?;
    }
    let shadow = match log.shadows(&id).next_back() {
        Some(shadowing) => {
            let began = shadowing.began.revision;
            let (counts, listed) =
                tokio::try_join!(services.shadows.counts(began), services.shadows.listed(began, limit))?;
            Some(ShadowProgress::new(&shadowing, &counts, listed))
        }
        None => None,
    };
    Ok(Answer::new(ShadowDetail { strategy_id: id.to_string(), shadow }).with("limit", limit))
}
