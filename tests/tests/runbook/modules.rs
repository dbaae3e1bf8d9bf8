//! Uploads of modules: what is accepted, what is refused, and what the checks say.

use std::time::Duration;

use reqwest::{Method, header::CONTENT_TYPE};
use serde_json::{Value, json};
use ta_bot_core::ModuleDigest;
use ta_bot_engine::modules::{module_store::LARGEST_MODULE, signature::PrivateKey};
use ta_bot_tests::{built_in, until};

use crate::{
    service::{Reply, Service, Setup, reply},
    support::component,
};

const MODULES: &str = "/api/v1/modules";

/// A built-in strategy that the service of these tests does not bundle.
fn sound() -> Vec<u8> {
    built_in::bytes("inside_bar_breakout").unwrap()
}

async fn upload(service: &Service, bytes: Vec<u8>) -> Reply {
    reply(service.request(Method::POST, MODULES).header(CONTENT_TYPE, "application/wasm").body(bytes)).await
}

async fn upload_signed(service: &Service, bytes: Vec<u8>, signature: &str) -> Reply {
    reply(service.request(Method::POST, MODULES).header("Module-Signature", signature).body(bytes)).await
}

/// What the service knows about a module once it is checked.
async fn checked(service: &Service, digest: ModuleDigest) -> Value {
    let path = format!("{MODULES}/{digest}");
    let of = async || service.get(&path).await.data().clone();
    let otherwise = async || format!("still {}", of().await);
    until(Duration::from_mins(2), otherwise, async || of().await["state"] != "checking").await;
    of().await
}

#[tokio::test]
async fn a_module_is_taken_checked_and_given_back() {
    let service = Service::start().await;
    let (bytes, digest) = (sound(), ModuleDigest::of(&sound()));
    let taken = upload(&service, bytes.clone()).await;
    assert_eq!((taken.status, &taken.body["data"]["state"]), (202, &json!("checking")), "{}", taken.body);
    assert_eq!(taken.body["data"]["digest"], digest.to_string());
    assert_eq!(taken.headers["location"], format!("{MODULES}/{digest}"));

    let module = checked(&service, digest).await;
    assert_eq!(module["state"], "admitted", "{module}");
    assert_eq!((&module["strategy"], &module["wit_version"]), (&json!("inside_bar_breakout"), &json!("1.0.0")));
    assert_eq!((&module["uploaded_by"], &module["reason"]), (&json!("api"), &Value::Null));
    assert_eq!(module["size_bytes"], bytes.len());
    let checks = module["verdict"]["checks"].as_array().unwrap();
    assert_eq!(checks.len(), 9);
    for check in checks {
        assert!(["passed", "not_applicable"].contains(&check["outcome"].as_str().unwrap()), "{check}");
        assert!(check["evaluations"].is_u64() && check["duration_ms"].is_number(), "{check}");
    }

    let given = service.request(Method::GET, &format!("{MODULES}/{digest}/wasm")).send().await.unwrap();
    assert_eq!(given.status(), 200);
    assert_eq!(given.headers()["content-type"], "application/wasm");
    assert_eq!(given.headers()["etag"], format!("\"{digest}\""));
    assert!(given.bytes().await.unwrap() == bytes);

    // Uploading the same bytes again changes nothing.
    let again = upload(&service, bytes).await;
    assert_eq!(again.data(), &module);
    assert_eq!(service.get(MODULES).await.data(), &json!([module]));
    service.end().await;
}

#[tokio::test]
async fn a_bundled_module_is_known_and_not_listed() {
    let service = Service::start().await;
    let strategies = service.get("/api/v1/strategies").await;
    let digest = strategies.data()[0]["digest"].as_str().unwrap().to_owned();
    let path = format!("{MODULES}/{digest}");
    // The module is stored after the start.
    let otherwise = async || service.get(&path).await.body.to_string();
    until(Duration::from_secs(30), otherwise, async || service.get(&path).await.status == 200).await;
    let module = service.get(&path).await;
    assert_eq!((&module.data()["state"], &module.data()["uploaded_by"]), (&json!("bundled"), &Value::Null));
    assert_eq!(service.get(MODULES).await.data(), &json!([]));
    service.end().await;
}

