//! A simulated market, for looking at the service without one. Only `serve --simulate` runs it.
//!
//! Every second it closes one candle of each symbol, whatever the timeframe's real length, going on from the newest
//! candle in the store; longer timeframes are gathered from the shortest, where they are multiples of it. A candle is a
//! function of its symbol, its time and the price before it, so the same history always continues the same way.

use std::{f64::consts::TAU, sync::Arc, time::Duration};

use serde_json::json;
use sha2::{Digest as _, Sha256};
use ta_bot_core::{Candle, Symbol, Timeframe, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::{bus::local::LocalBus, candles::CandleStore, settings::SettingsBook, store::StoreError};

/// How often a candle of the shortest timeframe closes, unless told otherwise.
pub const PACE: Duration = Duration::from_secs(1);
/// Where a symbol's price starts if the store has none.
const FIRST_PRICE: f64 = 100.0;
/// The steps that a candle's price takes on its way.
const STEPS: u64 = 12;

/// What the simulation needs.
pub struct Feed {
    /// Where its candles go.
    pub candles: Arc<dyn CandleStore>,
    /// Where it announces them.
    pub bus: Arc<LocalBus>,
    /// What is scheduled.
    pub settings: Arc<SettingsBook>,
    /// How often a candle of the shortest timeframe closes.
    pub pace: Duration,
}

impl Feed {
    /// Closes candles until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        tracing::warn!(pace = ?self.pace, "this is a SIMULATED market: a candle of each symbol closes at this pace");
        for timeframe in Timeframes::of(&self.settings.current().settings.timeframes).skipped {
            tracing::warn!(%timeframe, "not simulated: it is no multiple of the shortest timeframe");
        }
        let mut ticks = tokio::time::interval(self.pace);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let settings = self.settings.current();
            for symbol in &settings.settings.symbols {
                if let Err(error) = self.close_candles(symbol, &settings.settings.timeframes).await {
                    tracing::warn!(%symbol, %error, "the simulation could not store a candle");
                }
            }
        }
    }

    /// Closes the next candle of `symbol`, and the longer ones that it completes. They are announced when all of them
    /// are stored: whoever looks at the shortest one then sees the longer one that closed at the same moment.
    async fn close_candles(&self, symbol: &Symbol, timeframes: &[Timeframe]) -> Result<(), StoreError> {
        let timeframes = Timeframes::of(timeframes);
        let Some(shortest) = timeframes.shortest else { return Ok(()) };
        let now = Timestamp::now();
        let newest = self.candles.newest_closed(symbol, shortest, now, 1).await?;
        let open_time = match newest.last() {
            Some(candle) => shortest.close_of(candle.open_time),
            None => shortest.open_of(now.plus_millis(-1000 * shortest.millis())),
        };
        // Caught up with the real time: a candle that is still open does not close.
        if shortest.close_of(open_time) > now {
            return Ok(());
        }
        let price = newest.last().map_or(FIRST_PRICE, |candle| candle.close);
        self.candles.insert(symbol, shortest, &[simulated(symbol, open_time, price)]).await?;
        let mut closed = vec![shortest];
        for timeframe in timeframes.longer {
            if let Some(candle) = self.completed(symbol, shortest, timeframe).await? {
                self.candles.insert(symbol, timeframe, &[candle]).await?;
                closed.push(timeframe);
            }
        }
        for timeframe in closed {
            self.announce(symbol, timeframe);
        }
        Ok(())
    }

    /// The newest longer candle that the shorter ones complete, if it is not there yet.
    async fn completed(
        &self,
        symbol: &Symbol,
        shorter: Timeframe,
        longer: Timeframe,
    ) -> Result<Option<Candle>, StoreError> {
        let now = Timestamp::now();
        let per_candle = longer.millis() / shorter.millis();
        let count = (2 * per_candle) as u32;
        let parts = self.candles.newest_closed(symbol, shorter, now, count).await?;
        let Some(newest) = parts.last() else { return Ok(None) };
        let open_time = longer.open_of(shorter.close_of(newest.open_time).plus_millis(-longer.millis()));
        let close_time = longer.close_of(open_time);
        let covered = |part: &&Candle| part.open_time >= open_time && part.open_time < close_time;
        let parts: Vec<&Candle> = parts.iter().filter(covered).collect();
        let there = self.candles.newest_closed(symbol, longer, close_time, 1).await?;
        let known = there.last().is_some_and(|candle| candle.open_time == open_time);
        let complete = !known && parts.len() as i64 == per_candle;
        Ok(gathered(open_time, &parts).filter(|_| complete))
    }

    fn announce(&self, symbol: &Symbol, timeframe: Timeframe) {
        let event = json!({
            "event_type": "extraction_completed",
            "extraction_type": "klines",
            "symbol": symbol,
            "period": timeframe,
            "success": true,
            "errors": [],
        });
        self.bus.announce(event.to_string().into_bytes());
    }
}

/// Timeframes, by what the simulation makes of them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Timeframes {
    /// Its candles are simulated.
    shortest: Option<Timeframe>,
    /// Their candles are gathered from those.
    longer: Vec<Timeframe>,
    /// Theirs would begin or end within one of those, as 5m with 3m.
    skipped: Vec<Timeframe>,
}

