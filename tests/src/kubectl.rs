//! `kubectl`, as an operator calls it.

use std::process::Stdio;

use anyhow::{Context as _, ensure};
use tokio::{io::AsyncWriteExt as _, process::Command};

/// Runs `kubectl ARGUMENTS` with `input` on its standard input. Returns what it prints.
pub async fn kubectl(arguments: &[&str], input: &str) -> anyhow::Result<String> {
    // Each call has its own cache, because tests share no server.
    let cache = tempfile::tempdir()?;
    let mut command = Command::new("kubectl");
    command.arg("--cache-dir").arg(cache.path()).args(arguments).env_remove("KUBECONFIG");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().context("kubectl is not installed: run `make test-setup`")?;
    let mut stdin = child.stdin.take().context("kubectl takes no input")?;
    stdin.write_all(input.as_bytes()).await?;
    drop(stdin);
    let output = child.wait_with_output().await?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "kubectl {}: {error}", arguments.join(" "));
    Ok(String::from_utf8(output.stdout)?)
}
