//! NATS with `JetStream`.

use std::{ffi::OsString, fs, net::SocketAddr, path::PathBuf};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

use crate::{
    find, folder,
    port::with_free_port,
    process::{Probe, Process, controls},
};

/// A NATS server with `JetStream`.
#[derive(Debug)]
pub struct Nats {
    process: Process<Ping>,
    /// The file that limits the server's storage; `None` if it has no limits.
    config: Option<(PathBuf, u64)>,
    // Removed after the process has ended.
    _folder: TempDir,
}

controls!(Nats);

impl Nats {
    /// Starts a server without streams.
    pub async fn start() -> Result<Self> {
        Self::start_with(None).await
    }

    /// Starts a server that stores no more than this many bytes for all streams together.
    pub async fn start_with_room(bytes: u64) -> Result<Self> {
        Self::start_with(Some(bytes)).await
    }

    /// Starts a server without `JetStream`.
    pub async fn start_without_jetstream() -> Result<Self> {
        let mut server = Self::start_with_room(1 << 20).await?;
        server.restart_with_jetstream(false).await?;
        Ok(server)
    }

    /// Starts a server for known users. `authorization` is that block of its configuration.
    pub async fn start_with_users(authorization: &str) -> Result<Self> {
        Self::start_with_config(Some(1 << 30), authorization).await
    }

    async fn start_with(room: Option<u64>) -> Result<Self> {
        Self::start_with_config(room, "").await
    }

    async fn start_with_config(room: Option<u64>, more: &str) -> Result<Self> {
        // Never the server of the Linux distribution: current clients can't read its key-value answers.
        let program = find::in_venv("nats-server")?;
        with_free_port(async |port| {
            let folder = folder::new("nats")?;
            let number = port.number().to_string();
            let mut arguments: Vec<OsString> = ["-a", "127.0.0.1", "-p", &number].map(OsString::from).into();
            let mut config = None;
            match room {
                None => arguments.extend(["-js".into(), "-sd".into(), folder.path().join("data").into()]),
                Some(bytes) => {
                    let path = folder.path().join("nats.conf");
                    fs::write(&path, with_jetstream(&folder.path().join("data"), bytes) + more)?;
                    arguments.extend(["-c".into(), path.clone().into()]);
                    config = Some((path, bytes));
                }
            }
            let ping = Ping { config: config.as_ref().map(|(path, _)| path.clone()) };
            let process = Process::start("nats", (program.clone(), arguments), folder.path(), port, ping).await?;
            Ok(Self { process, config, _folder: folder })
        })
        .await
    }

    /// Starts the server again without `JetStream`, or with it. What it has stored stays.
    ///
    /// # Errors
    ///
    /// If the server was not started with [`start_with_room`](Self::start_with_room), or does not start.
    pub async fn restart_with_jetstream(&mut self, has_jetstream: bool) -> Result<()> {
        let (path, bytes) = self.config.as_ref().context("only a server with limited room has a configuration")?;
        let folder = path.parent().context("the configuration is in a folder")?;
        fs::write(path, if has_jetstream { with_jetstream(&folder.join("data"), *bytes) } else { String::new() })?;
        self.process.restart().await
    }

    /// The server's URL.
    pub fn url(&self) -> String {
        self.url_at(self.address())
    }

    /// The URL for another address, such as that of a [`Proxy`](crate::Proxy).
    pub fn url_at(&self, address: SocketAddr) -> String {
        format!("nats://{address}")
    }
}

fn with_jetstream(data: &std::path::Path, bytes: u64) -> String {
    let data = data.display();
    format!("jetstream {{ store_dir: \"{data}\", max_file_store: {bytes}, max_memory_store: 1048576 }}\n")
}

#[derive(Debug)]
struct Ping {
    config: Option<PathBuf>,
}

impl Ping {
    /// Whether the server is meant to have `JetStream`.
    fn wants_jetstream(&self) -> bool {
        self.config.as_ref().is_none_or(|path| fs::read_to_string(path).is_ok_and(|text| !text.is_empty()))
    }
}

impl Probe for Ping {
    async fn check(&self, address: SocketAddr) -> Result<()> {
        let mut stream = BufReader::new(TcpStream::connect(address).await?);
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let has_jetstream = line.contains(r#""jetstream":true"#);
        ensure!(line.starts_with("INFO ") && has_jetstream == self.wants_jetstream(), "it greets with: {line}");
        if line.contains(r#""auth_required":true"#) {
            return Ok(());
        }
        stream.write_all(b"CONNECT {\"verbose\":false}\r\nPING\r\n").await?;
        line.clear();
        stream.read_line(&mut line).await?;
        ensure!(line == "PONG\r\n", "it answers a ping with: {line}");
        Ok(())
    }
}
