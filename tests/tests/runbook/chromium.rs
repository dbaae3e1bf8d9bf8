//! A hostile page in a real Chromium, on the machine of somebody whose service has no tokens: the page of another site,
//! and, since its name means this machine as well, a page of the service's own origin as far as the browser knows.

use std::{process::Stdio, time::Duration};

use serde_json::json;
use tokio::{
    io::{self, AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    process::Command,
};

use crate::service::Service;

const CONFIG: &str = "/api/v1/strategies/rsi/config";
/// The page's own name.
const EVIL: &str = "evil.example";

/// What the page tries, and what it saw: an answer's status, `opaque` for one that it may not look at, or an error.
const ATTEMPTS: &str = r#"
<!doctype html><title>a page</title><pre id="seen"></pre><iframe name="frame"></iframe>
<form id="form" target="frame" method="post" enctype="text/plain"><input name='{"period": 21, "x": "' value='"}'></form>
<script>
const seen = document.getElementById("seen");
const attempt = async (name, address, options) => {
  let end;
  try {
    const answer = await fetch(address, options);
    end = answer.type === "opaque" ? "opaque" : String(answer.status);
  } catch (error) {
    end = error.name;
  }
  seen.textContent += `${name}=${end};`;
};
const change = JSON.stringify({period: 20});
const kind = {"Content-Type": "application/json"};
(async () => {
  for (const [where, base] of [["own", ""], ["other", "http://SERVICE"]]) {
    await attempt(`${where} read`, base + "CONFIG", {});
    await attempt(`${where} blind read`, base + "CONFIG", {mode: "no-cors"});
    await attempt(`${where} change`, base + "CONFIG", {method: "PUT", headers: kind, body: change});
    await attempt(`${where} blind change`, base + "CONFIG", {method: "POST", mode: "no-cors", body: change});
    await attempt(`${where} upload`, base + "/api/v1/modules", {method: "POST", mode: "no-cors", body: "no module"});
  }
  const form = document.getElementById("form");
  form.action = "http://SERVICE/api/v1/config/application/rollback";
  form.submit();
  seen.textContent += "done";
})();
</script>"#;

/// Serves the page at `/`, and hands every other request to the service as it is, with the page's name as its host.
async fn serve(page: String, service: String) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, page.clone(), service.clone()));
        }
    });
    address
}

async fn answer(mut stream: TcpStream, page: String, service: String) -> io::Result<()> {
    let mut head = vec![0; 16 << 10];
    let length = stream.read(&mut head).await?;
    if head.starts_with(b"GET / ") {
        let length = page.len();
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{page}"
        );
        return stream.write_all(answer.as_bytes()).await;
    }
    let mut upstream = TcpStream::connect(service).await?;
    upstream.write_all(&head[..length]).await?;
    io::copy_bidirectional(&mut stream, &mut upstream).await.map(drop)
}

/// What is in the page when a Chromium has loaded it and its script has ended.
async fn page_in_chromium(address: &str) -> String {
    let profile = tempfile::tempdir().unwrap();
    let mut command = Command::new("chromium");
    // Its own sandbox can't be made as root; it shows nothing but this page.
    command.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage"]);
    command.arg(format!("--user-data-dir={}", profile.path().display()));
    command.arg(format!("--host-resolver-rules=MAP {EVIL} 127.0.0.1"));
    command.args(["--virtual-time-budget=20000", "--dump-dom", address]);
    let shown = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let shown = tokio::time::timeout(Duration::from_mins(2), shown).await.expect("Chromium does not end");
    let shown = shown.expect("there is no chromium: make test-setup");
    String::from_utf8_lossy(&shown.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_in_a_real_chromium_reads_and_changes_nothing() {
    let service = Service::start().await;
    let before = service.get(CONFIG).await.data().clone();
    let page = ATTEMPTS.replace("SERVICE", &service.address).replace("CONFIG", CONFIG);
    let port = serve(page, service.address.clone()).await.port();
    let shown = page_in_chromium(&format!("http://{EVIL}:{port}/")).await;
    // Under its own name the page sees that it is refused. Of the other site it sees no answer, and of what would need
    // the site's consent Chromium does not even send the request.
    for seen in [
        "own read=403;",
        "own blind read=403;",
        "own change=403;",
        "own blind change=403;",
        "own upload=403;",
        "other read=TypeError;",
        "other blind read=opaque;",
        "other change=TypeError;",
        "other blind change=opaque;",
        "other upload=opaque;",
        "done",
    ] {
        assert!(shown.contains(seen), "the page did not see {seen:?}:\n{shown}");
    }
    let stranger = page_in_chromium(&format!("http://{EVIL}:{port}{CONFIG}")).await;
    assert!(stranger.contains("HTTP_ALLOWED_HOSTS") && !stranger.contains("period"), "{stranger}");
    assert_eq!(*service.get(CONFIG).await.data(), before);
    assert_eq!(*service.get("/api/v1/modules").await.data(), json!([]));
    assert_eq!(service.get("/api/v1/config/application").await.data()["version"], 0);
    service.end().await;
}
