//! NATS with `JetStream`.

use std::{ffi::OsString, fs, net::SocketAddr};

use anyhow::{Result, ensure};
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
    // Removed after the process has ended.
    _folder: TempDir,
}

controls!(Nats);

impl Nats {
    /// Starts a server without streams.
    pub async fn start() -> Result<Self> {
        Self::start_with(JetStream::Unbounded).await
    }

    /// Starts a server whose `JetStream` has room for so many bytes.
    pub async fn start_with_room(bytes: u64) -> Result<Self> {
        Self::start_with(JetStream::Bounded(bytes)).await
    }

    /// Starts a server without `JetStream`.
    pub async fn start_without_jetstream() -> Result<Self> {
        Self::start_with(JetStream::Off).await
    }

    async fn start_with(jetstream: JetStream) -> Result<Self> {
        // Never the server of the Linux distribution: current clients can't read its key-value answers.
        let program = find::in_venv("nats-server")?;
        with_free_port(async |port| {
            let folder = folder::new("nats")?;
            let mut arguments: Vec<OsString> = ["-a", "127.0.0.1", "-p"].map(OsString::from).into();
            arguments.push(port.number().to_string().into());
            let data = folder.path().join("data");
            match jetstream {
                JetStream::Unbounded => arguments.extend(["-js".into(), "-sd".into(), data.into()]),
                JetStream::Bounded(bytes) => {
                    let file = folder.path().join("nats.conf");
                    let store = data.display();
                    fs::write(&file, format!("jetstream {{ store_dir: \"{store}\", max_file_store: {bytes} }}\n"))?;
                    arguments.extend(["-c".into(), file.into()]);
                }
                JetStream::Off => {}
            }
            let probe = Ping { jetstream: jetstream != JetStream::Off };
            let process = Process::start("nats", (program.clone(), arguments), folder.path(), port, probe).await?;
            Ok(Self { process, _folder: folder })
        })
        .await
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

/// What a server stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum JetStream {
    Unbounded,
    Bounded(u64),
    Off,
}

#[derive(Debug)]
struct Ping {
    jetstream: bool,
}

impl Probe for Ping {
    async fn check(&self, address: SocketAddr) -> Result<()> {
        let mut stream = BufReader::new(TcpStream::connect(address).await?);
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let is_as_wanted = line.contains(r#""jetstream":true"#) == self.jetstream;
        ensure!(line.starts_with("INFO ") && is_as_wanted, "it greets with: {line}");
        stream.write_all(b"CONNECT {\"verbose\":false}\r\nPING\r\n").await?;
        line.clear();
        stream.read_line(&mut line).await?;
        ensure!(line == "PONG\r\n", "it answers a ping with: {line}");
        Ok(())
    }
}
