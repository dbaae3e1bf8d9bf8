//! NATS with `JetStream`.

use std::{ffi::OsString, net::SocketAddr};

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
        // Never the server of the Linux distribution: current clients can't read its key-value answers.
        let program = find::in_venv("nats-server")?;
        with_free_port(async |port| {
            let folder = folder::new("nats")?;
            let mut arguments: Vec<OsString> = ["-a", "127.0.0.1", "-js", "-p"].map(OsString::from).into();
            arguments.extend([port.number().to_string().into(), "-sd".into(), folder.path().join("data").into()]);
            let process = Process::start("nats", (program.clone(), arguments), folder.path(), port, Ping).await?;
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

#[derive(Debug)]
struct Ping;

impl Probe for Ping {
    async fn check(&self, address: SocketAddr) -> Result<()> {
        let mut stream = BufReader::new(TcpStream::connect(address).await?);
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        ensure!(line.starts_with("INFO ") && line.contains(r#""jetstream":true"#), "it greets with: {line}");
        stream.write_all(b"CONNECT {\"verbose\":false}\r\nPING\r\n").await?;
        line.clear();
        stream.read_line(&mut line).await?;
        ensure!(line == "PONG\r\n", "it answers a ping with: {line}");
        Ok(())
    }
}
