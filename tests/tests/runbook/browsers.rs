//! What a page of another site may not do through a person's browser.

use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::service::{Service, Setup, reply};

const CONFIG: &str = "/api/v1/strategies/rsi/config";
const REFRESH: &str = "/api/v1/strategies/cache/refresh";

/// The headers that a browser sends for a page of another site.
const FOREIGN: [(&str, &str); 5] = [
    ("Sec-Fetch-Site", "cross-site"),
    ("Sec-Fetch-Site", "same-site"),
    ("Origin", "https://evil.example"),
    ("Origin", "http://127.0.0.1"),
    ("Origin", "null"),
];

#[tokio::test]
async fn another_site_s_page_changes_nothing() {
    let service = Service::start().await;
    for (name, value) in FOREIGN {
        let with = |request: RequestBuilder| reply(request.header(name, value));
        // Neither request needs a preflight: one has no body at all, and the other has one of a type that forms can
        // send.
        let empty = with(service.request(Method::POST, REFRESH)).await;
        let error = empty.error(403, "cross_site");
        let told = error["message"].as_str().unwrap();
        assert!(told.contains(name) && told.contains("curl"), "{told}");
        for method in [Method::PUT, Method::POST, Method::PATCH, Method::DELETE] {
            let request =
                service.request(method, CONFIG).header("Content-Type", "text/plain").body(r#"{"period": 20}"#);
            with(request).await.error(403, "cross_site");
        }
        for path in ["/api/v1/config/application/rollback", "/api/v1/test/analyze", "/api/v1/config/validate"] {
            with(service.request(Method::POST, path)).await.error(403, "cross_site");
        }
        // Requests that only read are not refused, and neither are routes that are open to everybody.
        with(service.request(Method::GET, CONFIG)).await.data();
        assert_eq!(with(service.request(Method::GET, "/healthz")).await.status, 200);
    }
    assert_eq!(service.get(CONFIG).await.data()["version"], 0);
    service.end().await;
}

#[tokio::test]
async fn pages_of_its_own_and_programs_are_served() {
    let service = Service::start().await;
    let own = format!("http://{}", service.address);
    for headers in [vec![], vec![("Sec-Fetch-Site", "none")], vec![("Sec-Fetch-Site", "same-origin"), ("Origin", &own)]]
    {
        let request = service.request(Method::PUT, CONFIG).json(&json!({"period": 20}));
        let request = headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        reply(request).await.data();
    }
    service.end().await;
}

#[tokio::test]
async fn a_token_makes_another_site_no_better() {
    let tokens = "trader:a34fa72ed95ef62f66a4e1066359704c6c920842a10c9eec98ac4c482b68ec22\n";
    let service = Setup::new().with_file("API_TOKENS_FILE", tokens).start().await;
    let request = || service.request(Method::POST, REFRESH).bearer_auth("the-trader-s-token");
    reply(request()).await.data();
    reply(request().header("Origin", "https://evil.example")).await.error(403, "cross_site");
    service.end().await;
}
