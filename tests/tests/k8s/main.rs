//! The manifests build, fit Kubernetes' schemas, keep to our rules, and are accepted by an API server; and so with the
//! other ways to deliver the service.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod delivery;
mod policy;
mod versions;

use std::{collections::BTreeSet, env, fs, path::PathBuf};

use ta_bot_engine::support::abilities::Ability;
use ta_bot_test_servers::KubeApi;
use ta_bot_tests::{kubectl::kubectl, root};
use tokio::process::Command;

/// The Kubernetes versions that the manifests are written for.
const VERSIONS: [&str; 3] = ["1.35", "1.36", "1.37"];
/// Kinds that the tests' API server, 1.20, does not have: the first two are newer than it, the others come with an
/// operator.
const UNKNOWN: [&str; 4] = ["PodDisruptionBudget", "HorizontalPodAutoscaler", "ServiceMonitor", "PrometheusRule"];
/// Everything that an overlay can be made of.
const COMPONENTS: [&str; 5] = ["tokens", "signed-modules", "autoscaling-queue", "ingress", "egress-https"];

async fn built(folder: &str) -> String {
    kubectl(&["kustomize", root().join("k8s").join(folder).to_str().unwrap()], "").await.unwrap()
}

/// Production with every component.
async fn everything() -> String {
    // Kustomize takes relative paths only.
    let folder = tempfile::tempdir_in(root().join("target")).unwrap();
    let components: String = COMPONENTS
        .iter()
        .map(|component| ["  - ../../k8s/components/", component, "\n"].concat())
        .collect::<Vec<_>>()
        .concat();
    let kustomization = format!("resources:\n  - ../../k8s/overlays/production\ncomponents:\n{components}");
    fs::write(folder.path().join("kustomization.yaml"), kustomization).unwrap();
    kubectl(&["kustomize", folder.path().to_str().unwrap()], "").await.unwrap()
}

/// The folder of the tests' Python packages.
fn venv() -> PathBuf {
    env::var_os("VENV").map_or_else(|| root().join("target/venv"), PathBuf::from)
}

fn kind(document: &str) -> &str {
    document.lines().find_map(|line| line.strip_prefix("kind: ")).expect("a manifest has a kind")
}

/// The document of a kind.
fn of<'a>(built: &'a str, wanted: &str) -> &'a str {
    let mut found = built.split("\n---\n").filter(|document| kind(document) == wanted);
    found.next().unwrap_or_else(|| panic!("there is no {wanted}"))
}

#[tokio::test]
async fn every_folder_builds_and_fits_the_schemas() {
    let folder = tempfile::tempdir().unwrap();
    let all = [
        ("base", built("base").await, 0),
        ("production", built("overlays/production").await, 2),
        ("dev", built("overlays/dev").await, 0),
        ("everything", everything().await, 2),
    ];
    for (name, built, without_schema) in all {
        let file = folder.path().join(name);
        fs::write(&file, built).unwrap();
        let checks = VERSIONS.map(|version| {
            let mut validate = Command::new(venv().join("bin/python"));
            validate.args(["-m", "kubernetes_validate", "--strict", "-k", version]).arg(&file);
            validate.output()
        });
        for (version, output) in VERSIONS.iter().zip(futures_util::future::join_all(checks).await) {
            let output = output.expect("the tests' Python packages: run `make test-setup`");
            let told = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
            assert!(output.status.success(), "{name}, {version}: {told}");
            assert!(told.contains("passed for resource deployment/petrosa-ta-bot"), "{name}, {version}: {told}");
            // A kind without a schema only causes a warning. Those of the operator have none.
            let without: Vec<_> = told.lines().filter(|line| line.contains("Couldn't find schema")).collect();
            assert_eq!(without.len(), without_schema, "{name}, {version}: {told}");
            let is_operators = |line: &&str| UNKNOWN[2..].iter().any(|kind| line.contains(kind));
            assert!(without.iter().all(is_operators), "{name}, {version}: {told}");
        }
    }
}

