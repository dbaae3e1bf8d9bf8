//! A service with few descriptors, and clients that ask and never read.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use serde_json::Value as Json;
use ta_bot_tests::{binary, until};
use tokio::{io::AsyncWriteExt as _, net::TcpStream, time::timeout};

use crate::{run::Home, serve::Service};

/// Long enough for a busy machine, and shorter than the patience with clients that do not read.
const AT_ONCE: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection over which a scrape is asked for again and again, and nothing is read.
async fn stuck(address: &str) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let asked = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(200);
    // The service stops reading when it can't write; what does not fit stays here.
    timeout(Duration::from_millis(50), stream.write_all(asked.as_bytes())).await.ok();
    Some(stream)
}

async fn status(url: &str) -> Option<u16> {
    let client = reqwest::Client::builder().no_proxy().timeout(AT_ONCE).build().unwrap();
    client.get(url).send().await.ok().map(|answer| answer.status().as_u16())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_that_never_reads_keeps_no_probe_out_and_is_given_up() {
    let home = Home::new();
    let mut command = Command::new("prlimit");
    command.args(["--nofile=256:256", "--"]).arg(binary::ta_bot());
    home.environment(&mut command);
    let mut service = Service::of(command, &["--json"]);
    let answer: Json = serde_json::from_str(&service.until("}")).unwrap();
    let url = answer["url"].as_str().unwrap().to_owned();
    let ready = format!("{url}/ready");
    until(PATIENCE, async || "not ready".to_owned(), async || status(&ready).await == Some(200)).await;

    let address = url.trim_start_matches("http://");
    let mut crowd = Vec::new();
    for round in 0..3 {
        for _ in 0..100 {
            crowd.extend(stuck(address).await);
        }
        for path in ["/healthz", "/live", "/ready", "/health", "/metrics"] {
            let begun = Instant::now();
            assert_eq!(status(&format!("{url}{path}")).await, Some(200), "{path} in round {round}");
            assert!(begun.elapsed() < AT_ONCE, "{path} took {:?}", begun.elapsed());
        }
    }
    let api = format!("{url}/api/v1/strategies");
    assert_eq!(status(&api).await, Some(503), "there is no room for more");
    // The clients do nothing about it.
    let room = async || status(&api).await == Some(200);
    until(3 * PATIENCE, async || format!("the API answers {:?}", status(&api).await), room).await;
    drop(crowd);
}
