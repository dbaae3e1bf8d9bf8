//! Made-up candles: for a simulated market, and for checking a module without a store.
//!
//! A candle is a function of its symbol, its time and the price before it, so the same history always continues in the
//! same way.

use std::f64::consts::TAU;

use sha2::{Digest as _, Sha256};
use ta_bot_core::{Candle, Symbol, Timestamp};

/// How many steps a candle's price takes on its way.
const STEPS: u64 = 12;

/// The candle that follows `price`: a walk whose drift swings slowly, so that there are both trends and turns.
pub fn simulated(symbol: &Symbol, open_time: Timestamp, price: f64) -> Candle {
    let minutes = open_time.millis() as f64 / 60_000.0;
    let phase = chance(symbol, Timestamp::from_millis(0), 0) * TAU;
    let drift = 0.0006 * (TAU * minutes / 300.0 + phase).sin() + 0.0003 * (TAU * minutes / 2900.0 + 2.0 * phase).sin();
    let mut candle = Candle { open_time, open: price, high: price, low: price, close: price, volume: 0.0 };
    for step in 0..STEPS {
        let noise = (chance(symbol, open_time, step + 1) - 0.5) * 0.0016;
        let next = (candle.close * (1.0 + drift / STEPS as f64 * 2.0 + noise)).max(f64::MIN_POSITIVE);
        candle.close = (next * 1e6).round() / 1e6;
        candle.high = candle.high.max(candle.close);
        candle.low = candle.low.min(candle.close);
        candle.volume += (1000.0 * (0.2 + noise.abs() * 600.0)).round() / 1000.0;
    }
    candle
}

/// Candles that follow each other from `price` on, one for each open time.
pub fn walk(symbol: &Symbol, opens: impl IntoIterator<Item = Timestamp>, mut price: f64) -> Vec<Candle> {
    let next = |open_time| {
        let candle = simulated(symbol, open_time, price);
        price = candle.close;
        candle
    };
    opens.into_iter().map(next).collect()
}

/// A number from 0 up to 1 that depends only on the arguments.
fn chance(symbol: &Symbol, open_time: Timestamp, draw: u64) -> f64 {
    let hash = Sha256::digest(format!("{symbol}\n{}\n{draw}", open_time.millis()));
    let number = hash[..6].iter().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    number as f64 / (1_u64 << 48) as f64
}

#[cfg(test)]
mod tests {
    use ta_bot_core::Timeframe;

    use super::*;

    #[test]
    fn the_market_is_the_same_each_time_and_its_candles_are_sound() {
        let symbol: Symbol = "BTCUSDT".parse().unwrap();
        let mut price = 100.0;
        for i in 0..5000 {
            let open_time = Timestamp::from_millis(i * Timeframe::M5.millis());
            let candle = simulated(&symbol, open_time, price);
            assert_eq!(candle, simulated(&symbol, open_time, price));
            assert_eq!(candle.check(Timeframe::M5), Ok(()));
            assert_eq!(candle.open, price);
            price = candle.close;
        }
        assert!((10.0..1000.0).contains(&price), "the walk stays near where it began: {price}");
    }
}
