//! What is deployed for a strategy: which module decides and since when, and the actions that change it.

use std::collections::HashMap;

use axum::{
    extract::{FromRequestParts, Path, State},
    http::request::Parts,
};
use serde_json::{Value, json};
use ta_bot_core::{DeploymentRequest, ModuleDigest, Promotion, RequestedLevels, StrategyId, requested_levels};
use ta_bot_engine::{
    deployments::rollout::{Deployed, PROMOTE_AFTER},
    modules::registry::Progress,
    signals::bus::Notice,
};
use utoipa::ToSchema;

use crate::{
    answer::{Answer, Envelope},
    error::ApiError,
    problem::Problem,
    request::{
        fields::{Fields, QueryFields},
        refusals::{GuestRefusals, ReadRefusals},
        target,
        write::{Shared, WriteRequest, author, tell},
    },
    views::deployment::{BUNDLED, DeployedView, DeploymentDetail},
};

const ACTIONS: &str = "one of activate, roll_back, enable, disable, lift, shadow, end_shadow, promote";

/// The requested action.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "describes the body, which is read field by field to report every problem")]
pub(super) struct DeploymentBody {
    /// `activate`, `roll_back`, `enable`, `disable`, `lift`, `shadow`, `end_shadow` or `promote`.
    action: String,
    /// For `activate`: the digest of an admitted module, or `bundled` for the one that came with the service. For
    /// `shadow`: the digest of the module that is to evaluate the same candles.
    module: Option<String>,
    /// For `activate`: what the parameters stored for the strategy are to be from the same candle on, such as
    /// `{"global": {"period": 10}, "symbols": {"BTCUSDT": {"period": 20}, "ETHUSDT": null}}`. Null deletes what is
    /// stored; levels that are not named stay as they are. A rollback restores what this changed.
    #[schema(value_type = Option<Object>)]
    parameters: Option<Value>,
    /// For `roll_back`: the revision whose module is to decide again; 0 for the bundled module. If absent, the module
    /// before the current one.
    target_revision: Option<i64>,
    /// For `shadow`: the number of compared candles after which it automatically becomes the module that decides. Needs
    /// `promote_at_most`.
    promote_after: Option<u32>,
    /// For `shadow`: the largest share of candles that may differ for that, from 0 to 1. Needs `promote_after`.
    promote_at_most: Option<f64>,
    /// For `shadow`: accept the module even if admission refused it. Such a shadow is never promoted.
    unadmitted: Option<bool>,
    /// Only check the request; change nothing.
    validate_only: Option<bool>,
    /// Who makes the change; defaults to the token's role or `api`.
    changed_by: Option<String>,
    /// The reason for the change.
    reason: Option<String>,
}

/// The strategy that a path names, whether it exists yet or not.
pub(super) struct Name(pub(super) StrategyId);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(names): Path<HashMap<String, String>> =
            Path::from_request_parts(parts, state).await.map_err(|_| ApiError::UnknownRoute)?;
        let name = names.get("id").ok_or(ApiError::UnknownRoute)?;
        name.parse()
            .map(Self)
            .map_err(|error: ta_bot_core::StrategyIdError| ApiError::UnknownStrategy(error.to_string()))
    }
}

/// Which module decides for a strategy, and the history of that.
#[utoipa::path(
    get,
    path = "/api/v1/strategies/{id}/deployment",
    operation_id = "get_deployment",
    tag = "strategies",
    params(
        ("id" = String, Path, description = "The strategy"),
        ("limit" = Option<u32>, Query, description = "The most history entries, 1 to 1000; 100 if absent"),
    ),
    responses((status = 200, body = Envelope<DeploymentDetail>), ReadRefusals)
)]
pub(super) async fn read(
    State(services): Shared,
    Name(id): Name,
    query: QueryFields,
) -> Result<Answer<DeploymentDetail>, ApiError> {
    let mut fields = query.fields(&["limit"])?;
    let limit = fields.limit();
    fields.finish(Some(()))?;
    services.rollout.known()?;
    if services.registry.log().of(&id).is_empty() {
        target::known(&services, &id)?;
    }
    let detail = DeploymentDetail::of(&services.rollout, &id, limit as usize);
    let revision = detail.deployment.revision;
    Ok(Answer::new(detail).version(revision))
}

/// Changes what is deployed for a strategy.
///
/// The change applies, on every replica, from the next candle close that has not been decided yet. Jobs in progress end
/// as they began. Before another module is deployed, the stored parameters are checked against it.
#[utoipa::path(
    post,
    path = "/api/v1/strategies/{id}/deployment",
    operation_id = "change_deployment",
    tag = "strategies",
    params(
        ("id" = String, Path, description = "The strategy; for activate it need not exist yet"),
        ("If-Match" = Option<String>, Header, description = "Change only if this revision is the newest; * for any"),
    ),
    request_body = DeploymentBody,
    responses((status = 200, body = Envelope<DeployedView>), GuestRefusals)
)]
pub(super) async fn change(
    State(services): Shared,
    Name(id): Name,
    request: WriteRequest,
) -> Result<Answer<DeployedView>, ApiError> {
    const KNOWN: [&str; 10] = [
        "action",
        "module",
        "parameters",
        "target_revision",
        "promote_after",
        "promote_at_most",
        "unadmitted",
        "validate_only",
        "changed_by",
        "reason",
    ];
    let mut fields = Fields::new(request.body.required()?, &KNOWN)?;
    let wanted = wanted(&mut fields);
    let validate_only = fields.flag("validate_only");
    let author = author(&mut fields, &request.sender);
    let wanted = fields.finish(wanted)?;
    // A strategy whose module is not compiled yet would be mistaken for a new one.
    if *services.registry.progress() == Progress::Loading {
        return Err(ApiError::Loading);
    }
    let condition = request.condition;
    let change = async move {
        let expected = condition
            .expected(async || {
                services.rollout.refresh().await?;
                Ok(services.registry.log().newest(&id).map_or(0, |newest| newest.revision))
            })
            .await?;
        let deployed = services.rollout.change(&id, wanted, expected, validate_only, author).await?;
        if matches!(deployed, Deployed::Added(_)) {
            tell(&services, Notice::DeploymentsChanged).await;
        }
        let view = DeployedView::new(&services.rollout, &id, &deployed);
        let revision = view.deployment.revision;
        Ok(Answer::new(view).version(revision))
    };
    request.turns.take()?.run(change).await
}

