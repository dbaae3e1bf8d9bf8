//! How many requests may run strategies, or bring them, at once.
//!
//! Strategies share their threads with the jobs of live candles, and what was asked for first runs first. So a request that
//! finds no turn free is sent away at once, instead of waiting before the jobs.

use std::{future::Future, panic::resume_unwind, sync::Arc, thread};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::ApiError;

/// The turns of one service.
#[derive(Debug, Clone)]
pub(crate) struct Turns(Arc<Semaphore>);

/// How many uploads there may be at once: each may have 64 MiB.
const UPLOADS: usize = 2;

/// The turns of uploads.
#[derive(Debug, Clone)]
pub(crate) struct Uploads(Turns);

impl Uploads {
    pub(crate) fn new() -> Self {
        Self(Turns::of(UPLOADS))
    }

    /// A turn, if one is free.
    pub(crate) fn take(&self) -> Result<Turn, ApiError> {
        self.0.take().map_err(|_| ApiError::UploadsBusy { most: UPLOADS })
    }
}

/// The right to run strategies, or to upload one.
#[derive(Debug)]
pub(crate) struct Turn(OwnedSemaphorePermit);

impl Turns {
    /// As many as cores, and two at least, so that two operators can always write.
    pub(crate) fn new() -> Self {
        Self::of(thread::available_parallelism().map_or(2, |cores| cores.get().max(2)))
    }

    fn of(count: usize) -> Self {
        Self(Arc::new(Semaphore::new(count)))
    }

    /// A turn, if one is free.
    pub(crate) fn take(&self) -> Result<Turn, ApiError> {
        Arc::clone(&self.0).try_acquire_owned().map(Turn).map_err(|_| ApiError::Busy)
    }
}

impl Turn {
    /// Does the work to its end, also where the client has gone: what was begun runs on in any case, and the turn is free
    /// only then.
    pub(crate) async fn run<T: Send + 'static>(
        self,
        work: impl Future<Output = Result<T, ApiError>> + Send + 'static,
    ) -> Result<T, ApiError> {
        let work = tokio::spawn(async move {
            let _permit = self.0;
            work.await
        });
        match work.await.map_err(tokio::task::JoinError::try_into_panic) {
            Ok(answer) => answer,
            Err(Ok(panic)) => resume_unwind(panic),
            Err(Err(ended)) => Err(ApiError::Panic(ended.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::{http::StatusCode, response::IntoResponse as _};
    use tokio::sync::oneshot;

    use super::*;

    #[test]
    fn who_finds_no_turn_is_told_to_come_again() {
        let turns = Turns::of(1);
        let turn = turns.take().unwrap();
        let refused = turns.take().unwrap_err().into_response();
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(refused.headers()["retry-after"], "1");
        drop(turn);
        assert!(turns.take().is_ok());
    }

    #[tokio::test]
    async fn a_client_that_goes_away_frees_no_turn_before_its_work_is_done() {
        let turns = Turns::of(1);
        let (finish, finished) = oneshot::channel::<()>();
        let work = turns.take().unwrap().run(async move { finished.await.map_err(|_| ApiError::Busy) });
        assert!(tokio::time::timeout(Duration::from_millis(10), work).await.is_err(), "the work has ended");
        assert!(turns.take().is_err());
        finish.send(()).unwrap();
        while turns.take().is_err() {
            tokio::task::yield_now().await;
        }
    }
}
