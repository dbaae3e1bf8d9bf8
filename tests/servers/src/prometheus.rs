//! Prometheus, its tool, and the Alertmanager that it tells of its alerts.

use std::{ffi::OsString, fmt::Write as _, fs, net::SocketAddr, path::PathBuf, process::Stdio};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;
use tokio::{io::AsyncWriteExt as _, process::Command};

use crate::{
    find, folder,
    port::with_free_port,
    process::{Probe, Process, controls},
};

/// What a Prometheus scrapes and evaluates.
#[derive(Debug, Clone, Default)]
pub struct PrometheusSetup {
    /// The name of the job: the label `job` of all series.
    pub job: String,
    /// The label `pod` and the address of each service whose `/metrics` is scraped, once a second.
    pub targets: Vec<(String, SocketAddr)>,
    /// The file of rules as text, `groups: […]` in YAML or JSON; nothing is evaluated if it is empty.
    pub rules: String,
    /// The Alertmanager that is told of alerts.
    pub alertmanager: Option<SocketAddr>,
}

/// A Prometheus that scrapes and evaluates its rules every second.
#[derive(Debug)]
pub struct Prometheus {
    process: Process<Ready>,
    // Removed after the process has ended.
    _folder: TempDir,
}

controls!(Prometheus);

impl Prometheus {
    /// Starts a server and waits until it answers. It need not have scraped anything by then.
    pub async fn start(setup: &PrometheusSetup) -> Result<Self> {
        let program = find::system("prometheus")?;
        with_free_port(async |port| {
            let folder = folder::new("prometheus")?;
            let path = folder.path().join("prometheus.yml");
            fs::write(&path, configuration(setup))?;
            fs::write(folder.path().join("rules.yml"), &setup.rules)?;
            let arguments = vec![
                named("--config.file", path),
                named("--storage.tsdb.path", folder.path().join("data")),
                format!("--web.listen-address={}", port.address()).into(),
                "--log.level=warn".into(),
            ];
            let probe = Ready { curl: find::system("curl")? };
            let process =
                Process::start("prometheus", (program.clone(), arguments), folder.path(), port, probe).await?;
            Ok(Self { process, _folder: folder })
        })
        .await
    }

    /// The server's URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Evaluates an expression now, and returns the answer of `/api/v1/query` as JSON.
    ///
    /// # Errors
    ///
    /// If the server does not answer, or not with 200: the error shows what it says of the expression.
    pub async fn query(&self, expression: &str) -> Result<String> {
        self.get("/api/v1/query", &[("query", expression)]).await
    }

    /// Asks for a path, such as `/api/v1/alerts` or `/api/v1/targets`, with the fields of a query.
    ///
    /// # Errors
    ///
    /// If the server does not answer, or not with 200.
    pub async fn get(&self, path: &str, fields: &[(&str, &str)]) -> Result<String> {
        get(&find::system("curl")?, self.address(), path, fields).await
    }
}

/// An Alertmanager that tells one webhook of every alert at once, and of its end.
#[derive(Debug)]
pub struct Alertmanager {
    process: Process<Ready>,
    // Removed after the process has ended.
    _folder: TempDir,
}

controls!(Alertmanager);

impl Alertmanager {
    /// Starts a server that sends each alert to the URL of a webhook by itself, and again when it is resolved.
    pub async fn start(webhook: &str) -> Result<Self> {
        let program = find::system("prometheus-alertmanager")?;
        with_free_port(async |port| {
            let folder = folder::new("alertmanager")?;
            let path = folder.path().join("alertmanager.yml");
            fs::write(&path, routes(webhook))?;
            let arguments = vec![
                named("--config.file", path),
                named("--storage.path", folder.path().join("data")),
                format!("--web.listen-address={}", port.address()).into(),
                // It has no neighbours, and would listen on all addresses for them.
                "--cluster.listen-address=".into(),
                "--log.level=warn".into(),
            ];
            let probe = Ready { curl: find::system("curl")? };
            let process =
                Process::start("alertmanager", (program.clone(), arguments), folder.path(), port, probe).await?;
            Ok(Self { process, _folder: folder })
        })
        .await
    }
}

/// Runs `promtool`, which checks rules and metrics and tests rules, and returns what it prints.
///
/// # Errors
///
/// If it finds fault with anything: the error shows all that it prints.
pub async fn promtool(arguments: &[&str], input: &str) -> Result<String> {
    let mut command = Command::new(find::system("promtool")?);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().context("can't start promtool")?;
    let mut stdin = child.stdin.take().context("promtool has an input")?;
    let ((), output) = tokio::join!(
        async move {
            // One that reads no input may end before all is written.
            let _ = stdin.write_all(input.as_bytes()).await;
        },
        child.wait_with_output()
    );
    let output = output?;
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    ensure!(output.status.success(), "promtool {}: {}\n{text}", arguments.join(" "), output.status);
    Ok(text)
}

fn named(option: &str, path: PathBuf) -> OsString {
    let mut argument = OsString::from(option);
    argument.push("=");
    argument.push(path);
    argument
}

fn configuration(setup: &PrometheusSetup) -> String {
    let mut text = "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n".to_owned();
    if !setup.rules.is_empty() {
        text.push_str("rule_files: [rules.yml]\n");
    }
    if let Some(address) = setup.alertmanager {
        let _ = writeln!(text, "alerting: {{alertmanagers: [{{static_configs: [{{targets: [\"{address}\"]}}]}}]}}");
    }
    if !setup.targets.is_empty() {
        let _ = writeln!(text, "scrape_configs:\n  - job_name: \"{}\"\n    static_configs:", setup.job);
        for (pod, address) in &setup.targets {
            let _ = writeln!(text, "      - {{targets: [\"{address}\"], labels: {{pod: \"{pod}\"}}}}");
        }
    }
    text
}

fn routes(webhook: &str) -> String {
    format!(
        "route: {{receiver: webhook, group_by: ['...'], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}\n\
         receivers:\n  - name: webhook\n    webhook_configs: [{{url: \"{webhook}\", send_resolved: true}}]\n"
    )
}

#[derive(Debug)]
struct Ready {
    curl: PathBuf,
}

impl Probe for Ready {
    async fn check(&self, address: SocketAddr) -> Result<()> {
        get(&self.curl, address, "/-/ready", &[]).await.map(drop)
    }
}

/// Asks with curl, because an HTTP client would be a lot to build for one request.
async fn get(curl: &PathBuf, address: SocketAddr, path: &str, fields: &[(&str, &str)]) -> Result<String> {
    let mut command = Command::new(curl);
    command.args(["--silent", "--show-error", "--noproxy", "*", "--fail-with-body", "--get"]);
    for (name, value) in fields {
        command.arg("--data-urlencode").arg(format!("{name}={value}"));
    }
    command.arg(format!("http://{address}{path}"));
    let output = command.kill_on_drop(true).output().await?;
    let (answer, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{path} says: {answer}{error}");
    Ok(answer.into_owned())
}
