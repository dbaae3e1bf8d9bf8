//! One `ta-bot` in a process of its own.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde_json::Value as Json;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use crate::{binary, operator, until};

/// A replica, running or dead.
#[derive(Debug)]
pub struct Replica {
    binary: PathBuf,
    variables: HashMap<String, String>,
    log: PathBuf,
    process: Option<Child>,
    url: String,
}

impl Replica {
    /// A replica that is not running yet. Its log is kept in `folder`.
    pub fn new(folder: &Path, variables: HashMap<String, String>) -> Self {
        let log = folder.join("log");
        Self { binary: binary::ta_bot(), variables, log, process: None, url: String::new() }
    }

    /// Runs another `ta-bot`, such as one of an older version, from the next start on.
    pub fn set_binary(&mut self, binary: &Path) {
        binary.clone_into(&mut self.binary);
    }

    /// Sets an environment variable, for the next start.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// The variables of its environment.
    pub fn variables(&self) -> Vec<(String, String)> {
        self.variables.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// The id of its process; `None` if it does not run.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().and_then(Child::id)
    }

    /// The file of its log.
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// The names of the files in a folder of its `DATA_DIR`; empty if there is no such folder.
    pub fn files(&self, folder: &str) -> Vec<String> {
        let folder = Path::new(&self.variables["DATA_DIR"]).join(folder);
        let files = std::fs::read_dir(folder).into_iter().flatten();
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Starts the process and waits until it listens.
    pub async fn start(&mut self) {
        self.start_with(&[]).await;
    }

    /// Like [`Self::start`], with more options of `serve`.
    pub async fn start_with(&mut self, options: &[&str]) {
        let log = std::fs::File::options().create(true).append(true).open(&self.log).unwrap();
        let mut process = Command::new(&self.binary)
            .args(["serve", "--json"])
            .args(options)
            .envs(&self.variables)
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut text = String::new();
        self.url = loop {
            let line = lines.next_line().await.unwrap();
            text += &line.unwrap_or_else(|| panic!("the replica ended:\n{}", self.log_tail()));
            if let Ok(said) = serde_json::from_str::<Json>(&text) {
                let url = said["url"].as_str().map(str::to_owned);
                break url.unwrap_or_else(|| panic!("the replica did not start: {said}\n{}", self.log_tail()));
            }
        };
        self.process = Some(process);
    }

    /// Runs a command beside the replica, in its environment, as `kubectl exec` does. Returns the document that the
    /// command prints.
    ///
    /// # Panics
    ///
    /// If the command fails.
    pub async fn run(&self, arguments: &[&str]) -> Json {
        self.run_without(arguments, &[]).await
    }

    /// Like [`Self::run`], without some of the replica's variables.
    pub async fn run_without(&self, arguments: &[&str], variables: &[&str]) -> Json {
        let mut command = Command::new(&self.binary);
        command.args(arguments).arg("--json").envs(&self.variables);
        for variable in variables {
            command.env_remove(variable);
        }
        let done = command.output().await.unwrap();
        let (said, log) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(done.status.success(), "{arguments:?}: {said}\n{log}");
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {said}"))
    }

    /// Kills the process (SIGKILL).
    pub async fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().await.unwrap();
        }
    }

    /// Sends SIGTERM and waits until the process ends.
    pub async fn terminate(&mut self) -> std::process::ExitStatus {
        self.signal("TERM").await;
        self.process.take().unwrap().wait().await.unwrap()
    }

    /// Sends the process a signal, such as `STOP`.
    pub async fn signal(&self, name: &str) {
        let id = self.pid().unwrap().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().await.unwrap().success());
    }

    /// Waits until it is ready for work.
    pub async fn ready(&self) {
        let client = reqwest::Client::new();
        let ready = async || {
            let asked = client.get(self.url("/ready")).timeout(Duration::from_secs(5)).send().await;
            asked.is_ok_and(|answer| answer.status() == 200)
        };
        until(Duration::from_mins(1), async || format!("not ready:\n{}", self.log_tail()), ready).await;
    }

    /// The key of its `DATA_DIR`, which operators need because it has no tokens.
    pub fn key(&self) -> String {
        operator::key(Path::new(&self.variables["DATA_DIR"]))
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// The answer to a GET of a path.
    pub async fn get(&self, path: &str) -> Json {
        reqwest::get(self.url(path)).await.unwrap().json().await.unwrap()
    }

    /// The sum of those series of a metric whose labels contain a text.
    pub async fn metric(&self, name: &str, labels: &str) -> f64 {
        let scrape = reqwest::get(self.url("/metrics")).await.unwrap().text().await.unwrap();
        let series = scrape.lines().filter(|line| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']) && rest.contains(labels))
        });
        series.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).fold(0.0, |sum, value| sum + value)
    }

    /// A line of the process's status in `/proc`, in kB.
    pub fn memory(&self, line: &str) -> u64 {
        let id = self.pid().unwrap();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let found = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':'));
        found.unwrap().trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Everything that the replica has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The end of its log.
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}