impl Timeframes {
    fn of(timeframes: &[Timeframe]) -> Self {
        let mut sorted = timeframes.to_vec();
        sorted.sort();
        sorted.dedup();
        let Some((shortest, longer)) = sorted.split_first() else { return Self::default() };
        let (longer, skipped) = longer.iter().partition(|longer| longer.millis() % shortest.millis() == 0);
        Self { shortest: Some(*shortest), longer, skipped }
    }
}

/// One candle of several shorter ones.
pub fn gathered(open_time: Timestamp, parts: &[&Candle]) -> Option<Candle> {
    let (first, last) = (parts.first()?, parts.last()?);
    Some(Candle {
        open_time,
        open: first.open,
        high: parts.iter().map(|part| part.high).fold(f64::MIN, f64::max),
        low: parts.iter().map(|part| part.low).fold(f64::MAX, f64::min),
        close: last.close,
        volume: parts.iter().map(|part| part.volume).sum(),
    })
}

/// The candle that follows `price`: a walk whose drift swings slowly, so that both trends and turns come.
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

/// The candles that follow each other from `price` on, one for each of these moments.
pub fn walk(symbol: &Symbol, opens: impl IntoIterator<Item = Timestamp>, mut price: f64) -> Vec<Candle> {
    let next = |open_time| {
        let candle = simulated(symbol, open_time, price);
        price = candle.close;
        candle
    };
    opens.into_iter().map(next).collect()
}

/// A number from 0 up to 1 that follows from its arguments.
fn chance(symbol: &Symbol, open_time: Timestamp, draw: u64) -> f64 {
    let hash = Sha256::digest(format!("{symbol}\n{}\n{draw}", open_time.millis()));
    let number = hash[..6].iter().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    number as f64 / (1_u64 << 48) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_market_is_the_same_each_time_and_its_candles_are_sound() {
        let symbol: Symbol = "BTCUSDT".parse().unwrap();
        let mut price = 100.0;
        for i in 0..5000 {
            let open_time = Timestamp::from_millis(i * Timeframe::M5.millis());
            let candle = simulated(&symbol, open_time, price);
            assert_eq!(candle, simulated(&symbol, open_time, price));
            assert_eq!(candle.check(), Ok(()));
            assert_eq!(candle.open, price);
            price = candle.close;
        }
        assert!((10.0..1000.0).contains(&price), "the walk stays near where it began: {price}");
    }

    #[test]
    fn longer_candles_enclose_their_parts() {
        let symbol: Symbol = "BTCUSDT".parse().unwrap();
        let opens = (0..3).map(|i| Timestamp::from_millis(i * Timeframe::M5.millis()));
        let parts = walk(&symbol, opens, 100.0);
        let whole = gathered(Timestamp::from_millis(0), &parts.iter().collect::<Vec<_>>()).unwrap();
        assert_eq!((whole.open, whole.close), (parts[0].open, parts[2].close));
        assert_eq!(whole.check(), Ok(()));
        assert_eq!(gathered(Timestamp::from_millis(0), &[]), None);
    }

    #[test]
    fn timeframes_that_do_not_divide_are_skipped() {
        use Timeframe::{D1, D3, H1, M3, M5, M15, W1};
        let of = Timeframes::of(&[M15, M5, M3, H1]);
        assert_eq!(of, Timeframes { shortest: Some(M3), longer: vec![M15, H1], skipped: vec![M5] });
        let of = Timeframes::of(&[W1, D3]);
        assert_eq!(of, Timeframes { shortest: Some(D3), longer: vec![], skipped: vec![W1] });
        assert_eq!(Timeframes::of(&[D1, W1, D1]).longer, [W1]);
        assert_eq!(Timeframes::of(&[]), Timeframes::default());
    }

    #[tokio::test]
    async fn a_candle_is_announced_when_the_longer_one_that_it_completes_is_stored_too() {
        let data = tempfile::tempdir().unwrap();
        let database = crate::sqlite::Database::open(data.path()).await.unwrap();
        let candles: Arc<dyn CandleStore> = Arc::new(crate::candles::sqlite::SqliteCandles::new(database.clone()));
        let config = Arc::new(crate::config::sqlite::SqliteConfig::new(database));
        let symbol: Symbol = "BTCUSDT".parse().unwrap();
        let settings = ta_bot_core::ApplicationSettings {
            symbols: vec![symbol.clone()],
            timeframes: vec![Timeframe::M5, Timeframe::M15],
            enabled_strategies: None,
            min_confidence: 0.0,
            max_confidence: 1.0,
        };
        let settings = Arc::new(SettingsBook::new(config, Arc::default(), settings));
        let feed = Feed { candles, bus: Arc::default(), settings, pace: PACE };
        let mut events = crate::bus::Bus::candle_events(&*feed.bus);
        let mut announced = Vec::new();
        for _ in 0..6 {
            feed.close_candles(&symbol, &[Timeframe::M15, Timeframe::M5]).await.unwrap();
            let mut together = Vec::new();
            while let Ok(event) = events.try_recv() {
                together.push(ta_bot_core::CandleEvent::parse(&event).unwrap().timeframe);
            }
            announced.push(together);
        }
        let longer = announced.iter().filter(|together| **together == [Timeframe::M5, Timeframe::M15]).count();
        assert!((1..=2).contains(&longer) && announced.iter().all(|together| together[0] == Timeframe::M5));
        let stored = feed.candles.newest_closed(&symbol, Timeframe::M15, Timestamp::now(), 9).await.unwrap();
        assert_eq!(stored.len(), longer);
    }
}
