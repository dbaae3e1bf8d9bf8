//! A replay in the words of JSON, for the API and for the command.

use serde::Serialize;
use serde_json::Value as Json;
use ta_bot_engine::{
    evaluation::HOST_VERSION,
    signals::replay::{Difference, Replay, Seen},
};
use utoipa::ToSchema;

use crate::views::outcome::OutcomeView;

/// What came of a replay.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReplayView {
    pub signal_id: String,
    /// `equal`: made again byte for byte. `different`: of the same inputs came something else, or the stored message was
    /// changed. `impossible`: an input is not there any more.
    pub verdict: &'static str,
    /// Why it is impossible; else null.
    pub cause: Option<CauseView>,
    pub strategy: String,
    pub symbol: String,
    pub timeframe: String,
    /// Null where the stored message can't be read.
    pub candle_close: Option<String>,
    /// SHA-256 of the module; null where the stored message can't be read.
    pub module_digest: Option<String>,
    /// The version that made the signal; null where the stored message can't be read.
    pub host_version: Option<String>,
    /// The version that replays it.
    pub replayed_by: &'static str,
    /// What the strategy was given: its own series first, then its extra inputs. Empty where it was not asked.
    pub windows: Vec<WindowView>,
    /// Where the message that was made now is another one: the first hundred fields.
    pub differences: Vec<DifferenceView>,
    /// How many fields differ besides.
    pub more_differences: usize,
    /// What the strategy answered now; null where it was not asked. With other candles than then it tells what it says of
    /// these.
    pub outcome: Option<OutcomeView>,
}

/// Why a signal can't be made again.
#[derive(Debug, Serialize, ToSchema)]
pub struct CauseView {
    /// A stable word for programs.
    pub code: &'static str,
    pub message: String,
}

/// A window that the strategy was given.
#[derive(Debug, Serialize, ToSchema)]
pub struct WindowView {
    /// Null for an input that is empty since there is no higher timeframe.
    pub symbol: Option<String>,
    pub timeframe: Option<String>,
    pub candles: usize,
    pub first_open: Option<String>,
    pub last_open: Option<String>,
    /// How many candles the window would have besides today: they were stored after the signal was made.
    pub stored_since: usize,
}

/// A field that differs.
#[derive(Debug, Serialize, ToSchema)]
pub struct DifferenceView {
    /// Its path in the message; `*` for the message as a whole.
    pub field: String,
    /// What is stored; absent where the field is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stored: Option<Json>,
    /// What was made now; absent where the field is not there.
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
            outcome: answer.map(|answer| OutcomeView::new(&answer.outcome, answer.duration, &answer.log)),
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
