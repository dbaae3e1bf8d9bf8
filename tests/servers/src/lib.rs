//! Real servers for tests: what a store, a bus or an election does when its server dies, hangs or cuts a connection
//! can't be learnt from a mock.
//!
//! Each server runs on loopback, in a temporary folder, and ends with its guard. [`Proxy`] stands between a client and
//! a server and disturbs the connection. `make test-setup` installs the servers.
//!
//! ```no_run
//! use std::time::Duration;
//! use ta_bot_test_servers::{MariaDb, Mode, Proxy};
//!
//! # async fn test() -> anyhow::Result<()> {
//! let mut server = MariaDb::start().await?;
//! server.create_database("signals").await?;
//! let proxy = Proxy::start(server.address())?;
//! let uri = server.uri_at(proxy.address(), "signals"); // give this to the client under test
//!
//! proxy.set(Mode::Delay(Duration::from_millis(200))).await?;
//! proxy.set(Mode::Forward).await?;
//! server.kill()?;
//! server.restart().await?; // the same port and the same data
//! # Ok(())
//! # }
//! ```
//!
//! A guard depends on no tokio runtime, so tests of one binary can share a server in a `tokio::sync::OnceCell`. Such a
//! static is never dropped, but its server still ends with the process.

mod collector;
mod find;
mod folder;
mod kube;
mod mariadb;
mod mongo;
mod nats;
mod nginx;
mod port;
mod process;
mod prometheus;
mod proxy;

pub use collector::Collector;
pub use kube::KubeApi;
pub use mariadb::MariaDb;
pub use mongo::Mongo;
pub use nats::Nats;
pub use nginx::Nginx;
/// For a server that is started elsewhere, such as a replica.
pub use port::Port;
pub use prometheus::{Alertmanager, Prometheus, PrometheusSetup, promtool};
pub use proxy::{Mode, Proxy, Side};
