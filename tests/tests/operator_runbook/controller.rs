//! What the controller of Deployments and the nodes do in a cluster, done on this machine: a pod of the Deployment is a
//! `ta-bot` process. A change of the Deployment, by `kubectl scale`, `rollout restart`, `rollout undo` or `apply`,
//! stops and starts processes, a pod that is deleted gets a successor, and the API server's objects follow.
//!
//! Unlike a cluster it stops all old pods before it starts new ones, which takes a fraction of the time; what an
//! upgrade costs is shown by `replicas/upgrade`. And it kills a process that stands still, or does not end by itself
//! after a few seconds, where a node would wait for 35.

use std::{
    collections::HashMap,
    net::TcpListener,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures_util::future::join_all;
use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet},
    core::v1::Pod,
};
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value as Json, json};
use ta_bot_test_servers::Port;
use ta_bot_tests::{app::share_compiled, replicas::Replica, until};
use tokio::time::{sleep, timeout};

use crate::{
    objects::{self, NAME, NAMESPACE, REVISION},
    stage::{OnStage, Stage},
};

/// How often it looks at the Deployment and its pods.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a process may take to end.
const GRACE: Duration = Duration::from_secs(3);

/// A pod that runs.
struct Running {
    name: String,
    hash: String,
    replica: Replica,
    /// Which of the ports it has.
    slot: usize,
}

/// The controller.
pub(crate) struct Controller {
    client: Client,
    stage: Arc<Stage>,
    /// The folder of the pods' own files.
    folder: PathBuf,
    /// Where they listen: each has one of these, and so has its successor.
    ports: Vec<Port>,
    /// The variables that all pods have.
    variables: HashMap<String, String>,
    running: Vec<Running>,
    /// How many pods there have been.
    count: usize,
    /// The generation of the Deployment that it has followed.
    seen: Option<i64>,
}

impl Controller {
    pub(crate) fn new(
        client: Client,
        stage: Arc<Stage>,
        folder: &Path,
        ports: Vec<Port>,
        variables: HashMap<String, String>,
    ) -> Self {
        let folder = folder.to_owned();
        Self { client, stage, folder, ports, variables, running: Vec::new(), count: 0, seen: None }
    }

    /// The URL of the first pod.
    pub(crate) fn url(&self) -> String {
        self.running[0].replica.url("")
    }

    /// Follows the Deployment for as long as the test goes on.
    pub(crate) async fn go_on(&mut self) {
        loop {
            self.step().await;
            sleep(PAUSE).await;
        }
    }

