//! Replaying a stored signal.

use axum::extract::{Path, State, rejection::PathRejection};
use ta_bot_core::SignalId;
use ta_bot_engine::retention::kind::Kind;

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
/// Its module, parameters and candles are found by their hashes. Nothing is stored or sent. If signals of a certain age
/// are no longer kept, the answer to an id that is not there (404) says so, with that age as `removed_to`.
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
    let Some(replay) = services.replayer.replay(id).await? else {
        let removed_to = services.retention.removed_to(Kind::Signals).await?;
        let unknown = ApiError::UnknownSignal(format!("there is no signal {id}; GET /api/v1/signals lists them"));
        return Err(removed_to.map_or(unknown, |removed_to| ApiError::NoLongerKept { id: id.clone(), removed_to }));
    };
    services.metrics.replay.replayed(replay.verdict().as_str());
    Ok(Answer::new(ReplayView::new(&replay)))
}
