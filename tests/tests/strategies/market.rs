//! Made-up markets: ordinary ones, and ones that nobody would trade.

use proptest::prelude::*;
use ta_bot_core::{Candle, CandleWindow, Job, Timeframe, Timestamp};

/// A timeframe on which no strategy declines to run.
pub(crate) const TIMEFRAME: Timeframe = Timeframe::M15;

/// What one candle of a made-up market does: the step from open to close and the two shadows, as shares of the price,
/// and its volume.
pub(crate) type Move = [f64; 4];

/// Any market of up to `most` candles, from calm to wild, with stretches in which nothing moves.
pub(crate) fn moves(most: usize) -> impl Strategy<Value = Vec<Move>> {
    let quiet = Just([0.0, 0.0, 0.0, 0.0]);
    let calm = [-0.004..0.004_f64, 0.0..0.003_f64, 0.0..0.003_f64, 0.0..100.0_f64];
    let wild = [-0.2..0.25_f64, 0.0..0.2_f64, 0.0..0.2_f64, 0.0..1e6_f64];
    let stretch = prop_oneof![
        1 => prop::collection::vec(quiet, 1..60),
        4 => prop::collection::vec(calm, 1..120),
        1 => prop::collection::vec(wild, 1..20),
    ];
    prop::collection::vec(stretch, 1..8).prop_map(move |stretches| {
        let mut moves = stretches.concat();
        moves.truncate(most);
        moves
    })
}

/// The candles of these moves, starting at a first price.
pub(crate) fn candles(moves: &[Move], first_price: f64) -> Vec<Candle> {
    let mut close = first_price;
    let candle = |(index, &[step, above, below, volume]): (usize, &Move)| {
        let open = close;
        close *= 1.0 + step;
        let (high, low) = (open.max(close) * (1.0 + above), open.min(close) * (1.0 - below));
        let open_time = Timestamp::from_millis(1_700_000_100_000 + index as i64 * TIMEFRAME.millis());
        Candle { open_time, open, high, low, close, volume }
    };
    moves.iter().enumerate().map(candle).collect()
}

/// The window of these candles.
pub(crate) fn window(candles: &[Candle]) -> CandleWindow {
    CandleWindow::new(candles.iter().copied()).unwrap()
}

/// The job of the newest candle.
pub(crate) fn job(candles: &[Candle]) -> Job {
    let open = candles.last().map_or(Timestamp::from_millis(0), |candle| candle.open_time);
    Job { symbol: "BTCUSDT".parse().unwrap(), timeframe: TIMEFRAME, candle_close: TIMEFRAME.close_of(open) }
}
