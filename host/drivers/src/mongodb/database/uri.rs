//! Reads `MONGODB_URI` and `MONGODB_DATABASE`, and makes a client from them.

use std::time::Duration;

use mongodb::{
    Client,
    options::{
        Acknowledgment, ClientOptions, ConnectionString, HostInfo, ReadConcern, ReadPreference, SelectionCriteria,
        WriteConcern,
    },
};
use thiserror::Error;

use super::error::Failure;

/// How long making a connection may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
/// How long a call waits for a server that can take it.
const SELECTION_LIMIT: Duration = Duration::from_secs(2);
/// How often the driver checks the state of each server.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// How long a write may take to reach a majority.
const MAJORITY_LIMIT: Duration = Duration::from_secs(5);
/// How many connections there are if the URI does not say (`maxPoolSize`).
const CONNECTIONS: u32 = 8;
/// The longest name of a database that MongoDB allows.
const LONGEST_NAME: usize = 63;

/// Why a URI or the name of a database can't be used. It contains no part of a password.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct UriError(String);

impl UriError {
    pub(super) fn new(problem: impl Into<String>) -> Self {
        Self(problem.into())
    }
}

pub(super) fn read(uri: &str) -> Result<ConnectionString, UriError> {
    let uri = uri.trim();
    if !uri.starts_with("mongodb://") && !uri.starts_with("mongodb+srv://") {
        return Err(UriError::new("it must begin with mongodb:// or mongodb+srv://"));
    }
    // If a password contains a forbidden character, or nothing follows it, the driver takes a part of it for a host, a
    // port or an option. So what the driver says is never shown, nor is a host that may be half of a password.
    let unreadable = || {
        UriError::new(
            "it can't be read (what the driver says is not shown, since it might hold the password): write \
             mongodb://USER:PASSWORD@HOST:PORT/?OPTIONS or mongodb://HOST:PORT, with user and password percent-encoded \
             (@ is %40, / is %2F) and a number as the port",
        )
    };
    let mut read = ConnectionString::parse(uri).map_err(|_| unreadable())?;
    let is_half_of_a_password = uri.contains('@') && read.credential.is_none();
    if is_half_of_a_password {
        return Err(unreadable());
    }
    #[allow(deprecated, reason = "URIs of the older service may set it, and the driver refuses it")]
    if read.socket_timeout.take().is_some() {
        tracing::warn!("ignoring socketTimeoutMS of MONGODB_URI: every call has its own limit");
    }
    Ok(read)
}

pub(super) fn check_database(name: &str) -> Result<(), UriError> {
    let forbidden = |c: char| c.is_whitespace() || matches!(c, '/' | '\\' | '.' | '"' | '$' | '\0');
    if name.is_empty() || name.len() > LONGEST_NAME || name.contains(forbidden) {
        return Err(UriError::new(format!(
            "{name:?} can't be the name of a database: give 1 to {LONGEST_NAME} characters without blanks and without \
             / \\ . \" $"
        )));
    }
    Ok(())
}

/// Hosts and database, without credentials.
pub(super) fn place(uri: &ConnectionString, database: &str) -> String {
    let hosts = match &uri.host_info {
        HostInfo::HostIdentifiers(hosts) => hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        HostInfo::DnsRecord(name) => name.clone(),
        // The driver may add more ways to name hosts.
        _ => "elsewhere".to_owned(),
    };
    format!("{hosts}/{database}")
}

/// The largest number of connections. The driver takes 0 for "without limit".
pub(super) fn connections(uri: &ConnectionString) -> u32 {
    uri.max_pool_size.filter(|size| *size > 0).unwrap_or(CONNECTIONS)
}

/// Makes the client. Limits that the URI gives are used. But the URI can't weaken the guarantees that the data depends
/// on: a write is acknowledged when a majority has it in its journal, and reads return what a majority has.
pub(super) async fn connect(uri: ConnectionString) -> Result<Client, Failure> {
    let connections = connections(&uri);
    let mut options = ClientOptions::parse(uri).await?;
    options.app_name.get_or_insert_with(|| "ta-bot".to_owned());
    options.connect_timeout.get_or_insert(CONNECT_LIMIT);
    options.server_selection_timeout.get_or_insert(SELECTION_LIMIT);
    options.heartbeat_freq.get_or_insert(HEARTBEAT);
    options.retry_writes.get_or_insert(true);
    options.max_pool_size = Some(connections);
    options.write_concern = Some(journaled_majority());
    options.read_concern = Some(ReadConcern::majority());
    options.selection_criteria = Some(SelectionCriteria::ReadPreference(ReadPreference::Primary));
    Ok(Client::with_options(options)?)
}

fn journaled_majority() -> WriteConcern {
    WriteConcern::builder().w(Acknowledgment::Majority).w_timeout(MAJORITY_LIMIT).journal(true).build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mongodb::database::Mongo;

    #[test]
    fn hosts_are_told_and_credentials_are_not() {
        let mongo = Mongo::open("mongodb://ann:s3cret%21@one:27018,two/?replicaSet=rs0", "petrosa").unwrap();
        assert_eq!(mongo.place(), "one:27018,two:27017/petrosa");
        assert!(!format!("{mongo:?}").contains("cret"), "{mongo:?}");
        let srv =
            Mongo::open("mongodb+srv://ann:s3cret@cluster.example.net/x?socketTimeoutMS=5000", "petrosa").unwrap();
        assert_eq!(srv.place(), "cluster.example.net/petrosa");
    }

    #[test]
    fn what_cant_be_read_says_what_is_allowed_and_shows_no_password() {
        for uri in [
            "mongodb://ann:se/cr@et@host:1/",
            "mongodb://ann:secret@host:port/",
            "mongodb://ann:sec%ret@host/?maxPoolSize=secret",
            "mongodb://ann:secret",
            "mongodb://ann:12/secret@host/",
            "mongodb://host/?maxPoolSize=secret",
            "mysql://ann:secret@host",
            "",
        ] {
            let error = Mongo::open(uri, "petrosa").unwrap_err().to_string();
            assert!(!error.contains("cret") && !error.contains("cr@"), "{error}");
            assert!(error.contains("mongodb://"), "{error}");
        }
        let error = Mongo::open("mongodb://host:port", "petrosa").unwrap_err().to_string();
        assert!(error.contains("port"), "{error}");
        for name in ["", "a.b", "a b", &"x".repeat(64)] {
            let error = Mongo::open("mongodb://host", name).unwrap_err().to_string();
            assert!(error.contains("name of a database"), "{error}");
        }
    }

    #[test]
    fn the_pool_is_bounded_whatever_the_uri_says() {
        let size = |uri| connections(&read(uri).unwrap());
        assert_eq!(size("mongodb://host"), CONNECTIONS);
        assert_eq!(size("mongodb://host/?maxPoolSize=0"), CONNECTIONS);
        assert_eq!(size("mongodb://host/?maxPoolSize=3"), 3);
    }

    #[tokio::test]
    async fn a_uri_cant_weaken_what_a_write_means() {
        let client =
            connect(read("mongodb://host/?w=1&journal=false&readPreference=secondary").unwrap()).await.unwrap();
        let concern = client.write_concern().unwrap();
        assert_eq!((concern.w.clone(), concern.journal), (Some(Acknowledgment::Majority), Some(true)));
        let primary = SelectionCriteria::ReadPreference(ReadPreference::Primary);
        assert_eq!(client.selection_criteria(), Some(&primary));
    }
}
