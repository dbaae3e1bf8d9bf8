//! One connection through the proxy.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::watch,
    time::sleep,
};

use super::{Mode, Orders, Side};

const CHUNK: usize = 16 * 1024;

/// How a connection ends.
enum End {
    /// Normally: a cut looks like the end of a process.
    Closed,
    /// With a reset, by order or because the other side was reset.
    Reset,
}

/// Serves a client. `resets` is the number of resets that were ordered before it connected.
pub(super) async fn serve(mut client: TcpStream, upstream: SocketAddr, orders: watch::Receiver<Orders>, resets: u64) {
    let mut held = orders.clone();
    let connect = async {
        // While the client is held back, its connection does not reach the server.
        held.wait_for(|orders| orders.mode != Mode::Stall).await.ok()?;
        TcpStream::connect(upstream).await.ok()
    };
    let connected = tokio::select! {
        connected = connect => connected,
        () = reset(orders.clone(), resets) => None,
    };
    let Some(mut server) = connected else {
        let _ = client.set_zero_linger();
        return;
    };
    // Waiting for full packets would add delays that nobody ordered.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    if let End::Reset = relay(&mut client, &mut server, orders, resets).await {
        let _ = (client.set_zero_linger(), server.set_zero_linger());
    }
}

/// Waits until a reset is ordered.
async fn reset(mut orders: watch::Receiver<Orders>, before: u64) {
    // An error means that the proxy ends, which ends its connections as well.
    let _ = orders.wait_for(|orders| orders.mode == Mode::Reset || orders.resets != before).await;
}

async fn relay(client: &mut TcpStream, server: &mut TcpStream, orders: watch::Receiver<Orders>, resets: u64) -> End {
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let up = pump(from_client, to_server, Side::Client, orders.clone());
    let down = pump(from_server, to_client, Side::Server, orders.clone());
    tokio::select! {
        () = reset(orders, resets) => End::Reset,
        end = async { tokio::try_join!(up, down) } => end.err().unwrap_or(End::Closed),
    }
}

/// Passes on what one side sends, until it has sent everything.
async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    side: Side,
    mut orders: watch::Receiver<Orders>,
) -> Result<(), End> {
    let mut chunk = vec![0; CHUNK];
    let (mut order, mut passed) = (0, 0);
    loop {
        let length = from.read(&mut chunk).await.map_err(|_| End::Reset)?;
        let current = orders.wait_for(|orders| orders.mode != Mode::Stall).await.map(|orders| *orders);
        let Orders { mode, number, .. } = current.map_err(|_| End::Reset)?;
        if number != order {
            (order, passed) = (number, 0);
        }
        if let Mode::Delay(time) = mode {
            sleep(time).await;
        }
        if length == 0 {
            return to.shutdown().await.map_err(|_| End::Reset);
        }
        let left = match mode {
            Mode::CutAfter { from, bytes } if from == side => bytes.saturating_sub(passed),
            _ => u64::MAX,
        };
        let allowed = usize::try_from(left).unwrap_or(length).min(length);
        to.write_all(&chunk[..allowed]).await.map_err(|_| End::Reset)?;
        passed += allowed as u64;
        if left <= length as u64 {
            return Err(End::Closed);
        }
    }
}
