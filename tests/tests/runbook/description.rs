//! The description of the API says what the API does.

use std::{collections::BTreeMap, fs, path::PathBuf};

use serde_json::Value;
use ta_bot_tests::root;

use crate::service::Service;

/// Every route of the API.
const ROUTES: [(&str, &[&str]); 35] = [
    ("/api/v1/candles", &["get"]),
    ("/api/v1/candles/delete", &["post"]),
    ("/api/v1/candles/redecisions", &["get"]),
    ("/api/v1/candles/repairs", &["get"]),
    ("/api/v1/candles/replace", &["post"]),
    ("/api/v1/candles/revisions", &["get"]),
    ("/api/v1/config/application", &["get", "post"]),
    ("/api/v1/config/application/audit", &["get"]),
    ("/api/v1/config/application/rollback", &["post"]),
    ("/api/v1/config/validate", &["post"]),
    ("/api/v1/costs", &["get"]),
    ("/api/v1/dead-jobs", &["get"]),
    ("/api/v1/dead-jobs/retry", &["post"]),
    ("/api/v1/failures", &["get"]),
    ("/api/v1/failures/{failure_id}", &["get"]),
    ("/api/v1/modules", &["get", "post"]),
    ("/api/v1/modules/removed", &["get"]),
    ("/api/v1/modules/{digest}", &["delete", "get"]),
    ("/api/v1/modules/{digest}/wasm", &["get"]),
    ("/api/v1/signals", &["get"]),
    ("/api/v1/signals/stream", &["get"]),
    ("/api/v1/signals/{signal_id}/replay", &["post"]),
    ("/api/v1/strategies", &["get"]),
    ("/api/v1/strategies/cache/refresh", &["post"]),
    ("/api/v1/strategies/{id}", &["get"]),
    ("/api/v1/strategies/{id}/audit", &["get"]),
    ("/api/v1/strategies/{id}/candidate", &["post"]),
    ("/api/v1/strategies/{id}/config", &["delete", "get", "patch", "post", "put"]),
    ("/api/v1/strategies/{id}/config/{symbol}", &["delete", "get", "patch", "post", "put"]),
    ("/api/v1/strategies/{id}/defaults", &["get"]),
    ("/api/v1/strategies/{id}/deployment", &["get", "post"]),
    ("/api/v1/strategies/{id}/rollback", &["post"]),
    ("/api/v1/strategies/{id}/schema", &["get"]),
    ("/api/v1/strategies/{id}/shadow", &["get"]),
    ("/api/v1/test/analyze", &["post"]),
];

fn verbs(item: &Value) -> Vec<&str> {
    let mut verbs: Vec<&str> = item.as_object().unwrap().keys().map(String::as_str).collect();
    verbs.sort_unstable();
    verbs
}

/// Every `$ref` of a document.
fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

/// The statuses that an operation has to describe.
fn needed(verb: &str, path: &str) -> Vec<&'static str> {
    // Any caller may have made as many requests as it may.
    let mut needed = vec!["200", "400", "401", "403", "404", "422", "429", "500", "503"];
    let uploads = verb == "post" && path == "/api/v1/modules";
    if uploads {
        needed.extend(["202", "408", "413", "415", "507"]);
    } else if verb != "get" {
        needed.extend(["408", "409", "413", "415"]);
    }
    needed.sort_unstable();
    needed
}

#[tokio::test]
async fn every_route_is_described_with_every_status() {
    let service = Service::start().await;
    let document = service.get("/api/v1/openapi.json").await.body;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    let paths = document["paths"].as_object().unwrap();
    let described: Vec<(&str, Vec<&str>)> = paths.iter().map(|(path, item)| (path.as_str(), verbs(item))).collect();
    let mut sorted = described.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, ROUTES.map(|(path, verbs)| (path, verbs.to_vec())));
    for (path, item) in paths {
        for (verb, operation) in item.as_object().unwrap() {
            let statuses = operation["responses"].as_object().unwrap();
            let needed = needed(verb, path);
            assert_eq!(statuses.keys().map(String::as_str).collect::<Vec<_>>(), needed, "{verb} {path}");
            assert!(operation["summary"].is_string() || operation["description"].is_string(), "{verb} {path}");
            let others = [("/wasm", "application/wasm"), ("/stream", "text/event-stream")];
            if let Some((_, kind)) = others.iter().find(|(end, _)| path.ends_with(end)) {
                assert!(statuses["200"]["content"][kind].is_object(), "{verb} {path}");
                continue;
            }
            let answer = &statuses["200"]["content"]["application/json"]["schema"];
            // A bundle is returned as it is.
            let kind = if path.ends_with("{failure_id}") { "FailureDocument" } else { "Envelope" };
            assert!(answer["$ref"].as_str().unwrap().contains(kind), "{verb} {path}: {answer}");
        }
    }
    service.end().await;
}

/// The types of a source file that have a schema.
fn described_types(source: &str) -> impl Iterator<Item = &str> {
    let derived = source.split("#[derive(").filter(|rest| rest.split(')').next().unwrap().contains("ToSchema"));
    derived.filter_map(|rest| {
        let line = rest.lines().find(|line| line.contains("struct ") || line.contains("enum "))?;
        let (_, name) = line.split_once("struct ").or_else(|| line.split_once("enum "))?;
        name.split(|c: char| !c.is_alphanumeric()).next()
    })
}

/// If two types had the same name, the document would silently have one schema for both.
#[test]
fn every_schema_has_a_name_of_its_own() {
    let mut folders = vec![root().join("host")];
    let mut named: BTreeMap<String, PathBuf> = BTreeMap::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                for name in described_types(&fs::read_to_string(&path).unwrap()) {
                    let other = named.insert(name.to_owned(), path.clone());
                    assert!(other.is_none(), "{name} is in {} and in {other:?}", path.display());
                }
            }
        }
    }
    assert!(named.len() > 50 && named.contains_key("CandidateCost"), "{:?}", named.keys());
}

#[tokio::test]
async fn every_reference_leads_somewhere() {
    let service = Service::start().await;
    let document = service.get("/api/v1/openapi.json").await.body;
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 100);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    let envelope = &document["components"]["schemas"]["Envelope_Value"]["properties"];
    for field in ["success", "data", "error", "metadata"] {
        assert!(envelope[field].is_object(), "{field}");
    }
    service.end().await;
}
