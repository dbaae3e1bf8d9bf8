//! Tokens and roles.

use std::{fs::File, process::Stdio, time::Duration};

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
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
    let open: Vec<Route> = table().into_iter().filter(|route| route.role == "none").collect();
    assert_eq!(open.len(), 9);
    for Route { method, path, statuses, .. } in open {
        let status = call(&service, None, method, &path).await.status;
        assert!(status == 200 && statuses.contains(&200), "{path}");
    }
    service.end().await;
}

/// The digest of a bundled module, once it is stored: that happens after the start.
async fn kept_module(service: &Service) -> String {
    let strategies = call(service, Some(VIEWER), Method::GET, "/api/v1/strategies").await;
    let digest = strategies.data()[0]["digest"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/modules/{digest}");
    let of = async || call(service, Some(VIEWER), Method::GET, &path).await;
    until(Duration::from_secs(30), async || of().await.body.to_string(), async || of().await.status == 200).await;
    digest
}

/// Deletes candles, and returns the number of that repair.
async fn repaired(service: &Service) -> i64 {
    let body = json!({
        "symbol": "BTCUSDT", "timeframe": "15m", "since": "2001-01-01", "until": "2098-01-01", "apply": true,
    });
    let request = service.request(Method::POST, "/api/v1/candles/delete").bearer_auth(OPERATOR).json(&body);
    reply(request).await.data()["repair"].as_i64().unwrap()
}

/// The roles, each with the token that has it. Each role may also do what those before it may.
const ROLES: [(&str, &str); 3] = [("viewer", VIEWER), ("trader", TRADER), ("operator", OPERATOR)];

/// A row of the table in `docs/routes.md`.
struct Route {
    method: Method,
    path: String,
    role: String,
    statuses: Vec<u16>,
}

/// The table of routes, roles and statuses that `make routes` writes.
fn table() -> Vec<Route> {
    let page = include_str!("../../../docs/routes.md");
    let rows = page.lines().filter(|line| line.starts_with("| ") && line.contains(" | `/"));
    let routes: Vec<Route> = rows
        .map(|row| {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            Route {
                method: cells[0].parse().unwrap(),
                path: cells[1].trim_matches('`').to_owned(),
                role: cells[2].to_owned(),
                statuses: cells[3].split(", ").map(|status| status.parse().unwrap()).collect(),
            }
        })
        .collect();
    assert!(routes.len() >= 35, "{} routes only", routes.len());
    routes
}

#[tokio::test]
async fn every_route_of_the_api_needs_one() {
    let service = guarded().await;
    let description = call(&service, Some(VIEWER), Method::GET, "/api/v1/openapi.json").await;
    let routes = description.body["paths"].as_object().unwrap().clone();
    let routes = routes.iter().flat_map(|(path, item)| item.as_object().unwrap().keys().map(move |verb| (path, verb)));
    let table = table();
    let of_api = table.iter().filter(|route| route.path.starts_with("/api/") && !route.path.ends_with("openapi.json"));
    assert_eq!(of_api.count(), routes.clone().count(), "docs/routes.md and the description name the same routes");
    let digest = kept_module(&service).await;
    let failure = failure("rsi", b"module", "BTCUSDT", 1);
    failures::keep(&service, std::slice::from_ref(&failure)).await;
    let repair = repaired(&service).await;
    let mut count = 0;
    for (described, verb) in routes {
        let path = described.replace("{id}", "rsi").replace("{symbol}", "BTCUSDT").replace("{digest}", &digest);
        let mut path = path.replace("{failure_id}", &failure.id().to_string());
        if path.ends_with("/redecisions") {
            path = format!("{path}?repair={repair}");
        }
        let method: Method = verb.to_uppercase().parse().unwrap();
        for wrong in [None, Some("wrong"), Some("")] {
            let refused = call(&service, wrong, method.clone(), &path).await;
            refused.error(401, "unauthorized");
            assert_eq!(refused.headers["www-authenticate"], "Bearer");
        }
        let needed = table.iter().find(|route| route.path == *described && route.method == method);
        let needed = needed.unwrap_or_else(|| panic!("docs/routes.md lacks {method} {described}"));
        let needed = ROLES.iter().position(|(role, _)| *role == needed.role).unwrap();
        for (rank, (_, token)) in ROLES.into_iter().enumerate() {
            let answer = call(&service, Some(token), method.clone(), &path).await;
            if rank < needed {
                let error = answer.error(403, "forbidden");
                assert!(error["message"].as_str().unwrap().contains(ROLES[needed].0), "{method} {path}: {error}");
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

/// The table is generated from the routes; this test says what the roles mean.
#[test]
fn reading_needs_a_viewer_code_an_operator_and_changes_a_trader() {
    for Route { method, path, role, .. } in table().into_iter().filter(|route| route.role != "none") {
        let is_about_code =
            path.starts_with("/api/v1/modules") || path.ends_with("/deployment") || path.ends_with("/candidate");
        let changes_candles = path.starts_with("/api/v1/candles");
        let expected = match method {
            Method::GET if path.ends_with("/wasm") => "operator",
            Method::GET => "viewer",
            _ if is_about_code || changes_candles => "operator",
            _ => "trader",
        };
        assert_eq!(role, expected, "{method} {path}");
    }
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

/// The author of a change is who sent it. What the body says is kept beside that.
#[tokio::test]
async fn a_named_token_is_the_author_whatever_the_body_says() {
    let tokens = FILE.replace("2b68ec22", "2b68ec22:petrosa-cio:2098-12-31").replace("5b3827ffed", "5b3827ffed:ann");
    let service = Setup::new().with_file("API_TOKENS_FILE", &tokens).start().await;
    let send = async |token: &str, path: &str, body: &Value| {
        reply(service.request(Method::POST, path).bearer_auth(token).json(body)).await
    };
    let get = async |path: &str| reply(service.request(Method::GET, path).bearer_auth(VIEWER)).await.data().clone();
    let who = |entry: &Value| (entry["changed_by"].clone(), entry["claimed_by"].clone());
    let by = |name: &str, claimed: &Value| (json!(name), claimed.clone());
    let config = "/api/v1/strategies/rsi/config";
    let claims = json!({"parameters": {"period": 21}, "changed_by": "petrosa-cio:7"});
    let change = send(TRADER, config, &claims).await.data()["change"].clone();
    assert_eq!(who(&change), by("petrosa-cio", &json!("petrosa-cio:7")));
    let same = json!({"parameters": {"period": 22}, "changed_by": "petrosa-cio"});
    assert_eq!(who(&send(TRADER, config, &same).await.data()["change"]), by("petrosa-cio", &Value::Null));
    let bare = send(TRADER, &format!("{config}?changed_by=bob"), &json!({"period": 23})).await;
    assert_eq!(who(&bare.data()["change"]), by("petrosa-cio", &json!("bob")), "also what the query says");
    let audit = get("/api/v1/strategies/rsi/audit").await;
    let audit: Vec<_> = audit.as_array().unwrap().iter().map(who).collect();
    let cio = |claimed: Value| by("petrosa-cio", &claimed);
    assert_eq!(audit, [cio(json!("bob")), cio(Value::Null), cio(json!("petrosa-cio:7"))]);

    let settings = json!({"min_confidence": 0.7, "changed_by": "bob"});
    let changed = send(OPERATOR, "/api/v1/config/application", &settings).await;
    assert_eq!(who(&changed.data()["change"]), by("ann", &json!("bob")));
    assert_eq!(who(&get("/api/v1/config/application/audit").await[0]), by("ann", &json!("bob")));
    let disable = json!({"action": "disable", "changed_by": "bob"});
    send(OPERATOR, "/api/v1/strategies/rsi/deployment", &disable).await.data();
    let deployed = get("/api/v1/strategies/rsi/deployment").await;
    assert_eq!(who(&deployed["history"][0]), by("ann", &json!("bob")));
    service.end().await;
}

/// A token is given and taken away without a restart, and a slip of the pen locks nobody out.
#[tokio::test]
async fn the_file_is_read_again_when_it_changes() {
    let service = guarded().await;
    let path = service.folder.path().join("API_TOKENS_FILE");
    let status = async |token| call(&service, Some(token), Method::GET, "/api/v1/strategies").await.status;
    let becomes = async |token, expected: u16| {
        let is_so = async || status(token).await == expected;
        until(Duration::from_secs(20), async || format!("{token}: {}", status(token).await), is_so).await;
    };
    let tokens = async || service.get("/health").await.body["tokens"].clone();
    assert_eq!(tokens().await, json!({"stale": false, "since": null, "error": null}));
    let without_trader: Vec<_> = FILE.lines().filter(|line| !line.starts_with("trader")).collect();
    let without_trader = without_trader.join("\n");
    std::fs::write(&path, &without_trader).unwrap();
    becomes(TRADER, 401).await;
    assert_eq!((status(VIEWER).await, status(OPERATOR).await), (200, 200));
    std::fs::write(&path, "viewer:this-is-no-digest\n").unwrap();
    let is_stale = async || tokens().await["stale"] == true;
    until(Duration::from_secs(20), async || tokens().await.to_string(), is_stale).await;
    let told = service.get("/health").await.body;
    assert!(told["tokens"]["error"].as_str().unwrap().contains("line 1"), "{told}");
    assert!(told["tokens"]["since"].is_string() && told["status"] == "degraded", "{told}");
    assert!(!told.to_string().contains("this-is-no-digest"), "{told}");
    assert_eq!([status(VIEWER).await, status(OPERATOR).await, status(TRADER).await], [200, 200, 401]);
    std::fs::write(&path, FILE).unwrap();
    becomes(TRADER, 200).await;
    assert_eq!(tokens().await["stale"], false);
    service.end().await;
}

/// The neighbours freeze for `retry_after` seconds, which they read from the body.
#[tokio::test]
async fn a_token_may_make_so_many_requests_a_minute() {
    // The viewer's token has a limit of its own.
    let file = FILE.replace("\ntrader", ":desk::3\ntrader");
    let setup = Setup::new().with_file("API_TOKENS_FILE", &file).with("API_REQUESTS_PER_MINUTE", "2");
    let service = setup.with("API_ANONYMOUS_ROLE", "viewer").start().await;
    for (token, allowed) in [(Some(VIEWER), 3), (Some(TRADER), 2), (Some(OPERATOR), 2), (None, 2)] {
        let read = async || call(&service, token, Method::GET, "/api/v1/strategies").await;
        for _ in 0..allowed {
            assert_eq!(read().await.status, 200, "{token:?}");
        }
        let refused = read().await;
        let message = refused.error(429, "too_many_requests")["message"].as_str().unwrap();
        assert!(message.contains(&format!("{allowed} requests a minute")), "{message}");
        let wait = refused.body["retry_after"].as_u64().unwrap();
        assert!((1..=30).contains(&wait), "{wait}");
        assert_eq!(refused.headers["retry-after"].to_str().unwrap(), wait.to_string());
    }
    // What watches the service is not counted.
    assert_eq!(call(&service, Some(VIEWER), Method::GET, "/health").await.status, 200);
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
