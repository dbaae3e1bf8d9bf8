//! Makes the sample candles of `examples/candles`: `cargo run -p ta-bot --example make-candles`.
//!
//! They come from the simulated market, so nobody else owns them, and every run makes the same files.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly"))]

use std::{fmt::Write as _, fs, io, path::PathBuf};

use ta_bot_core::{Candle, Symbol, SymbolError, Timeframe, Timestamp, gathered};
use ta_bot_engine::market::made_up::simulated;

/// When the last candle closes: the first moment of 2026.
const END: Timestamp = Timestamp::from_millis(1_767_225_600_000);
/// How many hours the market runs until then.
const HOURS: i64 = 300;
/// How many candles a file holds. They are the newest ones.
const CANDLES: usize = 300;
/// Each symbol with its first price and the number of decimals that its market quotes.
const MARKETS: [(&str, f64, usize); 3] = [("BTCUSDT", 50_000.0, 2), ("ETHUSDT", 3000.0, 2), ("ADAUSDT", 0.8, 4)];
const TIMEFRAMES: [Timeframe; 3] = [Timeframe::M5, Timeframe::M15, Timeframe::H1];

fn main() -> io::Result<()> {
    let folder = folder();
    for (name, text) in files().map_err(io::Error::other)? {
        fs::write(folder.join(name), text)?;
    }
    Ok(())
}

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/candles"))
}

/// The name and text of every file.
fn files() -> Result<Vec<(String, String)>, SymbolError> {
    let mut files = Vec::new();
    for (name, first_price, decimals) in MARKETS {
        let shortest = market(&name.parse()?, first_price, decimals);
        for timeframe in TIMEFRAMES {
            let candles = gather(&shortest, timeframe);
            let newest = &candles[candles.len().saturating_sub(CANDLES)..];
            files.push((format!("{name}_{timeframe}.csv"), csv(newest, decimals)));
        }
    }
    Ok(files)
}

/// The candles of the shortest timeframe, at prices that the market quotes.
fn market(symbol: &Symbol, first_price: f64, decimals: usize) -> Vec<Candle> {
    let first = END.plus_millis(-HOURS * Timeframe::H1.millis());
    let count = HOURS * Timeframe::H1.millis() / Timeframe::M5.millis();
    let next = |price: &mut f64, index: i64| {
        let candle = simulated(symbol, first.plus_millis(index * Timeframe::M5.millis()), *price);
        let candle = quoted(&candle, decimals);
        *price = candle.close;
        Some(candle)
    };
    (0..count).scan(first_price, next).collect()
}

/// The candle with prices of `decimals` decimals. Rounding keeps the order of prices, so high and low still enclose the
/// rest.
fn quoted(candle: &Candle, decimals: usize) -> Candle {
    let unit = 10_f64.powi(decimals as i32);
    let round = |price: f64| (price * unit).round() / unit;
    let Candle { open_time, open, high, low, close, volume } = *candle;
    Candle { open_time, open: round(open), high: round(high), low: round(low), close: round(close), volume }
}

fn gather(shortest: &[Candle], timeframe: Timeframe) -> Vec<Candle> {
    let groups = shortest.chunk_by(|one, next| timeframe.open_of(one.open_time) == timeframe.open_of(next.open_time));
    groups
        .filter_map(|parts| {
            let open_time = timeframe.open_of(parts.first()?.open_time);
            gathered(open_time, parts)
        })
        .collect()
}

fn csv(candles: &[Candle], decimals: usize) -> String {
    let mut text = "open_time_ms,open,high,low,close,volume\n".to_owned();
    for Candle { open_time, open, high, low, close, volume } in candles {
        // Writing to a `String` can't fail.
        let _ = writeln!(
            text,
            "{},{open:.decimals$},{high:.decimals$},{low:.decimals$},{close:.decimals$},{volume:.3}",
            open_time.millis()
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_what_this_makes() {
        for (name, text) in files().unwrap() {
            let path = folder().join(&name);
            let kept = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert!(kept == text, "{name} differs: cargo run -p ta-bot --example make-candles");
        }
    }

    #[test]
    fn every_file_has_the_newest_candles_and_all_are_small() {
        let files = files().unwrap();
        assert_eq!(files.len(), MARKETS.len() * TIMEFRAMES.len());
        assert!(files.iter().map(|(_, text)| text.len()).sum::<usize>() < 200_000);
        for (name, text) in &files {
            assert_eq!(text.lines().count(), CANDLES + 1, "{name}");
            let timeframe: Timeframe = name.trim_end_matches(".csv").rsplit('_').next().unwrap().parse().unwrap();
            let newest = text.lines().last().unwrap().split(',').next().unwrap().parse().unwrap();
            assert_eq!(timeframe.close_of(Timestamp::from_millis(newest)), END, "{name}");
        }
    }
}
