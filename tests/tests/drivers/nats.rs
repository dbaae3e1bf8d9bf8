//! Tests of bus and job queue on NATS.
