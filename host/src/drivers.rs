//! The servers that TA Bot talks to, a folder for each, in it a file for each port.
pub mod kubernetes;
pub mod mongodb;
pub mod mysql;
pub mod nats;
pub mod sqlite;
