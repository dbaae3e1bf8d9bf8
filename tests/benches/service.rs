//! What the built service takes: time until it is ready, memory after ten thousand evaluations, the size of the binary,
//! and the time to refuse tokens that are nearly right. At the end it prints the figures of the whole run side by side,
//! as ratios, because the machine's own speed varies.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark may fail loudly")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use ta_bot_tests::{replicas::Replica, root, strategies_dir};
use tokio::process::Command;

/// How many analyses are requested. Each one evaluates every built-in strategy that runs on its timeframe.
const ANALYSES: usize = 1000;
/// How often each wrong token is sent.
const REFUSALS: usize = 3000;
/// The valid token.
const TOKEN: &str = "the-operators-token-of-forty-characters!";

fn binary() -> PathBuf {
    root().join("target/release/ta-bot")
}

/// Starts the service, with a file of tokens if one is given. Also returns the time until its first 200 from `/ready`.
async fn start(data_dir: &Path, tokens: Option<&Path>) -> (Replica, Duration) {
    let variables = [
        ("HTTP_ADDR", "127.0.0.1:0".to_owned()),
        // The candles are old ones.
        ("SIGNAL_MAX_AGE_SECONDS", "0".to_owned()),
        ("DATA_DIR", data_dir.display().to_string()),
        ("STRATEGIES_DIR", strategies_dir().display().to_string()),
        ("LOG_LEVEL", "error".to_owned()),
    ];
    let tokens = tokens.map(|file| ("API_TOKENS_FILE", file.display().to_string()));
    let variables = variables.into_iter().chain(tokens).map(|(name, value)| (name.to_owned(), value)).collect();
    let mut service = Replica::new(data_dir, variables);
    let started = Instant::now();
    let client = reqwest::Client::new();
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
    let (mut cold, ready_after) = start(data.path(), None).await;
    println!("\nready, compiling thirty modules     {:>8.1} ms", ready_after.as_secs_f64() * 1e3);
    cold.kill().await;
    let (mut service, ready_after) = start(data.path(), None).await;
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
    refuse_tokens(data.path()).await;
    summarise();
}

/// The time of a refusal must not tell a guesser how much of the token is right.
async fn refuse_tokens(data_dir: &Path) {
    let file = data_dir.join("tokens");
    fs::write(&file, format!("operator:{}\n", hex::encode(Sha256::digest(TOKEN)))).unwrap();
    let (mut service, _) = start(data_dir, Some(&file)).await;
    let client = reqwest::Client::new();
    let right = [0, TOKEN.len() / 2, TOKEN.len() - 1];
    let mut times = right.map(|_| Vec::with_capacity(REFUSALS));
    // The tokens take turns, so that other load on the machine affects all of them alike.
    for turn in 0..REFUSALS * right.len() {
        let which = turn % right.len();
        let token = format!("{}{}", &TOKEN[..right[which]], "x".repeat(TOKEN.len() - right[which]));
        let request = client.get(service.url("/api/v1/strategies")).bearer_auth(token).build().unwrap();
        let begun = Instant::now();
        let answer = client.execute(request).await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.bytes().await.is_ok()), (401, true));
        times[which].push(begun.elapsed());
    }
    let medians = times.map(|mut times| {
        times.sort();
        times[times.len() / 2].as_secs_f64() * 1e6
    });
    for (right, median) in right.into_iter().zip(medians) {
        let ratio = median / medians[0];
        println!("a token refused, {right:>2} of {} right    {median:>8.1} µs, {ratio:.3} ×", TOKEN.len());
    }
    service.kill().await;
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
        let name = "all thirty, 250 candles";
        let adds = sandbox - native;
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
