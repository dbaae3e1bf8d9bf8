//! A TCP proxy that disturbs connections.

mod connection;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use crate::port::Port;

/// What the proxy does with its open connections and with new ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Passes everything on.
    Forward,
    /// Passes each chunk on after this time.
    Delay(Duration),
    /// Accepts connections and holds back everything until the next mode, which passes it on.
    Stall,
    /// Resets every connection (RST).
    Reset,
    /// Refuses new connections. Open ones go on; see [`Proxy::reset_all`].
    Refuse,
    /// Passes on some bytes from one side, counted for each connection from now on or from its start, then closes the
    /// connection on both sides. What the other side sends is passed on until then.
    CutAfter {
        /// Whose bytes count: with [`Side::Server`] an answer is lost, with [`Side::Client`] a request is cut in two.
        from: Side,
        /// How many bytes are passed on. With 0 the first chunk is swallowed.
        bytes: u64,
    },
}

/// An end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The side that connected to the proxy.
    Client,
    /// The side that the proxy connected to.
    Server,
}

/// A TCP proxy on loopback in front of one server. It runs in a thread of its own and ends with this guard.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    orders: watch::Sender<Orders>,
    applied: watch::Receiver<u64>,
    counts: Arc<Counts>,
    thread: Option<thread::JoinHandle<()>>,
}

/// The current order. The numbers distinguish a repeated order from an old one.
#[derive(Clone, Copy, Debug)]
struct Orders {
    mode: Mode,
    number: u64,
    resets: u64,
}

#[derive(Debug, Default)]
struct Counts {
    accepted: AtomicUsize,
    open: AtomicUsize,
}

impl Proxy {
    /// Starts a proxy that forwards to this address. The server may be down and start later.
    pub fn start(upstream: SocketAddr) -> Result<Self> {
        let port = Port::reserve()?;
        let address = port.address();
        let (orders, receiver) = watch::channel(Orders { mode: Mode::Forward, number: 0, resets: 0 });
        let (report, applied) = watch::channel(0);
        let counts = Arc::new(Counts::default());
        let shared = Arc::clone(&counts);
        let listener = std::net::TcpListener::bind(address).context("the proxy can't listen")?;
        listener.set_nonblocking(true)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = thread::Builder::new().name("proxy".into()).spawn(move || {
            let _port = port;
            // An error here makes every later `set` fail.
            let _ = runtime.block_on(accept(listener, upstream, receiver, report, shared));
        })?;
        Ok(Self { address, orders, applied, counts, thread: Some(thread) })
    }

    /// The address that clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Switches to a mode. When this returns, the mode applies to new connections, and to each open one from its next
    /// chunk.
    pub async fn set(&self, mode: Mode) -> Result<()> {
        self.order(|orders| orders.mode = mode).await
    }

    /// Resets all open connections (RST) and stays in the current mode.
    pub async fn reset_all(&self) -> Result<()> {
        self.order(|orders| orders.resets += 1).await
    }

    /// How many connections have been accepted so far.
    pub fn accepted(&self) -> usize {
        self.counts.accepted.load(Ordering::Acquire)
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.counts.open.load(Ordering::Acquire)
    }

    async fn order(&self, change: impl FnOnce(&mut Orders)) -> Result<()> {
        let mut number = 0;
        self.orders.send_modify(|orders| {
            change(orders);
            orders.number += 1;
            number = orders.number;
        });
        let mut applied = self.applied.clone();
        applied.wait_for(|applied| *applied >= number).await.context("the proxy has ended")?;
        Ok(())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Without a sender the thread ends, and its runtime drops all connections.
        let last = *self.orders.borrow();
        self.orders = watch::channel(last).0;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Accepts connections until the guard is dropped.
async fn accept(
    listener: std::net::TcpListener,
    upstream: SocketAddr,
    mut orders: watch::Receiver<Orders>,
    report: watch::Sender<u64>,
    counts: Arc<Counts>,
) -> Result<()> {
    let address = listener.local_addr()?;
    let mut listener = Some(TcpListener::from_std(listener)?);
    let mut connections = JoinSet::new();
    loop {
        let Orders { mode, number, resets } = *orders.borrow_and_update();
        if mode == Mode::Refuse {
            listener = None;
        } else if listener.is_none() {
            listener = Some(TcpListener::bind(address).await?);
        }
        report.send_replace(number);
        let next = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = orders.changed() => if changed.is_err() { return Ok(()) },
            accepted = next => {
                let (client, _) = accepted?;
                counts.accepted.fetch_add(1, Ordering::AcqRel);
                counts.open.fetch_add(1, Ordering::AcqRel);
                let (orders, counts) = (orders.clone(), Arc::clone(&counts));
                connections.spawn(async move {
                    connection::serve(client, upstream, orders, resets).await;
                    counts.open.fetch_sub(1, Ordering::AcqRel);
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}
