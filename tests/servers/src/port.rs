//! Ports of servers.
//!
//! A port stays reserved for its guard's lifetime, even while the server is down, because tests kill a server and
//! expect it back at the same address. So the ports are below the range that Linux uses for outgoing connections.
//! Otherwise a client that keeps trying to reach a dead server would sooner or later get the server's port for its own
//! end, and be connected to itself.

use std::{
    collections::hash_map::RandomState,
    fs,
    hash::BuildHasher as _,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr as UnixAddr, UnixListener},
    },
};

use anyhow::{Context as _, Result, bail};

const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A loopback port that no other guard has, in this process or another.
#[derive(Debug)]
pub struct Port {
    number: u16,
    /// An abstract Unix socket, which can exist only once, leaves no file, and ends with the process.
    _lock: UnixListener,
}

impl Port {
    /// Reserves a free one.
    pub fn reserve() -> Result<Self> {
        // Starts at a random port, so that processes do not compete for the same ones.
        let start = (RandomState::new().hash_one(0) % u64::from(COUNT)) as u16;
        for step in 0..COUNT {
            let number = FIRST + (start + step) % COUNT;
            let name = UnixAddr::from_abstract_name(format!("ta-bot-test-port-{number}"))?;
            let Ok(lock) = UnixListener::bind_addr(&name) else { continue };
            if TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
                return Ok(Self { number, _lock: lock });
            }
        }
        bail!("no port from {FIRST} to {} is free", FIRST + COUNT - 1)
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }

    /// The address.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.number).into()
    }

    /// Whether the process `pid` listens on the port. Without this check another program's server could answer a probe
    /// while ours is about to fail.
    pub(crate) fn is_held_by(&self, pid: u32) -> Result<bool> {
        let local = format!("0100007F:{:04X}", self.number);
        let table = fs::read_to_string("/proc/net/tcp").context("can't read /proc/net/tcp")?;
        let listener = table.lines().find_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            // Local address, peer, state (0A is LISTEN), …, inode.
            (fields.get(1) == Some(&local.as_str()) && fields.get(3) == Some(&"0A")).then(|| fields.get(9).copied())?
        });
        let Some(inode) = listener else { return Ok(false) };
        let socket = format!("socket:[{inode}]");
        let files = fs::read_dir(format!("/proc/{pid}/fd")).context("the server has ended")?;
        Ok(files.flatten().any(|file| fs::read_link(file.path()).is_ok_and(|link| link.as_os_str() == socket.as_str())))
    }
}

/// Starts a server on a free port, and on another one if a program took the port in the meantime.
pub(crate) async fn with_free_port<T>(start: impl AsyncFn(Port) -> Result<T>) -> Result<T> {
    const ATTEMPTS: usize = 3;
    let mut attempt = 1;
    loop {
        match start(Port::reserve()?).await {
            // All servers use these words for it, and the error contains the end of the server's log.
            Err(error) if attempt < ATTEMPTS && format!("{error:#}").contains("ddress already in use") => attempt += 1,
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_port_is_held_by_who_listens_on_it() -> Result<()> {
        let port = Port::reserve()?;
        assert!(!port.is_held_by(std::process::id())?);
        let _listener = TcpListener::bind(port.address())?;
        assert!(port.is_held_by(std::process::id())?);
        assert!(!port.is_held_by(std::os::unix::process::parent_id())?);
        Ok(())
    }

    #[tokio::test]
    async fn a_port_that_was_taken_is_given_up_for_another() -> Result<()> {
        let tried = std::cell::RefCell::new(Vec::new());
        let port = with_free_port(async |port| {
            let taken = tried.borrow().is_empty();
            tried.borrow_mut().push(port.number());
            if taken { Err(anyhow!("bind: Address already in use")) } else { Ok(port) }
        });
        let number = port.await?.number();
        assert_eq!((tried.borrow().len(), tried.borrow().last()), (2, Some(&number)));
        assert!(with_free_port(async |_| Err::<(), _>(anyhow!("another error"))).await.is_err());
        Ok(())
    }
}
