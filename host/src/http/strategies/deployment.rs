//! What is deployed for a strategy: which module decides, since when, and what can be done about it.

use std::{collections::HashMap, ops::RangeInclusive};

use axum::{
    extract::{FromRequestParts, Path, State},
    http::request::Parts,
};
use serde::Serialize;
use serde_json::{Value, json};
use ta_bot_core::{Deployment, DeploymentEntry, ModuleDigest, Promotion, StrategyId};
use utoipa::ToSchema;

use super::shadow::ShadowView;
use crate::{
    http::{
        Services,
        answer::{Answer, Envelope},
        error::ApiError,
        fields::{Fields, QueryFields},
        journal::{DEFAULT_LIMIT, LIMITS},
        openapi::{GuestRefusals, ReadRefusals},
        problem::Problem,
        target,
        write::{Shared, WriteRequest, author, tell},
    },
    registry::Progress,
    rollout::{Deployed, Wanted},
};

/// What the paths of this part end with. Whatever changes something there needs an operator.
pub(in crate::http) const DEPLOYMENT: &str = "/deployment";
/// The word for the module that came with the service.
const BUNDLED: &str = "bundled";
const ACTIONS: &str = "one of activate, roll_back, enable, disable, lift, shadow, end_shadow, promote";
/// How many candles a shadow may have to look at before it is promoted.
const PROMOTE_AFTER: RangeInclusive<u32> = 1..=1_000_000_000;

/// The deployment of a strategy.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeploymentView {
    strategy_id: String,
    /// The place of the newest change in the log of all strategies, for If-Match; 0 where nothing was ever changed.
    pub(super) revision: i64,
    /// The first candle close that the newest change decides; null where nothing was ever changed.
    decides_from: Option<String>,
    /// SHA-256 of the module that decides from then on; null where the strategy has none any more.
    module: Option<String>,
    /// Whether that is the one that came with the service, whatever that is after an update.
    pub(super) bundled: bool,
    /// The version of the strategy, as the module says itself; null where the module is not installed here yet.
    version: Option<String>,
    /// The version of the interface that the module speaks.
    wit_version: Option<&'static str>,
    /// Whether it looks at candles.
    pub(super) enabled: bool,
    /// Why it looks at none although it is enabled; null where it is not quarantined.
    pub(super) quarantined: Option<String>,
    /// The module that looks at the same candles and publishes nothing; null where none does.
    shadow: Option<ShadowView>,
}

/// One line of a strategy's deployments.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeploymentEntryView {
    revision: i64,
    /// `activate`, `roll_back`, `enable`, `disable`, `quarantine`, `lift`, `shadow`, `end_shadow` or `promote`.
    action: &'static str,
    /// The first candle close that it decides.
    decides_from: String,
    /// The module that decides since; null for the one that came with the service.
    module: Option<String>,
    /// Whether it looks at candles since; null where the application's settings say so.
    enabled: Option<bool>,
    quarantined: Option<String>,
    /// The module that looks at the same candles since and publishes nothing; null where none does.
    shadow: Option<ShadowView>,
    changed_by: String,
    changed_at: String,
    reason: Option<String>,
}

/// A deployment with its history, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeploymentDetail {
    #[serde(flatten)]
    deployment: DeploymentView,
    history: Vec<DeploymentEntryView>,
}

/// What to do.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "describes the body; it is read field by field so that every problem is named")]
pub(super) struct DeploymentBody {
    /// `activate`, `roll_back`, `enable`, `disable`, `lift`, `shadow`, `end_shadow` or `promote`.
    action: String,
    /// For `activate`: the digest of an admitted module, or `bundled` for the one that came with the service. For `shadow`:
    /// the digest of the module that is to look at the same candles.
    module: Option<String>,
    /// For `roll_back`: the revision whose module is to decide again, 0 for the one that came with the service; where absent
    /// the module before the present one.
    target_revision: Option<i64>,
    /// For `shadow`: after this many compared candles it becomes the module that decides, by itself. Needs
    /// `promote_at_most`.
    promote_after: Option<u32>,
    /// For `shadow`: if no more than this share of the candles differ, from 0 to 1. Needs `promote_after`.
    promote_at_most: Option<f64>,
    /// For `shadow`: also if admission refused the module. Such a shadow is never promoted.
    unadmitted: Option<bool>,
    /// Check only; change nothing.
    validate_only: Option<bool>,
    /// Who; the token's role or `api` where absent.
    changed_by: Option<String>,
    /// Why.
    reason: Option<String>,
}

/// What came of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeployedView {
    /// `changed`, `unchanged` where it was so already, or `valid` where it was checked only.
    outcome: &'static str,
    /// The new line of the history; null where nothing was changed.
    entry: Option<DeploymentEntryView>,
    deployment: DeploymentView,
}

