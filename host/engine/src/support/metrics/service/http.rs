//! How long requests take, by route.

use std::time::Duration;

use prometheus::{HistogramOpts, HistogramVec, Registry};

/// Few buckets: there is a histogram for each route, method and status.
const SECONDS: [f64; 6] = [0.005, 0.025, 0.1, 0.5, 2.5, 10.0];

/// The instruments.
pub struct HttpMetrics {
    duration: HistogramVec,
}

impl HttpMetrics {
    pub(in crate::support::metrics) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let help = "HTTP requests by route, until their answer begins";
        let options = HistogramOpts::new("ta_bot_http_request_duration_seconds", help).buckets(SECONDS.to_vec());
        let duration = HistogramVec::new(options, &["method", "route", "status"])?;
        registry.register(Box::new(duration.clone()))?;
        Ok(Self { duration })
    }

    /// Counts a request. `route` is the pattern of its path, and `method` one that the route has, so that no request
    /// makes up a series.
    pub fn answered(&self, method: &str, route: &str, status: u16, took: Duration) {
        let labels = [method, route, &status.to_string()];
        self.duration.with_label_values(&labels).observe(took.as_secs_f64());
    }
}
