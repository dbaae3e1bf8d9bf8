//! Stands in for a server that this build has no client for. There is no address that could be opened.

use std::sync::Arc;

use ta_bot_engine::support::metrics::Metrics;

use crate::environment::{Absent, Environment};

#[allow(clippy::unused_async, reason = "it stands in for the functions that open servers")]
pub(super) async fn open<T>(address: &Absent, _: &Environment, _: &Arc<Metrics>) -> anyhow::Result<T> {
    match *address {}
}

#[allow(clippy::unused_async, reason = "it stands in for the functions that look at servers")]
pub(super) async fn look<T>(address: &Absent, _: &Environment) -> anyhow::Result<T> {
    match *address {}
}

pub(super) fn start<T>(address: &Absent, _: &Environment, _: &Arc<Metrics>) -> anyhow::Result<T> {
    match *address {}
}

#[allow(clippy::unused_async, reason = "it stands in for the functions that look at servers")]
pub(super) async fn inspect<T>(address: &Absent, _: &Environment) -> T {
    match *address {}
}

#[cfg(not(all(feature = "mongodb", feature = "mysql")))]
pub(super) fn as_it_is<T>(address: &Absent) -> T {
    match *address {}
}
