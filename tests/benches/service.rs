//! What the built service takes: time until it is ready, memory after ten thousand evaluations, and the size of the binary.
//! At the end it puts the figures of the whole run side by side, as ratios, since the machine's own speed varies.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark may fail loudly")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::{Value as Json, json};
use ta_bot_tests::{replicas::Replica, root, strategies_dir};
use tokio::process::Command;

/// Each analysis evaluates every built-in strategy that runs on its timeframe.
const ANALYSES: usize = 1000;

fn binary() -> PathBuf {
    root().join("target/release/ta-bot")
}

/// Starts the service. Answers also how long it took to its first 200 of `/ready`.
async fn start(data_dir: &Path) -> (Replica, Duration) {
    let variables = [
        ("HTTP_ADDR", "127.0.0.1:0".to_owned()),
        ("DATA_DIR", data_dir.display().to_string()),
        ("STRATEGIES_DIR", strategies_dir().display().to_string()),
        ("LOG_LEVEL", "error".to_owned()),
    ];
    let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let mut service = Replica::new(data_dir, variables);
    let (started, client) = (Instant::now(), reqwest::Client::new());
    service.start().await;
    let ready = async || client.get(service.url("/ready")).send().await.is_ok_and(|answer| answer.status() == 200);
    while !ready().await {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    (service, started.elapsed())
}

async fn import(data_dir: &Path) {
    let imported = Command::new(binary())
        .args(["candles", "import", "--symbol", "BTCUSDT", "--timeframe", "15m"])
        .arg(root().join("examples/candles/BTCUSDT_15m.csv"))
        .env("DATA_DIR", data_dir)
        .stdout(Stdio::null())
        .status();
    assert!(imported.await.unwrap().success());
}

#[tokio::main]
async fn main() {
    let data = tempfile::tempdir().unwrap();
    import(data.path()).await;
    let (mut cold, ready_after) = start(data.path()).await;
    println!("\nready, compiling thirty modules     {:>8.1} ms", ready_after.as_secs_f64() * 1e3);
    cold.kill().await;
    let (mut service, ready_after) = start(data.path()).await;
    println!("ready, from a warm compile cache    {:>8.1} ms", ready_after.as_secs_f64() * 1e3);
    let before = service.memory("VmRSS");
    let client = reqwest::Client::new();
    let request = json!({"symbol": "BTCUSDT", "timeframe": "15m"});
    for _ in 0..ANALYSES {
        let answer = client.post(service.url("/api/v1/test/analyze")).json(&request).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    let after = service.memory("VmRSS");
    println!("resident when ready                 {:>8.1} MB", before as f64 / 1024.0);
    println!("resident after {} analyses         {:>8.1} MB", ANALYSES, after as f64 / 1024.0);
    println!("release binary                      {:>8.1} MB", fs::metadata(binary()).unwrap().len() as f64 / 1e6);
    service.kill().await;
    summarise();
}

/// The mean of a benchmark of this run, in microseconds.
fn mean(name: &str) -> Option<f64> {
    let path = root().join(format!("target/criterion/{name}/new/estimates.json"));
    let estimates: Json = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    Some(estimates["mean"]["point_estimate"].as_f64()? / 1e3)
}

fn summarise() {
    println!("\n{:<28}{:>12}{:>12}{:>10}{:>10}", "evaluation, µs", "native", "sandbox", "adds", "ratio");
    for rule in ["rsi", "heavy"] {
        for length in ["250", "1000", "10000"] {
            let times = mean(&format!("{rule}/native/{length}")).zip(mean(&format!("{rule}/sandbox/{length}")));
            let Some((native, sandbox)) = times else { continue };
            let name = format!("{rule}, {length} candles");
            println!("{name:<28}{native:>12.2}{sandbox:>12.2}{:>10.2}{:>10.2}", sandbox - native, sandbox / native);
        }
    }
    if let Some((native, sandbox)) = mean("thirty/native/250").zip(mean("thirty/sandbox/250")) {
        let (name, adds) = ("all thirty, 250 candles", sandbox - native);
        println!("{name:<28}{native:>12.2}{sandbox:>12.2}{adds:>10.2}{:>10.2}", sandbox / native);
    }
    let figures = [
        ("load thirty compiled modules, µs", "thirty/load from the cache"),
        ("compile one module, µs", "ready/compile"),
        ("load one compiled module, µs", "ready/load from the cache"),
        ("instance and empty call, µs", "ready_instantiate and call"),
        ("hash of 250 candles, µs", "provenance_hash of 250 candles"),
        ("100 closes to published, µs", "close to commit/100 symbols"),
    ];
    for (what, name) in figures {
        if let Some(time) = mean(name) {
            println!("{what:<40}{time:>12.2}");
        }
    }
    for threads in ["1", "2"] {
        if let Some(time) = mean(&format!("thirty_threads/sandbox/{threads}")) {
            let rate = 64.0 * 30.0 / time * 1e6;
            println!("{:<40}{rate:>12.0}", format!("evaluations a second, {threads} thread(s)"));
        }
    }
    for kind in ["sandbox", "native"] {
        if let Some((one, two)) = mean(&format!("threads/{kind}/1")).zip(mean(&format!("threads/{kind}/2"))) {
            println!("{:<40}{:>12.2} ×", format!("two threads against one, {kind}"), one / two);
        }
    }
}
