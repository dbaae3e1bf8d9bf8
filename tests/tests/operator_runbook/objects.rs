//! What is in the API server before the runbook begins: our manifests as `kubectl apply -k` makes them, the neighbours'
//! objects that the runbook asks for, and the history of older versions.

use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet},
    core::v1::{ConfigMap, Pod},
    rbac::v1::RoleBinding,
};
use kube::{
    Api, Client, Config,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value as Json, json};
use ta_bot_test_servers::KubeApi;
use ta_bot_tests::kubectl::kubectl;

use crate::stage::Stage;

pub(crate) const NAMESPACE: &str = "petrosa-apps";
pub(crate) const NAME: &str = "petrosa-ta-bot";
/// The annotation that numbers the versions of a Deployment.
pub(crate) const REVISION: &str = "deployment.kubernetes.io/revision";
/// The number of the version that runs at the beginning. Those before it were other images.
pub(crate) const FIRST: i64 = 6;

/// Objects of others, and the kinds of the Prometheus operator.
const OTHERS: &str = include_str!("others.yaml");

/// A client with every right.
pub(crate) async fn client(kube: &KubeApi) -> Client {
    let kubeconfig = Kubeconfig::from_yaml(&kube.kubeconfig(KubeApi::ADMIN).unwrap()).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

/// Makes everything. `k8s/kubeconfig.yaml` is on the stage afterwards.
pub(crate) async fn make(client: &Client, kube: &KubeApi, stage: &Stage) {
    let config = stage.work().join("k8s/kubeconfig.yaml");
    std::fs::write(&config, kube.kubeconfig(KubeApi::ADMIN).unwrap()).unwrap();
    let config = config.to_str().unwrap();
    kubectl(&["--kubeconfig", config, "apply", "--filename", "-"], OTHERS).await.unwrap();
    let established = ["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"];
    kubectl(&[&["--kubeconfig", config], &established[..]].concat(), "").await.unwrap();
    let mut apply = tokio::process::Command::new(crate::stage::bin().join("kubectl"));
    apply.args(["--kubeconfig=k8s/kubeconfig.yaml", "apply", "-k", "k8s/overlays/production"]);
    let applied = apply.current_dir(stage.work()).envs(stage.environment()).output().await.unwrap();
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    set_status_of_neighbours(client).await;
    make_history(client).await;
}

/// The pods of neighbours run, which their nodes would say.
async fn set_status_of_neighbours(client: &Client) {
    for (namespace, name) in [("nats", "nats-server-0"), (NAMESPACE, "mysql-0"), (NAMESPACE, "mongodb-0")] {
        let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
        patch_status(&pods, name, &running("server")).await;
    }
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), "monitoring");
    let status = json!({"replicas": 1, "readyReplicas": 1, "availableReplicas": 1, "updatedReplicas": 1});
    patch_status(&deployments, "prometheus", &status).await;
}

/// The `ReplicaSets` of five older images, as the controller of Deployments leaves them.
async fn make_history(client: &Client) {
    let deployment: Deployment = Api::namespaced(client.clone(), NAMESPACE).get(NAME).await.unwrap();
    for revision in 1..FIRST {
        let mut older = deployment.clone();
        let spec = older.spec.as_mut().unwrap();
        spec.template.spec.as_mut().unwrap().containers[0].image = Some(format!("petrosa-ta-bot:1.9.{revision}"));
        replica_set(client, &older, revision, &format!("older{revision}")).await;
    }
}

/// Makes the `ReplicaSet` of a Deployment's present template.
pub(crate) async fn replica_set(client: &Client, deployment: &Deployment, revision: i64, hash: &str) {
    let mut template = json!(deployment.spec.as_ref().unwrap().template);
    template["metadata"]["labels"]["pod-template-hash"] = hash.into();
    let object = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {
            "name": format!("{NAME}-{hash}"), "namespace": NAMESPACE,
            "labels": template["metadata"]["labels"], "annotations": {REVISION: revision.to_string()},
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "Deployment", "name": NAME, "uid": deployment.metadata.uid,
                "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "spec": {
            "replicas": 0, "template": template,
            "selector": {"matchLabels": {"app": NAME, "pod-template-hash": hash}},
        },
    });
    let sets: Api<ReplicaSet> = Api::namespaced(client.clone(), NAMESPACE);
    sets.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
}

/// How many pods of the Deployment are ready, according to its status.
pub(crate) async fn ready(client: &Client) -> i32 {
    let deployment = Api::<Deployment>::namespaced(client.clone(), NAMESPACE).get(NAME).await.unwrap();
    deployment.status.and_then(|status| status.ready_replicas).unwrap_or(0)
}

/// Says how many replicas there are to be.
pub(crate) async fn scale(client: &Client, replicas: usize) {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), NAMESPACE);
    let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
    deployments.patch(NAME, &PatchParams::default(), &patch).await.unwrap();
}

/// Takes the rights of our account away.
pub(crate) async fn unbind(client: &Client) {
    let bindings: Api<RoleBinding> = Api::namespaced(client.clone(), NAMESPACE);
    bindings.delete(NAME, &DeleteParams::default()).await.unwrap();
}

/// The variables of the `ConfigMap` that the manifests make, without the addresses of servers.
pub(crate) async fn variables(client: &Client) -> Vec<(String, String)> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), NAMESPACE);
    let all = maps.list(&ListParams::default()).await.unwrap().items;
    let ours = all.into_iter().find(|map| map.metadata.name.as_deref().unwrap_or_default().starts_with(NAME));
    let data = ours.unwrap().data.unwrap();
    data.into_iter().filter(|(name, _)| name != "NATS_URL").collect()
}

/// The status of a pod that runs and is ready.
pub(crate) fn running(container: &str) -> Json {
    let started = "2026-01-01T00:00:00Z";
    json!({
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True"}, {"type": "ContainersReady", "status": "True"}],
        "containerStatuses": [{
            "name": container, "ready": true, "started": true, "restartCount": 0, "image": "image", "imageID": "image",
            "state": {"running": {"startedAt": started}},
        }],
    })
}

/// Says what the cluster found out about an object.
pub(crate) async fn patch_status<K>(api: &Api<K>, name: &str, status: &Json)
where
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let patch = Patch::Merge(json!({"status": status}));
    api.patch_status(name, &PatchParams::default(), &patch).await.unwrap();
}
