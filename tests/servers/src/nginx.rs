//! nginx before a service.

use std::{fs, net::SocketAddr};

use anyhow::Result;
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::{
    find, folder,
    port::with_free_port,
    process::{Probe, Process, controls},
};

/// An nginx that passes everything on to one address.
#[derive(Debug)]
pub struct Nginx {
    process: Process<Listens>,
    // Removed after the process has ended.
    _folder: TempDir,
}

controls!(Nginx);

impl Nginx {
    /// Starts an nginx with a `proxy_pass` to `upstream` and nothing else: it sends no header about the client, and
    /// `upstream` as the `Host`.
    pub async fn start(upstream: SocketAddr) -> Result<Self> {
        Self::start_with(upstream, "").await
    }

    /// Like [`start`](Self::start), with the headers that guides recommend: the `Host` that the client named, and the
    /// client's address.
    pub async fn start_with_headers(upstream: SocketAddr) -> Result<Self> {
        let headers = "proxy_set_header Host $host; proxy_set_header X-Real-IP $remote_addr; \
                       proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; \
                       proxy_set_header X-Forwarded-Proto $scheme;";
        Self::start_with(upstream, headers).await
    }

    async fn start_with(upstream: SocketAddr, more: &str) -> Result<Self> {
        let program = find::system("nginx")?;
        with_free_port(async |port| {
            let folder = folder::new("nginx")?;
            let path = folder.path().join("nginx.conf");
            fs::write(&path, configuration(port.address(), upstream, more))?;
            let arguments = vec!["-p".into(), folder.path().into(), "-c".into(), path.into()];
            let process = Process::start("nginx", (program.clone(), arguments), folder.path(), port, Listens).await?;
            Ok(Self { process, _folder: folder })
        })
        .await
    }
}

/// One process in the foreground, with all its files in its own folder.
fn configuration(listen: SocketAddr, upstream: SocketAddr, more: &str) -> String {
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = temporary.map(|name| format!("  {name}_temp_path temporary-{name};\n")).concat();
    format!(
        "daemon off;\nmaster_process off;\npid pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n  access_log off;\n\
         {temporary}  client_max_body_size 64m;\n  server {{\n    listen {listen};\n    location / {{\n      \
         proxy_pass http://{upstream};\n      {more}\n    }}\n  }}\n}}\n"
    )
}

#[derive(Debug)]
struct Listens;

impl Probe for Listens {
    async fn check(&self, address: SocketAddr) -> Result<()> {
        Ok(TcpStream::connect(address).await.map(drop)?)
    }
}
