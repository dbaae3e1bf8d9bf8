//! Tests of leadership on a Kubernetes Lease.
