//! What every change has in common: who makes it, on which condition, and that everybody is told.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{FromRequest, FromRequestParts, Request},
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
    request::{body::JsonBody, condition::Condition, fields::Fields, turns::Turns},
};

/// A request that changes something.
pub(crate) struct WriteRequest {
    pub(crate) caller: Caller,
    pub(crate) condition: Condition,
    pub(crate) body: JsonBody,
    /// For what runs strategies.
    pub(crate) turns: Turns,
}

impl<S: Send + Sync> FromRequest<S> for WriteRequest {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let caller = Extension::<Caller>::from_request_parts(&mut parts, state).await;
        let caller = caller.map(|Extension(caller)| caller).unwrap_or_default();
        let turns = Extension::<Turns>::from_request_parts(&mut parts, state).await;
        let Extension(turns) = turns.map_err(|missing| ApiError::Panic(missing.body_text()))?;
        let condition = Condition::from_request_parts(&mut parts, state).await?;
        let body = JsonBody::from_request(Request::from_parts(parts, body), state).await?;
        Ok(Self { caller, condition, body, turns })
    }
}

/// Reads who changes something, and why.
pub(crate) fn author(fields: &mut Fields, caller: Caller) -> Author {
    let changed_by = fields.text("changed_by", MAX_NAME).filter(|name| !name.trim().is_empty());
    Author {
        changed_by: changed_by.unwrap_or_else(|| caller.name().to_owned()),
        reason: fields.text("reason", MAX_REASON),
        at: Timestamp::now(),
    }
}

/// Counts a change of parameters and tells every replica.
pub(crate) async fn changed(services: &Services, strategy: &StrategyId, action: ChangeAction) {
    let action = match action {
        ChangeAction::Create => "create",
        ChangeAction::Update => "update",
        ChangeAction::Delete => "delete",
    };
    services.metrics.config_changed(action, strategy);
    tell(services, Notice::ConfigurationChanged).await;
}

/// Tells every replica of a change. It has happened; where the bus is away the others follow when it is back, or by their
/// cache's time to live.
pub(crate) async fn tell(services: &Services, notice: Notice) {
    if let Err(error) = services.bus.notify(notice).await {
        tracing::warn!(%error, "the other replicas are not told of a change yet");
    }
}

/// One line of a history.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditView {
    /// Whose parameters; null for the application's settings.
    strategy_id: Option<String>,
    /// For which symbol; null for all.
    symbol: Option<String>,
    /// `CREATE`, `UPDATE` or `DELETE`.
    #[schema(value_type = String)]
    pub(crate) action: ChangeAction,
    /// What was stored before.
    old_parameters: Option<Value>,
    /// What is stored since.
    new_parameters: Option<Value>,
    /// The version since.
    pub(crate) version: i64,
    /// Who.
    changed_by: String,
    /// When.
    changed_at: String,
    /// Why.
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
            changed_at: entry.author.at.to_string(),
            reason: entry.author.reason,
        }
    }
}

/// The body of a rollback, which may be empty.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "describes the body; it is read field by field so that every problem is named")]
pub(crate) struct RollbackBody {
    /// Back to this version; where absent, to what was stored before the last change. 0 means that nothing is stored.
    target_version: Option<i64>,
    /// The level of one symbol; for a strategy's parameters only.
    symbol: Option<String>,
    /// Who; the token's role or `api` where absent.
    changed_by: Option<String>,
    /// Why.
    reason: Option<String>,
}

/// The fields of a body that may be absent.
pub(crate) fn optional_fields(body: JsonBody, known: &[&str]) -> Result<Fields, ApiError> {
    Fields::new(body.optional(), known)
}

/// The parameters of a strategy in a body: a JSON object.
pub(crate) type Given = Map<String, Value>;

/// The state of every handler.
pub(crate) type Shared = axum::extract::State<Arc<Services>>;
