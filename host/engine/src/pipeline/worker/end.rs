//! How work on a job ends: it leaves the queue, comes again, or is given up.

use std::time::Duration;

use ta_bot_core::{RowProblem, Timestamp};

use super::Pipeline;
use crate::{
    pipeline::{analysis::AnalysisError, job_queue::Delivery},
    signals::outbox::DeadJob,
};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How work on a job ends.
pub(super) enum End {
    /// The job leaves the queue: it was committed, given up, or had been finished before.
    Over(&'static str),
    /// The job comes again after a pause.
    Again(Duration),
    /// The job comes again at once, to be decided by the newer log of deployments.
    Anew,
}

/// What came of a try to decide a job.
pub(super) enum Decided {
    /// The work on the job is over.
    End(End),
    /// The candle is missing or unfinished, and its writer may still write it.
    TooEarly,
}

impl End {
    /// A stable word for it.
    pub(super) const fn outcome(&self) -> &'static str {
        match self {
            Self::Over(outcome) => outcome,
            Self::Again(_) => "given_back",
            Self::Anew => "decided_anew",
        }
    }
}

impl Pipeline {
    pub(super) async fn end(&self, delivery: Delivery, end: End) {
        let outcome = end.outcome();
        match end {
            End::Over(_) => delivery.done().await,
            End::Again(delay) => delivery.give_back(delay).await,
            End::Anew => delivery.give_back(Duration::ZERO).await,
        }
        self.metrics.jobs.with_label_values(&[outcome]).inc();
    }

    /// Gives up a job whose candle has no usable row.
    pub(super) async fn give_up(&self, delivery: &Delivery, error: &AnalysisError) -> Decided {
        let is_unfinished = matches!(error, AnalysisError::Refused { problem: RowProblem::Unfinished { .. }, .. });
        let outcome = if is_unfinished { "unfinished" } else { "refused" };
        let end = self.bury(delivery, delivery.attempt, error.reason(), outcome).await;
        if is_unfinished && matches!(end, End::Over(_)) {
            let timeframe = delivery.job().timeframe.as_str();
            self.metrics.inputs.candles_unfinished.with_label_values(&[timeframe]).inc();
        }
        Decided::End(end)
    }

    /// Gives a job up, with the outcome that is counted. If that can't be stored, the job comes again.
    pub(super) async fn bury(&self, delivery: &Delivery, attempts: u32, reason: String, outcome: &'static str) -> End {
        let dead =
            DeadJob { job: delivery.job().clone(), attempts, reason, died_at: Timestamp::now(), retried_at: None };
        match self.outbox.bury(&dead).await {
            Ok(()) => {
                tracing::error!(job = %dead.job, attempts = dead.attempts, reason = %dead.reason, "job given up");
                End::Over(outcome)
            }
            Err(error) => {
                tracing::error!(job = %dead.job, reason = %dead.reason, "job can't be given up");
                again(delivery, &error)
            }
        }
    }
}

/// The end of a job that has to wait for a store.
pub(super) fn again(delivery: &Delivery, error: &impl std::fmt::Display) -> End {
    let job = delivery.job();
    let attempt = delivery.attempt;
    tracing::warn!(%job, attempt, %error, "job waits for the store and comes again");
    End::Again(pause(attempt))
}

/// The pause after the `attempt`-th try.
pub(super) fn pause(attempt: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(LONGEST_PAUSE)
}
