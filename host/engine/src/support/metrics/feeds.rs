//! The metric of how old series are, computed at each scrape.

use std::sync::Arc;

use prometheus::{
    GaugeVec, Opts,
    core::{Collector, Desc},
    proto::MetricFamily,
};

use crate::market::feeds::Feeds;

/// How many series are shown at most: those that miss most candles.
const MOST_SERIES: usize = 1000;

/// How old the newest candle of each scheduled series is.
pub struct FeedGauge {
    feeds: Arc<Feeds>,
    gauge: GaugeVec,
}

impl FeedGauge {
    /// Creates the instrument of `feeds`.
    pub fn new(feeds: Arc<Feeds>) -> Result<Self, prometheus::Error> {
        let help = "Time since the newest candle of a scheduled series closed; only where this process schedules";
        let gauge = GaugeVec::new(Opts::new("ta_bot_candle_age_seconds", help), &["symbol", "timeframe"])?;
        Ok(Self { feeds, gauge })
    }
}

impl Collector for FeedGauge {
    fn desc(&self) -> Vec<&Desc> {
        self.gauge.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.gauge.reset();
        for feed in self.feeds.all().into_iter().filter(|feed| feed.age_ms.is_some()).take(MOST_SERIES) {
            let (symbol, timeframe) = &feed.series;
            let labels = [symbol.as_str(), timeframe.as_str()];
            self.gauge.with_label_values(&labels).set(feed.age_ms.unwrap_or_default() as f64 / 1000.0);
        }
        self.gauge.collect()
    }
}
