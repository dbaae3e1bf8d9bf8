//! What is deployed for a strategy: which module decides, since when, and what can be done about it.

use std::collections::HashMap;

use axum::{
    extract::{FromRequestParts, Path, State},
    http::request::Parts,
};
use serde_json::json;
use ta_bot_core::StrategyId;
use utoipa::ToSchema;

use crate::{
    http::{
        answer::{Answer, Envelope},
        error::ApiError,
        fields::{Fields, QueryFields},
        journal::{DEFAULT_LIMIT, LIMITS},
        openapi::{GuestRefusals, ReadRefusals},
        problem::Problem,
        target,
        write::{Shared, WriteRequest, author, tell},
    },
    rollout::{
        Deployed, Wanted,
        view::{BUNDLED, DeployedView, DeploymentDetail},
    },
};

/// What the paths of this part end with. Whatever changes something there needs an operator.
pub(in crate::http) const DEPLOYMENT: &str = "/deployment";
const ACTIONS: &str = "one of activate, roll_back, enable, disable, lift";

/// What to do.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "describes the body; it is read field by field so that every problem is named")]
pub(super) struct DeploymentBody {
    /// `activate`, `roll_back`, `enable`, `disable` or `lift`.
    action: String,
    /// For `activate`: the digest of an admitted module, or `bundled` for the one that came with the service.
    module: Option<String>,
    /// For `roll_back`: the revision whose module is to decide again, 0 for the one that came with the service; where absent
    /// the module before the present one.
    target_revision: Option<i64>,
    /// Check only; change nothing.
    validate_only: Option<bool>,
    /// Who; the token's role or `api` where absent.
    changed_by: Option<String>,
    /// Why.
    reason: Option<String>,
}

/// A strategy that a path names, whether it is there yet or not.
pub(super) struct Name(StrategyId);

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

/// Which module decides for a strategy, and how it came to that.
#[utoipa::path(
    get,
    path = "/api/v1/strategies/{id}/deployment",
    operation_id = "get_deployment",
    tag = "strategies",
    params(
        ("id" = String, Path, description = "The strategy"),
        ("limit" = Option<u32>, Query, description = "How long the history may be, 1 to 1000; 100 where absent"),
    ),
    responses((status = 200, body = Envelope<DeploymentDetail>), ReadRefusals)
)]
pub(super) async fn read(
    State(services): Shared,
    Name(id): Name,
    query: QueryFields,
) -> Result<Answer<DeploymentDetail>, ApiError> {
    let mut fields = query.fields(&["limit"])?;
    let limit = fields.bounded("limit", &LIMITS, DEFAULT_LIMIT);
    fields.finish(Some(()))?;
    if services.registry.log().of(&id).is_empty() {
        target::known(&services, &id)?;
    }
    let detail = DeploymentDetail::of(&services.rollout, &id, limit as usize);
    let revision = detail.deployment.revision;
    Ok(Answer::new(detail).version(revision))
}

/// Changes what is deployed for a strategy. It holds, on every replica, from the next candle close on that nothing has been
/// decided about; what is under way ends as it began. The stored parameters are checked against another module first.
#[utoipa::path(
    post,
    path = "/api/v1/strategies/{id}/deployment",
    operation_id = "change_deployment",
    tag = "strategies",
    params(
        ("id" = String, Path, description = "The strategy; for activate also one that is not there yet"),
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
    const KNOWN: [&str; 6] = ["action", "module", "target_revision", "validate_only", "changed_by", "reason"];
    let mut fields = Fields::new(request.body.required()?, &KNOWN)?;
    let (wanted, validate_only) = (wanted(&mut fields), fields.flag("validate_only"));
    let author = author(&mut fields, request.caller);
    let wanted = fields.finish(wanted)?;
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
            tell(&services).await;
        }
        let view = DeployedView::new(&services.rollout, &id, &deployed);
        let revision = view.deployment.revision;
        Ok(Answer::new(view).version(revision))
    };
    request.turns.take()?.run(change).await
}

/// What the body asks for.
fn wanted(fields: &mut Fields) -> Option<Wanted> {
    let (action, module) = (fields.required::<String>("action")?, fields.parsed::<String>("module"));
    let revision = fields.version("target_revision");
    let wanted = match action.as_str() {
        "activate" => activation(fields, module.as_deref())?,
        "roll_back" => Wanted::RollBack(revision),
        "enable" => Wanted::Enable,
        "disable" => Wanted::Disable,
        "lift" => Wanted::Lift,
        _ => {
            fields.refuse(Problem::new("action", &json!(action), ACTIONS));
            return None;
        }
    };
    if module.is_some() && !matches!(wanted, Wanted::Activate(_)) {
        fields.refuse(Problem::new("module", &json!(module), "only with the action activate"));
    }
    if revision.is_some() && !matches!(wanted, Wanted::RollBack(_)) {
        fields.refuse(Problem::new("target_revision", &json!(revision), "only with the action roll_back"));
    }
    Some(wanted)
}

fn activation(fields: &mut Fields, module: Option<&str>) -> Option<Wanted> {
    const ALLOWED: &str =
        "the SHA-256 of an admitted module, 64 hex digits, or bundled for the one that came with the service";
    if module == Some(BUNDLED) {
        return Some(Wanted::Activate(None));
    }
    let digest = module.and_then(|text| text.parse().ok());
    if digest.is_none() {
        fields.refuse(Problem::new("module", &json!(module), ALLOWED));
    }
    digest.map(|digest| Wanted::Activate(Some(digest)))
}
