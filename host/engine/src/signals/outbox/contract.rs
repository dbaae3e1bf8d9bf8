//! The tests that every outbox must pass.
//!
//! A driver runs [`all`] in its tests. Each case gets an empty outbox of its own, as two handles that stand for two
//! replicas of the service.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "tests, and a test may fail loudly")]

use std::sync::Arc;

use ta_bot_core::{
    Action, ApplicationSettings, Candle, CandleSlice, CandleWindow, Decision, Evaluated, Job, MessageRules,
    ModuleDigest, ParameterHash, ParameterLevels, ParameterSchema, ResolvedParameters, Signal, SignalId,
    SignalTimestamp, Strength, Timeframe, Timestamp,
};

use super::{FinishedJob, Outbox, StoredSignal};

mod fence;
mod jobs;
mod signals;

pub use fence::*;
pub use jobs::*;
pub use signals::*;

/// Two handles of one empty outbox.
pub type Replicas = (Arc<dyn Outbox>, Arc<dyn Outbox>);

/// 2026-01-01 00:00.
const START: i64 = 1_767_225_600_000;

/// Runs every case except those of [`fenced`], each on an outbox that `fresh` makes.
pub async fn all(fresh: impl AsyncFn() -> Replicas) {
    nothing_is_there_at_first(fresh().await).await;
    signals_wait_in_the_order_of_their_commits(fresh().await).await;
    a_signal_is_stored_once(fresh().await).await;
    a_finished_job_is_left_alone(fresh().await).await;
    signals_can_be_added_beside_a_job(fresh().await).await;
    published_signals_wait_no_more(fresh().await).await;
    expired_signals_wait_no_more(fresh().await).await;
    withheld_signals_wait_no_more(fresh().await).await;
    a_signal_may_never_wait(fresh().await).await;
    an_emitted_signal_says_when_it_was_committed(fresh().await).await;
    a_signal_is_found_by_its_id(fresh().await).await;
    signals_are_found_by_what_they_are_about(fresh().await).await;
    signals_are_found_by_what_became_of_them(fresh().await).await;
    a_reader_gets_what_it_has_not_seen(fresh().await).await;
    a_reader_goes_on_where_it_was(fresh().await).await;
    many_signals_are_committed_at_once(fresh().await).await;
    replicas_that_commit_the_same_emit_it_once(fresh().await).await;
    replicas_that_commit_at_once_lose_nothing(fresh().await).await;
    a_series_begins_once(fresh().await).await;
    finished_jobs_are_known(fresh().await).await;
    finished_jobs_of_a_quiet_series_are_known(fresh().await).await;
    dead_jobs_are_kept_until_they_are_committed(fresh().await).await;
    a_finished_job_can_not_die(fresh().await).await;
    dead_jobs_are_newest_first(fresh().await).await;
    a_dead_job_is_retried_until_it_is_committed(fresh().await).await;
    dead_jobs_are_retried_by_what_they_are_about(fresh().await).await;
}

fn moment(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// The job of the candle that closed `index` quarters of an hour after the start.
pub fn job(symbol: &str, index: i64) -> Job {
    let candle_close = moment(START + index * Timeframe::M15.millis());
    Job { symbol: symbol.parse().unwrap(), timeframe: Timeframe::M15, candle_close }
}

/// A signal of `strategy` for the job. Each `variant` stands for different parameters.
pub fn signal(job: &Job, strategy: &str, variant: u8) -> Signal {
    let candle =
        |index| Candle { open_time: moment(index), open: 100.0, high: 101.0, low: 99.0, close: 100.0, volume: 1.0 };
    let window = CandleWindow::new((0..20).map(candle)).unwrap();
    let schema = ParameterSchema::new(Vec::new());
    let mut parameters = ResolvedParameters::resolve(&schema, &ParameterLevels::default());
    parameters.hash = ParameterHash::of(&[variant]);
    let decision = Decision {
        action: Action::Buy,
        confidence: 0.75,
        price: Some(100.1 + 0.2),
        stop_loss: None,
        take_profit: None,
        strength: Strength::Medium,
        rationale: Some("ärger \"quoted\" \\ 市場".to_owned()),
        metadata: Vec::new(),
    };
    let evaluated = Evaluated {
        job,
        strategy: &strategy.parse().unwrap(),
        module: ModuleDigest::of(b"module"),
        wit_version: "1.0.0",
        parameters: &parameters,
        parameter_store: "test",
        window: window.newest(20),
        window_hash: CandleSlice::hash(&[window.newest(20)]),
        holes: &[],
        host_version: "0.1.0",
        derived: &[],
        traceparent: None,
        rules: MessageRules::default(),
        decision: &decision,
    };
    let bounds = ApplicationSettings {
        symbols: Vec::new(),
        timeframes: Vec::new(),
        enabled_strategies: None,
        min_confidence: 0.0,
        max_confidence: 1.0,
        accepted_holes: Vec::new(),
    };
    Signal::new(&evaluated, &bounds).unwrap()
}

/// A finished job with one signal of each strategy.
pub fn finished(symbol: &str, index: i64, strategies: &[&str]) -> FinishedJob {
    let job = job(symbol, index);
    let signals = strategies.iter().map(|strategy| signal(&job, strategy, 0)).collect();
    FinishedJob { job, signals, revision: 0 }
}

/// The ids of all signals, in order.
fn ids_of(finished: &[FinishedJob]) -> Vec<SignalId> {
    finished.iter().flat_map(|finished| &finished.signals).map(|signal| signal.id.clone()).collect()
}

/// The finished ones of `jobs`, sorted. All jobs must have the same timeframe.
async fn finished_of(store: &dyn Outbox, jobs: &[Job]) -> Vec<Job> {
    let timeframe = jobs.first().map_or(Timeframe::M15, |job| job.timeframe);
    let asked: Vec<_> = jobs.iter().map(|job| (job.symbol.clone(), job.candle_close)).collect();
    let found = store.finished(timeframe, &asked).await.unwrap().into_iter();
    let mut found: Vec<_> = found.map(|(symbol, candle_close)| Job { symbol, timeframe, candle_close }).collect();
    found.sort();
    found
}

/// The ids of all waiting signals, in order.
async fn waiting(store: &dyn Outbox) -> Vec<String> {
    store.unpublished(u32::MAX).await.unwrap().into_iter().map(|signal| signal.id).collect()
}

fn ids(signals: &[StoredSignal]) -> Vec<&str> {
    signals.iter().map(|signal| signal.id.as_str()).collect()
}

fn texts(ids: &[SignalId]) -> Vec<String> {
    ids.iter().map(SignalId::to_string).collect()
}
