//! How many connections there may be.
//!
//! Each connection costs a descriptor and some memory, and the descriptors are needed for the database and the servers
//! as well. So there are places for at most half of them, half of which one address may take. A connection that finds
//! no place gets one of a few spare ones: it may ask for the state of the service, and is closed soon. If these are all
//! taken, the oldest of them is closed, so that a probe that has just come always has one.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    future::Future,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio_util::sync::CancellationToken;

/// How many places there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    /// In total.
    pub(super) total: usize,
    /// For one address.
    pub(super) for_address: usize,
    /// For connections that may only ask for the state of the service.
    pub(super) spare: usize,
}

impl Room {
    /// The room that the descriptors of this process leave.
    pub(super) fn of_process() -> Self {
        Self::within(descriptors().unwrap_or(1024))
    }

    fn within(descriptors: usize) -> Self {
        const MOST: usize = 4096;
        let total = (descriptors / 2).clamp(8, MOST);
        Self { total, for_address: total / 2, spare: (descriptors / 16).clamp(4, 64) }
    }
}

/// How many files and sockets this process may have open, as Linux tells it.
fn descriptors() -> Option<usize> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let soft = line.split_whitespace().next()?;
    if soft == "unlimited" { Some(usize::MAX) } else { soft.parse().ok() }
}

/// The places that are taken.
#[derive(Debug, Clone)]
pub(super) struct Places {
    room: Room,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
    /// The spare ones, oldest first.
    spare: BTreeMap<u64, CancellationToken>,
    next: u64,
}

/// A connection's place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Regular(IpAddr),
    Spare { number: u64, lost: CancellationToken },
}

impl Places {
    pub(super) fn new(room: Room) -> Self {
        Self { room, taken: Arc::default() }
    }

    /// Takes a place for a connection from this address.
    pub(super) fn take(&self, address: IpAddr) -> Place {
        let address = owner(address);
        let mut taken = self.taken();
        let of_address = taken.by_address.get(&address).copied().unwrap_or_default();
        let kind = if taken.total < self.room.total && of_address < self.room.for_address {
            taken.total += 1;
            taken.by_address.insert(address, of_address + 1);
            Kind::Regular(address)
        } else {
            if taken.spare.len() >= self.room.spare
                && let Some((_, oldest)) = taken.spare.pop_first()
            {
                oldest.cancel();
            }
            let (number, lost) = (taken.next, CancellationToken::new());
            taken.next += 1;
            taken.spare.insert(number, lost.clone());
            Kind::Spare { number, lost }
        };
        drop(taken);
        Place { places: self.clone(), kind }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        // Nothing panics while it holds the lock, and the counts are right between any two of its statements.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whose place it is: an address of version 6 stands for its network, of which a single host has all addresses.
fn owner(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            Ipv6Addr::from(u128::from(address) & !u128::from(u64::MAX)).into()
        }
        address => address,
    }
}

impl Place {
    /// Whether any request may be made; otherwise only for the state of the service.
    pub(super) const fn is_regular(&self) -> bool {
        matches!(self.kind, Kind::Regular(_))
    }

    /// Does some work until it is done, or until the place is lost to another connection: then there is no result.
    pub(super) async fn until_lost<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        match &self.kind {
            Kind::Regular(_) => Some(work.await),
            Kind::Spare { lost, .. } => lost.run_until_cancelled(work).await,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        match &self.kind {
            Kind::Spare { number, .. } => {
                taken.spare.remove(number);
            }
            Kind::Regular(address) => {
                taken.total -= 1;
                let left = taken.by_address.get_mut(address).map(|count| {
                    *count -= 1;
                    *count
                });
                if left == Some(0) {
                    taken.by_address.remove(address);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn half_of_the_descriptors_is_for_connections_and_half_of_that_for_one_address() {
        assert_eq!(Room::within(256), Room { total: 128, for_address: 64, spare: 16 });
        assert_eq!(Room::within(1 << 20), Room { total: 4096, for_address: 2048, spare: 64 });
        assert_eq!(Room::within(0), Room { total: 8, for_address: 4, spare: 4 });
        assert!(descriptors().is_some_and(|descriptors| descriptors > 16));
    }

    #[tokio::test]
    async fn who_finds_no_place_has_a_spare_one_until_another_needs_it() {
        let places = Places::new(Room { total: 3, for_address: 2, spare: 2 });
        let (one, other) = (address("10.0.0.1"), address("10.0.0.2"));
        let mut regular = vec![places.take(one), places.take(one)];
        assert!(regular.iter().all(Place::is_regular));
        let first = places.take(one);
        assert!(!first.is_regular(), "it has as many as one address may have");
        regular.push(places.take(other));
        assert!(regular[2].is_regular() && !places.take(other).is_regular(), "there are no more");
        let second = places.take(other);
        assert_eq!(first.until_lost(async { 1 }).await, Some(1));
        let third = places.take(one);
        assert_eq!(first.until_lost(std::future::pending::<()>()).await, None, "the oldest one goes");
        assert_eq!(second.until_lost(async { 1 }).await, Some(1));
        drop((first, second, third));
        assert!(places.taken().spare.is_empty());
        regular.clear();
        assert!(places.take(one).is_regular());
        let taken = places.taken();
        assert!(taken.total == 0 && taken.by_address.is_empty(), "{taken:?}");
    }

    #[test]
    fn a_network_of_version_6_is_one_owner() {
        assert_eq!(owner(address("fd00::1")), owner(address("fd00::ffff:1")));
        assert_ne!(owner(address("fd00::1")), owner(address("fd00:0:0:1::1")));
        assert_eq!(owner(address("::ffff:10.0.0.1")), address("10.0.0.1"));
        assert_eq!(owner(address("::1")), address("::1"));
    }
}
