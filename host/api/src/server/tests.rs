use std::{
    net::SocketAddr,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use axum::{body::Bytes, routing::get};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::*;

/// More than the system keeps for a connection of this machine in both directions.
static LARGE: LazyLock<Bytes> = LazyLock::new(|| vec![b'x'; 48 << 20].into());
const PATIENCE: Patience =
    Patience { head: Duration::from_secs(20), write: Duration::from_millis(400), spare: Duration::from_secs(10) };
/// Long enough for a busy machine.
const SOON: Duration = Duration::from_secs(20);

struct Server {
    address: SocketAddr,
    /// How often the large answer was asked for.
    asked: Arc<AtomicUsize>,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Server {
    async fn start(room: Room) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let large = get(async move || {
            counted.fetch_add(1, Ordering::Relaxed);
            LARGE.clone()
        });
        let router = Router::new().route("/large", large).route("/healthz", get(async || "ok\n"));
        let router = router.route("/api", get(async || "an answer\n"));
        let running = tokio::spawn(serve_with(listener, router, stop.clone(), room, PATIENCE));
        Self { address, asked, stop, running }
    }

    /// A connection over which this was sent.
    async fn sent(&self, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    /// The whole answer on a connection of its own.
    async fn get(&self, path: &str) -> String {
        let mut stream = self.sent(&request(path, "close")).await;
        let mut answer = String::new();
        timeout(SOON, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
        answer
    }

    async fn end(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }
}

fn request(path: &str, connection: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: {connection}\r\n\r\n")
}

fn room(total: usize, for_address: usize, spare: usize) -> Room {
    Room { total, for_address, spare }
}

/// A client that asks and never reads loses its connection, and its place goes to the next one.
#[tokio::test]
async fn who_never_reads_is_given_up() {
    let server = Server::start(room(1, 1, 1)).await;
    let begun = Instant::now();
    let stream = server.sent(&request("/large", "keep-alive")).await;
    while server.asked.load(Ordering::Relaxed) == 0 {
        sleep(Duration::from_millis(5)).await;
    }
    assert!(server.get("/api").await.starts_with("HTTP/1.1 503"), "its place is taken");
    while !server.get("/api").await.starts_with("HTTP/1.1 200") {
        assert!(begun.elapsed() < SOON, "its place is still taken");
        sleep(Duration::from_millis(20)).await;
    }
    assert!(begun.elapsed() >= PATIENCE.write);
    drop(stream);
    server.end().await;
}

/// Bytes that are read now and then do not count as reading.
#[tokio::test]
async fn who_reads_a_byte_now_and_then_is_given_up() {
    let server = Server::start(room(1, 1, 1)).await;
    let mut stream = server.sent(&request("/large", "keep-alive")).await;
    let begun = Instant::now();
    let mut bytes = 0;
    let mut byte = [0];
    while begun.elapsed() < SOON {
        match timeout(Duration::from_millis(20), stream.read(&mut byte)).await {
            Ok(Ok(1)) => bytes += 1,
            _ => break,
        }
        if server.get("/api").await.starts_with("HTTP/1.1 200") {
            break;
        }
        sleep(Duration::from_millis(20)).await;
    }
    assert!(begun.elapsed() < SOON, "it is still served after {bytes} bytes");
    server.end().await;
}

#[tokio::test]
async fn who_reads_slowly_gets_everything() {
    let server = Server::start(room(4, 4, 1)).await;
    let mut stream = server.sent(&request("/large", "close")).await;
    let begun = Instant::now();
    let (mut count, mut piece) = (0, vec![0; 512 << 10]);
    loop {
        let read = timeout(SOON, stream.read(&mut piece)).await.unwrap().unwrap();
        if read == 0 {
            break;
        }
        count += read;
        sleep(Duration::from_millis(5)).await;
    }
    assert!(count > LARGE.len() && begun.elapsed() > PATIENCE.write, "{count} bytes in {:?}", begun.elapsed());
    server.end().await;
}

/// A client that sends thousands of requests without reading an answer is answered a few, and given up.
#[tokio::test]
async fn requests_that_do_not_wait_for_answers_are_bounded() {
    let server = Server::start(room(2, 2, 1)).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let many = request("/large", "keep-alive").repeat(2000);
    let sending = async {
        // The server reads no more than it has room for, and then gives the connection up.
        while stream.write_all(many.as_bytes()).await.is_ok() {}
    };
    timeout(SOON, sending).await.expect("it is still read from");
    let asked = server.asked.load(Ordering::Relaxed);
    assert!((1..20).contains(&asked), "{asked} answers were made");
    assert!(server.get("/api").await.starts_with("HTTP/1.1 200"));
    server.end().await;
}

#[tokio::test]
async fn a_crowded_server_tells_its_state_and_nothing_else() {
    let server = Server::start(room(6, 3, 2)).await;
    // Half of a request each, as of an attacker who opens as many as there are.
    let half = "GET /api HTTP/1.1\r\nHost: localhost\r\nX: ";
    let mut crowd = Vec::new();
    for _ in 0..40 {
        crowd.push(server.sent(half).await);
    }
    for _ in 0..20 {
        let health = server.get("/healthz").await;
        assert!(health.starts_with("HTTP/1.1 200") && health.ends_with("ok\n"), "{health}");
        let refused = server.get("/api").await;
        assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("too_many_connections"), "{refused}");
        assert!(refused.contains("retry-after: 1") && refused.contains("connection: close"), "{refused}");
        crowd.push(server.sent(half).await);
    }
    crowd.clear();
    let begun = Instant::now();
    while !server.get("/api").await.starts_with("HTTP/1.1 200") {
        assert!(begun.elapsed() < SOON);
        sleep(Duration::from_millis(20)).await;
    }
    server.end().await;
}
