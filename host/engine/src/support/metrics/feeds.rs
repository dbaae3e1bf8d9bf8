//! The metric of how old series are, computed at each scrape.

use std::{collections::BTreeMap, sync::Arc};

use prometheus::{
    GaugeVec, Opts,
    core::{Collector, Desc},
    proto::MetricFamily,
};

use super::NamedSymbols;
use crate::market::feeds::Feeds;

/// How old the newest candle of each scheduled series is.
pub struct FeedGauge {
    feeds: Arc<Feeds>,
    named: NamedSymbols,
    gauge: GaugeVec,
}

impl FeedGauge {
    /// Creates the instrument of `feeds`.
    pub fn new(feeds: Arc<Feeds>, named: NamedSymbols) -> Result<Self, prometheus::Error> {
        let help = "Time since the newest candle of a scheduled series closed; only where this process schedules";
        let gauge = GaugeVec::new(Opts::new("ta_bot_candle_age_seconds", help), &["symbol", "timeframe"])?;
        Ok(Self { feeds, named, gauge })
    }
}

impl Collector for FeedGauge {
    fn desc(&self) -> Vec<&Desc> {
        self.gauge.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.gauge.reset();
        let feeds = self.feeds.all();
        // Of symbols that share a series, the oldest candle is shown.
        let mut oldest = BTreeMap::new();
        for feed in &feeds {
            let (symbol, timeframe) = &feed.series;
            let Some(age) = feed.age_ms else { continue };
            let shown = oldest.entry([self.named.label(symbol), timeframe.as_str()]).or_insert(age);
            *shown = age.max(*shown);
        }
        for (labels, age) in oldest {
            self.gauge.with_label_values(&labels).set(age as f64 / 1000.0);
        }
        self.gauge.collect()
    }
}
