//! Limits how many requests may run strategies, or upload modules, at once.
//!
//! Strategies run on the same threads as the jobs of live candles, first come, first served. So a request that finds no
//! free turn is refused at once, instead of queueing ahead of jobs.

use std::{future::Future, panic::resume_unwind, sync::Arc, thread};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::ApiError;

/// The turns for running strategies.
#[derive(Debug, Clone)]
pub(crate) struct Turns(Arc<Semaphore>);

/// How many uploads may run at once; each may have 64 MiB.
const UPLOADS: usize = 2;

/// The turns for uploads.
#[derive(Debug, Clone)]
pub(crate) struct Uploads(Turns);

impl Uploads {
    pub(crate) fn new() -> Self {
        Self(Turns::of(UPLOADS))
    }

    /// Takes a turn, if one is free.
    pub(crate) fn take(&self) -> Result<Turn, ApiError> {
        self.0.take().map_err(|_| ApiError::UploadsBusy { most: UPLOADS })
    }
}

/// The permission to run strategies or to upload a module.
#[derive(Debug)]
pub(crate) struct Turn(OwnedSemaphorePermit);

impl Turns {
    /// One turn for each core, and at least two, so that two operators can always write.
    pub(crate) fn new() -> Self {
        Self::of(thread::available_parallelism().map_or(2, |cores| cores.get().max(2)))
    }

    fn of(count: usize) -> Self {
        Self(Arc::new(Semaphore::new(count)))
    }

    /// Takes a turn, if one is free.
    pub(crate) fn take(&self) -> Result<Turn, ApiError> {
        Arc::clone(&self.0).try_acquire_owned().map(Turn).map_err(|_| ApiError::Busy)
    }
}

impl Turn {
    /// Runs the work [to its end](to_its_end). The turn must not become free before it is done.
    pub(crate) async fn run<T: Send + 'static>(
        self,
        work: impl Future<Output = Result<T, ApiError>> + Send + 'static,
    ) -> Result<T, ApiError> {
        to_its_end(async move {
            let _permit = self.0;
            work.await
        })
        .await
    }
}

/// Runs the work to its end, even if the client disconnects: a change that was written must also be told to the other
/// replicas.
pub(crate) async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, ApiError>> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::spawn(work).await.map_err(tokio::task::JoinError::try_into_panic) {
        Ok(answer) => answer,
        Err(Ok(panic)) => resume_unwind(panic),
        Err(Err(ended)) => Err(ApiError::Panic(ended.to_string())),
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
