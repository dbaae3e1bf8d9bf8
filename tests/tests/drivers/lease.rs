//! Tests of leadership on a Kubernetes Lease.
//!
//! Candidates run with the rights that `k8s/base` gives the service, and with shorter times than the service's.

mod cluster;
mod cut_off;
mod rights;
mod tampering;

use kube::api::DeleteParams;
use ta_bot_drivers::kubernetes::lease::{LeaseApi, NAME};
use ta_bot_engine::pipeline::election::contract::{self, Site, Way};

use crate::ways::Ways;
use cluster::Cluster;

/// A namespace, and the ways to its API server.
struct Place {
    cluster: Cluster,
    ways: Ways,
}

impl Site for Place {
    type Register = LeaseApi;

    async fn register(&self) -> LeaseApi {
        let way = self.ways.another(self.cluster.server.address());
        self.cluster.register(self.cluster.client_at(way).await)
    }

    async fn disturb(&self, candidate: usize, way: Way) {
        self.ways.disturb(candidate, way).await;
    }

    async fn delete(&self) {
        self.cluster.leases().delete(NAME, &DeleteParams::default()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_passes_the_contract() {
    Box::pin(contract::all(async || Place { cluster: Cluster::shared().await, ways: Ways::default() })).await;
}