#[tokio::test]
async fn an_api_server_takes_them() {
    let server = KubeApi::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    fs::write(&config, server.kubeconfig(KubeApi::ADMIN).unwrap()).unwrap();
    let config = ["--kubeconfig", config.to_str().unwrap()];
    for namespace in ["petrosa-apps", "petrosa-dev"] {
        kubectl(&[&config[..], &["create", "namespace", namespace]].concat(), "").await.unwrap();
    }
    let apply = [&config[..], &["apply", "--dry-run=server", "--filename", "-"]].concat();
    let everything = everything().await;
    for built in [everything.clone(), built("overlays/dev").await] {
        let is_known = |document: &&str| kind(document) != "Namespace" && !UNKNOWN.contains(&kind(document));
        let known: Vec<_> = built.split("\n---\n").filter(is_known).collect();
        let answer = kubectl(&apply, &known.join("\n---\n")).await.unwrap();
        assert_eq!(answer.lines().count(), known.len(), "{answer}");
        assert!(answer.lines().all(|line| line.ends_with("created (server dry run)")), "{answer}");
        assert!(answer.contains("deployment.apps/petrosa-ta-bot "), "{answer}");
    }
    // The server does report a broken manifest.
    let broken = of(&everything, "Service").replace("port: 80\n", "port: eighty\n");
    kubectl(&apply, &broken).await.unwrap_err();
}

/// The names that others rely on.
#[tokio::test]
async fn the_names_are_those_of_the_contract() {
    let built = built("overlays/production").await;
    let kinds: BTreeSet<_> = built.split("\n---\n").map(kind).collect();
    let wanted = [
        "ConfigMap",
        "Deployment",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "PrometheusRule",
        "Role",
        "RoleBinding",
        "Service",
        "ServiceAccount",
        "ServiceMonitor",
    ];
    assert_eq!(kinds, BTreeSet::from(wanted));
    for document in built.split("\n---\n") {
        assert!(document.contains("\n  namespace: petrosa-apps"), "{document}");
        assert!(document.contains("\n    app: petrosa-ta-bot"), "{document}");
    }
    let has = |kind: &str, texts: &[&str]| {
        let document = of(&built, kind);
        for text in texts {
            assert!(document.contains(text), "{kind} has no {text:?}:\n{document}");
        }
    };
    has(
        "Deployment",
        &[
            "name: petrosa-ta-bot\n",
            "replicas: 3",
            "name: petrosa-sensitive-credentials",
            "key: mysql-uri",
            "key: mongodb-uri",
            "name: petrosa-common-config",
            "readOnlyRootFilesystem: true",
            "runAsNonRoot: true",
            "path: /ready",
            "path: /healthz",
        ],
    );
    has("Service", &["name: petrosa-ta-bot-service", "port: 80\n", "targetPort: http"]);
    has(
        "ConfigMap",
        &[
            "NATS_URL: nats://nats-server.nats:4222",
            "LEADER_ELECTION_ENABLED: \"true\"",
            "API_ANONYMOUS_ROLE: trader",
            // The names by which the neighbours and the runbook call.
            "HTTP_ALLOWED_HOSTS: petrosa-ta-bot-service,petrosa-ta-bot-service.petrosa-apps,",
        ],
    );
    has("Role", &["- ta-bot-leader"]);
    // A replica that is restarted or taken out of the service because a store is away helps nobody.
    assert!(!of(&built, "Deployment").contains("path: /health\n"), "no probe depends on the stores");
    has("PrometheusRule", &["alert: TABotNoSignalsGenerated", "alert: TABotHighLatency", "> 5000"]);
}

/// Each ability that can be missing has an alert. That nobody leads is one of the leader's metric.
#[tokio::test]
async fn every_ability_has_an_alert() {
    let built = built("overlays/production").await;
    let rules = of(&built, "PrometheusRule");
    for ability in Ability::ALL.into_iter().filter(|ability| *ability != Ability::Leader) {
        assert!(rules.contains(&format!("ta_bot_able{{ability=\"{}\"}}", ability.as_str())), "{ability:?}:\n{rules}");
    }
    assert!(
        rules.contains("sum(ta_bot_is_leader) == 0") && rules.contains("ta_bot_signals_committed_total[6h]"),
        "{rules}"
    );
}
