//! Which addresses may be reached.
//!
//! The file of receivers is an operator's, but the names in it are resolved by others. A name that leads to this
//! machine, to a neighbour or to the metadata of a cloud would make the service send requests where only it can reach.
//! So each address is looked at in the moment of connecting, and the connection is made to that very address.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::Pin,
    task::{Context, Poll},
};

use hyper_util::client::legacy::connect::dns::Name;
use thiserror::Error;
use tower_service::Service;

/// The ranges of version 4 that are not public: the address and the length of the prefix.
const NOT_PUBLIC_V4: [(Ipv4Addr, u32); 14] = [
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Multicast, reserved, and the broadcast.
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];
/// What is public of version 6.
const PUBLIC_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
/// What is not, within that: protocols, documentation, and version 4 in another form, which may name any address.
const NOT_PUBLIC_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];
/// Version 4 for a network that has only version 6. The address is in the last four bytes.
const NAT64: (Ipv6Addr, u32) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// Resolves names to addresses that may be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guard {
    /// Whether addresses may be reached that are not public.
    pub allow_private: bool,
    /// Whether the connection is not encrypted. Then only addresses may be reached that are not public.
    pub is_plain: bool,
}

/// Why an address is not reached.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GuardError {
    /// It is not public.
    #[error(
        "the address {0} is not public (loopback, link-local, private and such): give a public one, or set \
         \"allow_private\": true"
    )]
    NotPublic(IpAddr),
    /// It is public, and the connection would not be encrypted.
    #[error("the address {0} is public, and http is not encrypted: give a URL with https")]
    Plain(IpAddr),
    /// The name is not known.
    #[error("the name can't be resolved: {0}")]
    Unknown(String),
}

/// Whether an address is one of the public Internet.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => !NOT_PUBLIC_V4.iter().any(|range| is_in_v4(address, *range)),
        IpAddr::V6(address) if is_in_v6(address, NAT64) => {
            let [.., a, b, c, d] = address.octets();
            is_public(Ipv4Addr::new(a, b, c, d).into())
        }
        IpAddr::V6(address) => {
            is_in_v6(address, PUBLIC_V6) && !NOT_PUBLIC_V6.iter().any(|range| is_in_v6(address, *range))
        }
    }
}

fn is_in_v4(address: Ipv4Addr, (range, length): (Ipv4Addr, u32)) -> bool {
    (address.to_bits() ^ range.to_bits()) >> (32 - length) == 0
}

fn is_in_v6(address: Ipv6Addr, (range, length): (Ipv6Addr, u32)) -> bool {
    (address.to_bits() ^ range.to_bits()) >> (128 - length) == 0
}

impl Guard {
    /// Refuses an address that may not be reached.
    pub fn check(self, address: IpAddr) -> Result<(), GuardError> {
        match (is_public(address), self) {
            (false, Self { allow_private: false, .. }) => Err(GuardError::NotPublic(address)),
            (true, Self { is_plain: true, .. }) => Err(GuardError::Plain(address)),
            _ => Ok(()),
        }
    }

    /// The addresses of a name that may be reached.
    async fn resolve(self, name: &str) -> Result<Vec<SocketAddr>, GuardError> {
        let found = tokio::net::lookup_host((name, 0)).await;
        let found: Vec<SocketAddr> = found.map_err(|error| GuardError::Unknown(error.to_string()))?.collect();
        let refused = found.iter().find_map(|address| self.check(address.ip()).err());
        let allowed: Vec<SocketAddr> = found.into_iter().filter(|address| self.check(address.ip()).is_ok()).collect();
        if allowed.is_empty() {
            return Err(refused.unwrap_or_else(|| GuardError::Unknown("it has no address".to_owned())));
        }
        Ok(allowed)
    }
}

impl Service<Name> for Guard {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = GuardError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, GuardError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), GuardError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let guard = *self;
        Box::pin(async move { guard.resolve(name.as_str()).await.map(Vec::into_iter) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_internet_is_told_from_everything_else() {
        let public = [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "149.154.167.220",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "2001:200::1",
            "3ffe::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
        ];
        for text in public {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
        let others = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "192.168.255.255",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        for text in others {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn what_is_not_public_has_to_be_allowed_and_what_is_has_to_be_encrypted() {
        let (private, public) = (IpAddr::from([10, 0, 0, 5]), IpAddr::from([8, 8, 8, 8]));
        let guard = |allow_private, is_plain| Guard { allow_private, is_plain };
        assert_eq!(guard(false, false).check(public), Ok(()));
        assert_eq!(guard(false, false).check(private), Err(GuardError::NotPublic(private)));
        assert_eq!(guard(true, false).check(private), Ok(()));
        assert_eq!(guard(true, false).check(public), Ok(()));
        assert_eq!(guard(true, true).check(private), Ok(()));
        assert_eq!(guard(true, true).check(public), Err(GuardError::Plain(public)));
    }

    #[tokio::test]
    async fn a_name_is_resolved_to_what_may_be_reached() {
        let name = || "localhost".parse::<Name>().unwrap();
        let refused = Guard { allow_private: false, is_plain: false }.call(name()).await.unwrap_err();
        assert!(matches!(refused, GuardError::NotPublic(address) if address.is_loopback()), "{refused}");
        let found = Guard { allow_private: true, is_plain: true }.call(name()).await.unwrap();
        assert!(found.count() > 0);
    }
}
