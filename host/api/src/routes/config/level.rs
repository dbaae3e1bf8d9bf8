//! The parameters of a strategy at one level: for all symbols, or for one symbol, which inherits the parameters that it
//! does not set.
//!
//! Both levels share the same handlers, because the path tells which one is meant. The handlers are described for one
//! symbol; [`for_all_symbols`] derives the routes of the other level from that.

use axum::extract::State;
use ta_bot_engine::settings::parameters::Merge;
use utoipa::openapi::{RefOr, path::Paths};
use utoipa_axum::router::UtoipaMethodRouter;

use super::{
    Shared,
    body::ConfigBody,
    change::{self, ChangeView, Changed},
    view::ConfigView,
};
use crate::{
    access::operations,
    answer::{Answer, Envelope},
    error::ApiError,
    request::{
        refusals::{GuestRefusals, ReadRefusals, WriteRefusals},
        target::Target,
        write::WriteRequest,
    },
};

/// The parameters that apply, where each one comes from, and their version.
#[utoipa::path(
    get,
    path = "/api/v1/strategies/{id}/config/{symbol}",
    operation_id = "get_symbol_config",
    tag = "configuration",
    params(
        ("id" = String, Path, description = "The strategy"),
        ("symbol" = String, Path, description = "Any valid symbol, with candles or without"),
    ),
    responses(
        (
            status = 200,
            body = Envelope<ConfigView>,
            headers(("ETag" = String, description = "This level's own version, quoted; 0 if nothing is stored")),
        ),
        ReadRefusals,
    )
)]
pub(super) async fn get(State(services): Shared, target: Target) -> Result<Answer<ConfigView>, ApiError> {
    change::read(&services, &target)
}

/// Replaces what is stored at this level.
///
/// `enabled` stays as it is stored, unless the body names it. A body that names nothing else changes nothing else.
#[utoipa::path(
    put,
    path = "/api/v1/strategies/{id}/config/{symbol}",
    operation_id = "put_symbol_config",
    tag = "configuration",
    params(
        ("id" = String, Path, description = "The strategy"),
        ("symbol" = String, Path, description = "Any valid symbol, with candles or without"),
        ("If-Match" = Option<String>, Header, description = "Write only if this version is stored; * for any"),
        ("If-None-Match" = Option<String>, Header, description = "* to write only if nothing is stored"),
    ),
    request_body = ConfigBody,
    responses((status = 200, body = Envelope<ChangeView>), GuestRefusals)
)]
pub(super) async fn put(State(services): Shared, target: Target, request: WriteRequest) -> Changed {
    change::write(services, target, request, Merge::Replace).await
}

/// Replaces what is stored at this level, as PUT does.
#[utoipa::path(
    post,
    path = "/api/v1/strategies/{id}/config/{symbol}",
    operation_id = "post_symbol_config",
    tag = "configuration",
    params(
        ("id" = String, Path, description = "The strategy"),
        ("symbol" = String, Path, description = "Any valid symbol, with candles or without"),
        ("If-Match" = Option<String>, Header, description = "Write only if this version is stored; * for any"),
        ("If-None-Match" = Option<String>, Header, description = "* to write only if nothing is stored"),
    ),
    request_body = ConfigBody,
    responses((status = 200, body = Envelope<ChangeView>), GuestRefusals)
)]
pub(super) async fn post(State(services): Shared, target: Target, request: WriteRequest) -> Changed {
    change::write(services, target, request, Merge::Replace).await
}

/// Merges parameters into what is stored at this level; null unsets one.
#[utoipa::path(
    patch,
    path = "/api/v1/strategies/{id}/config/{symbol}",
    operation_id = "patch_symbol_config",
    tag = "configuration",
    params(
        ("id" = String, Path, description = "The strategy"),
        ("symbol" = String, Path, description = "Any valid symbol, with candles or without"),
        ("If-Match" = Option<String>, Header, description = "Write only if this version is stored; * for any"),
        ("If-None-Match" = Option<String>, Header, description = "* to write only if nothing is stored"),
    ),
    request_body = ConfigBody,
    responses((status = 200, body = Envelope<ChangeView>), GuestRefusals)
)]
pub(super) async fn patch(State(services): Shared, target: Target, request: WriteRequest) -> Changed {
    change::write(services, target, request, Merge::Patch).await
}

/// Removes the parameters that are stored at this level.
///
/// `enabled` stays as it is stored. If there is nothing to remove, `change` is null.
#[utoipa::path(
    delete,
    path = "/api/v1/strategies/{id}/config/{symbol}",
    operation_id = "delete_symbol_config",
    tag = "configuration",
    params(
        ("id" = String, Path, description = "The strategy"),
        ("symbol" = String, Path, description = "Any valid symbol, with candles or without"),
        ("changed_by" = Option<String>, Query, description = "Who makes the change, if the body does not say it"),
        ("reason" = Option<String>, Query, description = "Why, if the body does not say it"),
        ("If-Match" = Option<String>, Header, description = "Delete only if this version is stored; * for any"),
    ),
    responses((status = 200, body = Envelope<ChangeView>), WriteRefusals)
)]
pub(super) async fn delete(State(services): Shared, target: Target, request: WriteRequest) -> Changed {
    change::delete(&services, target, request).await
}

/// The routes for all symbols: the same handlers, at the path without the symbol.
pub(super) fn for_all_symbols(
    (schemas, paths, route): UtoipaMethodRouter<crate::State>,
) -> UtoipaMethodRouter<crate::State> {
    let described = paths.paths.into_iter().map(|(path, mut item)| {
        for operation in operations(&mut item) {
            if let Some(id) = &mut operation.operation_id {
                *id = id.replace("_symbol_", "_global_");
            }
            if let Some(parameters) = &mut operation.parameters {
                parameters.retain(|parameter| !matches!(parameter, RefOr::T(parameter) if parameter.name == "symbol"));
            }
        }
        (path.replace("/{symbol}", ""), item)
    });
    let mut paths = Paths::new();
    paths.paths = described.collect();
    (schemas, paths, route)
}
