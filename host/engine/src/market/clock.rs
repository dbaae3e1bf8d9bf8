//! The clock of the market.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use ta_bot_core::Timestamp;

/// The clock of the market. A simulated market has its own, in which a candle closes every second.
#[derive(Debug, Clone, Default)]
pub struct MarketClock {
    /// The newest close of a simulated market, in milliseconds; `None` for a real one.
    simulated: Option<Arc<AtomicI64>>,
}

impl MarketClock {
    /// The clock of a simulated market that has not begun: nothing is old on it yet.
    pub fn simulated() -> Self {
        Self { simulated: Some(Arc::new(AtomicI64::new(i64::MIN))) }
    }

    /// Now, in the time of the market.
    pub fn now(&self) -> Timestamp {
        match &self.simulated {
            Some(newest) => Timestamp::from_millis(newest.load(Ordering::Relaxed)),
            None => Timestamp::now(),
        }
    }

    /// Notes that a candle of the simulated market has closed. The clock of a real market takes no notice.
    pub fn closed(&self, close: Timestamp) {
        if let Some(newest) = &self.simulated {
            newest.fetch_max(close.millis(), Ordering::Relaxed);
        }
    }
}
