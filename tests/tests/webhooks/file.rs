//! The file of receivers: wrong ones, changes of it, what is kept in between, and what is never shown.

use std::{path::Path, process::Command, time::Duration};

use serde_json::json;
use ta_bot_tests::{binary, until};

use crate::{
    receiver::{Receiver, Reply},
    service::{HIDDEN, Service, entry},
};

const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) async fn wait_for(receiver: &Receiver, taken: usize) {
    let count = || receiver.taken_count();
    until(PATIENCE, async || format!("{} of {taken}", count()), async || count() >= taken).await;
    assert_eq!(count(), taken);
}

async fn begun(service: &Service, name: &str) {
    let reader = format!("webhook:{name}");
    let otherwise = async || service.replica.log_tail();
    until(PATIENCE, otherwise, async || service.outbox.reader(&reader).await.unwrap().is_some()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn receivers_come_and_go_without_a_restart() {
    let take = || Receiver::start(|_, _| Reply::Status(200, ""));
    let (desk, other) = (take().await, take().await);
    let mut service = Service::new(&json!([]), &[("LOG_LEVEL", "trace".to_owned())]).await;
    service.commit([("BTCUSDT", 0)]).await;
    service.replica.start().await;
    service.write(&json!([entry("desk", &desk, &json!({}))]));
    begun(&service, "desk").await;
    service.commit([("BTCUSDT", 1)]).await;
    wait_for(&desk, 1).await;
    // A file that can't be used changes nothing, and is named.
    service.write_text(
        "[{\"name\": \"T0K3N qu3ry\", \"url\": \"https://u:s3cret@example.com\"}]"
            .replace("T0K3N qu3ry", "The Desk")
            .as_str(),
    );
    let stale = async || service.replica.get("/health").await["webhooks"]["stale"] == true;
    until(PATIENCE, async || service.replica.log_tail(), stale).await;
    let health = service.replica.get("/health").await;
    assert_eq!(health["status"], "degraded");
    let error = health["webhooks"]["error"].as_str().unwrap();
    assert!(error.contains("The Desk") && error.contains("has a user"), "{error}");
    service.commit([("BTCUSDT", 2)]).await;
    wait_for(&desk, 2).await;
    // Another address for the same receiver, which goes on where it was; and another receiver, which begins.
    service.write(&json!([entry("desk", &other, &json!({"symbols": ["BTCUSDT"]})), entry("new", &desk, &json!({}))]));
    begun(&service, "new").await;
    service.commit([("BTCUSDT", 3), ("ETHUSDT", 3)]).await;
    wait_for(&other, 1).await;
    wait_for(&desk, 4).await;
    // What was taken away and comes back goes on where it was.
    service.write(&json!([]));
    until(PATIENCE, async || service.replica.log_tail(), async || service.health("new").await.is_null()).await;
    service.commit([("ETHUSDT", 4)]).await;
    service.write(&json!([entry("new", &desk, &json!({}))]));
    wait_for(&desk, 5).await;
    let lines = service.replica.log();
    assert!(lines.contains("WEBHOOKS_FILE has changed and can't be used"), "{lines}");
    service.check_hidden().await;
    assert!(service.replica.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_old_is_skipped_unless_it_is_wanted() {
    let take = || Receiver::start(|_, _| Reply::Status(200, ""));
    let (strict, patient) = (take().await, take().await);
    let receivers = json!([entry("strict", &strict, &json!({})), entry("patient", &patient, &json!({"late": "send"}))]);
    let mut service = Service::new(&receivers, &[("SIGNAL_MAX_AGE_SECONDS", "3600".to_owned())]).await;
    service.replica.start().await;
    begun(&service, "strict").await;
    begun(&service, "patient").await;
    service.commit((0..10).map(|index| ("BTCUSDT", index))).await;
    wait_for(&patient, 10).await;
    let late = async || service.deliveries("strict", "late").await == 10.0;
    until(PATIENCE, async || service.replica.log_tail(), late).await;
    assert_eq!((strict.requests(), service.health("strict").await["lag_seconds"].as_f64()), (0, Some(0.0)));
    service.check_hidden().await;
}

fn serve(folder: &Path) -> (Option<i32>, String) {
    let done = Command::new(binary::ta_bot())
        .arg("serve")
        .env("DATA_DIR", folder.join("data"))
        .env("STRATEGIES_DIR", folder)
        .env("HTTP_ADDR", "127.0.0.1:0")
        .env("WEBHOOKS_FILE", folder.join("webhooks.json"))
        .output()
        .unwrap();
    (done.status.code(), String::from_utf8(done.stderr).unwrap())
}

#[test]
fn a_wrong_file_ends_the_start_with_words() {
    let folder = tempfile::tempdir().unwrap();
    let (code, told) = serve(folder.path());
    assert!(code == Some(2) && told.contains("WEBHOOKS_FILE: it can't be read"), "{told}");
    let text = r#"[{"name": "desk", "url": "http://127.0.0.1/T0K3N?qu3ry", "secret": "s3cret"}, {"name": "desk"}]"#;
    std::fs::write(folder.path().join("webhooks.json"), text).unwrap();
    let (code, told) = serve(folder.path());
    assert!(code == Some(2) && told.contains("others may read the file"), "{told}");
    std::fs::set_permissions(folder.path().join("webhooks.json"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .unwrap();
    let (code, told) = serve(folder.path());
    assert_eq!(code, Some(2), "{told}");
    for says in ["entry 1: url", "not encrypted", "entry 1: secret", "entry 2: it has no url"] {
        assert!(told.contains(says), "{told}");
    }
    assert!(!HIDDEN.iter().any(|hidden| told.contains(hidden)), "{told}");
}
