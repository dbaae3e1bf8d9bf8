//! A MongoDB-compatible server, `SecantusDB`.

use std::{ffi::OsString, net::SocketAddr};

use anyhow::{Result, ensure};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    find, folder,
    port::with_free_port,
    process::{Probe, Process, controls},
};

/// A MongoDB-compatible server, as a replica set of one. What was written with `j: true` survives [`Self::kill`].
#[derive(Debug)]
pub struct Mongo {
    process: Process<Hello>,
    // Removed after the process has ended.
    _folder: TempDir,
}

controls!(Mongo);

impl Mongo {
    /// Starts a server without databases.
    pub async fn start() -> Result<Self> {
        Self::start_with(&[]).await
    }

    /// Starts a server that obeys `configureFailPoint`.
    pub async fn start_with_fail_points() -> Result<Self> {
        Self::start_with(&["--enable-test-commands"]).await
    }

    /// Starts a server that is no replica set, and so has no transactions.
    pub async fn start_standalone() -> Result<Self> {
        Self::start_with(&["--standalone"]).await
    }

    /// Starts a server that lets everybody in until [`require_users`](Self::require_users), so that users can be made.
    pub async fn start_without_users() -> Result<Self> {
        Self::start_with(&[OPEN]).await
    }

    /// Starts the server again, for known users only.
    ///
    /// # Errors
    ///
    /// If the server was not started with [`start_without_users`](Self::start_without_users), or does not start.
    pub async fn require_users(&mut self) -> Result<()> {
        self.process.replace_argument(OPEN, "--auth".to_owned())?;
        self.process.restart().await
    }

    async fn start_with(options: &[&str]) -> Result<Self> {
        let program = find::in_venv("secantusd-py")?;
        with_free_port(async |port| {
            let folder = folder::new("mongo")?;
            // The server honours `j: true` for a plain write, but unlike MongoDB not for the commit of a transaction.
            // With this option it writes every commit to the disk.
            let mut arguments: Vec<OsString> =
                ["--host", "127.0.0.1", "--cache-size", "64M", "--sync-on-commit", "--port"].map(OsString::from).into();
            arguments.extend([
                port.number().to_string().into(),
                "--storage-path".into(),
                folder.path().join("data").into(),
            ]);
            arguments.extend(options.iter().map(OsString::from));
            let process = Process::start("mongo", (program.clone(), arguments), folder.path(), port, Hello).await?;
            Ok(Self { process, _folder: folder })
        })
        .await
    }

    /// The server's URI.
    pub fn uri(&self) -> String {
        self.uri_at(self.address())
    }

    /// The URI for another address, such as that of a [`Proxy`](crate::Proxy).
    pub fn uri_at(&self, address: SocketAddr) -> String {
        // A direct connection: otherwise a client goes on to the address that the replica set reports, past the proxy.
        format!("mongodb://{address}/?directConnection=true")
    }
}

/// Holds the place of the option that asks for users.
const OPEN: &str = "--log-level=INFO";

#[derive(Debug)]
struct Hello;

impl Probe for Hello {
    async fn check(&self, address: SocketAddr) -> Result<()> {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(&hello()).await?;
        let mut length = [0; 4];
        stream.read_exact(&mut length).await?;
        let length = u32::from_le_bytes(length);
        ensure!((16..65_536).contains(&length), "it answers with {length} bytes");
        let mut reply = vec![0; length as usize - 4];
        stream.read_exact(&mut reply).await?;
        let primary = b"\x08isWritablePrimary\0\x01";
        ensure!(reply.windows(primary.len()).any(|bytes| bytes == primary), "it is not the primary yet");
        Ok(())
    }
}

/// The message `{hello: 1, $db: "admin"}`.
fn hello() -> Vec<u8> {
    const OP_MSG: u32 = 2013;
    // Each field is its type (a 32-bit number, a string), its name and its value; a zero ends the document.
    let fields = b"\x10hello\0\x01\0\0\0\x02$db\0\x06\0\0\0admin\0\0";
    let document = [&(fields.len() as u32 + 4).to_le_bytes()[..], fields].concat();
    // No flags, then a section of the kind "document".
    let body = [&[0; 5], &document[..]].concat();
    let header = [body.len() as u32 + 16, 1, 0, OP_MSG].map(u32::to_le_bytes).concat();
    [header, body].concat()
}