/// Reads the request from the body.
fn wanted(fields: &mut Fields) -> Option<DeploymentRequest> {
    let action = fields.required::<String>("action")?;
    let module = fields.parsed::<String>("module");
    let parameters = levels(fields);
    let has_parameters = !parameters.is_empty();
    let revision = fields.version("target_revision");
    let promote = promotion(fields);
    let unadmitted = fields.flag("unadmitted");
    let wanted = match action.as_str() {
        "activate" => activation(fields, module.as_deref(), parameters)?,
        "roll_back" => DeploymentRequest::RollBack(revision),
        "enable" => DeploymentRequest::Enable,
        "disable" => DeploymentRequest::Disable,
        "lift" => DeploymentRequest::Lift,
        "shadow" => DeploymentRequest::Shadow { module: shadow(fields, module.as_deref())?, promote, unadmitted },
        "end_shadow" => DeploymentRequest::EndShadow,
        "promote" => DeploymentRequest::Promote,
        _ => {
            fields.refuse(Problem::new("action", &json!(action), ACTIONS));
            return None;
        }
    };
    if has_parameters && !matches!(wanted, DeploymentRequest::Activate { .. }) {
        fields.refuse(Problem::new("parameters", &Value::Null, "only with the action activate"));
    }
    if module.is_some() && !matches!(wanted, DeploymentRequest::Activate { .. } | DeploymentRequest::Shadow { .. }) {
        fields.refuse(Problem::new("module", &json!(module), "only with the actions activate and shadow"));
    }
    if revision.is_some() && !matches!(wanted, DeploymentRequest::RollBack(_)) {
        fields.refuse(Problem::new("target_revision", &json!(revision), "only with the action roll_back"));
    }
    if !matches!(wanted, DeploymentRequest::Shadow { .. }) {
        if let Some(Promotion { after, .. }) = promote {
            fields.refuse(Problem::new("promote_after", &json!(after), "only with the action shadow"));
        }
        if unadmitted {
            fields.refuse(Problem::new("unadmitted", &json!(true), "only with the action shadow"));
        }
    }
    Some(wanted)
}

/// Reads the condition under which a shadow is promoted automatically.
fn promotion(fields: &mut Fields) -> Option<Promotion> {
    const BOTH: &str = "promote_after and promote_at_most together, or neither";
    let after = fields.has("promote_after").then(|| fields.whole("promote_after", &PROMOTE_AFTER, 1));
    let given = fields.has("promote_at_most");
    let share = fields.number("promote_at_most");
    match (after, share) {
        (Some(after), Some(share)) if (0.0..=1.0).contains(&share) => {
            return Some(Promotion { after: after.into(), most_differing: share });
        }
        (Some(_), Some(share)) => {
            fields.refuse(Problem::new("promote_at_most", &json!(share), "a share of candles, from 0 to 1"));
        }
        (Some(_), None) if !given => fields.refuse(Problem::new("promote_at_most", &Value::Null, BOTH)),
        (None, Some(_)) => fields.refuse(Problem::new("promote_after", &Value::Null, BOTH)),
        _ => {}
    }
    None
}

/// Reads the module of a shadow.
fn shadow(fields: &mut Fields, module: Option<&str>) -> Option<ModuleDigest> {
    let parsed = module.and_then(|text| text.parse().ok());
    if parsed.is_none() {
        fields.refuse(Problem::new(
            "module",
            &json!(module),
            "the SHA-256 of a module that was uploaded, 64 hex digits",
        ));
    }
    parsed
}

/// Reads the parameters that come with a module.
fn levels(fields: &mut Fields) -> RequestedLevels {
    let Some(given) = fields.take("parameters") else { return RequestedLevels::new() };
    requested_levels(&given).unwrap_or_else(|allowed| {
        fields.refuse(Problem::new("parameters", &given, allowed));
        RequestedLevels::new()
    })
}

fn activation(fields: &mut Fields, module: Option<&str>, parameters: RequestedLevels) -> Option<DeploymentRequest> {
    const ALLOWED: &str =
        "the SHA-256 of an admitted module, 64 hex digits, or bundled for the one that came with the service";
    if module == Some(BUNDLED) {
        return Some(DeploymentRequest::Activate { module: None, parameters });
    }
    let digest = module.and_then(|text| text.parse().ok());
    if digest.is_none() {
        fields.refuse(Problem::new("module", &json!(module), ALLOWED));
    }
    digest.map(|digest| DeploymentRequest::Activate { module: Some(digest), parameters })
}
