//! Modules that are put to work by commands beside the replicas, as with `kubectl exec`.

use std::time::Duration;

use ta_bot_tests::{root, until};

use crate::configuration::fleet;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_a_command_activates_decides_on_every_replica() {
    // Their configuration is kept for an hour, so that only the bus can have told them.
    let fleet = fleet(3600).await;
    let module = root().join("target/components/versions_v1.wasm").display().to_string();
    let taken = fleet.replicas[0].run(&["modules", "upload", &module, "--by", "ann"]).await;
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
    let back = fleet.replicas[2].run(&["modules", "disable", "versions", "--revision", &revision.to_string()]).await;
    assert_eq!(back["deployment"]["enabled"], false, "{back}");
    let history = fleet.replicas[0].run(&["modules", "history", "versions"]).await;
    assert_eq!(history["history"].as_array().map(Vec::len), Some(2), "{history}");
}
