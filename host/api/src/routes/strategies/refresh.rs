//! Parameters and settings read again, on every replica.

use axum::extract::State;
use serde::Serialize;
use ta_bot_engine::signals::bus::Notice;
use utoipa::ToSchema;

use crate::{
    answer::{Answer, Envelope},
    error::ApiError,
    refusals::WriteRefusals,
    request::write::Shared,
};

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Refreshed {
    /// Always true: this replica has read again, and the others were told to.
    refreshed: bool,
}

/// Reads parameters and settings again, here and on every other replica. Normally nobody needs this: a change tells
/// everybody. It is for changes that were made in the store by hand.
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
