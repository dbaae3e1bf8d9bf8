//! Metrics of what the service depends on: its stores, its disk, and the room on the bus.
//!
//! A series is there only if its value is known: a limit that is not set, a store that is not used, or a disk that
//! can't be asked has none, so that "not known" is never a number.

use prometheus::{Gauge, IntGaugeVec, Opts, Registry};

/// The instruments.
pub struct SurroundingMetrics {
    store_connected: IntGaugeVec,
    parameters_stale: Gauge,
    disk_free: IntGaugeVec,
    disk_size: IntGaugeVec,
    disk_low: IntGaugeVec,
    stream_bytes: IntGaugeVec,
    stream_limit: IntGaugeVec,
    account_bytes: IntGaugeVec,
    account_limit: IntGaugeVec,
}

impl SurroundingMetrics {
    pub(in crate::support::metrics) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str, label: &str| IntGaugeVec::new(Opts::new(name, help), &[label]);
        // Without labels, and still without a series before its value is known.
        let single = |name: &str, help: &str| IntGaugeVec::new(Opts::new(name, help), &[]);
        Ok(Self {
            store_connected: registered!(
                registry,
                gauge("ta_bot_store_connected", "1 if a store on a server answered when it was last asked", "store")
            ),
            parameters_stale: registered!(
                registry,
                Gauge::new(
                    "ta_bot_parameters_stale_seconds",
                    "For how long what is set may differ from what is stored, since it can't be read"
                )
            ),
            disk_free: registered!(
                registry,
                gauge("ta_bot_disk_free_bytes", "What the service may still write on a disk", "place")
            ),
            disk_size: registered!(registry, gauge("ta_bot_disk_size_bytes", "The size of a disk", "place")),
            disk_low: registered!(
                registry,
                gauge("ta_bot_disk_low", "1 if a disk has so little room that what can wait has to", "place")
            ),
            stream_bytes: registered!(registry, gauge("ta_bot_stream_bytes", "What is stored in a stream", "stream")),
            stream_limit: registered!(
                registry,
                gauge("ta_bot_stream_limit_bytes", "How much a stream may hold", "stream")
            ),
            account_bytes: registered!(
                registry,
                single("ta_bot_jetstream_bytes", "What is stored in all streams of the account")
            ),
            account_limit: registered!(
                registry,
                single("ta_bot_jetstream_limit_bytes", "How much all streams of the account may hold")
            ),
        })
    }

    /// Sets whether a store answers.
    pub fn store(&self, store: &str, answers: bool) {
        self.store_connected.with_label_values(&[store]).set(answers.into());
    }

    /// Sets for how many seconds parameters, settings or deployments may be older than what is stored.
    pub fn parameters_stale(&self, seconds: f64) {
        self.parameters_stale.set(seconds);
    }

    /// Sets the free bytes and the size of a disk; `None` if it can't be asked.
    pub fn disk(&self, place: &str, room: Option<(u64, u64)>) {
        set(&self.disk_free, &[place], room.map(|(free, _)| free));
        set(&self.disk_size, &[place], room.map(|(_, size)| size));
    }

    /// Sets whether what can wait has to, since a disk has little room; `None` if it can't be asked.
    pub fn disk_low(&self, place: &str, is_low: Option<bool>) {
        set(&self.disk_low, &[place], is_low.map(u64::from));
    }

    /// Sets what a stream holds and may hold, in bytes; `None` for a limit that is not set.
    pub fn stream(&self, stream: &str, bytes: u64, limit: Option<u64>) {
        set(&self.stream_bytes, &[stream], Some(bytes));
        set(&self.stream_limit, &[stream], limit);
    }

    /// Sets what all streams of the account hold and may hold, in bytes; `None` for a limit that is not set.
    pub fn account(&self, bytes: u64, limit: Option<u64>) {
        set(&self.account_bytes, &[], Some(bytes));
        set(&self.account_limit, &[], limit);
    }
}

/// Sets a series, or removes it.
fn set(gauge: &IntGaugeVec, labels: &[&str], value: Option<u64>) {
    match value {
        Some(value) => gauge.with_label_values(labels).set(i64::try_from(value).unwrap_or(i64::MAX)),
        // There may be none.
        None => drop(gauge.remove_label_values(labels)),
    }
}

#[cfg(test)]
mod tests {
    use prometheus::TextEncoder;

    use super::*;

    #[test]
    fn what_is_not_known_has_no_series() {
        let registry = Registry::new();
        let metrics = SurroundingMetrics::register(&registry).unwrap();
        let text = || {
            let mut text = String::new();
            TextEncoder::new().encode_utf8(&registry.gather(), &mut text).unwrap();
            text
        };
        let names = ["ta_bot_disk", "ta_bot_st", "ta_bot_jetstream"];
        assert!(names.into_iter().all(|name| !text().contains(name)), "{}", text());
        metrics.disk("data_dir", Some((7, 9)));
        metrics.stream("jobs", 5, Some(8));
        metrics.store("mysql", true);
        metrics.account(3, None);
        assert!(text().contains("\nta_bot_jetstream_bytes 3\n"), "{}", text());
        assert!(text().contains("ta_bot_disk_free_bytes{place=\"data_dir\"} 7\n"), "{}", text());
        assert!(text().contains("ta_bot_disk_size_bytes{place=\"data_dir\"} 9\n"), "{}", text());
        assert!(text().contains("ta_bot_stream_limit_bytes{stream=\"jobs\"} 8\n"), "{}", text());
        metrics.disk("data_dir", None);
        metrics.stream("jobs", 6, None);
        assert!(text().contains("ta_bot_stream_bytes{stream=\"jobs\"} 6\n"), "{}", text());
        assert!(!text().contains("ta_bot_disk") && !text().contains("limit"), "{}", text());
    }
}
