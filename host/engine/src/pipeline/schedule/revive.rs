//! Has jobs decided after all that were given up for want of a candle, once the candle is there.
//!
//! A row may be finished or corrected after its job has ended, and the shorter candles that a longer one is made of may
//! come late.

use futures_util::future::join_all;
use ta_bot_core::{Job, RowProblem, Timestamp};

use super::{Hints, Schedule, Scheduled, look::Progress};
use crate::{
    pipeline::analysis::AnalysisError,
    signals::outbox::{DeadFilter, DeadJob},
};

/// How many dead jobs a sweep looks at, newest first.
const MOST_DEAD: u32 = 1_000;

impl Schedule {
    /// Finds the scheduled jobs that were given up because their candles were missing or unusable.
    pub(super) async fn find_without_candle(&self, scheduled: &Scheduled, progress: &mut Progress) {
        let dead = match self.outbox.dead(MOST_DEAD).await {
            Ok(dead) => dead,
            Err(error) => {
                tracing::warn!(%error, "can't look for jobs without candles; the next sweep tries again");
                return;
            }
        };
        let lacks_candle = |dead: &DeadJob| {
            let code = dead.reason.split(':').next().unwrap_or_default();
            dead.retried_at.is_none()
                && (code == AnalysisError::MISSING || RowProblem::CODES.contains(&code))
                && scheduled.has(&dead.job.symbol, dead.job.timeframe)
        };
        progress.without_candle = dead.into_iter().filter(lacks_candle).map(|dead| dead.job).collect();
    }

    /// Has those jobs retried whose candles are there now. With hints, it looks only at the named series. Returns
    /// whether there are any.
    pub(super) async fn revive(&self, hints: Option<&Hints>, progress: &mut Progress) -> bool {
        let named = |job: &Job| {
            hints.is_none_or(|hints| hints.get(&job.timeframe).is_some_and(|hinted| hinted.contains_key(&job.symbol)))
        };
        let (looked_at, rest): (Vec<Job>, Vec<Job>) = progress.without_candle.drain(..).partition(|job| named(job));
        progress.without_candle = rest;
        // All at the same time, so that the rows are read together.
        let revived = join_all(looked_at.iter().map(|job| self.revive_one(job))).await;
        let waiting = looked_at.into_iter().zip(&revived).filter(|(_, revived)| !**revived).map(|(job, _)| job);
        progress.without_candle.extend(waiting);
        revived.contains(&true)
    }

    async fn revive_one(&self, job: &Job) -> bool {
        let Job { symbol, timeframe, candle_close } = job;
        // If a store fails, the next sweep tries again.
        let Ok(closed) = self.candles.newest(symbol, *timeframe, *candle_close, 1).await else { return false };
        if closed.newest_close(*timeframe) != Some(*candle_close) {
            return false;
        }
        let this =
            DeadFilter { symbol: Some(symbol.clone()), timeframe: Some(*timeframe), candle_close: Some(*candle_close) };
        let retried = self.outbox.retry(&this, Timestamp::now()).await.is_ok();
        if retried {
            tracing::info!(%job, "the job's candle has come; the job is tried again");
        }
        retried
    }
}
