//! What all changes have in common: an author, a condition, and the notice to all replicas.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{FromRequest, FromRequestParts, Request},
    http::Uri,
};
use serde::Serialize;
use serde_json::{Map, Value};
use ta_bot_core::{StrategyId, Timestamp};
use ta_bot_engine::{
    settings::config_store::{AuditEntry, Author, ChangeAction, MAX_NAME, MAX_REASON},
    signals::bus::Notice,
};
use utoipa::ToSchema;

use crate::{
    Services,
    access::Caller,
    error::ApiError,
    problem::Problem,
    request::{
        body::JsonBody,
        condition::Condition,
        fields::{Fields, QueryFields},
        turns::Turns,
    },
};

/// A request that changes something.
pub(crate) struct WriteRequest {
    pub(crate) sender: Sender,
    pub(crate) condition: Condition,
    pub(crate) body: JsonBody,
    /// The turns, for changes that run strategies.
    pub(crate) turns: Turns,
}

/// Who sends a change, as far as it is known without the body.
#[derive(Debug, Default)]
pub(crate) struct Sender {
    caller: Caller,
    /// What the query says.
    changed_by: Option<String>,
    reason: Option<String>,
}

impl Sender {
    fn read(caller: Caller, uri: &Uri) -> Result<Self, ApiError> {
        let mut fields = QueryFields::of(uri)?.author_fields()?;
        let (changed_by, reason) = (name(&mut fields), fields.text("reason", MAX_REASON));
        fields.finish(Some(Self { caller, changed_by, reason }))
    }
}

impl<S: Send + Sync> FromRequest<S> for WriteRequest {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let caller = Extension::<Caller>::from_request_parts(&mut parts, state).await;
        let caller = caller.map(|Extension(caller)| caller).unwrap_or_default();
        let sender = Sender::read(caller, &parts.uri)?;
        let turns = Extension::<Turns>::from_request_parts(&mut parts, state).await;
        let Extension(turns) = turns.map_err(|missing| ApiError::Panic(missing.body_text()))?;
        let condition = Condition::from_request_parts(&mut parts, state).await?;
        let body = JsonBody::from_request(Request::from_parts(parts, body), state).await?;
        Ok(Self { sender, condition, body, turns })
    }
}

/// Reads who makes a change, and why. What the body does not say may be in the query. If the caller's token has a name,
/// that is who makes it, and what the request says of it is kept beside it.
pub(crate) fn author(fields: &mut Fields, sender: &Sender) -> Author {
    let claimed = name(fields).or_else(|| sender.changed_by.clone());
    let (changed_by, claimed_by) = match (sender.caller.token_name(), claimed) {
        (Some(name), claimed) => (name.to_owned(), claimed.filter(|claimed| claimed != name)),
        (None, claimed) => (claimed.unwrap_or_else(|| sender.caller.name().to_owned()), None),
    };
    Author {
        changed_by,
        claimed_by,
        reason: fields.text("reason", MAX_REASON).or_else(|| sender.reason.clone()),
        at: Timestamp::now(),
    }
}

fn name(fields: &mut Fields) -> Option<String> {
    fields.text("changed_by", MAX_NAME).filter(|name| !name.trim().is_empty())
}

/// Counts a change of parameters and notifies every replica.
pub(crate) async fn changed(services: &Services, strategy: &StrategyId, action: ChangeAction) {
    let action = match action {
        ChangeAction::Create => "create",
        ChangeAction::Update => "update",
        ChangeAction::Delete => "delete",
    };
    services.metrics.config_changed(action, strategy);
    tell(services, Notice::ConfigurationChanged).await;
}

/// Notifies every replica of a change that has been made. If the bus is unavailable, the other replicas follow when it
/// is back, or when their cached values expire.
pub(crate) async fn tell(services: &Services, notice: Notice) {
    if let Err(error) = services.bus.notify(notice).await {
        tracing::warn!(%error, "could not notify the other replicas of a change yet");
    }
}

/// One entry of a history.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditView {
    /// The strategy whose parameters changed; null for the application's settings.
    strategy_id: Option<String>,
    /// The symbol whose parameters changed; null for all symbols.
    symbol: Option<String>,
    /// `CREATE`, `UPDATE` or `DELETE`.
    #[schema(value_type = String)]
    pub(crate) action: ChangeAction,
    /// What was stored before; null if nothing was.
    old_parameters: Option<Value>,
    /// What is stored after the change; null if it was deleted.
    new_parameters: Option<Value>,
    /// The version after the change.
    pub(crate) version: i64,
    /// Who made the change: the name of the token, if it has one.
    changed_by: String,
    /// Whom the request named as its author, if the token has another name; else null.
    claimed_by: Option<String>,
    /// When it was made.
    changed_at: String,
    /// The reason for the change.
    reason: Option<String>,
}

impl From<AuditEntry> for AuditView {
    fn from(entry: AuditEntry) -> Self {
        let key = entry.key.as_ref();
        Self {
            strategy_id: key.map(|key| key.strategy.to_string()),
            symbol: key.and_then(|key| key.symbol.as_ref()).map(ToString::to_string),
            action: entry.action,
            old_parameters: entry.old,
            new_parameters: entry.new,
            version: entry.version,
            changed_by: entry.author.changed_by,
            claimed_by: entry.author.claimed_by,
            changed_at: entry.author.at.to_string(),
            reason: entry.author.reason,
        }
    }
}

/// The body of a rollback, which may be empty.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "describes the body, which is read field by field to report every problem")]
pub(crate) struct RollbackBody {
    /// The version to restore; 0 means that nothing is stored. Defaults to what was stored before the last change.
    target_version: Option<i64>,
    /// The symbol whose level is rolled back, which may also be in the query; only for a strategy's parameters.
    symbol: Option<String>,
    /// Who makes the change; defaults to the token's role or `api`.
    changed_by: Option<String>,
    /// The reason for the change.
    reason: Option<String>,
}

/// Refuses the older service's way to name what a rollback returns to.
pub(crate) fn refuse_rollback_id(fields: &mut Fields) {
    if let Some(given) = fields.take("rollback_id") {
        let allowed =
            "no such field here: give target_version, a version of the history (GET the audit of the same path)";
        fields.refuse(Problem::new("rollback_id", &given, allowed));
    }
}

/// The fields of an optional body.
pub(crate) fn optional_fields(body: JsonBody, known: &[&str]) -> Result<Fields, ApiError> {
    Fields::new(body.optional(), known)
}

/// The parameters of a strategy, as given in a body: a JSON object.
pub(crate) type Given = Map<String, Value>;

/// The state that every handler receives.
pub(crate) type Shared = axum::extract::State<Arc<Services>>;
