//! `MariaDB`, which stands in for `MySQL`: the service only uses statements that both understand.

use std::{
    ffi::OsString,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;
use tokio::{io::AsyncReadExt as _, net::TcpStream, process::Command};

use crate::{
    find, folder,
    port::{Port, with_free_port},
    process::{Probe, Process, controls},
};

/// A `MariaDB` server. It lets `root` in without a password.
#[derive(Debug)]
pub struct MariaDb {
    process: Process<Greeting>,
    client: PathBuf,
    // Removed after the process has ended.
    _folder: TempDir,
}

controls!(MariaDb);

impl MariaDb {
    /// Starts a server with no databases of its own. The first start on a machine prepares the data folder, which later
    /// ones copy.
    pub async fn start() -> Result<Self> {
        Self::start_with(&[]).await
    }

    /// Starts a server whose tables have so many megabytes together, as if its disk were that small. It answers that a
    /// table is full when there is no more room.
    pub async fn start_with_room(megabytes: u32) -> Result<Self> {
        Self::start_with(&["--innodb-file-per-table=0".into(), room(megabytes).into()]).await
    }

    /// Kills the server and starts it again with more room. A server without any room could not even remove a table.
    ///
    /// # Errors
    ///
    /// If the server was not started with [`start_with_room`](Self::start_with_room), or does not start.
    pub async fn restart_with_room(&mut self, megabytes: u32) -> Result<()> {
        self.process.replace_argument(ROOM, room(megabytes))?;
        self.process.restart().await
    }

    async fn start_with(more: &[OsString]) -> Result<Self> {
        let program = find::system("mariadbd")?;
        let client = find::system("mariadb")?;
        let template = template(&program).await?;
        with_free_port(async |port| {
            let folder = folder::new("mariadb")?;
            copy(&template, &folder.path().join("data")).await?;
            let mut arguments = arguments(folder.path(), &port);
            arguments.extend_from_slice(more);
            let process =
                Process::start("mariadb", (program.clone(), arguments), folder.path(), port, Greeting).await?;
            Ok(Self { process, client: client.clone(), _folder: folder })
        })
        .await
    }

    /// The URI of a database.
    pub fn uri(&self, database: &str) -> String {
        self.uri_at(self.address(), database)
    }

    /// The URI of a database for a user without a password, who has the rights that the service needs and can't write
    /// to a server that is read-only.
    ///
    /// # Errors
    ///
    /// If the user can't be made.
    pub async fn uri_of_user(&self, user: &str, address: SocketAddr, database: &str) -> Result<String> {
        let rights = "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX";
        let grant = format!("CREATE USER IF NOT EXISTS '{user}'@'%'; GRANT {rights} ON `{database}`.* TO '{user}'@'%'");
        self.sql(&grant).await?;
        Ok(format!("mysql://{user}@{address}/{database}"))
    }

    /// The URI of a database for another address, such as that of a [`Proxy`](crate::Proxy).
    pub fn uri_at(&self, address: SocketAddr, database: &str) -> String {
        format!("mysql://root@{address}/{database}")
    }

    /// Makes a database and returns its URI. Each test has its own, so that tests can share a server.
    pub async fn create_database(&self, name: &str) -> Result<String> {
        let is_plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        ensure!(is_plain, "`{name}`: a database's name consists of letters, digits and `_`");
        self.sql(&format!("CREATE DATABASE `{name}`")).await?;
        Ok(self.uri(name))
    }

    /// Runs statements with the command-line client. Returns what it prints: a line for each row, columns separated by
    /// tabs.
    pub async fn sql(&self, statements: &str) -> Result<String> {
        let mut command = Command::new(&self.client);
        command.args(["--no-defaults", "--host=127.0.0.1", "--user=root", "--batch", "--skip-column-names"]);
        command.arg(format!("--port={}", self.address().port())).arg(format!("--execute={statements}"));
        run(&mut command).await
    }
}

/// The option that says how large the file of all tables may become.
const ROOM: &str = "--innodb-data-file-path=";

fn room(megabytes: u32) -> String {
    format!("{ROOM}ibdata1:12M:autoextend:max:{megabytes}M")
}

fn arguments(folder: &Path, port: &Port) -> Vec<OsString> {
    let path = |option: &str, name: &str| {
        let mut argument = OsString::from(option);
        argument.push(folder.join(name));
        argument
    };
    let number = format!("--port={}", port.number());
    let mut arguments = vec!["--no-defaults".into()];
    arguments.extend([path("--datadir=", "data"), path("--socket=", "socket"), path("--pid-file=", "pid")]);
    // If servers shared this folder, one that starts would remove the temporary tables of those that run.
    arguments.push(path("--tmpdir=", ""));
    arguments.extend([as_root(), Some(number.into())].into_iter().flatten());
    let rest = [
        "--bind-address=127.0.0.1",
        "--skip-log-bin",
        // A commit waits for the operating system, not for the disk: it outlives a kill of the server, and no test ends
        // the machine.
        "--innodb-flush-log-at-trx-commit=2",
        "--innodb-buffer-pool-size=64M",
        "--character-set-server=utf8mb4",
    ];
    arguments.extend(rest.map(OsString::from));
    arguments
}

/// Root has to give this option to run the server; nobody else may give it.
fn as_root() -> Option<OsString> {
    rustix::process::geteuid().is_root().then(|| "--user=root".into())
}

/// A data folder to copy, because making one takes seconds. It is kept in cargo's target folder.
async fn template(program: &Path) -> Result<PathBuf> {
    let version = run(Command::new(program).arg("--version")).await?;
    let version = version.split_whitespace().nth(2).context("mariadbd does not tell its version")?;
    let target = find::target();
    let template = target.join(format!("mariadb-{version}"));
    if template.exists() {
        return Ok(template);
    }
    // Test processes that start at the same time each make a template, and one of them is kept.
    fs::create_dir_all(&target)?;
    let scratch = tempfile::Builder::new().prefix("mariadb-").tempdir_in(&target)?;
    let made = scratch.path().join("made");
    let mut install = Command::new(find::system("mariadb-install-db")?);
    install.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
    install.args(as_root()).arg(format!("--datadir={}", made.display()));
    // As with the servers: two that are made at the same time would remove each other's temporary tables.
    install.arg(format!("--tmpdir={}", scratch.path().display()));
    run(&mut install).await?;
    let sparse = scratch.path().join("sparse");
    copy(&made, &sparse).await?;
    match fs::rename(&sparse, &template) {
        Err(error) if !template.exists() => Err(error).with_context(|| format!("can't make {}", template.display())),
        _ => Ok(template),
    }
}

/// Copies a folder without the 100 MB of zeros of its empty log.
async fn copy(from: &Path, to: &Path) -> Result<()> {
    run(Command::new("cp").args(["-a", "--sparse=always"]).args([from, to])).await?;
    Ok(())
}

async fn run(command: &mut Command) -> Result<String> {
    let program = command.as_std().get_program().to_owned();
    let output = command.output().await.with_context(|| format!("can't run {}", program.display()))?;
    if !output.status.success() {
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        bail!("{} failed with {}:\n{out}{err}", program.display(), output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("{} does not write UTF-8", program.display()))
}

#[derive(Debug)]
struct Greeting;

impl Probe for Greeting {
    async fn check(&self, address: SocketAddr) -> Result<()> {
        let mut stream = TcpStream::connect(address).await?;
        // Three bytes of length, one of the packet's number, then the version of the protocol. An error has 255 in its
        // place.
        let mut head = [0; 5];
        stream.read_exact(&mut head).await?;
        ensure!(head[4] == 10, "it greets with an error");
        Ok(())
    }
}
