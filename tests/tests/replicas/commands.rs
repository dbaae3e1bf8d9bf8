//! Modules are deployed by commands that run beside the replicas, as with `kubectl exec`.

use std::time::Duration;

use serde_json::{Value as Json, json};
use ta_bot_tests::{
    replicas::{Fleet, Replica},
    root, until,
};

use crate::configuration::fleet;

/// How long each step may take.
const PATIENCE: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_a_command_activates_decides_on_every_replica() {
    // The replicas cache their configuration for an hour, so only the bus can have told them.
    let mut fleet = fleet(3600).await;
    let taken = upload(&fleet.replicas[0], "versions_v1").await;
    assert_eq!((&taken["state"], &taken["is_new"]), (&"admitted".into(), &true.into()), "{taken}");
    let digest = taken["digest"].as_str().unwrap();
    let seen = fleet.replicas[2].get(&format!("/api/v1/modules/{digest}")).await;
    assert_eq!((&seen["data"]["state"], &seen["data"]["uploaded_by"]), (&"admitted".into(), &"ann".into()), "{seen}");

    let changed = fleet.replicas[1].run(&["modules", "activate", "versions", &digest[..12]]).await;
    assert_eq!(changed["outcome"], "changed", "{changed}");
    let revision = changed["entry"]["revision"].clone();
    for replica in &fleet.replicas {
        let deployed = async || replica.get("/api/v1/strategies/versions/deployment").await["data"].clone();
        until(
            PATIENCE,
            async || format!("{}\n{}", deployed().await, fleet.logs()),
            async || {
                let deployed = deployed().await;
                deployed["module"] == digest && deployed["revision"] == revision && deployed["version"] == "1.0.0"
            },
        )
        .await;
    }
    looks_on_every_replica(&fleet, digest).await;
    let revision = fleet.replicas[0].run(&["modules", "history", "versions"]).await["revision"].clone();
    let back = fleet.replicas[2].run(&["modules", "disable", "versions", "--revision", &revision.to_string()]).await;
    assert_eq!(back["deployment"]["enabled"], false, "{back}");
    has_it_after_a_restart_without_mongodb(&mut fleet, 1, digest).await;
    let history = fleet.replicas[0].run(&["modules", "history", "versions"]).await;
    assert_eq!(history["history"].as_array().map(Vec::len), Some(4), "{history}");
}

async fn upload(replica: &Replica, component: &str) -> Json {
    let module = root().join(format!("target/components/{component}.wasm")).display().to_string();
    replica.run(&["modules", "upload", &module, "--by", "ann"]).await
}

/// A replica that starts while MongoDB, which has the bytes of modules, is away still has the modules that it had
/// before.
async fn has_it_after_a_restart_without_mongodb(fleet: &mut Fleet, index: usize, digest: &str) {
    let copies = || fleet.replicas[index].files("modules");
    let copy = format!("{digest}.wasm");
    until(PATIENCE, async || format!("{:?}", copies()), async || copies().contains(&copy)).await;
    fleet.mongo.kill().unwrap();
    fleet.replicas[index].kill().await;
    fleet.replicas[index].start().await;
    let replica = &fleet.replicas[index];
    let deployed = async || replica.get("/api/v1/strategies/versions/deployment").await["data"].clone();
    let is_installed = async || {
        let deployed = deployed().await;
        // A version is only reported for an installed module.
        deployed["module"] == digest && deployed["version"] == "1.0.0"
    };
    until(PATIENCE, async || format!("{}\n{}", deployed().await, fleet.logs()), is_installed).await;
    assert_eq!(replica.get("/health").await["mongodb"]["status"], "disconnected");
    fleet.mongo.restart().await.unwrap();
}

/// Another version is compared, becomes the shadow on every replica, and then is no shadow any more.
async fn looks_on_every_replica(fleet: &Fleet, incumbent: &str) {
    let taken = upload(&fleet.replicas[2], "versions_v2").await;
    let candidate = taken["digest"].as_str().unwrap();
    let compared = fleet.replicas[0].run(&["modules", "compare", "versions", candidate, "--candles", "5"]).await;
    assert_eq!(
        (&compared["incumbent"], &compared["changed"]),
        (&json!(incumbent), &compared["compared"]),
        "{compared}"
    );
    assert!(compared["compared"].as_u64() > Some(0), "{compared}");
    fleet.replicas[1].run(&["modules", "shadow", "versions", candidate]).await;
    for replica in &fleet.replicas {
        let seen = async || replica.get("/api/v1/strategies/versions/shadow").await["data"]["shadow"].clone();
        until(PATIENCE, async || fleet.logs(), async || seen().await["module"] == candidate).await;
    }
    let told = fleet.replicas[2].run(&["modules", "differences", "versions"]).await;
    assert_eq!((&told["shadow"]["module"], &told["shadow"]["ended_at"]), (&json!(candidate), &Json::Null), "{told}");
    fleet.replicas[0].run(&["modules", "end-shadow", "versions"]).await;
    for replica in &fleet.replicas {
        let ended = async || replica.get("/api/v1/strategies/versions/shadow").await["data"]["shadow"].clone();
        until(PATIENCE, async || fleet.logs(), async || ended().await["ended_by_action"] == "end_shadow").await;
    }
}
