//! The proxy's modes, in front of a server that echoes.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::{
    io::ErrorKind,
    net::SocketAddr,
    time::{Duration, Instant},
};

use ta_bot_test_servers::{Mode, Proxy, Side};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

const SHORT: Duration = Duration::from_millis(150);

async fn echo_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    address
}

async fn proxy() -> Proxy {
    Proxy::start(echo_server().await).unwrap()
}

async fn connect(proxy: &Proxy) -> TcpStream {
    TcpStream::connect(proxy.address()).await.unwrap()
}

async fn echo(stream: &mut TcpStream, text: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(text).await?;
    let mut answer = vec![0; text.len()];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

/// How a new connection fails: while it is made, or when it is read from.
async fn failure(proxy: &Proxy) -> ErrorKind {
    match TcpStream::connect(proxy.address()).await {
        Ok(mut stream) => stream.read_u8().await.unwrap_err().kind(),
        Err(error) => error.kind(),
    }
}

/// Waits until the proxy has noticed that its connections ended.
async fn wait_for_open(proxy: &Proxy, count: usize) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while proxy.open() != count {
        assert!(Instant::now() < deadline, "{} connections are open", proxy.open());
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn forwards_and_counts() {
    let proxy = proxy().await;
    let (mut first, mut second) = (connect(&proxy).await, connect(&proxy).await);
    let long = vec![7; 1_000_000];
    let (mut from, mut to) = first.split();
    let mut answer = vec![0; long.len()];
    let (sent, received) = tokio::join!(to.write_all(&long), from.read_exact(&mut answer));
    sent.unwrap();
    received.unwrap();
    assert_eq!(answer, long);
    assert_eq!(echo(&mut second, b"two").await.unwrap(), b"two");
    assert_eq!((proxy.accepted(), proxy.open()), (2, 2));

    // The proxy also passes on the end of what one side sends.
    first.shutdown().await.unwrap();
    assert_eq!(first.read(&mut [0; 8]).await.unwrap(), 0);
    wait_for_open(&proxy, 1).await;
    assert_eq!(proxy.accepted(), 2);
}

#[tokio::test]
async fn delays_each_chunk() {
    let proxy = proxy().await;
    let mut stream = connect(&proxy).await;
    proxy.set(Mode::Delay(SHORT)).await.unwrap();
    let start = Instant::now();
    assert_eq!(echo(&mut stream, b"slow").await.unwrap(), b"slow");
    assert!(start.elapsed() >= 2 * SHORT, "once there and once back");

    proxy.set(Mode::Forward).await.unwrap();
    let start = Instant::now();
    assert_eq!(echo(&mut stream, b"fast").await.unwrap(), b"fast");
    assert!(start.elapsed() < SHORT);
}

#[tokio::test]
async fn stalls_old_and_new_connections_and_loses_nothing() {
    let proxy = proxy().await;
    let mut old = connect(&proxy).await;
    assert_eq!(echo(&mut old, b"before").await.unwrap(), b"before");

    proxy.set(Mode::Stall).await.unwrap();
    let mut new = connect(&proxy).await;
    for stream in [&mut old, &mut new] {
        stream.write_all(b"held").await.unwrap();
        assert!(timeout(SHORT, stream.read_u8()).await.is_err());
    }
    proxy.set(Mode::Forward).await.unwrap();
    for stream in [&mut old, &mut new] {
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"held");
    }
}

#[tokio::test]
async fn resets_old_and_new_connections() {
    let proxy = proxy().await;
    let mut old = connect(&proxy).await;
    assert_eq!(echo(&mut old, b"before").await.unwrap(), b"before");
    proxy.set(Mode::Reset).await.unwrap();
    assert_eq!(old.read_u8().await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(failure(&proxy).await, ErrorKind::ConnectionReset);

    proxy.set(Mode::Forward).await.unwrap();
    assert_eq!(echo(&mut connect(&proxy).await, b"after").await.unwrap(), b"after");
}

#[tokio::test]
async fn resets_once_what_is_open() {
    let proxy = proxy().await;
    let mut old = connect(&proxy).await;
    assert_eq!(echo(&mut old, b"before").await.unwrap(), b"before");
    proxy.reset_all().await.unwrap();
    assert_eq!(old.read_u8().await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(echo(&mut connect(&proxy).await, b"after").await.unwrap(), b"after");
}

#[tokio::test]
async fn refuses_new_connections_only() {
    let proxy = proxy().await;
    let mut old = connect(&proxy).await;
    assert_eq!(echo(&mut old, b"before").await.unwrap(), b"before");
    proxy.set(Mode::Refuse).await.unwrap();
    assert_eq!(failure(&proxy).await, ErrorKind::ConnectionRefused);
    assert_eq!(echo(&mut old, b"goes on").await.unwrap(), b"goes on");

    proxy.set(Mode::Forward).await.unwrap();
    assert_eq!(echo(&mut connect(&proxy).await, b"after").await.unwrap(), b"after");
}

#[tokio::test]
async fn cuts_an_answer_after_some_bytes() {
    let proxy = proxy().await;
    let mut stream = connect(&proxy).await;
    assert_eq!(echo(&mut stream, b"not counted").await.unwrap(), b"not counted");
    proxy.set(Mode::CutAfter { from: Side::Server, bytes: 6 }).await.unwrap();
    assert_eq!(echo(&mut stream, b"1234").await.unwrap(), b"1234");
    stream.write_all(b"5678").await.unwrap();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert_eq!(rest, b"56");
    wait_for_open(&proxy, 0).await;

    // The next connection has the same budget.
    assert_eq!(echo(&mut connect(&proxy).await, b"12345").await.unwrap(), b"12345");
}

#[tokio::test]
async fn cuts_a_request_before_its_first_byte() {
    let proxy = proxy().await;
    proxy.set(Mode::CutAfter { from: Side::Client, bytes: 0 }).await.unwrap();
    let mut stream = connect(&proxy).await;
    assert!(echo(&mut stream, b"swallowed").await.is_err());
}

#[tokio::test]
async fn a_missing_server_resets_the_client_and_may_come_later() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let proxy = Proxy::start(free).unwrap();
    assert_eq!(failure(&proxy).await, ErrorKind::ConnectionReset);
    let listener = TcpListener::bind(free).await.unwrap();
    let _stream = connect(&proxy).await;
    listener.accept().await.unwrap();
}

#[tokio::test]
async fn ends_with_its_guard() {
    let proxy = proxy().await;
    let address = proxy.address();
    let mut stream = connect(&proxy).await;
    assert_eq!(echo(&mut stream, b"before").await.unwrap(), b"before");
    drop(proxy);
    assert_eq!(TcpStream::connect(address).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert!(!matches!(stream.read(&mut [0]).await, Ok(1..)));
}
