//! NATS: candle events in, jobs between replicas, signals out.

pub mod bounds;
pub mod bus;
pub mod connection;
pub mod inspect;
pub mod job_queue;
pub mod leader;

pub use bounds::Bounds;
pub use connection::{AddressError, EventSubjects, NAMESPACE, Nats, NatsAddress, NatsError};
