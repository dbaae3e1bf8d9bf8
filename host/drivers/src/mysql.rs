//! The MySQL server that replicas share: candles of the Data Extractor, and TA Bot's own signals and jobs.

pub mod candles;
pub mod costs;
pub mod database;
pub mod deployments;
pub mod failures;
pub mod inspect;
pub mod leader;
pub mod outbox;
pub mod redecisions;
pub mod retention;
pub mod revisions;
pub mod shadows;

pub use database::{Connections, Limits, Mysql, MysqlUri, MysqlUriError, NAME, older, store_error};
