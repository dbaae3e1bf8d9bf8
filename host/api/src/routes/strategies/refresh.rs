//! Rereading parameters and settings on every replica.

use axum::extract::State;
use serde::Serialize;
use ta_bot_engine::signals::bus::Notice;
use utoipa::ToSchema;

use crate::{
    answer::{Answer, Envelope},
    error::ApiError,
    request::{refusals::WriteRefusals, write::Shared},
};

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Refreshed {
    /// Always true: this replica has reread them, and the others were notified.
    refreshed: bool,
}

/// Rereads parameters and settings on this and every other replica.
///
/// This is only needed after changes that were made in the store by hand: normally a change notifies every replica.
#[utoipa::path(
    post,
    path = "/api/v1/strategies/cache/refresh",
    operation_id = "refresh_cache",
    tag = "configuration",
    responses((status = 200, body = Envelope<Refreshed>), WriteRefusals)
)]
pub(super) async fn refresh(State(services): Shared) -> Result<Answer<Refreshed>, ApiError> {
    services.parameters.refresh().await?;
    services.settings.refresh().await?;
    services.bus.notify(Notice::ConfigurationChanged).await?;
    Ok(Answer::new(Refreshed { refreshed: true }))
}
