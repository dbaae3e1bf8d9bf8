//! A receiver: a small HTTP server that answers as a test wants.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

/// A request as it came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    /// Such as `POST /path HTTP/1.1`.
    pub(crate) line: String,
    /// By their names in lower case.
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }
}

/// What a receiver does with a request.
pub(crate) enum Reply {
    /// Answers with a status, and with more lines of the head.
    Status(u16, &'static str),
    /// Never answers.
    Hang,
}

/// What a receiver does with a request, and with the how manyth.
type Habit = dyn Fn(&Request, usize) -> Reply + Send + Sync;

struct Inner {
    habit: Box<Habit>,
    requests: AtomicUsize,
    taken: Mutex<Vec<Request>>,
}

/// A receiver, running or dead.
pub(crate) struct Receiver {
    address: SocketAddr,
    inner: Arc<Inner>,
    accepting: Option<JoinHandle<()>>,
}

impl Receiver {
    pub(crate) async fn start(habit: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Self {
        let mut receiver = Self::dead(habit).await;
        receiver.revive().await;
        receiver
    }

    /// One that does not listen yet. Its port is free until then.
    pub(crate) async fn dead(habit: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let inner = Inner { habit: Box::new(habit), requests: AtomicUsize::new(0), taken: Mutex::default() };
        Self { address, inner: Arc::new(inner), accepting: None }
    }

    pub(crate) async fn revive(&mut self) {
        let (listener, inner) = (TcpListener::bind(self.address).await.unwrap(), Arc::clone(&self.inner));
        self.accepting = Some(tokio::spawn(async move {
            // Its connections end with the task.
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(serve(stream, Arc::clone(&inner)));
                while connections.try_join_next().is_some() {}
            }
        }));
    }

    /// Ends it at once, with all connections.
    pub(crate) async fn kill(&mut self) {
        let accepting = self.accepting.take().unwrap();
        accepting.abort();
        assert!(accepting.await.unwrap_err().is_cancelled());
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many requests came.
    pub(crate) fn requests(&self) -> usize {
        self.inner.requests.load(Ordering::SeqCst)
    }

    /// The requests that were answered with success, in their order.
    pub(crate) fn taken(&self) -> Vec<Request> {
        self.inner.taken.lock().unwrap().clone()
    }

    pub(crate) fn taken_count(&self) -> usize {
        self.inner.taken.lock().unwrap().len()
    }
}

async fn serve(stream: TcpStream, inner: Arc<Inner>) {
    let mut stream = BufReader::new(stream);
    // A connection that breaks is the client's matter.
    while let Ok(Some(request)) = read(&mut stream).await {
        let number = inner.requests.fetch_add(1, Ordering::SeqCst) + 1;
        let Reply::Status(status, head) = (inner.habit)(&request, number) else {
            std::future::pending::<()>().await;
            return;
        };
        if (200..300).contains(&status) {
            inner.taken.lock().unwrap().push(request);
        }
        let answer = format!("HTTP/1.1 {status} So\r\nContent-Length: 5\r\n{head}\r\nhello");
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Request>> {
    let mut request = Request::default();
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    line.trim_end().clone_into(&mut request.line);
    loop {
        line.clear();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        request.headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = request.headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    request.body = String::from_utf8(body).unwrap();
    Ok(Some(request))
}
