//! A simulated market, for trying the service without a real one. Only `serve --simulate` runs it.
//!
//! Every second it closes one candle of each symbol, whatever the timeframe's real length, continuing from the newest
//! candle in the store. Candles of longer timeframes are gathered from those of the shortest if they are multiples of
//! it. A candle is a function of its symbol, its time and the price before it, so the same history always continues in
//! the same way.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use ta_bot_core::{Candle, Symbol, Timeframe, Timestamp, gathered};
use tokio_util::sync::CancellationToken;

use ta_bot_engine::{
    market::{candles::Candles, clock::MarketClock, made_up::simulated},
    settings::application::SettingsBook,
    signals::bus::local::LocalBus,
    support::store_error::StoreError,
};

/// How often a candle of the shortest timeframe closes by default.
pub const PACE: Duration = Duration::from_secs(1);
/// The price at which a symbol starts if the store has none.
const FIRST_PRICE: f64 = 100.0;

/// What the simulation needs.
pub struct Feed {
    /// Where its candles go.
    pub candles: Arc<Candles>,
    /// Where it announces them.
    pub bus: Arc<LocalBus>,
    /// The settings, which say what is scheduled.
    pub settings: Arc<SettingsBook>,
    /// How often a candle of the shortest timeframe closes.
    pub pace: Duration,
    /// The clock of this market.
    pub clock: MarketClock,
}

impl Feed {
    /// Closes candles until `stop` is cancelled.
    pub async fn run(self, stop: CancellationToken) {
        tracing::warn!(pace = ?self.pace, "this is a SIMULATED market: a candle of each symbol closes at this pace");
        for timeframe in Timeframes::of(&self.settings.current().settings.timeframes).skipped {
            tracing::warn!(%timeframe, "this timeframe is not simulated: it is not a multiple of the shortest one");
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

    /// Closes the next candle of `symbol` and the longer candles that it completes. They are announced once all of them
    /// are stored, so that a reader of the shortest candle also sees the longer ones that closed at the same moment.
    async fn close_candles(&self, symbol: &Symbol, timeframes: &[Timeframe]) -> Result<(), StoreError> {
        let timeframes = Timeframes::of(timeframes);
        let Some(shortest) = timeframes.shortest else { return Ok(()) };
        let now = Timestamp::now();
        let newest = self.candles.newest(symbol, shortest, now, 1).await?.candles;
        let open_time = match newest.last() {
            Some(candle) => shortest.close_of(candle.open_time),
            None => shortest.open_of(now.plus_millis(-1000 * shortest.millis())),
        };
        // The simulation has caught up with real time, and this candle is still open.
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
        self.clock.closed(shortest.close_of(open_time));
        for timeframe in closed {
            self.announce(symbol, timeframe);
        }
        Ok(())
    }

    /// The newest longer candle that the shorter ones complete, if it is not stored yet.
    async fn completed(
        &self,
        symbol: &Symbol,
        shorter: Timeframe,
        longer: Timeframe,
    ) -> Result<Option<Candle>, StoreError> {
        let now = Timestamp::now();
        let per_candle = longer.millis() / shorter.millis();
        let count = (2 * per_candle) as u32;
        let parts = self.candles.newest(symbol, shorter, now, count).await?.candles;
        let Some(newest) = parts.last() else { return Ok(None) };
        let open_time = longer.open_of(shorter.close_of(newest.open_time).plus_millis(-longer.millis()));
        let close_time = longer.close_of(open_time);
        let covered = |part: &&Candle| part.open_time >= open_time && part.open_time < close_time;
        let parts: Vec<Candle> = parts.iter().filter(covered).copied().collect();
        let there = self.candles.newest(symbol, longer, close_time, 1).await?;
        // One that is only derived has no row.
        let known = there.derived.is_none() && there.candles.last().is_some_and(|candle| candle.open_time == open_time);
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

/// Timeframes, grouped by what the simulation does with them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Timeframes {
    /// The candles of this one are simulated.
    shortest: Option<Timeframe>,
    /// The candles of these are gathered from those of the shortest.
    longer: Vec<Timeframe>,
    /// The candles of these would begin or end within one of the shortest, such as 5m with 3m.
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

#[cfg(test)]
mod tests {
    use ta_bot_engine::{market::candles::DEFAULT_PATIENCE, support::metrics::Metrics};

    use super::*;

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
        let database = ta_bot_drivers::sqlite::Database::open(data.path()).await.unwrap();
        let store = Arc::new(ta_bot_drivers::sqlite::candles::SqliteCandles::new(database.clone()));
        let candles = Arc::new(Candles::new(store, DEFAULT_PATIENCE, Arc::new(Metrics::new().unwrap())));
        let config = Arc::new(ta_bot_drivers::sqlite::config::SqliteConfig::new(database));
        let symbol: Symbol = "BTCUSDT".parse().unwrap();
        let settings = ta_bot_core::ApplicationSettings {
            symbols: vec![symbol.clone()],
            timeframes: vec![Timeframe::M5, Timeframe::M15],
            enabled_strategies: None,
            min_confidence: 0.0,
            max_confidence: 1.0,
            accepted_holes: Vec::new(),
        };
        let settings = Arc::new(SettingsBook::new(config, Arc::default(), settings));
        let feed = Feed { candles, bus: Arc::default(), settings, pace: PACE, clock: MarketClock::simulated() };
        let mut events = ta_bot_engine::signals::bus::Bus::candle_events(&*feed.bus);
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
        let stored = feed.candles.newest(&symbol, Timeframe::M15, Timestamp::now(), 9).await.unwrap();
        assert_eq!(stored.candles.len(), longer);
    }
}
