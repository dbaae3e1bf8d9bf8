//! The JSON view of the rerun of a failure, for the command.

use serde::Serialize;
use ta_bot_core::Timestamp;
use ta_bot_engine::{
    evaluation::HOST_VERSION,
    signals::replay::rerun::Rerun,
    supervision::failure::{FailedWindow, RecordedError},
};

use crate::views::outcome::OutcomeView;

/// The result of a rerun.
#[derive(Debug, Serialize)]
pub struct RerunView {
    pub failure_id: String,
    /// `equal`: it failed with the same code. `different`: the same inputs gave another result. `impossible`: it could
    /// not be run.
    pub verdict: &'static str,
    /// Why the rerun is impossible; null if it is not.
    pub cause: Option<RerunCauseView>,
    pub strategy: String,
    pub symbol: String,
    pub timeframe: String,
    pub candle_close: String,
    /// When it first failed.
    pub at: String,
    pub module_digest: String,
    /// The version of the service in which it failed.
    pub host_version: String,
    /// The version of the service that reruns it.
    pub replayed_by: &'static str,
    pub timeout_ms: u64,
    pub memory_bytes: usize,
    /// The strategy's input: its own series first, then its extra inputs.
    pub windows: Vec<RerunWindowView>,
    /// How it failed originally.
    pub recorded: RecordedView,
    /// The strategy's answer now; null if it was not run.
    pub outcome: Option<OutcomeView>,
}

/// Why a failure can't be rerun.
#[derive(Debug, Serialize)]
pub struct RerunCauseView {
    /// A stable code for programs.
    pub code: &'static str,
    pub message: String,
}

/// How it failed originally.
#[derive(Debug, Serialize)]
pub struct RecordedView {
    pub code: String,
    pub message: String,
}

/// A window of the strategy's input.
#[derive(Debug, Serialize)]
pub struct RerunWindowView {
    /// The symbol; null for an input that is empty because there is no higher timeframe.
    pub symbol: Option<String>,
    pub timeframe: Option<String>,
    pub candles: usize,
    pub first_open: Option<String>,
    pub last_open: Option<String>,
}

impl RerunView {
    pub fn new(rerun: &Rerun) -> Self {
        let Rerun { failure, answer } = rerun;
        let RecordedError { code, message } = failure.error.clone();
        let cause = answer.as_ref().err();
        Self {
            failure_id: failure.id().to_string(),
            verdict: rerun.verdict().as_str(),
            cause: cause.map(|cause| RerunCauseView { code: cause.code(), message: cause.to_string() }),
            strategy: failure.strategy.to_string(),
            symbol: failure.job.symbol.to_string(),
            timeframe: failure.job.timeframe.as_str().to_owned(),
            candle_close: failure.job.candle_close.to_string(),
            at: failure.at.to_string(),
            module_digest: failure.module.to_string(),
            host_version: failure.host_version.clone(),
            replayed_by: HOST_VERSION,
            timeout_ms: failure.limits.timeout.as_millis() as u64,
            memory_bytes: failure.limits.memory_bytes,
            windows: failure.windows.iter().map(window).collect(),
            recorded: RecordedView { code, message },
            outcome: answer.as_ref().ok().map(|it| OutcomeView::new(&it.outcome, &it.holes, it.duration, &it.log)),
        }
    }
}

fn window(window: &FailedWindow) -> RerunWindowView {
    let series = window.series.as_ref();
    let open_times = window.candles.newest(usize::MAX).open_time;
    let moment = |millis: Option<&f64>| millis.map(|millis| Timestamp::from_millis(*millis as i64).to_string());
    RerunWindowView {
        symbol: series.map(|(symbol, _)| symbol.to_string()),
        timeframe: series.map(|(_, timeframe)| timeframe.as_str().to_owned()),
        candles: open_times.len(),
        first_open: moment(open_times.first()),
        last_open: moment(open_times.last()),
    }
}
