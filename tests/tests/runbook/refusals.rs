//! Requests that are refused before any handler looks at them.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::service::{Service, reply};

const CONFIG: &str = "/api/v1/strategies/rsi/config";
const SETTINGS: &str = "/api/v1/config/application";
const TEN_MEGABYTES: usize = 10 << 20;

#[tokio::test]
async fn malformed_json_is_told_with_its_place() {
    let service = Service::start().await;
    for method in [Method::PUT, Method::POST, Method::PATCH] {
        let request = service.request(method, CONFIG).header("Content-Type", "application/json");
        let error = reply(request.body("{\"period\": 14,\n \"oversold\": }")).await;
        let error = error.error(400, "malformed");
        assert!(error["message"].as_str().unwrap().contains("line 2 column 14"), "{error}");
    }
    let request = |body: &'static str| reply(service.request(Method::PUT, CONFIG).body(body));
    for body in ["", " ", "[]", "null", "14", "\"period\"", "{", "{\"a\": NaN}", "\u{feff}{}", "{} {}"] {
        request(body).await.error(400, "malformed");
    }
    let nested = "[".repeat(100_000);
    reply(service.request(Method::PUT, CONFIG).body(nested)).await.error(400, "malformed");
    let wrapped = json!({"parameters": {"period": 14}, "validate": true});
    let error = service.put(CONFIG, wrapped).await;
    let error = error.error(400, "unknown_field");
    assert!(error["message"].as_str().unwrap().contains("validate_only"), "{error}");
    service.end().await;
}

