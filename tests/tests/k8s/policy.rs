//! Our own rules for the manifests, which no schema knows.

use serde_json::{Value as Json, json};
use ta_bot_tests::root;
use tokio::{io::AsyncWriteExt as _, process::Command};

use crate::{built, everything, venv};

/// The documents of a build.
async fn documents(yaml: &str) -> Vec<Json> {
    let script = "import json, sys, yaml; json.dump(list(yaml.safe_load_all(sys.stdin)), sys.stdout)";
    let mut python = Command::new(venv().join("bin/python"));
    python.args(["-c", script]).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut python = python.spawn().expect("the tests' Python packages: run `make test-setup`");
    python.stdin.take().unwrap().write_all(yaml.as_bytes()).await.unwrap();
    serde_json::from_slice(&python.wait_with_output().await.unwrap().stdout).unwrap()
}

/// What breaks a rule.
fn problems(documents: &[Json]) -> Vec<String> {
    let mut problems = Vec::new();
    for document in documents {
        let kind = document["kind"].as_str().unwrap();
        let mut found = match kind {
            "Deployment" => pod(&document["spec"]["template"]["spec"]),
            "NetworkPolicy" => network(&document["spec"]),
            "ConfigMap" => config(&document["data"]),
            "Role" => role(&document["rules"]),
            "Secret" => vec!["a Secret is in the manifests".to_owned()],
            _ => Vec::new(),
        };
        if document["metadata"]["labels"]["app"] != "petrosa-ta-bot" {
            found.push("there is no label app".to_owned());
        }
        problems.extend(found.into_iter().map(|problem| format!("{kind}: {problem}")));
    }
    problems
}

fn pod(spec: &Json) -> Vec<String> {
    let mut problems = Vec::new();
    let mut needs = |holds: bool, what: &str| {
        if !holds {
            problems.push(what.to_owned());
        }
    };
    needs(spec["securityContext"]["runAsNonRoot"] == true, "it may run as root");
    needs(
        spec["securityContext"]["runAsUser"].as_u64().is_some_and(|user| user >= 10_000),
        "it runs as a user of the node",
    );
    needs(spec["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault", "every system call is allowed");
    needs(spec["automountServiceAccountToken"].is_boolean(), "it is not said whether it has a token of the API");
    for host in ["hostNetwork", "hostPID", "hostIPC"] {
        needs(spec[host].is_null(), host);
    }
    for container in spec["containers"].as_array().unwrap() {
        let security = &container["securityContext"];
        needs(security["allowPrivilegeEscalation"] == false, "privileges can grow");
        needs(security["readOnlyRootFilesystem"] == true, "its root can be written");
        needs(security["capabilities"] == json!({"drop": ["ALL"]}), "it has capabilities");
        needs(security["privileged"].is_null(), "it is privileged");
        for (of, what) in
            [("limits", "memory"), ("limits", "ephemeral-storage"), ("requests", "cpu"), ("requests", "memory")]
        {
            needs(container["resources"][of][what].is_string(), &format!("there are no {of} of {what}"));
        }
        let image = container["image"].as_str().unwrap();
        needs(image.contains(':') && !image.ends_with(":latest"), "its image is not a certain one");
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            needs(container[probe].is_object(), probe);
        }
        for variable in container["env"].as_array().unwrap() {
            let name = variable["name"].as_str().unwrap();
            needs(!is_secret(name) || variable["value"].is_null(), &format!("{name} is written into the manifest"));
        }
    }
    for volume in spec["volumes"].as_array().unwrap() {
        needs(volume["hostPath"].is_null(), "it mounts a folder of the node");
        needs(volume["emptyDir"].is_null() || volume["emptyDir"]["sizeLimit"].is_string(), "a volume has no bound");
    }
    problems
}

fn is_secret(name: &str) -> bool {
    ["_URI", "PASSWORD", "TRUSTED_KEYS", "OTLP_HEADERS"].iter().any(|part| name.ends_with(part))
}

fn config(data: &Json) -> Vec<String> {
    let names = data.as_object().unwrap().keys();
    names.filter(|name| is_secret(name)).map(|name| format!("{name} is in a ConfigMap")).collect()
}

