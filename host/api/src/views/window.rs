//! The JSON views of what the windows of an evaluation lack: holes between their candles, and candles that were
//! refused.

use std::fmt;

use serde::Serialize;
use ta_bot_core::{Hole, RefusedCandle, WindowHoles};
use ta_bot_engine::pipeline::analysis::RefusedCandles;
use utoipa::ToSchema;

/// The holes of one window.
#[derive(Debug, Serialize, ToSchema)]
pub struct HolesView {
    pub symbol: String,
    pub timeframe: String,
    /// How many candles are missing in all its holes.
    pub missing: u64,
    /// The newest holes, newest first; at most five.
    newest: Vec<HoleView>,
}

/// Candles that are missing between two candles that are there.
#[derive(Debug, Serialize, ToSchema)]
struct HoleView {
    /// When the last candle before the hole closed.
    from: String,
    /// When the first candle after the hole opened.
    until: String,
    /// How many candles are missing.
    missing: u64,
}

/// The candles of one series that were left out of the windows, because their rows are no closed candles.
#[derive(Debug, Serialize, ToSchema)]
pub struct RefusedView {
    symbol: String,
    timeframe: String,
    /// How many there are.
    candles: usize,
    /// The newest of them, oldest first; at most ten.
    newest: Vec<RefusedCandleView>,
}

/// A candle that was left out.
#[derive(Debug, Serialize, ToSchema)]
struct RefusedCandleView {
    /// When it opened.
    open_time: String,
    /// `unfinished`, `off_grid`, `unsound` or `contradicted`.
    code: &'static str,
    /// What is wrong, and what to do.
    message: String,
}

impl From<&WindowHoles> for HolesView {
    fn from(holes: &WindowHoles) -> Self {
        let hole = |hole: &Hole| HoleView {
            from: hole.from.to_string(),
            until: hole.until.to_string(),
            missing: hole.missing,
        };
        Self {
            symbol: holes.symbol.to_string(),
            timeframe: holes.timeframe.to_string(),
            missing: holes.missing,
            newest: holes.newest.iter().map(hole).collect(),
        }
    }
}

impl From<&RefusedCandles> for RefusedView {
    fn from(refused: &RefusedCandles) -> Self {
        let candle = |candle: &RefusedCandle| RefusedCandleView {
            open_time: candle.open_time.to_string(),
            code: candle.problem.code(),
            message: candle.problem.to_string(),
        };
        Self {
            symbol: refused.series.0.to_string(),
            timeframe: refused.series.1.to_string(),
            candles: refused.candles,
            newest: refused.newest.iter().map(candle).collect(),
        }
    }
}

impl fmt::Display for HolesView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { symbol, timeframe, missing, newest } = self;
        let hole = |hole: &HoleView| format!("{} from {} to {}", hole.missing, hole.from, hole.until);
        let named = newest.iter().map(hole).collect::<Vec<_>>().join(", ");
        let more = if newest.iter().map(|hole| hole.missing).sum::<u64>() < *missing { ", …" } else { "" };
        write!(f, "{symbol} {timeframe}: {missing} candles are missing: {named}{more}")
    }
}

/// A line for each of the newest candles.
impl fmt::Display for RefusedView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { symbol, timeframe, candles, newest } = self;
        write!(f, "{symbol} {timeframe}: {candles} candles are refused, and count as missing:")?;
        newest.iter().try_for_each(|candle| write!(f, "\n  opened {}: {}", candle.open_time, candle.message))
    }
}