#[tokio::test]
async fn only_json_is_taken_and_a_missing_type_is_json() {
    let service = Service::start().await;
    let send = |kind: &'static str| {
        reply(service.request(Method::PUT, CONFIG).header("Content-Type", kind).body(r#"{"period": 20}"#))
    };
    for kind in ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", "json"] {
        let refused = send(kind).await;
        let error = refused.error(415, "unsupported_media_type");
        assert!(error["message"].as_str().unwrap().contains("application/json"), "{error}");
    }
    send("application/json; charset=utf-8").await.data();
    reply(service.request(Method::PUT, CONFIG).body(r#"{"period": 20}"#)).await.data();
    service.end().await;
}

#[tokio::test]
async fn ten_megabytes_are_refused_at_once_and_answered() {
    let service = Service::start().await;
    let body = format!(r#"{{"period": "{}"}}"#, "x".repeat(TEN_MEGABYTES));
    let started = Instant::now();
    for _ in 0..3 {
        let refused = reply(service.request(Method::PUT, CONFIG).body(body.clone())).await;
        refused.error(413, "too_large");
    }
    assert!(started.elapsed() < Duration::from_secs(10));
    // If a body is refused for another reason, the client gets the answer, too.
    let typed = service.request(Method::PUT, CONFIG).header("Content-Type", "text/plain");
    reply(typed.body(body.clone())).await.error(415, "unsupported_media_type");
    reply(service.request(Method::PUT, "/api/v1/nothing").body(body)).await.error(404, "not_found");
    service.get(CONFIG).await.data();
    service.end().await;
}

/// Sends a request's head and as many chunks of a body as the service accepts, and reads the whole answer.
async fn raw(service: &Service, head: &str, chunk: &[u8], chunks: usize) -> String {
    let mut stream = TcpStream::connect(&service.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut reader, mut writer) = stream.split();
    let writing = async {
        for _ in 0..chunks {
            if writer.write_all(chunk).await.is_err() {
                break;
            }
        }
    };
    let reading = async {
        let mut answer = Vec::new();
        let mut piece = [0; 4096];
        while !String::from_utf8_lossy(&answer).contains("}}") {
            let count = reader.read(&mut piece).await.unwrap();
            assert!(count > 0, "closed without an answer: {}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&piece[..count]);
        }
        String::from_utf8(answer).unwrap()
    };
    let (answer, ()) =
        tokio::time::timeout(Duration::from_secs(20), async { tokio::join!(reading, writing) }).await.unwrap();
    answer
}

#[tokio::test]
async fn a_body_is_refused_by_its_announced_length_before_it_comes() {
    let service = Service::start().await;
    let head = |extra: &str| {
        format!("PUT {CONFIG} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{extra}\r\n\r\n")
    };
    let answer = raw(&service, &head("Content-Length: 10485760"), b"", 0).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let answer = raw(&service, &head("Content-Length: 10485760\r\nExpect: 100-continue"), b"", 0).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    // A body without a length is refused as soon as it is too long.
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let answer = raw(&service, &head("Transfer-Encoding: chunked"), chunk.as_bytes(), 160).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    service.end().await;
}

/// What one program reads in one way and the next in another is refused.
#[tokio::test]
async fn what_stands_twice_is_refused() {
    let service = Service::start().await;
    let body = r#"{"period": 20, "period": 21}"#;
    let put = service.request(Method::PUT, CONFIG).header("Content-Type", "application/json").body(body);
    let refused = reply(put).await;
    let told = refused.error(400, "malformed")["message"].as_str().unwrap();
    assert!(told.contains("\"period\" is given more than once"), "{told}");
    let refused = service.get("/api/v1/signals?limit=1&limit=2").await;
    let told = refused.error(400, "malformed")["message"].as_str().unwrap();
    assert!(told.contains("\"limit\" more than once"), "{told}");
    for (path, twice) in [
        (CONFIG, "Host: localhost\r\nHost: evil.example"),
        ("/healthz", "Host: localhost\r\nHost: localhost"),
        (CONFIG, "Host: localhost\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b"),
        ("http://evil.example/api/v1/strategies", "Host: localhost"),
    ] {
        let answer = raw(&service, &format!("GET {path} HTTP/1.1\r\n{twice}\r\n\r\n"), b"", 0).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{path} {twice}: {answer}");
    }
    service.get(CONFIG).await.data();
    service.end().await;
}

#[tokio::test]
async fn unknown_routes_and_methods_are_in_the_envelope() {
    let service = Service::start().await;
    for path in ["/api/v1/nothing", "/api/v1", "/api/v1/", "/api/v1/strategies/", "/api/v2/strategies", "/nothing"] {
        service.get(path).await.error(404, "not_found");
    }
    let routes = [
        (Method::PATCH, "/api/v1/strategies", "GET"),
        (Method::GET, "/api/v1/test/analyze", "POST"),
        (Method::GET, "/api/v1/strategies/rsi/rollback", "POST"),
        (Method::DELETE, "/api/v1/config/application", "GET"),
        (Method::POST, "/health", "GET"),
    ];
    for (method, path, allowed) in routes {
        let refused = reply(service.request(method, path)).await;
        refused.error(405, "method_not_allowed");
        assert!(refused.headers["allow"].to_str().unwrap().contains(allowed), "{path}");
    }
    service.end().await;
}

#[tokio::test]
async fn nothing_of_an_answer_is_kept_by_a_cache() {
    let service = Service::start().await;
    for path in [CONFIG, "/api/v1/strategies", "/api/v1/nothing"] {
        assert_eq!(service.get(path).await.headers["cache-control"], "no-store");
    }
    service.end().await;
}

#[tokio::test]
async fn a_request_that_never_ends_holds_no_connection() {
    let service = Service::start().await;
    let mut stream = TcpStream::connect(&service.address).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: ").await.unwrap();
    let mut answer = String::new();
    let ended = tokio::time::timeout(Duration::from_secs(45), stream.read_to_string(&mut answer)).await;
    assert!(ended.is_ok(), "the connection is still open");
    service.get("/healthz").await;
    service.end().await;
}

#[tokio::test]
async fn a_body_full_of_mistakes_has_a_short_answer() {
    let service = Service::start().await;
    let names: serde_json::Map<_, _> = (0..60_000).map(|number| (format!("p{number:05}"), json!(1))).collect();
    let unknown: Vec<String> = (0..60_000).map(|number| format!("s{number:05}")).collect();
    let bodies = [
        (Method::PUT, CONFIG, json!(names)),
        (Method::POST, SETTINGS, json!({"symbols": vec![1; 400_000]})),
        (Method::POST, SETTINGS, json!({"symbols": vec!["?"; 200_000]})),
        (Method::POST, SETTINGS, json!({"enabled_strategies": unknown})),
    ];
    for (method, path, body) in bodies {
        let refused = service.send(method, path, body).await;
        let error = refused.error(422, "invalid");
        assert_eq!(refused.refused().len(), 100);
        assert!(error.to_string().len() < 64 << 10, "{} bytes", error.to_string().len());
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("details has the first 100, and there are "), "{message}");
    }
    service.end().await;
}
