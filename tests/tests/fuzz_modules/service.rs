//! The built service, with two strategies and a token, as an operator's script sees it.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use reqwest::{Client, Method, StatusCode};
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};
use ta_bot_core::{ModuleDigest, Timestamp};
use ta_bot_drivers::sqlite::{Database, modules::SqliteModules};
use ta_bot_engine::modules::module_store::{ModuleStore as _, Upload};
use ta_bot_tests::{binary, two_strategies_dir};

const TOKEN: &str = "a token of an operator";

/// A folder for services, one after the other.
pub(crate) struct Home {
    folder: tempfile::TempDir,
}

/// A running service, which ends with this value.
pub(crate) struct Service {
    child: Child,
    url: String,
    client: Client,
}

/// What the service says of an upload.
pub(crate) struct Taken {
    pub(crate) status: StatusCode,
    pub(crate) body: Json,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A command of the binary with this environment and no other.
    pub(crate) fn command(&self) -> Command {
        let tokens = self.folder.path().join("tokens");
        fs::write(&tokens, format!("operator:{}\n", hex::encode(Sha256::digest(TOKEN)))).unwrap();
        fs::set_permissions(&tokens, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let mut command = Command::new(binary::ta_bot());
        command
            .env_clear()
            .env("DATA_DIR", self.data_dir())
            .env("STRATEGIES_DIR", two_strategies_dir())
            .env("HTTP_ADDR", "127.0.0.1:0")
            .env("API_TOKENS_FILE", tokens)
            .env("LOG_LEVEL", "warn")
            // A slow evaluation on a busy machine must not fail a test.
            .env("STRATEGY_TIMEOUT_MS", "5000");
        command
    }

    /// Puts modules into the store as if a service had taken them that looked at nothing.
    pub(crate) async fn keep_as_uploaded(&self, modules: &[Vec<u8>]) {
        fs::create_dir_all(self.data_dir()).unwrap();
        let database = Database::open(&self.data_dir()).await.unwrap();
        let store = SqliteModules::new(database.clone());
        for bytes in modules {
            let digest = store.put(bytes).await.unwrap();
            let upload = Upload { by: "ann".to_owned(), at: Timestamp::now(), signed_by: None };
            store.note_upload(digest, &upload).await.unwrap();
        }
        database.close().await;
    }

    /// Starts a service, and waits until it listens.
    pub(crate) fn start(&self) -> Service {
        let mut child = self.command().args(["serve", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut text = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        // The answer is one document on several lines.
        let told: Json = loop {
            assert_ne!(lines.read_line(&mut text).unwrap(), 0, "the service ended after {text:?}");
            if let Ok(told) = serde_json::from_str(&text) {
                break told;
            }
        };
        let client = Client::builder().no_proxy().build().unwrap();
        Service { child, url: told["url"].as_str().unwrap().to_owned(), client }
    }
}

impl Service {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> reqwest::Result<Taken> {
        let request = self.client.request(method, format!("{}{path}", self.url)).bearer_auth(TOKEN);
        let request = match body {
            Some(body) => request.header("Content-Type", "application/wasm").body(body),
            None => request,
        };
        let response = request.send().await?;
        let status = response.status();
        Ok(Taken { status, body: response.json().await.unwrap_or_default() })
    }

    pub(crate) async fn get(&self, path: &str) -> Json {
        self.ask(Method::GET, path, None).await.unwrap().body
    }

    pub(crate) async fn delete(&self, digest: ModuleDigest) -> Taken {
        self.ask(Method::DELETE, &format!("/api/v1/modules/{digest}"), None).await.unwrap()
    }

    /// Uploads bytes, and waits while the service is busy; an error if it is gone.
    pub(crate) async fn upload(&self, bytes: &[u8]) -> reqwest::Result<Taken> {
        loop {
            let taken = self.ask(Method::POST, "/api/v1/modules", Some(bytes.to_vec())).await?;
            if taken.status != StatusCode::TOO_MANY_REQUESTS {
                return Ok(taken);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What is known of a module once it is judged.
    pub(crate) async fn judged(&self, digest: ModuleDigest) -> Json {
        loop {
            let module = self.get(&format!("/api/v1/modules/{digest}")).await["data"].take();
            if module["state"] != "checking" {
                return module;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Whether the process is still the one that was started.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Ends the service at once.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        assert_eq!(self.child.wait().unwrap().signal(), Some(9), "it had ended by itself");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A size in `/proc/PID/status`, in kB.
pub(crate) fn size_kb(pid: u32, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The children of a process.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(Path::new("/proc").join(pid.to_string()).join("task"));
    let tasks = tasks.into_iter().flatten().flatten();
    let children = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let of_all = children.flat_map(|children| children.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    of_all.filter_map(|child| child.parse().ok()).collect()
}
