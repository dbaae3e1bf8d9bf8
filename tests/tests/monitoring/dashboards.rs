//! The dashboards are what Grafana reads, and every expression in them is one.

use std::{collections::BTreeSet, fmt::Write as _, fs};

use serde_json::Value as Json;
use ta_bot_tests::{kubectl::kubectl, root};

use crate::rules;

/// The files, with the dashboard of each.
pub(crate) fn all() -> Vec<(String, Json)> {
    let folder = root().join("k8s/monitoring/dashboards");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |path: &std::path::PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(path).unwrap();
        let dashboard = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, dashboard)
    };
    files.iter().map(read).collect()
}

/// The expressions of a dashboard's panels and annotations, with Grafana's variables replaced by what may be in them.
pub(crate) fn expressions(dashboard: &Json) -> Vec<String> {
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let annotations = dashboard["annotations"]["list"].as_array().unwrap();
    let found = targets.chain(annotations).map(|target| target["expr"].as_str().unwrap());
    found.map(|text| text.replace("$__rate_interval", "1m").replace("$strategy", "rsi")).collect()
}

#[test]
fn each_has_panels_side_by_side_on_the_chosen_data_source() {
    let dashboards = all();
    assert_eq!(dashboards.len(), 3);
    let ids: BTreeSet<&str> = dashboards.iter().map(|(_, dashboard)| dashboard["uid"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), dashboards.len(), "links lead to a dashboard by its id");
    for (name, dashboard) in &dashboards {
        let variables = dashboard["templating"]["list"].as_array().unwrap();
        assert!(variables.iter().any(|variable| variable["type"] == "datasource"), "{name}");
        let mut taken = BTreeSet::new();
        let mut numbers = BTreeSet::new();
        for panel in dashboard["panels"].as_array().unwrap() {
            assert!(numbers.insert(panel["id"].as_u64().unwrap()), "{name}: {panel}");
            let at = |field: &str| panel["gridPos"][field].as_u64().unwrap();
            assert!(at("x") + at("w") <= 24, "{name}: {panel}");
            for column in at("x")..at("x") + at("w") {
                for line in at("y")..at("y") + at("h") {
                    assert!(taken.insert((column, line)), "{name}: another panel is where this one is: {panel}");
                }
            }
            if panel["type"] == "row" {
                continue;
            }
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{name}: {panel}");
            assert!(!panel["targets"].as_array().unwrap().is_empty(), "{name}: {panel}");
        }
    }
}

#[tokio::test]
async fn every_expression_is_one() {
    let mut text = "groups:\n  - name: dashboards\n    rules:\n".to_owned();
    for (file, (_, dashboard)) in all().iter().enumerate() {
        for (number, expression) in expressions(dashboard).iter().enumerate() {
            let expression = Json::String(expression.clone());
            writeln!(text, "      - {{record: \"dashboard:{file}:{number}\", expr: {expression}}}").unwrap();
        }
    }
    assert!(text.lines().count() > 60, "{text}");
    rules::check(&text).await;
}

/// Grafana's sidecar looks for the label, and `kubectl apply` keeps a copy of at most 256 KiB in an annotation.
#[tokio::test]
async fn grafana_finds_them_in_a_config_map() {
    let folder = root().join("k8s/overlays/production");
    let built = kubectl(&["kustomize", folder.to_str().unwrap()], "").await.unwrap();
    let name = "\n  name: petrosa-ta-bot-dashboards\n";
    let map = built.split("\n---\n").find(|document| document.contains(name)).expect("there is a ConfigMap");
    assert!(map.contains("grafana_dashboard: \"1\""), "{map}");
    assert!(map.len() < 256 << 10, "{} bytes", map.len());
    for (file, _) in all() {
        assert!(map.contains(&format!("\n  {file}: |")), "{file} is not in it");
    }
}