#[tokio::test]
async fn what_is_no_module_is_refused_with_the_reason_and_not_kept() {
    let service = Service::start().await;
    let truncated = sound()[..sound().len() / 2].to_vec();
    let sockets = wat::parse_str(r#"(component (import "wasi:sockets/tcp@0.2.0" (instance)))"#).unwrap();
    let core_module = b"\0asm\x01\0\0\0".to_vec();
    let cases = [
        (Vec::new(), 422, "not_a_component", "no bytes"),
        (b"{\"period\": 14}".to_vec(), 422, "not_a_component", "\\0asm"),
        (vec![0; 1_000_000], 422, "not_a_component", "\\0asm"),
        (truncated, 422, "not_a_component", "end"),
        (core_module, 422, "core_module", "wasm-tools component new"),
        (sockets, 422, "forbidden_imports", "wasi:sockets/tcp"),
        (vec![0; LARGEST_MODULE + 1], 413, "too_large", "67108864"),
    ];
    for (bytes, status, code, words) in cases {
        let (length, digest) = (bytes.len(), ModuleDigest::of(&bytes));
        let refused = upload(&service, bytes).await;
        let error = refused.error(status, code);
        assert!(error["message"].as_str().unwrap().contains(words), "{length} bytes: {error}");
        service.get(&format!("{MODULES}/{digest}")).await.error(404, "unknown_module");
    }
    let typed = service.request(Method::POST, MODULES).header(CONTENT_TYPE, "application/json").body(sound());
    reply(typed).await.error(415, "unsupported_media_type");
    assert_eq!(service.get(MODULES).await.data(), &json!([]));
    for (name, code) in [("rsi", "unknown_module"), (&"0".repeat(64), "unknown_module"), ("%00", "unknown_module")] {
        service.get(&format!("{MODULES}/{name}")).await.error(404, code);
        service.get(&format!("{MODULES}/{name}/wasm")).await.error(404, code);
    }
    service.end().await;
}

#[tokio::test]
async fn a_module_with_a_fault_is_refused_by_its_check() {
    let service = Service::start().await;
    let bytes = component("faulty_keeps_state");
    let digest = ModuleDigest::of(&bytes);
    assert_eq!(upload(&service, bytes).await.status, 202);
    let module = checked(&service, digest).await;
    assert_eq!(module["state"], "refused", "{module}");
    let checks = module["verdict"]["checks"].as_array().unwrap();
    let failed: Vec<&Value> = checks.iter().filter(|check| check["outcome"] == "failed").collect();
    assert!(failed.iter().any(|check| check["name"] == "past"), "{module}");
    assert!(failed.iter().all(|check| check["problem"].is_string()), "{module}");
    service.end().await;
}

/// The host pauses every strategy by a parameter of this name, and would never let the strategy see its own.
#[tokio::test]
async fn a_module_that_declares_the_host_s_own_parameter_is_refused() {
    let service = Service::start().await;
    let (mut bytes, own) = (built_in::bytes("rsi").unwrap(), b"trigger");
    let places: Vec<usize> = (0..bytes.len() - own.len()).filter(|at| bytes[*at..].starts_with(own)).collect();
    assert!(!places.is_empty(), "RSI has a parameter with a name of as many letters");
    for at in places {
        bytes[at..at + own.len()].copy_from_slice(b"enabled");
    }
    let digest = ModuleDigest::of(&bytes);
    assert_eq!(upload(&service, bytes).await.status, 202);
    let module = checked(&service, digest).await;
    assert_eq!(module["state"], "refused", "{module}");
    assert!(module["reason"].as_str().unwrap().contains("give it another name"), "{module}");
    service.end().await;
}

/// Without trusted keys a signature is neither required nor checked.
#[tokio::test]
async fn a_signature_that_nobody_asks_for_is_not_looked_at() {
    let service = Service::start().await;
    let taken = upload_signed(&service, sound(), "none").await;
    assert_eq!((taken.status, &taken.body["data"]["signed_by"]), (202, &Value::Null), "{}", taken.body);
    service.end().await;
}

/// If there are no tokens, a request needs the key in `DATA_DIR`. Nothing else shows that it comes from this machine: a
/// proxy with default settings adds no header.
#[tokio::test]
async fn without_tokens_modules_are_taken_from_those_who_have_the_key() {
    let service = Service::start().await;
    let bytes = format!("{MODULES}/{}/wasm", ModuleDigest::of(&sound()));
    let of_strangers = async |name: &'static str, value: &str, code: &str| {
        for request in
            [service.request_without_key(Method::POST, MODULES), service.request_without_key(Method::GET, &bytes)]
        {
            reply(request.header(name, value).body(sound())).await.error(403, code);
        }
    };
    of_strangers("Accept", "*/*", "local_only").await;
    of_strangers("Authorization", "Bearer 0123", "local_only").await;
    for name in ["X-Forwarded-For", "X-Real-IP", "CF-Connecting-IP", "True-Client-IP", "X-Forwarded-Host", "Forwarded"]
    {
        of_strangers(name, "127.0.0.1", "local_only").await;
    }
    of_strangers("Host", "evil.example", "host_not_allowed").await;
    service.get(&format!("{MODULES}/{}", ModuleDigest::of(&sound()))).await.error(404, "unknown_module");
    service.end().await;
}

async fn remove(service: &Service, digest: ModuleDigest) -> Reply {
    reply(service.request(Method::DELETE, &format!("{MODULES}/{digest}?changed_by=ann&reason=a%20try"))).await
}