    /// Follows what has changed, if anything has.
    pub(crate) async fn step(&mut self) {
        let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), NAMESPACE);
        let deployment = deployments.get(NAME).await.unwrap();
        let deleted = self.deleted().await;
        if self.seen == deployment.metadata.generation && deleted.is_empty() {
            return;
        }
        let (hash, revision) = self.current(&deployment).await;
        let wanted = deployment.spec.as_ref().unwrap().replicas.unwrap() as usize;
        self.stop(&hash, &deleted, wanted).await;
        self.start(&deployment, &hash, wanted).await;
        let annotation = json!({"metadata": {"annotations": {REVISION: revision.to_string()}}});
        deployments.patch(NAME, &PatchParams::default(), &Patch::Merge(annotation)).await.unwrap();
        objects::patch_status(&deployments, NAME, &status(&deployment, wanted)).await;
        self.seen = deployment.metadata.generation;
    }

    /// The names of the pods that somebody has deleted.
    async fn deleted(&self) -> Vec<String> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), NAMESPACE);
        let all = pods.list(&ListParams::default().labels(&format!("app={NAME}"))).await.unwrap().items;
        let deleted = all.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_some());
        deleted.filter_map(|pod| pod.metadata.name).collect()
    }

    /// The hash and the number of the `ReplicaSet` of the present template. One that comes back gets the next number.
    async fn current(&self, deployment: &Deployment) -> (String, i64) {
        let sets: Api<ReplicaSet> = Api::namespaced(self.client.clone(), NAMESPACE);
        let all = sets.list(&ListParams::default()).await.unwrap().items;
        let number = |set: &ReplicaSet| {
            set.metadata.annotations.as_ref().and_then(|all| all[REVISION].parse::<i64>().ok()).unwrap()
        };
        let newest = all.iter().map(number).max().unwrap();
        let template = json!(deployment.spec.as_ref().unwrap().template);
        let Some(set) = all.iter().find(|set| template_of(set) == template) else {
            let hash = format!("7c998b6b{:02}", newest + 1);
            objects::replica_set(&self.client, deployment, newest + 1, &hash).await;
            return (hash, newest + 1);
        };
        let name = set.metadata.name.as_deref().unwrap();
        let revision = if number(set) == newest { newest } else { newest + 1 };
        let annotation = json!({"metadata": {"annotations": {REVISION: revision.to_string()}}});
        sets.patch(name, &PatchParams::default(), &Patch::Merge(annotation)).await.unwrap();
        (name[NAME.len() + 1..].to_owned(), revision)
    }

    /// Stops the pods of other templates, those that were deleted, and those that are too many.
    async fn stop(&mut self, hash: &str, deleted: &[String], wanted: usize) {
        let (mut kept, mut stopped) = (Vec::new(), Vec::new());
        for running in self.running.drain(..) {
            let stays = running.hash == hash && !deleted.contains(&running.name) && kept.len() < wanted;
            if stays { kept.push(running) } else { stopped.push(running) }
        }
        self.running = kept;
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), NAMESPACE);
        let at_once = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
        let stop = |mut running: Running| {
            let (pods, at_once, stage) = (pods.clone(), at_once.clone(), Arc::clone(&self.stage));
            async move {
                // It gets no requests any more, as after `preStop`.
                stage.leave(NAMESPACE, &running.name);
                if is_stopped(running.replica.pid().unwrap()) {
                    running.replica.kill().await;
                } else if let Ok(ended) = timeout(GRACE, running.replica.terminate()).await {
                    assert!(ended.success(), "{ended}: {}", running.replica.log_tail());
                }
                // One that did not end in time was killed when it was no longer waited for.
                pods.delete(&running.name, &at_once).await.unwrap();
            }
        };
        join_all(stopped.into_iter().map(stop)).await;
    }

    /// Starts the pods that are missing.
    async fn start(&mut self, deployment: &Deployment, hash: &str, wanted: usize) {
        let mut free: Vec<usize> = (0..self.ports.len()).collect();
        free.retain(|slot| self.running.iter().all(|running| running.slot != *slot));
        let missing = wanted.saturating_sub(self.running.len());
        let new: Vec<_> = free.into_iter().take(missing).map(|slot| self.prepared(hash, slot)).collect();
        let ports = &self.ports;
        let started = join_all(new.into_iter().map(async |mut running| {
            let address = ports[running.slot].address();
            // The one that had it before may have been killed just now.
            let is_free = async || TcpListener::bind(address).is_ok();
            until(GRACE, async || format!("{address} is in use"), is_free).await;
            running.replica.start().await;
            running.replica.ready().await;
            running
        }));
        for running in started.await {
            self.tell(deployment, &running).await;
            self.running.push(running);
        }
    }

    /// A pod that does not run yet.
    fn prepared(&mut self, hash: &str, slot: usize) -> Running {
        self.count += 1;
        let letters = ["spgqs", "x2v7d", "kq4mz", "b9wtn", "h6rjc", "zt5lf"];
        let name = format!("{NAME}-{hash}-{}{}", &letters[self.count % letters.len()][..4], self.count % 10);
        let folder = self.folder.join(&name);
        let data = folder.join("data");
        share_compiled(&data).unwrap();
        let mut variables = self.variables.clone();
        variables.insert("POD_NAME".to_owned(), name.clone());
        variables.insert("HTTP_ADDR".to_owned(), self.ports[slot].address().to_string());
        variables.insert("DATA_DIR".to_owned(), data.display().to_string());
        Running { name, hash: hash.to_owned(), replica: Replica::new(&folder, variables), slot }
    }

    /// Makes the pod's object, and puts it on the stage.
    async fn tell(&self, deployment: &Deployment, running: &Running) {
        let mut template = json!(deployment.spec.as_ref().unwrap().template);
        let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": template["metadata"].take()});
        pod["spec"] = template["spec"].take();
        pod["spec"]["nodeName"] = "node-1".into();
        pod["metadata"]["name"] = running.name.as_str().into();
        pod["metadata"]["namespace"] = NAMESPACE.into();
        pod["metadata"]["labels"]["pod-template-hash"] = running.hash.as_str().into();
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), NAMESPACE);
        pods.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
        objects::patch_status(&pods, &running.name, &objects::running("ta-bot")).await;
        self.stage.enter(&OnStage {
            namespace: NAMESPACE,
            name: &running.name,
            address: self.ports[running.slot].address(),
            log: running.replica.log_path(),
            pid: running.replica.pid().unwrap(),
            environment: running.replica.variables(),
        });
    }
}

/// Whether a process stands still, so that it would not end by itself.
fn is_stopped(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The state follows the name in parentheses.
    stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
}

/// What the Deployment's status says when everything that it asks for is there.
fn status(deployment: &Deployment, wanted: usize) -> Json {
    let condition = |kind: &str, reason: &str| {
        let now = "2026-01-01T00:00:00Z";
        json!({"type": kind, "status": "True", "reason": reason, "lastUpdateTime": now, "lastTransitionTime": now})
    };
    json!({
        "observedGeneration": deployment.metadata.generation,
        "replicas": wanted, "readyReplicas": wanted, "availableReplicas": wanted, "updatedReplicas": wanted,
        "conditions": [
            condition("Available", "MinimumReplicasAvailable"), condition("Progressing", "NewReplicaSetAvailable"),
        ],
    })
}

/// The template of a `ReplicaSet` as the Deployment has it.
fn template_of(set: &ReplicaSet) -> Json {
    let mut template = json!(set.spec.as_ref().unwrap().template);
    if let Some(labels) = template["metadata"]["labels"].as_object_mut() {
        labels.remove("pod-template-hash");
    }
    template
}
