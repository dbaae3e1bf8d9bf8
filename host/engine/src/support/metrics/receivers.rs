//! The metrics of receivers over HTTP, computed at each scrape.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{
    GaugeVec, IntCounterVec, Opts,
    core::{Collector, Desc},
    proto::MetricFamily,
};
use ta_bot_core::Timestamp;

use crate::signals::receivers::{Delivery, Receivers};

/// What each receiver has got, and how far it is behind.
pub struct ReceiverMetrics {
    receivers: Arc<Receivers>,
    deliveries: IntCounterVec,
    lag: GaugeVec,
    /// Two scrapes at once would count everything twice.
    scrape: Mutex<()>,
}

impl ReceiverMetrics {
    /// Creates the instruments of `receivers`.
    pub fn new(receivers: Arc<Receivers>) -> Result<Self, prometheus::Error> {
        let help = "Tries to deliver a signal to a receiver over HTTP, by what became of them";
        let deliveries = Opts::new("ta_bot_webhook_deliveries_total", help);
        let help = "Age of the oldest signal that waits for a receiver over HTTP; 0 if none does";
        let lag = Opts::new("ta_bot_webhook_lag_seconds", help);
        Ok(Self {
            receivers,
            deliveries: IntCounterVec::new(deliveries, &["receiver", "outcome"])?,
            lag: GaugeVec::new(lag, &["receiver"])?,
            scrape: Mutex::default(),
        })
    }
}

impl Collector for ReceiverMetrics {
    fn desc(&self) -> Vec<&Desc> {
        [self.deliveries.desc(), self.lag.desc()].concat()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let _alone = self.scrape.lock().unwrap_or_else(PoisonError::into_inner);
        self.deliveries.reset();
        self.lag.reset();
        let now = Timestamp::now();
        for receiver in self.receivers.all() {
            self.lag.with_label_values(&[&receiver.name]).set(receiver.lag(now));
            for delivery in Delivery::ALL {
                let labels = [receiver.name.as_str(), delivery.as_str()];
                self.deliveries.with_label_values(&labels).inc_by(receiver.counted(delivery));
            }
        }
        [self.deliveries.collect(), self.lag.collect()].concat()
    }
}
