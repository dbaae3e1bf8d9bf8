//! The clock of the market.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use ta_bot_core::Timestamp;

/// What a clock holds that is the machine's own.
const REAL: i64 = i64::MIN;

/// The clock of the market, which its clones share. A simulated market has its own, in which a candle closes every
/// second.
#[derive(Debug, Clone)]
pub struct MarketClock {
    /// The newest close of a simulated market, in milliseconds, and 0 before the first.
    newest: Arc<AtomicI64>,
}

impl Default for MarketClock {
    /// The clock of a real market, which is this machine's.
    fn default() -> Self {
        Self { newest: Arc::new(AtomicI64::new(REAL)) }
    }
}

impl MarketClock {
    /// The clock of a simulated market.
    pub fn simulated() -> Self {
        let clock = Self::default();
        clock.simulate();
        clock
    }

    /// Makes this the clock of a simulated market that has not begun: nothing is old on it yet.
    pub fn simulate(&self) {
        self.newest.store(0, Ordering::Relaxed);
    }

    /// Whether the market is a simulated one.
    pub fn is_simulated(&self) -> bool {
        self.newest.load(Ordering::Relaxed) != REAL
    }

    /// Now, in the time of the market.
    pub fn now(&self) -> Timestamp {
        match self.newest.load(Ordering::Relaxed) {
            REAL => Timestamp::now(),
            newest => Timestamp::from_millis(newest),
        }
    }

    /// Notes that a candle of the simulated market has closed. The clock of a real market takes no notice.
    pub fn closed(&self, close: Timestamp) {
        if self.is_simulated() {
            self.newest.fetch_max(close.millis(), Ordering::Relaxed);
        }
    }
}
