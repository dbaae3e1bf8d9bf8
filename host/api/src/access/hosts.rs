//! The names under which requests without a token are answered.
//!
//! A page whose own domain was made to resolve to this machine (DNS rebinding) is of the same site for the browser that
//! shows it, and reads and changes whatever callers without a token may. But it sends its domain in `Host`, and no page
//! can change that.

use std::{net::IpAddr, str::FromStr};

use axum::{
    extract::Request,
    http::{header, uri::Authority},
};
use thiserror::Error;

use crate::error::ApiError;

/// Why a text is not the name of a host.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{0:?} is no name of a host: give what callers write between http:// and the port, such as bot.example.com or \
     10.0.0.7, without scheme, port, path or wildcard"
)]
pub struct HostError(String);

/// The names beside `localhost` and the loopback addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedHosts(Vec<String>);

impl FromStr for AllowedHosts {
    type Err = HostError;

    /// Names or addresses, separated by commas.
    fn from_str(text: &str) -> Result<Self, HostError> {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        names.map(name).collect::<Result<_, _>>().map(Self)
    }
}

/// A name as it is compared.
fn name(text: &str) -> Result<String, HostError> {
    let refused = || HostError(text.chars().take(100).collect());
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(address.to_canonical().to_string());
    }
    let is_label = |label: &str| {
        !label.is_empty()
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
            && label.len() < 64
    };
    let name = without_dot(text).to_ascii_lowercase();
    // What looks like an address and is none, such as 10.0.0, would never be in a `Host`.
    let is_number = name.split('.').next_back().is_some_and(|last| last.chars().all(|c| c.is_ascii_digit()));
    if name.split('.').all(is_label) && !is_number { Ok(name) } else { Err(refused()) }
}

/// A name that ends with the dot of the root is the same name.
fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

impl AllowedHosts {
    /// Refuses a request that is for another name.
    pub(super) fn check(&self, request: &Request) -> Result<(), ApiError> {
        let host = request.headers().get(header::HOST).map(|host| String::from_utf8_lossy(host.as_bytes()));
        match host {
            Some(host) if self.allows(&host) => Ok(()),
            host => Err(ApiError::Host { given: host.unwrap_or_default().chars().take(100).collect() }),
        }
    }

    fn allows(&self, host: &str) -> bool {
        // A user name is no part of `Host`; a parser that takes one would take `localhost@evil.example` for either.
        let Some(authority) = host.parse::<Authority>().ok().filter(|_| !host.contains('@')) else { return false };
        let Ok(name) = name(authority.host()) else { return false };
        let is_loopback = name.parse().is_ok_and(|address: IpAddr| address.is_loopback());
        name == "localhost" || is_loopback || self.0.contains(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_and_the_listed_names_are_allowed_with_any_port() {
        let hosts: AllowedHosts = " Bot.Example.com., 10.0.0.7 ,[fd00::7],petrosa-ta-bot-service".parse().unwrap();
        for host in [
            "localhost",
            "LOCALHOST:80",
            "localhost.",
            "127.0.0.1:8080",
            "127.8.9.10",
            "[::1]:8080",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "bot.example.com:443",
            "BOT.example.com.",
            "10.0.0.7:8080",
            "[fd00::7]:8080",
            "[fd00:0::0007]",
            "petrosa-ta-bot-service",
        ] {
            assert!(hosts.allows(host), "{host}");
        }
        for host in [
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "notlocalhost",
            "localhost@evil.example",
            "evil.example@localhost",
            "localhost, evil.example",
            "10.0.0.8",
            "0.0.0.0",
            "[::]",
            "127.1",
            "2130706433",
            "0x7f.1",
            "[::",
            "bot.example.com..",
            "bot.example.com.evil.example",
            "xbot.example.com",
            "",
            " ",
            "localhost/",
            "http://localhost",
        ] {
            assert!(!hosts.allows(host), "{host}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused_with_words() {
        for wrong in
            ["http://bot", "bot:8080", "*", "*.example.com", "bot/path", "a b", "user@bot", "[::1", "10.0.0", "."]
        {
            let error = wrong.parse::<AllowedHosts>().unwrap_err().to_string();
            assert!(error.contains(wrong) && error.contains("bot.example.com"), "{error}");
        }
        assert_eq!(" , ".parse(), Ok(AllowedHosts::default()));
    }
}
