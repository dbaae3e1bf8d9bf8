//! Clients that are installed on the machine, and raw ones.

use std::{env, fs, net::SocketAddr, path::Path, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    process::{Child, Command},
};

pub(crate) fn is_gone(pid: u32) -> bool {
    // A process that nobody has waited for yet has ended, too.
    fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "))
}

pub(crate) async fn is_refused(address: SocketAddr) -> bool {
    TcpStream::connect(address).await.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
}

/// Runs an ignored test of this binary. Returns its process, and the id and the address of its server.
pub(crate) async fn test_process(name: &str) -> (TestProcess, u32, SocketAddr) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--ignored", "--exact", name, "--nocapture"]).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let id = child.id().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    loop {
        let line = lines.next_line().await.unwrap().unwrap();
        if let Some((pid, address)) = line.strip_prefix("server ").and_then(|rest| rest.split_once(' ')) {
            return (TestProcess { child, id }, pid.parse().unwrap(), address.parse().unwrap());
        }
    }
}

pub(crate) struct TestProcess {
    child: Child,
    pub(crate) id: u32,
}

impl TestProcess {
    /// Kills the process and waits for its end.
    pub(crate) async fn kill(&mut self) -> std::io::Result<()> {
        self.child.kill().await
    }
}

/// Sends a request to NATS and returns the answer.
pub(crate) async fn nats_request(address: SocketAddr, subject: &str, body: &str) -> String {
    let mut stream = BufReader::new(TcpStream::connect(address).await.unwrap());
    let length = body.len();
    let request = format!("CONNECT {{}}\r\nSUB answer 1\r\nPUB {subject} answer {length}\r\n{body}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    loop {
        let mut line = String::new();
        assert!(stream.read_line(&mut line).await.unwrap() > 0, "NATS closed the connection");
        if line.starts_with("MSG ") {
            let mut answer = vec![0; line.split_whitespace().last().unwrap().parse().unwrap()];
            stream.read_exact(&mut answer).await.unwrap();
            return String::from_utf8(answer).unwrap();
        }
    }
}

/// Runs a line of Python with a `client` of the store. Returns what it prints, or its error output if it fails.
pub(crate) async fn python(uri: &str, line: &str) -> Result<String, String> {
    let venv = env::var("VENV").unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/venv").into());
    let script = format!(
        "from pymongo import MongoClient, WriteConcern\n\
         client = MongoClient({uri:?}, retryWrites=False, serverSelectionTimeoutMS=5000)\n{line}"
    );
    let output = Command::new(format!("{venv}/bin/python")).args(["-c", &script]).output().await.unwrap();
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap())
    } else {
        Err(String::from_utf8(output.stderr).unwrap())
    }
}

/// Returns the answer of the Kubernetes API to a GET, or to a POST with a body.
pub(crate) async fn curl(ca: &Path, token: &str, url: &str, body: Option<&str>) -> String {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--noproxy", "*", "--cacert"]).arg(ca);
    command.args(["--header", &format!("Authorization: Bearer {token}")]);
    if let Some(body) = body {
        command.args(["--header", "Content-Type: application/json", "--data", body]);
    }
    let output = command.arg(url).output().await.unwrap();
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
}
