//! Metrics of the service itself: its election, its requests, its telemetry, and what it stands on.

mod election;
mod http;
mod retention;
mod surroundings;
mod telemetry;

pub use election::ElectionMetrics;
pub use http::HttpMetrics;
pub use retention::RetentionMetrics;
pub use surroundings::SurroundingMetrics;
pub use telemetry::TelemetryMetrics;
