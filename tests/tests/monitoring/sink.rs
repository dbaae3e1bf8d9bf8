//! A receiver of requests: of the Alertmanager's, and of a service's webhook.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use anyhow::Context as _;
use serde_json::Value as Json;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_util::task::AbortOnDropHandle;

/// Takes every request, and keeps what an Alertmanager tells.
pub(crate) struct Sink {
    pub(crate) address: SocketAddr,
    told: Arc<Mutex<Vec<Json>>>,
    _serving: AbortOnDropHandle<()>,
}

impl Sink {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let told = Arc::<Mutex<Vec<Json>>>::default();
        let keep = Arc::clone(&told);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let keep = Arc::clone(&keep);
                // A client may end its connection at any point.
                tokio::spawn(async move { serve(stream, &keep).await.ok() });
            }
        });
        Self { address, told, _serving: AbortOnDropHandle::new(serving) }
    }

    /// The alerts of this name that were told, each as the Alertmanager told it.
    pub(crate) fn alerts(&self, name: &str) -> Vec<Json> {
        let told = self.told.lock().unwrap();
        let alerts = told.iter().flat_map(|message| message["alerts"].as_array().into_iter().flatten());
        alerts.filter(|alert| alert["labels"]["alertname"] == name).cloned().collect()
    }

    /// The names of all alerts that were told.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        let told = self.told.lock().unwrap();
        let alerts = told.iter().flat_map(|message| message["alerts"].as_array().into_iter().flatten());
        alerts.map(|alert| alert["labels"]["alertname"].as_str().unwrap().to_owned()).collect()
    }
}

/// Reads the requests of one connection, and answers each.
async fn serve(stream: TcpStream, told: &Mutex<Vec<Json>>) -> anyhow::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let message: Json = serde_json::from_slice(&body).context("the body is JSON")?;
        told.lock().unwrap().push(message);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await?;
    }
}
