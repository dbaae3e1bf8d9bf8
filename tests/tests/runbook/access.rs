//! Tokens and roles.

use std::{fs::File, process::Stdio, time::Duration};

use reqwest::{Method, RequestBuilder};
use serde_json::json;
use ta_bot_core::Timeframe;
use ta_bot_engine::supervision::failure::contract::failure;
use ta_bot_tests::until;

use crate::{
    failures,
    service::{Reply, Service, Setup, reply},
};

const VIEWER: &str = "the-viewer-s-token";
const TRADER: &str = "the-trader-s-token";
const OPERATOR: &str = "the-operator-s-token";

/// SHA-256 of the three tokens, as `sha256sum` gives them.
const FILE: &str = "# tokens for the tests\n\n\
    viewer:0de9308a3d13e2269187deb944fa0c4470091a7c089dfdc9c7dbc6352dce047d\n\
    trader:a34fa72ed95ef62f66a4e1066359704c6c920842a10c9eec98ac4c482b68ec22\n\
    operator:9827a5b28ff87948f957e95420113ce081a2da47a6d148bed6b2ac5b3827ffed\n";

async fn guarded() -> Service {
    Setup::new().with_falling("BTCUSDT", Timeframe::M15).with_file("API_TOKENS_FILE", FILE).start().await
}

async fn call(service: &Service, token: Option<&str>, method: Method, path: &str) -> Reply {
    let request = service.request(method.clone(), path);
    let request = token.into_iter().fold(request, RequestBuilder::bearer_auth);
    let is_analysis = path.ends_with("analyze");
    let body = if is_analysis { json!({"symbol": "BTCUSDT", "timeframe": "15m"}) } else { json!({}) };
    reply(if method == Method::GET { request } else { request.json(&body) }).await
}

#[tokio::test]
async fn what_watches_the_service_needs_no_token() {
    let service = guarded().await;
    for path in ["/", "/healthz", "/ready", "/health", "/metrics"] {
        assert_eq!(call(&service, None, Method::GET, path).await.status, 200, "{path}");
    }
    service.end().await;
}

/// The digest of a bundled module, once it is kept: that happens behind the start.
async fn kept_module(service: &Service) -> String {
    let strategies = call(service, Some(VIEWER), Method::GET, "/api/v1/strategies").await;
    let digest = strategies.data()[0]["digest"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/modules/{digest}");
    let of = async || call(service, Some(VIEWER), Method::GET, &path).await;
    until(Duration::from_secs(30), async || of().await.body.to_string(), async || of().await.status == 200).await;
    digest
}

#[tokio::test]
async fn every_route_of_the_api_needs_one() {
    let service = guarded().await;
    let description = call(&service, Some(VIEWER), Method::GET, "/api/v1/openapi.json").await;
    let routes = description.body["paths"].as_object().unwrap().clone();
    let routes = routes.iter().flat_map(|(path, item)| item.as_object().unwrap().keys().map(move |verb| (path, verb)));
    let digest = kept_module(&service).await;
    let failure = failure("rsi", b"module", "BTCUSDT", 1);
    failures::keep(&service, std::slice::from_ref(&failure)).await;
    let mut count = 0;
    for (path, verb) in routes {
        let path = path.replace("{id}", "rsi").replace("{symbol}", "BTCUSDT").replace("{digest}", &digest);
        let path = path.replace("{failure_id}", &failure.id().to_string());
        let method: Method = verb.to_uppercase().parse().unwrap();
        for wrong in [None, Some("wrong"), Some("")] {
            let refused = call(&service, wrong, method.clone(), &path).await;
            refused.error(401, "unauthorized");
            assert_eq!(refused.headers["www-authenticate"], "Bearer");
        }
        let roles = [("viewer", VIEWER), ("trader", TRADER), ("operator", OPERATOR)];
        let needed = match (&method, path.as_str()) {
            (&Method::GET, path) if path.ends_with("/wasm") => 2,
            (&Method::GET, _) => 0,
            (_, "/api/v1/modules" | "/api/v1/strategies/rsi/deployment" | "/api/v1/strategies/rsi/candidate") => 2,
            _ => 1,
        };
        for (rank, (_, token)) in roles.into_iter().enumerate() {
            let answer = call(&service, Some(token), method.clone(), &path).await;
            if rank < needed {
                let error = answer.error(403, "forbidden");
                assert!(error["message"].as_str().unwrap().contains(roles[needed].0), "{method} {path}: {error}");
            } else if method == Method::GET {
                assert_eq!(answer.status, 200, "{method} {path}: {}", answer.body);
            } else {
                assert!(answer.status != 401 && answer.status != 403, "{method} {path}: {}", answer.body);
            }
        }
        count += 1;
    }
    assert!(count >= 25, "{count} routes only");
    call(&service, None, Method::GET, "/api/v1/openapi.json").await.error(401, "unauthorized");
    service.end().await;
}

#[tokio::test]
async fn a_change_without_a_name_has_the_role_s() {
    let service = guarded().await;
    let config = "/api/v1/strategies/rsi/config";
    let put = async |body| reply(service.request(Method::PUT, config).bearer_auth(TRADER).json(&body)).await;
    assert_eq!(put(json!({"period": 20})).await.data()["change"]["changed_by"], "trader");
    let named = json!({"parameters": {"period": 21}, "changed_by": "ann"});
    assert_eq!(put(named).await.data()["change"]["changed_by"], "ann");
    service.end().await;
}

#[tokio::test]
async fn only_bearer_is_understood() {
    let service = guarded().await;
    let header = async |value: String| {
        reply(service.request(Method::GET, "/api/v1/strategies").header("Authorization", value)).await
    };
    for wrong in ["Basic dmlld2Vy".to_owned(), VIEWER.to_owned(), "Bearer".to_owned(), format!("Bearer {VIEWER}x")] {
        header(wrong).await.error(401, "unauthorized");
    }
    header(format!("bearer {VIEWER}")).await.data();
    service.end().await;
}

#[tokio::test]
async fn nothing_of_a_token_is_logged() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    std::fs::write(&tokens, FILE).unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut process = tokio::process::Command::new(ta_bot_tests::binary::ta_bot())
        .arg("serve")
        .env("HTTP_ADDR", free.to_string())
        .env("DATA_DIR", folder.path().join("data"))
        .env("STRATEGIES_DIR", ta_bot_tests::two_strategies_dir())
        .env("API_TOKENS_FILE", &tokens)
        .env("LOG_LEVEL", "trace")
        .stdout(Stdio::from(File::create(folder.path().join("out")).unwrap()))
        .stderr(Stdio::from(File::create(folder.path().join("err")).unwrap()))
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let call = async |token: &str| {
        let url = format!("http://{free}/api/v1/strategies");
        reqwest::Client::new().get(url).bearer_auth(token).send().await.map(|response| response.status().as_u16())
    };
    let mut status = call(VIEWER).await;
    for _ in 0..200 {
        if status.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        status = call(VIEWER).await;
    }
    assert_eq!(status.unwrap(), 200);
    assert_eq!(call("a-token-that-is-none").await.unwrap(), 401);
    process.kill().await.unwrap();
    let log = ["out", "err"].map(|name| std::fs::read_to_string(folder.path().join(name)).unwrap()).concat();
    assert!(log.contains("/api/v1/strategies") && log.contains("401"), "the requests are not in the log: {log}");
    for secret in [VIEWER, "a-token-that-is-none", "0de9308a3d13e2269187deb944fa0c4470091a7c089dfdc9c7dbc6352dce047d"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}
