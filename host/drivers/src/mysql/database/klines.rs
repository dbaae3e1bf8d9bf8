//! The Data Extractor's tables of candles, one for each timeframe.

use ta_bot_core::Timeframe;

/// The table of a timeframe.
pub(crate) const fn table(timeframe: Timeframe) -> &'static str {
    match timeframe {
        Timeframe::M1 => "klines_m1",
        Timeframe::M3 => "klines_m3",
        Timeframe::M5 => "klines_m5",
        Timeframe::M15 => "klines_m15",
        Timeframe::M30 => "klines_m30",
        Timeframe::H1 => "klines_h1",
        Timeframe::H2 => "klines_h2",
        Timeframe::H4 => "klines_h4",
        Timeframe::H6 => "klines_h6",
        Timeframe::H8 => "klines_h8",
        Timeframe::H12 => "klines_h12",
        Timeframe::D1 => "klines_d1",
        Timeframe::D3 => "klines_d3",
        Timeframe::W1 => "klines_w1",
    }
}
