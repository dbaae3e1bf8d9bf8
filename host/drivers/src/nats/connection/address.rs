//! The address of NATS. Credentials are kept apart, because the client's own log shows addresses as they were given.

use std::{fmt, str::FromStr};

use async_nats::{ConnectOptions, ServerAddr};
use thiserror::Error;

/// Why a text is not an address. The error shows no part of the text, which may contain a password.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AddressError {
    /// It is not a URL.
    #[error("server {0} of the list is no URL of NATS: give nats://HOST:4222 or tls://HOST:4222, several with commas")]
    NotUrl(usize),
    /// Two servers name different users.
    #[error("the servers of the list have different credentials: one user for all of them is supported")]
    ManyUsers,
}

/// The servers of one NATS, and the user that connects to them.
#[derive(Clone)]
pub struct NatsAddress {
    servers: Vec<ServerAddr>,
    user: Option<User>,
}

#[derive(Clone, PartialEq, Eq)]
enum User {
    Token(String),
    Password(String, String),
}

impl fmt::Debug for NatsAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_string())
    }
}

impl fmt::Display for NatsAddress {
    /// The servers, without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers = self.servers.iter().map(|server| server.as_url_str().trim_end_matches('/'));
        f.write_str(&servers.collect::<Vec<_>>().join(","))
    }
}

impl FromStr for NatsAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let mut servers = Vec::new();
        let mut users = Vec::new();
        for (index, url) in text.split(',').map(str::trim).filter(|url| !url.is_empty()).enumerate() {
            let not_url = AddressError::NotUrl(index + 1);
            let server: ServerAddr = url.parse().map_err(|_| not_url.clone())?;
            // An unencoded / ends the password early, and half of it stands where the port would.
            let is_half_of_a_password = url.contains('@') && server.username().is_none();
            if server.host().is_empty() || is_half_of_a_password {
                return Err(not_url);
            }
            users.extend(server.username().map(|name| match server.password() {
                Some(password) => User::Password(decoded(name), decoded(password)),
                None => User::Token(decoded(name)),
            }));
            let host =
                if server.host().contains(':') { format!("[{}]", server.host()) } else { server.host().to_owned() };
            let bare = format!("{}://{host}:{}", server.scheme(), server.port());
            servers.push(bare.parse().map_err(|_| not_url)?);
        }
        if servers.is_empty() {
            return Err(AddressError::NotUrl(1));
        }
        users.dedup();
        if users.len() > 1 {
            return Err(AddressError::ManyUsers);
        }
        Ok(Self { servers, user: users.pop() })
    }
}

impl NatsAddress {
    pub(super) fn servers(&self) -> &[ServerAddr] {
        &self.servers
    }

    pub(super) fn introduce(&self, options: ConnectOptions) -> ConnectOptions {
        match self.user.clone() {
            Some(User::Token(token)) => options.token(token),
            Some(User::Password(name, password)) => options.user_and_password(name, password),
            None => options,
        }
    }
}

/// Decodes the percent signs in a part of a URL. An invalid encoding stays as it is.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        if let Some(byte) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            plain.push(byte);
            at += 3;
        } else {
            plain.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8(plain).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> NatsAddress {
        text.parse().unwrap()
    }

    #[test]
    fn credentials_are_kept_apart_and_never_shown() {
        let address = read("nats://bot:p%40ss%2Fword@one:4222, nats://bot:p%40ss%2Fword@two");
        assert_eq!(format!("{address} {address:?}"), "nats://one:4222,nats://two:4222 nats://one:4222,nats://two:4222");
        assert!(address.user == Some(User::Password("bot".to_owned(), "p@ss/word".to_owned())));
        assert!(address.servers.iter().all(|server| server.username().is_none() && server.password().is_none()));
        assert!(read("tls://secret@one").user == Some(User::Token("secret".to_owned())));
        assert!(read("[::1]:4222").user.is_none());
        assert_eq!(read("nats://[::1]:4223").to_string(), "nats://[::1]:4223");
    }

    #[test]
    fn an_error_shows_nothing_that_was_given() {
        for bad in [
            "",
            " , ",
            "mysql://bot:secret@one",
            "nats://bot:secret@one:port",
            "nats://bot:secret@",
            "nats://bot:secret",
            "nats://bot:12/secret@one",
        ] {
            let error = bad.parse::<NatsAddress>().unwrap_err().to_string();
            assert!(error.contains("nats://HOST:4222") && !error.contains("secret"), "{error}");
        }
        assert_eq!("nats://a:x@one,nats://b:y@two".parse::<NatsAddress>().unwrap_err(), AddressError::ManyUsers);
    }
}
