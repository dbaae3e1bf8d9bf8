//! Replicas of the service as they run in production: each `ta-bot` is a process of its own, and MySQL, MongoDB, NATS
//! and a Kubernetes Lease are on real servers. A market is written for them the way the Data Extractor writes it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a part of a test may fail loudly"
)]

mod deploying;
mod fleet;
mod market;
mod neighbours;
mod replica;
pub mod stream;

pub use deploying::{deploy, upload};
pub use fleet::{Election, Fleet, Proxies, READERS, SUBJECT};
pub use market::{Market, SHORT};
pub use neighbours::{Account, Neighbour, Reader};
pub use replica::Replica;