/// Each rule names who or where, and on which port.
fn network(spec: &Json) -> Vec<String> {
    let mut problems = Vec::new();
    for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
        for rule in spec[direction].as_array().into_iter().flatten() {
            let is_named = |list: &Json| list.as_array().is_some_and(|list| !list.is_empty());
            if !is_named(&rule[peers]) {
                problems.push(format!("{direction} is open to everybody: {rule}"));
            }
            if !is_named(&rule["ports"]) {
                problems.push(format!("{direction} is open on every port: {rule}"));
            }
            for peer in rule[peers].as_array().into_iter().flatten() {
                let block = &peer["ipBlock"];
                let is_whole = block["cidr"].as_str().is_some_and(|cidr| cidr.ends_with("/0"));
                let is_https = rule["ports"] == json!([{"protocol": "TCP", "port": 443}]);
                let spares_metadata =
                    block["except"].as_array().is_some_and(|list| list.contains(&json!("169.254.0.0/16")));
                if is_whole && !(is_https && spares_metadata) {
                    problems.push(format!("{direction} is open to the whole internet: {rule}"));
                }
            }
        }
    }
    if !spec["policyTypes"].is_array() {
        problems.push("it does not say which directions it is about".to_owned());
    }
    problems
}

fn role(rules: &Json) -> Vec<String> {
    let is_ours = |rule: &Json| {
        let verbs = rule["verbs"].as_array().unwrap();
        rule["resources"] == json!(["leases"]) && !verbs.iter().any(|verb| verb == "*" || verb == "delete")
    };
    let rules = rules.as_array().unwrap().iter();
    rules.filter(|rule| !is_ours(rule)).map(|rule| format!("a right that nothing needs: {rule}")).collect()
}

#[tokio::test]
async fn the_manifests_keep_to_our_rules() {
    // The base is applied by no one: an overlay says which image it is.
    for yaml in [built("overlays/production").await, built("overlays/dev").await, everything().await] {
        let documents = documents(&yaml).await;
        assert_eq!(problems(&documents), Vec::<String>::new());
    }
}

/// A rule that nothing can break proves nothing.
#[tokio::test]
async fn a_manifest_that_breaks_a_rule_is_found() {
    let documents = documents(&everything().await).await;
    let breaks = |kind: &str, path: &str, value: Json| {
        let mut changed = documents.clone();
        let document = changed.iter_mut().find(|document| document["kind"] == kind).unwrap();
        *document.pointer_mut(path).unwrap_or_else(|| panic!("{kind} has no {path}")) = value;
        assert_eq!(problems(&changed).len(), 1, "{kind} {path}: {:?}", problems(&changed));
    };
    let pod = "/spec/template/spec";
    breaks("Deployment", &format!("{pod}/securityContext/runAsUser"), json!(0));
    breaks("Deployment", &format!("{pod}/securityContext/runAsNonRoot"), json!(false));
    breaks("Deployment", &format!("{pod}/containers/0/securityContext/readOnlyRootFilesystem"), json!(false));
    breaks("Deployment", &format!("{pod}/containers/0/resources/limits/memory"), Json::Null);
    breaks("Deployment", &format!("{pod}/containers/0/image"), json!("petrosa-ta-bot:latest"));
    breaks("Deployment", &format!("{pod}/automountServiceAccountToken"), Json::Null);
    breaks("ConfigMap", "/data", json!({"MYSQL_URI": "mysql://root@db/x"}));
    breaks("NetworkPolicy", "/spec/egress/0/to", json!([]));
    breaks("NetworkPolicy", "/spec/egress/0/to", json!([{"ipBlock": {"cidr": "0.0.0.0/0"}}]));
    breaks("NetworkPolicy", "/spec/egress/0/ports", Json::Null);
    breaks("Role", "/rules/0/resources", json!(["secrets"]));
}

/// The runbook's commands call the service from within its pods, and dev calls nobody.
#[tokio::test]
async fn pods_may_call_themselves_and_dev_calls_nobody() {
    let egress = async |yaml: String| {
        let documents = documents(&yaml).await;
        documents.into_iter().find(|document| document["kind"] == "NetworkPolicy").unwrap()["spec"]["egress"].clone()
    };
    let production = egress(built("overlays/production").await).await;
    let to_ourselves = json!({
        "to": [{"podSelector": {"matchLabels": {"app": "petrosa-ta-bot"}}}],
        "ports": [{"protocol": "TCP", "port": 8080}],
    });
    assert!(production.as_array().unwrap().contains(&to_ourselves), "{production}");
    assert_eq!(egress(built("overlays/dev").await).await, json!([]));
}

/// Every component is one that an overlay can be made of.
#[test]
fn every_component_is_tested() {
    let mut folders: Vec<_> = std::fs::read_dir(root().join("k8s/components"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    folders.retain(|folder| folder != "autoscaling");
    folders.sort();
    let mut tested = crate::COMPONENTS;
    tested.sort_unstable();
    assert_eq!(folders, tested, "autoscaling is part of autoscaling-queue");
}
