//! Replaying a stored signal.

use axum::extract::{Path, State, rejection::PathRejection};
use ta_bot_core::SignalId;

use crate::{
    Services,
    answer::{Answer, Envelope},
    error::ApiError,
    request::{
        refusals::GuestRefusals,
        write::{Shared, WriteRequest, optional_fields},
    },
    views::replay::ReplayView,
};

/// Makes a stored signal again and compares the bytes.
///
/// Its module, parameters and candles are found by their hashes. Nothing is stored or sent.
#[utoipa::path(
    post,
    path = "/api/v1/signals/{signal_id}/replay",
    operation_id = "replay_signal",
    tag = "journal",
    params(("signal_id" = String, Path, description = "64 hex digits")),
    responses((status = 200, body = Envelope<ReplayView>), GuestRefusals)
)]
pub(super) async fn replay(
    State(services): Shared,
    path: Result<Path<String>, PathRejection>,
    request: WriteRequest,
) -> Result<Answer<ReplayView>, ApiError> {
    let Path(id) = path.map_err(|_| ApiError::UnknownRoute)?;
    let id = id.parse::<SignalId>().map_err(|error| ApiError::UnknownSignal(error.to_string()))?;
    optional_fields(request.body, &[])?.finish(Some(()))?;
    let turn = request.turns.take()?;
    turn.run(async move { answer(&services, &id).await }).await
}

async fn answer(services: &Services, id: &SignalId) -> Result<Answer<ReplayView>, ApiError> {
    let unknown = || ApiError::UnknownSignal(format!("there is no signal {id}; GET /api/v1/signals lists them"));
    let replay = services.replayer.replay(id).await?.ok_or_else(unknown)?;
    services.metrics.replay.replayed(replay.verdict().as_str());
    Ok(Answer::new(ReplayView::new(&replay)))
}
