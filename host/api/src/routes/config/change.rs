//! What the HTTP methods do, on either level.

use std::sync::Arc;

use serde::Serialize;
use ta_bot_engine::settings::{
    config_store::{AuditEntry, ConfigKey},
    parameters::{Change, Merge},
};
use utoipa::ToSchema;

use super::{body::ConfigBody, view::ConfigView};
use crate::{
    Services,
    answer::Answer,
    error::ApiError,
    request::{
        condition::Condition,
        fields::{Fields, QueryFields},
        target::Target,
        write::{AuditView, Given, WriteRequest, author, changed},
    },
    views::warning::WarningView,
};

/// What a change did, and the parameters that apply after it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChangeView {
    /// The entry in the history; null if nothing was changed.
    change: Option<AuditView>,
    /// Whether the parameters were only checked.
    validate_only: bool,
    /// What to know of values that were taken all the same.
    warnings: Vec<WarningView>,
    /// The parameters that apply now.
    config: ConfigView,
}

/// The warnings for the values of a level.
pub(super) fn warnings(services: &Services, key: &ConfigKey, level: &Given) -> Vec<WarningView> {
    let module = services.registry.get(&key.strategy);
    module.map(|module| WarningView::list(module.description(), level)).unwrap_or_default()
}

pub(super) type Changed = Result<Answer<ChangeView>, ApiError>;

pub(super) fn read(services: &Services, target: &Target) -> Result<Answer<ConfigView>, ApiError> {
    let (view, version) = ConfigView::of(services, &target.key)?;
    Ok(Answer::new(view).version(version))
}

pub(super) async fn write(services: Arc<Services>, target: Target, request: WriteRequest, merge: Merge) -> Changed {
    let ConfigBody { parameters, author, validate_only } = ConfigBody::read(request.body.required()?, request.caller)?;
    let key = target.key;
    let condition = request.condition;
    let change = async move {
        let expected = expected(&services, &key, condition).await?;
        let checked = validate_only.then(|| parameters.clone());
        let change = Change { key: key.clone(), parameters, merge, expected, validate_only, author };
        let entry = services.parameters.change(change).await?;
        done(&services, &key, entry, checked).await
    };
    request.turns.take()?.run(change).await
}

/// Author and reason may be in the body or, because many clients send no body with a DELETE, in the query.
pub(super) async fn delete(services: &Services, target: Target, query: QueryFields, request: WriteRequest) -> Changed {
    const KNOWN: [&str; 2] = ["changed_by", "reason"];
    let mut of_query = query.fields(&KNOWN)?;
    let mut of_body = Fields::new(request.body.optional(), &KNOWN)?;
    let fallback = author(&mut of_query, request.caller);
    let mut author = author(&mut of_body, request.caller);
    of_query.finish(Some(()))?;
    of_body.finish(Some(()))?;
    if author.changed_by == request.caller.name() {
        author.changed_by = fallback.changed_by;
    }
    author.reason = author.reason.or(fallback.reason);
    let expected = expected(services, &target.key, request.condition).await?;
    let entry = services.parameters.delete(&target.key, expected, &author).await?;
    done(services, &target.key, entry, None).await
}

/// Notifies replicas of a change, and returns the parameters that apply after it. `checked` are the parameters that
/// were only to be checked, if so.
pub(crate) async fn done(
    services: &Services,
    key: &ConfigKey,
    entry: Option<AuditEntry>,
    checked: Option<Given>,
) -> Changed {
    if let Some(entry) = &entry {
        changed(services, &key.strategy, entry.action).await;
    }
    let (config, version) = ConfigView::of(services, key)?;
    // The version of this change, because another writer may have stored a newer one by now. After a deletion nothing
    // is stored, which is version 0.
    let version = match &entry {
        Some(AuditEntry { new: Some(_), version, .. }) => *version,
        Some(_) => 0,
        None => version,
    };
    let level = checked.as_ref().or_else(|| entry.as_ref()?.new.as_ref()?.as_object());
    let warnings = level.map(|level| warnings(services, key, level)).unwrap_or_default();
    let (change, validate_only) = (entry.map(AuditView::from), checked.is_some());
    Ok(Answer::new(ChangeView { change, validate_only, warnings, config }).version(version))
}

/// The version that must be stored for a write to succeed.
pub(crate) async fn expected(
    services: &Services,
    key: &ConfigKey,
    condition: Condition,
) -> Result<Option<i64>, ApiError> {
    let current = async || {
        // Another replica may have stored something a moment ago.
        services.parameters.refresh().await?;
        Ok(services.parameters.read(key)?.1.map_or(0, |stored| stored.version))
    };
    condition.expected(current).await
}
