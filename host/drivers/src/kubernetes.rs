//! Kubernetes: the Lease by which replicas elect their leader.

pub mod lease;
