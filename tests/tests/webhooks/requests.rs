//! Single requests: what goes over the wire, and what answers mean.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc, time::Duration};

use serde_json::{Value as Json, json};
use ta_bot_core::Timestamp;
use ta_bot_drivers::{
    tls::trust,
    webhooks::{
        receivers,
        sender::{Answer, Failure, Sender},
        signature::Secret,
    },
};
use ta_bot_engine::signals::{actions::PublishedActions, outbox::StoredSignal};
use ta_bot_test_servers::KubeApi;
use ta_bot_tests::until;

use crate::{
    receiver::{Receiver, Reply},
    service::{HIDDEN, SECRET, Service, entry},
};

/// 2026-01-01 00:00:07.
const NOW: Timestamp = Timestamp::from_millis(1_767_225_607_999);

const PATIENCE: Duration = Duration::from_mins(1);

async fn signal() -> StoredSignal {
    let service = Service::new(&json!([]), &[]).await;
    service.commit([("BTCUSDT", 0)]).await;
    service.outbox.unpublished(1).await.unwrap().remove(0)
}

fn sender(folder: &Path, entry: &Json) -> Sender {
    let path = folder.join("one.json");
    fs::write(&path, json!([entry]).to_string()).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let receiver = receivers::read(&path, &PublishedActions::default()).unwrap().remove(0);
    Sender::new(Arc::new(receiver), trust().unwrap())
}

#[tokio::test]
async fn a_request_is_what_the_specification_says() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|_, _| Reply::Status(200, "")).await;
    let signal = signal().await;
    let answer = sender(folder.path(), &entry("desk", &receiver, &json!({}))).send(&signal, NOW).await;
    assert_eq!(answer, Answer::Taken);
    let request = receiver.taken().remove(0);
    assert_eq!(request.line, "POST /T0K3N-desk?key=qu3ry HTTP/1.1");
    assert_eq!(request.body, signal.message, "byte for byte");
    let header = |name: &str| request.headers[name].as_str();
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("host"), receiver.address().to_string());
    assert!(header("user-agent").starts_with("ta-bot/"));
    assert_eq!((header("webhook-id"), header("webhook-timestamp")), (signal.id.as_str(), "1767225607"));
    let expected = Secret::parse(SECRET).unwrap().sign(&signal.id, 1_767_225_607, signal.message.as_bytes());
    assert_eq!(header("webhook-signature"), expected);
    let slack = entry("chat", &receiver, &json!({"format": "slack", "secret": null}));
    assert_eq!(sender(folder.path(), &slack).send(&signal, NOW).await, Answer::Taken);
    let request = receiver.taken().remove(1);
    assert!(request.body.starts_with("{\"text\":\"BTCUSDT 15m BUY at "), "{}", request.body);
    assert!(!request.headers.contains_key("webhook-signature"));
}

#[tokio::test]
async fn each_answer_has_its_meaning() {
    let folder = tempfile::tempdir().unwrap();
    let signal = signal().await;
    let cases = [
        (204, "", None),
        (301, "Location: http://127.0.0.1:9/T0K3N\r\n", Some(("redirect", "give the final URL", None))),
        (307, "Location: /T0K3N\r\n", Some(("redirect", "307", None))),
        (408, "", Some(("busy", "408", None))),
        (429, "Retry-After: 7\r\n", Some(("busy", "429", Some(Duration::from_secs(7))))),
        (429, "Retry-After: soon\r\n", Some(("busy", "429", None))),
        (500, "", Some(("status", "500", None))),
        (503, "Retry-After: 0\r\n", Some(("status", "503", Some(Duration::ZERO)))),
    ];
    for (status, head, expected) in cases {
        let receiver = Receiver::start(move |_, _| Reply::Status(status, head)).await;
        let answer = sender(folder.path(), &entry("desk", &receiver, &json!({}))).send(&signal, NOW).await;
        match (answer, expected) {
            (Answer::Taken, None) => {}
            (Answer::Failed(Failure { kind, words, pause }), Some(expected)) => {
                assert_eq!((kind, pause), (expected.0, expected.2), "{status}");
                assert!(words.contains(expected.1) && !HIDDEN.iter().any(|hidden| words.contains(hidden)), "{words}");
            }
            (answer, _) => panic!("{status}: {answer:?}"),
        }
        assert_eq!(receiver.requests(), 1, "a redirect is not followed");
    }
    for status in [400, 401, 404, 410, 422] {
        let receiver = Receiver::start(move |_, _| Reply::Status(status, "")).await;
        let answer = sender(folder.path(), &entry("desk", &receiver, &json!({}))).send(&signal, NOW).await;
        assert!(matches!(answer, Answer::Refused(refused) if refused.as_u16() == status), "{answer:?}");
    }
}

/// The server is one of Kubernetes, which answers strangers with 401 or 403: then its certificate was trusted.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_trusted_if_the_machine_trusts_its_authority() {
    let server = KubeApi::start().await.unwrap();
    let receiver = json!({"name": "desk", "url": format!("{}/T0K3N", server.url()), "allow_private": true});
    let mut service = Service::new(&json!([receiver]), &[]).await;
    service.replica.start().await;
    let begun = async || service.outbox.reader("webhook:desk").await.unwrap().is_some();
    until(PATIENCE, async || service.replica.log_tail(), begun).await;
    service.commit([("BTCUSDT", 0)]).await;
    let strange = async || service.health("desk").await["trouble"] == "connection";
    until(PATIENCE, async || service.replica.log_tail(), strange).await;
    assert!(service.replica.log().contains("invalid peer certificate"), "{}", service.replica.log_tail());
    assert!(service.replica.terminate().await.success());
    service.replica.set("SSL_CERT_FILE", &server.ca_path().display().to_string());
    service.replica.start().await;
    let refused = async || service.deliveries("desk", "refused").await == 1.0;
    until(PATIENCE, async || service.replica.log_tail(), refused).await;
    service.check_hidden().await;
}

#[tokio::test]
async fn what_can_not_be_reached_is_named_without_the_url() {
    let folder = tempfile::tempdir().unwrap();
    let signal = signal().await;
    let dead = Receiver::dead(|_, _| Reply::Hang).await;
    let hanging = Receiver::start(|_, _| Reply::Hang).await;
    let at = |url: &str, private: bool| json!({"name": "desk", "url": url, "allow_private": private});
    let port = dead.address().port();
    let cases = [
        (entry("desk", &dead, &json!({})), "connection", "Connection refused"),
        (entry("desk", &hanging, &json!({})), "timeout", "within 10s"),
        // The name leads to this machine.
        (at(&format!("https://localhost:{port}/T0K3N?qu3ry"), false), "address", "is not public"),
        (at("https://nobody.invalid/T0K3N?qu3ry", false), "name", "can't be resolved"),
        // It speaks no TLS.
        (at(&format!("https://{}/T0K3N", hanging.address()), true), "connection", "tls"),
    ];
    for (entry, expected, says) in cases {
        let Answer::Failed(failure) = sender(folder.path(), &entry).send(&signal, NOW).await else {
            panic!("{entry} was reached")
        };
        let told = format!("{failure} {failure:?}");
        assert!(failure.kind == expected && told.contains(says), "{entry}: {told}");
        assert!(!HIDDEN.iter().any(|hidden| told.contains(hidden)), "{told}");
    }
}