#[tokio::test]
async fn a_module_is_removed_by_an_operator_and_that_is_recorded() {
    let service = Service::start().await;
    let digest = ModuleDigest::of(&sound());
    remove(&service, digest).await.error(404, "unknown_module");
    upload(&service, sound()).await;
    checked(&service, digest).await;
    let removed = remove(&service, digest).await;
    assert_eq!(removed.data()["removed_by"], "ann", "{}", removed.body);
    assert_eq!(removed.data()["size_bytes"], sound().len());
    service.get(&format!("{MODULES}/{digest}")).await.error(404, "unknown_module");
    service.get(&format!("{MODULES}/{digest}/wasm")).await.error(404, "unknown_module");
    assert_eq!(service.get(MODULES).await.data(), &json!([]));
    remove(&service, digest).await.error(404, "unknown_module");
    let audit = service.get(&format!("{MODULES}/removed")).await;
    assert_eq!(audit.data(), &json!([removed.data()]));
    assert_eq!((&removed.data()["uploaded_by"], &removed.data()["reason"]), (&json!("api"), &json!("a try")));
    // Sent again, it is a new module.
    assert_eq!(upload(&service, sound()).await.status, 202);
    assert_eq!(checked(&service, digest).await["state"], "admitted");
    service.end().await;
}

#[tokio::test]
async fn a_module_that_is_in_use_or_bundled_stays() {
    let service = Service::start().await;
    let digest = ModuleDigest::of(&sound());
    upload(&service, sound()).await;
    checked(&service, digest).await;
    let body = json!({"action": "activate", "module": digest.to_string(), "reason": "a try"});
    let activated = service.request(Method::POST, "/api/v1/strategies/inside_bar_breakout/deployment").json(&body);
    let activated = reply(activated).await;
    assert_eq!(activated.status, 200, "{}", activated.body);
    remove(&service, digest).await.error(409, "module_in_use");
    let strategies = service.get("/api/v1/strategies").await;
    let of_bundled = |strategy: &&Value| strategy["id"] != "inside_bar_breakout";
    let bundled = strategies.data().as_array().unwrap().iter().find(of_bundled).unwrap()["digest"].clone();
    let bundled: ModuleDigest = bundled.as_str().unwrap().parse().unwrap();
    let otherwise = async || service.get(&format!("{MODULES}/{bundled}")).await.body.to_string();
    until(Duration::from_secs(30), otherwise, async || {
        service.get(&format!("{MODULES}/{bundled}")).await.status == 200
    })
    .await;
    remove(&service, bundled).await.error(409, "bundled_module");
    service.end().await;
}

#[tokio::test]
async fn a_long_list_of_modules_is_read_in_parts() {
    let service = Service::start().await;
    let mut expected = Vec::new();
    for id in ["inside_bar_breakout", "doji_reversal", "bear_trap_buy"] {
        let bytes = built_in::bytes(id).unwrap();
        expected.push(ModuleDigest::of(&bytes).to_string());
        upload(&service, bytes).await;
    }
    expected.sort();
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = service.get(&format!("{MODULES}?limit=2{after}")).await;
        let digests =
            page.data().as_array().unwrap().iter().map(|module| module["digest"].as_str().unwrap().to_owned());
        found.push(digests.collect::<Vec<_>>());
        match page.body["metadata"]["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(found, [expected[..2].to_vec(), expected[2..].to_vec()]);
    assert_eq!(service.get(MODULES).await.body["metadata"]["next"], Value::Null);
    service.get(&format!("{MODULES}?after=x")).await.error(422, "invalid");
    service.end().await;
}

/// A process that ends before it has checked an upload leaves that to the next one.
#[tokio::test]
async fn an_upload_is_checked_after_a_restart() {
    let service = Service::start().await;
    let digest = ModuleDigest::of(&sound());
    assert_eq!(upload(&service, sound()).await.status, 202);
    let folder = service.end().await;
    let service = Setup::in_folder(folder).start().await;
    assert_eq!(checked(&service, digest).await["state"], "admitted");
    service.end().await;
}

#[tokio::test]
async fn where_keys_are_trusted_only_their_signatures_count() {
    let (key, other) = (PrivateKey::generate().unwrap(), PrivateKey::generate().unwrap());
    let service = Setup::new().with("MODULE_TRUSTED_KEYS", key.public().to_string()).start().await;
    let digest = ModuleDigest::of(&sound());
    upload(&service, sound()).await.error(422, "not_signed");
    for wrong in [other.sign(digest).to_string(), key.sign(ModuleDigest::of(b"others")).to_string(), "none".to_owned()]
    {
        upload_signed(&service, sound(), &wrong).await.error(422, "bad_signature");
    }
    service.get(&format!("{MODULES}/{digest}")).await.error(404, "unknown_module");
    let taken = upload_signed(&service, sound(), &key.sign(digest).to_string()).await;
    assert_eq!((taken.status, &taken.body["data"]["signed_by"]), (202, &json!(key.public().to_string())));
    service.end().await;
}
