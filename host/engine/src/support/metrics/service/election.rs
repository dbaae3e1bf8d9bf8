//! Metrics of the leader election.

use prometheus::{Gauge, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// The instruments.
#[allow(missing_docs, reason = "each has its help text below")]
pub struct ElectionMetrics {
    /// By event: `begun`, `lost`, `released`.
    pub terms: IntCounterVec,
    /// By operation: `get`, `create`, `update`, `watch`.
    pub failures: IntCounterVec,
    pub transitions: IntGauge,
    pub renewal_age: Gauge,
    pub enabled: IntGauge,
    /// By way: `kubernetes`, `mysql`, `nats`, `none`.
    pub way: IntGaugeVec,
}

impl ElectionMetrics {
    pub(in crate::support::metrics) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str, label: &str| IntCounterVec::new(Opts::new(name, help), &[label]);
        let metrics = Self {
            terms: registered!(
                registry,
                counter("ta_bot_leader_terms_total", "Times at which this process began or ceased to lead", "event")
            ),
            failures: registered!(
                registry,
                counter(
                    "ta_bot_lease_failures_total",
                    "Calls about the Lease, or what stands for it, that failed; each is tried again",
                    "operation"
                )
            ),
            transitions: registered!(
                registry,
                IntGauge::new("ta_bot_lease_transitions", "How often the Lease changed hands, as it says itself")
            ),
            renewal_age: registered!(
                registry,
                Gauge::new("ta_bot_lease_renewal_age_seconds", "Time since the leader's last renewal was seen")
            ),
            enabled: registered!(
                registry,
                IntGauge::new(
                    "ta_bot_election_enabled",
                    "1 if a leader is elected; 0 if every process leads for itself"
                )
            ),
            way: registered!(
                registry,
                IntGaugeVec::new(
                    Opts::new("ta_bot_election_way", "1 for the way in which the leader is elected"),
                    &["way"]
                )
            ),
        };
        for event in ["begun", "lost", "released"] {
            metrics.terms.with_label_values(&[event]);
        }
        for operation in ["get", "create", "update", "watch"] {
            metrics.failures.with_label_values(&[operation]);
        }
        Ok(metrics)
    }
}
