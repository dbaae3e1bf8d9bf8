//! Uploads and deploys modules over REST, as an operator does.

use std::time::Duration;

use reqwest::{Client, StatusCode, header::CONTENT_TYPE};
use serde_json::Value as Json;
use ta_bot_core::ModuleDigest;

use super::Replica;
use crate::{root, until};

/// How long admission may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// Uploads a component of the tests and waits until it is admitted. Returns its digest.
pub async fn upload(replica: &Replica, component: &str) -> String {
    let bytes = std::fs::read(root().join(format!("target/components/{component}.wasm"))).unwrap();
    let digest = ModuleDigest::of(&bytes).to_string();
    let upload = Client::new().post(replica.url("/api/v1/modules")).header(CONTENT_TYPE, "application/wasm");
    let upload = upload.bearer_auth(replica.key());
    assert_eq!(upload.body(bytes).send().await.unwrap().status(), StatusCode::ACCEPTED);
    let path = format!("/api/v1/modules/{digest}");
    let module = async || replica.get(&path).await;
    let admitted = async || module().await["data"]["state"] == "admitted";
    until(PATIENCE, async || format!("{}\n{}", module().await, replica.log_tail()), admitted).await;
    digest
}

/// Changes a strategy's deployment, on the condition that `revision` is its newest one. Returns the new entry.
pub async fn deploy(replica: &Replica, strategy: &str, body: &Json, revision: i64) -> Json {
    let url = replica.url(&format!("/api/v1/strategies/{strategy}/deployment"));
    let request = Client::new().post(url).bearer_auth(replica.key()).header("If-Match", format!("\"{revision}\""));
    let answer = request.json(body).send().await.unwrap();
    let status = answer.status();
    let answer = answer.json::<Json>().await.unwrap();
    assert_eq!((status, &answer["data"]["outcome"]), (StatusCode::OK, &Json::from("changed")), "{body}: {answer}");
    answer["data"]["entry"].clone()
}
