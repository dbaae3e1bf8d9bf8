//! An OpenTelemetry collector.

use std::{ffi::OsString, fs, net::SocketAddr, path::PathBuf};

use anyhow::{Context as _, Result};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::{
    find, folder,
    port::{Port, with_free_port},
    process::{Probe, Process, controls},
};

/// A collector that takes telemetry over gRPC and over HTTP, and writes some kinds of it into its log, as text for
/// people.
#[derive(Debug)]
pub struct Collector {
    process: Process<Listens>,
    http: Port,
    log: PathBuf,
    // Removed after the process has ended.
    _folder: TempDir,
}

controls!(Collector);

impl Collector {
    /// Starts a collector that writes these kinds of telemetry (`traces`, `metrics`, `logs`) into its log. Its
    /// [`address`](Self::address) is the one for gRPC.
    pub async fn start(written: &[&str]) -> Result<Self> {
        let options: Vec<_> = written.iter().map(|kind| format!("--debug-log={kind}")).collect();
        Self::start_with(&options).await
    }

    /// Starts a collector that takes metrics and refuses traces and logs.
    pub async fn start_that_refuses() -> Result<Self> {
        Self::start_with(&["traces", "logs"].map(|kind| format!("--otlp-receiver-{kind}-disabled"))).await
    }

    async fn start_with(options: &[String]) -> Result<Self> {
        let program = find::in_packages("rotel/rotel-agent")?;
        with_free_port(async |port| {
            let folder = folder::new("collector")?;
            let http = Port::reserve()?;
            let text = |text: &str| OsString::from(text);
            let mut arguments = vec![text("start"), text("--otlp-grpc-endpoint"), port.address().to_string().into()];
            arguments.extend([text("--otlp-http-endpoint"), http.address().to_string().into()]);
            arguments.extend(["--exporter", "blackhole", "--debug-log-verbosity", "detailed"].map(OsString::from));
            arguments.extend(options.iter().map(OsString::from));
            arguments.extend([text("--pid-file"), folder.path().join("pid").into()]);
            let log = folder.path().join("collector.log");
            let process =
                Process::start("collector", (program.clone(), arguments), folder.path(), port, Listens).await?;
            Ok(Self { process, http, log, _folder: folder })
        })
        .await
    }

    /// The endpoint for gRPC.
    pub fn grpc_url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// The endpoint for HTTP.
    pub fn http_url(&self) -> String {
        format!("http://{}", self.http.address())
    }

    /// The address of the endpoint for HTTP.
    pub fn http_address(&self) -> SocketAddr {
        self.http.address()
    }

    /// Everything that it has taken so far.
    pub fn log(&self) -> Result<String> {
        fs::read_to_string(&self.log).context("the collector has no log")
    }
}

#[derive(Debug)]
struct Listens;

impl Probe for Listens {
    async fn check(&self, address: SocketAddr) -> Result<()> {
        Ok(TcpStream::connect(address).await.map(drop)?)
    }
}
