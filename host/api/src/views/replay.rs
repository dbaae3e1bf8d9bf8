//! The JSON view of a replay, for the API and the command.

use serde::Serialize;
use serde_json::Value as Json;
use ta_bot_engine::{
    evaluation::HOST_VERSION,
    signals::replay::{Difference, Replay, Seen},
};
use utoipa::ToSchema;

use crate::views::outcome::OutcomeView;

/// The result of a replay.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReplayView {
    pub signal_id: String,
    /// `equal`: the replay made the same bytes. `different`: the same inputs gave another result, or the stored message
    /// was changed. `impossible`: an input no longer exists.
    pub verdict: &'static str,
    /// Why the replay is impossible; null if it is not.
    pub cause: Option<CauseView>,
    pub strategy: String,
    pub symbol: String,
    pub timeframe: String,
    /// When the candle closed; null if the stored message can't be read.
    pub candle_close: Option<String>,
    /// The SHA-256 of the module; null if the stored message can't be read.
    pub module_digest: Option<String>,
    /// The version of the service that made the signal; null if the stored message can't be read.
    pub host_version: Option<String>,
    /// The version of the service that replays it.
    pub replayed_by: &'static str,
    /// The strategy's input: its own series first, then its extra inputs. Empty if it was not run.
    pub windows: Vec<WindowView>,
    /// The fields in which the replayed message differs from the stored one, at most the first hundred.
    pub differences: Vec<DifferenceView>,
    /// How many further fields differ.
    pub more_differences: usize,
    /// The strategy's answer now; null if it was not run. If the original candles were not found, it is the answer to
    /// the candles of today.
    pub outcome: Option<OutcomeView>,
}

/// Why a signal can't be replayed.
#[derive(Debug, Serialize, ToSchema)]
pub struct CauseView {
    /// A stable code for programs.
    pub code: &'static str,
    pub message: String,
}

/// A window of the strategy's input.
#[derive(Debug, Serialize, ToSchema)]
pub struct WindowView {
    /// The symbol; null for an input that is empty because there is no higher timeframe.
    pub symbol: Option<String>,
    pub timeframe: Option<String>,
    pub candles: usize,
    pub first_open: Option<String>,
    pub last_open: Option<String>,
    /// How many more candles the window would have today, because they were stored after the signal was made.
    pub stored_since: usize,
}

/// A field that differs.
#[derive(Debug, Serialize, ToSchema)]
pub struct DifferenceView {
    /// The path of the field in the message; `*` for the message as a whole.
    pub field: String,
    /// The stored value; absent if the stored message lacks the field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stored: Option<Json>,
    /// The replayed value; absent if the replayed message lacks the field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replayed: Option<Json>,
}

impl ReplayView {
    pub fn new(replay: &Replay) -> Self {
        let cause = replay.cause.as_ref();
        let answer = replay.answer.as_ref();
        Self {
            signal_id: replay.id.to_string(),
            verdict: replay.verdict().as_str(),
            cause: cause.map(|cause| CauseView { code: cause.code(), message: cause.to_string() }),
            strategy: replay.strategy.to_string(),
            symbol: replay.symbol.to_string(),
            timeframe: replay.timeframe.as_str().to_owned(),
            candle_close: replay.candle_close.map(|close| close.to_string()),
            module_digest: replay.module.map(|digest| digest.to_string()),
            host_version: replay.host_version.clone(),
            replayed_by: HOST_VERSION,
            windows: replay.windows.iter().map(window).collect(),
            differences: replay.differences.named().iter().map(difference).collect(),
            more_differences: replay.differences.more(),
            outcome: answer
                .map(|answer| OutcomeView::new(&answer.outcome, &answer.holes, answer.duration, &answer.log)),
        }
    }
}

fn window(seen: &Seen) -> WindowView {
    let series = seen.series.as_ref();
    WindowView {
        symbol: series.map(|(symbol, _)| symbol.to_string()),
        timeframe: series.map(|(_, timeframe)| timeframe.as_str().to_owned()),
        candles: seen.candles,
        first_open: seen.first_open.map(|moment| moment.to_string()),
        last_open: seen.last_open.map(|moment| moment.to_string()),
        stored_since: seen.stored_since,
    }
}

fn difference(difference: &Difference) -> DifferenceView {
    let Difference { field, stored, replayed } = difference.clone();
    DifferenceView { field, stored, replayed }
}