impl DeploymentView {
    pub(super) fn of(services: &Services, id: &StrategyId) -> Self {
        let registry = &services.registry;
        let log = registry.log();
        let newest = log.newest(id);
        let deployment = newest.map(|entry| entry.change.deployment.clone()).unwrap_or_default();
        let module = registry.get(id);
        let digest = deployment.module.or_else(|| module.as_ref().map(|module| module.digest()));
        Self {
            strategy_id: id.to_string(),
            revision: newest.map_or(0, |entry| entry.revision),
            decides_from: newest.map(|entry| entry.from.to_string()),
            module: digest.map(|digest| digest.to_string()),
            bundled: deployment.module.is_none(),
            version: module.as_ref().map(|module| module.description().version.clone()),
            wit_version: module.map(|_| ta_bot_wasm::WIT_VERSION),
            enabled: is_enabled(services, id, &deployment),
            quarantined: deployment.quarantined,
            shadow: deployment.shadow.as_ref().map(ShadowView::from),
        }
    }
}

/// Whether an operator wants the strategy to look at candles.
fn is_enabled(services: &Services, id: &StrategyId, deployment: &Deployment) -> bool {
    deployment.enabled.unwrap_or_else(|| services.settings.current().settings.enables(id))
}

impl From<&DeploymentEntry> for DeploymentEntryView {
    fn from(entry: &DeploymentEntry) -> Self {
        let change = &entry.change;
        Self {
            revision: entry.revision,
            action: change.action.as_str(),
            decides_from: entry.from.to_string(),
            module: change.deployment.module.map(|digest| digest.to_string()),
            enabled: change.deployment.enabled,
            quarantined: change.deployment.quarantined.clone(),
            shadow: change.deployment.shadow.as_ref().map(ShadowView::from),
            changed_by: change.changed_by.clone(),
            changed_at: change.at.to_string(),
            reason: change.reason.clone(),
        }
    }
}

/// A strategy that a path names, whether it is there yet or not.
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
    services.rollout.known()?;
    let log = services.registry.log();
    let entries = log.of(&id);
    if entries.is_empty() {
        target::known(&services, &id)?;
    }
    let history = entries.iter().rev().take(limit as usize).map(DeploymentEntryView::from).collect();
    let deployment = DeploymentView::of(&services, &id);
    let revision = deployment.revision;
    Ok(Answer::new(DeploymentDetail { deployment, history }).version(revision))
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
    const KNOWN: [&str; 9] = [
        "action",
        "module",
        "target_revision",
        "promote_after",
        "promote_at_most",
        "unadmitted",
        "validate_only",
        "changed_by",
        "reason",
    ];
    let mut fields = Fields::new(request.body.required()?, &KNOWN)?;
    let (wanted, validate_only) = (wanted(&mut fields), fields.flag("validate_only"));
    let author = author(&mut fields, request.caller);
    let wanted = fields.finish(wanted)?;
    // A strategy whose module is not compiled yet would be taken for a new one.
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
        let (outcome, entry) = match &deployed {
            Deployed::Added(entry) => ("changed", Some(DeploymentEntryView::from(&**entry))),
            Deployed::Unchanged => ("unchanged", None),
            Deployed::Valid => ("valid", None),
        };
        if entry.is_some() {
            tell(&services).await;
        }
        let deployment = DeploymentView::of(&services, &id);
        let revision = deployment.revision;
        Ok(Answer::new(DeployedView { outcome, entry, deployment }).version(revision))
    };
    request.turns.take()?.run(change).await
}

/// What the body asks for.
fn wanted(fields: &mut Fields) -> Option<Wanted> {
    let (action, module) = (fields.required::<String>("action")?, fields.parsed::<String>("module"));
    let revision = fields.version("target_revision");
    let (promote, unadmitted) = (promotion(fields), fields.flag("unadmitted"));
    let wanted = match action.as_str() {
        "activate" => activation(fields, module.as_deref())?,
        "roll_back" => Wanted::RollBack(revision),
        "enable" => Wanted::Enable,
        "disable" => Wanted::Disable,
        "lift" => Wanted::Lift,
        "shadow" => Wanted::Shadow { module: shadow(fields, module.as_deref())?, promote, unadmitted },
        "end_shadow" => Wanted::EndShadow,
        "promote" => Wanted::Promote,
        _ => {
            fields.refuse(Problem::new("action", &json!(action), ACTIONS));
            return None;
        }
    };
    if module.is_some() && !matches!(wanted, Wanted::Activate(_) | Wanted::Shadow { .. }) {
        fields.refuse(Problem::new("module", &json!(module), "only with the actions activate and shadow"));
    }
    if revision.is_some() && !matches!(wanted, Wanted::RollBack(_)) {
        fields.refuse(Problem::new("target_revision", &json!(revision), "only with the action roll_back"));
    }
    if !matches!(wanted, Wanted::Shadow { .. }) {
        if let Some(Promotion { after, .. }) = promote {
            fields.refuse(Problem::new("promote_after", &json!(after), "only with the action shadow"));
        }
        if unadmitted {
            fields.refuse(Problem::new("unadmitted", &json!(true), "only with the action shadow"));
        }
    }
    Some(wanted)
}

/// When a shadow is to decide by itself.
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

/// The module of a shadow.
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
