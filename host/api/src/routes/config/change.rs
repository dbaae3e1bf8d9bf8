//! What the HTTP methods do, on either level.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use ta_bot_core::{ENABLED, Symbol, Timestamp};
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
        fields::Fields,
        target::Target,
        turns::to_its_end,
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

/// The warnings for what a level holds.
pub(super) async fn warnings(services: &Services, key: &ConfigKey, level: &Given) -> Vec<WarningView> {
    let Some(module) = services.registry.get(&key.strategy) else { return Vec::new() };
    let mut warnings = WarningView::list(module.description(), level);
    if key.symbol.is_none() && level.get(ENABLED) == Some(&Value::Bool(false)) {
        warnings.extend(WarningView::still_runs(&services.parameters.switches(&key.strategy)));
    }
    if let Some(symbol) = &key.symbol
        && is_unknown(services, symbol).await
    {
        warnings.push(WarningView::unknown_symbol(symbol));
    }
    warnings
}

/// Whether a symbol is neither scheduled nor has candles of a scheduled timeframe. If the store of candles can't be
/// asked, it counts as known: `/health` says that the store is away.
async fn is_unknown(services: &Services, symbol: &Symbol) -> bool {
    let settings = services.settings.current();
    if settings.settings.symbols.contains(symbol) {
        return false;
    }
    for timeframe in &settings.settings.timeframes {
        let newest = services.candles.newest_closes(*timeframe, std::slice::from_ref(symbol), Timestamp::now()).await;
        if newest.is_err() || newest.is_ok_and(|closes| !closes.is_empty()) {
            return false;
        }
    }
    true
}

pub(super) type Changed = Result<Answer<ChangeView>, ApiError>;

pub(super) fn read(services: &Services, target: &Target) -> Result<Answer<ConfigView>, ApiError> {
    let (view, version) = ConfigView::of(services, &target.key)?;
    Ok(Answer::new(view).version(version))
}

pub(super) async fn write(services: Arc<Services>, target: Target, request: WriteRequest, merge: Merge) -> Changed {
    let ConfigBody { parameters, author, validate_only } = ConfigBody::read(request.body.required()?, &request.sender)?;
    let change = Change { key: target.key, parameters, merge, expected: None, validate_only, author };
    // A pause runs no strategy, so it waits for no other request.
    let turn = if change.names_only_the_switch() { None } else { Some(request.turns.take()?) };
    let condition = request.condition;
    let work = async move {
        let expected = expected(&services, &change.key, condition).await?;
        let change = Change { expected, ..change };
        let key = change.key.clone();
        let checked = change.validate_only.then(|| change.parameters.clone());
        let entry = services.parameters.change(change).await?;
        done(&services, &key, entry, checked).await
    };
    match turn {
        Some(turn) => turn.run(work).await,
        None => to_its_end(work).await,
    }
}

/// The body may be absent: many clients send none with a DELETE.
pub(super) async fn delete(services: &Services, target: Target, request: WriteRequest) -> Changed {
    let mut fields = Fields::new(request.body.optional(), &["changed_by", "reason"])?;
    let author = author(&mut fields, &request.sender);
    fields.finish(Some(()))?;
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
    let warnings = match level {
        Some(level) => warnings(services, key, level).await,
        None => Vec::new(),
    };
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
