//! Metrics of what is kept, and of what is removed when it is old.
//!
//! How much there is, only the leader knows, as of its last round. A value that is not known has no series.

use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};
use ta_bot_core::Timestamp;

/// The instruments.
pub struct RetentionMetrics {
    removed: IntCounterVec,
    rounds: IntCounterVec,
    rows: IntGaugeVec,
    bytes: IntGaugeVec,
    oldest: IntGaugeVec,
}

/// What a round is about.
const SHARED: &str = "stores";
const DISK: &str = "disk";
/// How a round ends.
const FINISHED: &str = "finished";
const FAILED: &str = "failed";

impl RetentionMetrics {
    pub(in crate::support::metrics) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str, labels: &[&str]| IntCounterVec::new(Opts::new(name, help), labels);
        let gauge = |name: &str, help: &str| IntGaugeVec::new(Opts::new(name, help), &["kind"]);
        let metrics = Self {
            removed: registered!(
                registry,
                counter(
                    "ta_bot_retention_rows_total",
                    "Rows and files that were removed since they were too old",
                    &["kind"]
                )
            ),
            rounds: registered!(
                registry,
                counter(
                    "ta_bot_retention_rounds_total",
                    "Rounds of removing what is too old, of what all replicas share or of this one's disk",
                    &["of", "outcome"]
                )
            ),
            rows: registered!(registry, gauge("ta_bot_stored_rows", "About how many rows or files are stored")),
            bytes: registered!(registry, gauge("ta_bot_stored_bytes", "About how many bytes they take")),
            oldest: registered!(
                registry,
                gauge("ta_bot_stored_oldest_timestamp_seconds", "The moment by which the oldest of them is judged")
            ),
        };
        for of in [SHARED, DISK] {
            for outcome in [FINISHED, FAILED] {
                metrics.rounds.with_label_values(&[of, outcome]);
            }
        }
        Ok(metrics)
    }

    /// Counts what was removed of a kind.
    pub fn removed(&self, kind: &str, rows: u64) {
        self.removed.with_label_values(&[kind]).inc_by(rows);
    }

    /// Counts a round of what all replicas share or of this one's disk. It failed if it failed for some kind.
    pub fn round(&self, is_shared: bool, has_failed: bool) {
        let of = if is_shared { SHARED } else { DISK };
        self.rounds.with_label_values(&[of, if has_failed { FAILED } else { FINISHED }]).inc();
    }

    /// Sets how much there is of a kind.
    pub fn stored(&self, kind: &str, rows: Option<u64>, bytes: Option<u64>, oldest: Option<Timestamp>) {
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        set(&self.rows, kind, rows.map(number));
        set(&self.bytes, kind, bytes.map(number));
        set(&self.oldest, kind, oldest.map(|oldest| oldest.millis().div_euclid(1000)));
    }

    /// Forgets how much there is of a kind, since another process measures it.
    pub fn forget(&self, kind: &str) {
        self.stored(kind, None, None, None);
    }
}

/// Sets a series, or removes it.
fn set(gauge: &IntGaugeVec, kind: &str, value: Option<i64>) {
    match value {
        Some(value) => gauge.with_label_values(&[kind]).set(value),
        // There may be none.
        None => drop(gauge.remove_label_values(&[kind])),
    }
}
