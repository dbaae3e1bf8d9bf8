//! Stored parameters that do not fit the module: the strategy is not evaluated where they count, every door says why,
//! and one step mends it.

use std::{fs, path::Path};

use reqwest::Method;
use serde_json::{Value, json};
use ta_bot_core::Timeframe;
use ta_bot_drivers::sqlite::{Database, config::SqliteConfig};
use ta_bot_engine::settings::config_store::{Author, ConfigKey, ConfigStore as _};

use crate::{
    deployment::upload_bytes,
    service::{Service, Setup},
    support::component,
};

const CONFIG: &str = "/api/v1/strategies/versions/config";
const DEPLOYMENT: &str = "/api/v1/strategies/versions/deployment";

/// A service whose folder of strategies holds one version, which takes weights up to 20 if it is the first, or 10.
fn setup(setup: Setup, strategies: &Path, version: &str) -> Setup {
    fs::write(strategies.join("versions.wasm"), component(version)).unwrap();
    setup.with("STRATEGIES_DIR", strategies.display().to_string())
}

/// The outcome of the strategy on the newest candle of a symbol, and its error.
async fn outcome(service: &Service, symbol: &str) -> (Value, String) {
    let analysis = service.post("/api/v1/test/analyze", json!({"symbol": symbol, "timeframe": "15m"})).await;
    let found = &analysis.data()["strategies"][0];
    assert_eq!(found["strategy"], "versions", "{}", analysis.body);
    let status = if found["outcome"] == "signal" { "signal" } else { found["status"].as_str().unwrap() };
    (json!(status), found["error"]["message"].as_str().unwrap_or_default().to_owned())
}

async fn listed(service: &Service) -> Value {
    service.get("/api/v1/strategies").await.data()[0].clone()
}

/// Every door names the symbol's level, with what is stored and what is allowed.
async fn is_named_at_every_door(service: &Service) {
    let (status, error) = outcome(service, "BTCUSDT").await;
    assert_eq!(status, "misconfigured");
    let strategy = listed(service).await;
    let health = service.get("/health").await.body;
    let config = service.get(&format!("{CONFIG}/BTCUSDT")).await.data().clone();
    assert_eq!((&health["status"], &health["parameters"]["misfits"]), (&json!("degraded"), &json!(1)), "{health}");
    for (door, misfits) in [
        ("the list", &strategy["misconfigured"]),
        ("health", &health["parameters"]["misconfigured"]),
        ("the configuration", &config["misconfigured"]),
        ("the analysis", &json!([{"symbol": "BTCUSDT", "reason": error}])),
    ] {
        assert_eq!(misfits.as_array().map(Vec::len), Some(1), "{door}: {misfits}");
        assert_eq!(misfits[0]["symbol"], "BTCUSDT", "{door}: {misfits}");
        let reason = misfits[0]["reason"].as_str().unwrap();
        for words in ["stored for BTCUSDT", "weight = 15", "from 1 to 10", "Change or delete them"] {
            assert!(reason.contains(words), "{door}: {words} is missing in {reason}");
        }
    }
    // Only where they count: the strategy goes on with the others.
    assert_eq!(outcome(service, "ETHUSDT").await.0, "signal");
    assert_eq!(strategy["state"], "ready");
    assert_eq!(config["stored"]["parameters"], json!({"weight": 15}), "what is stored is shown");
}

#[tokio::test]
async fn an_upgrade_by_file_never_replaces_a_stored_parameter() {
    let strategies = tempfile::tempdir().unwrap();
    let falling = |setup: Setup| setup.with_falling("BTCUSDT", Timeframe::M15).with_falling("ETHUSDT", Timeframe::M15);
    let service = falling(setup(Setup::new(), strategies.path(), "versions_v1")).start().await;
    service.put(&format!("{CONFIG}/BTCUSDT"), json!({"weight": 15})).await.data();
    assert_eq!(outcome(&service, "BTCUSDT").await.0, "signal");
    let folder = service.end().await;
    let service = setup(Setup::in_folder(folder), strategies.path(), "versions_v2").start().await;
    is_named_at_every_door(&service).await;

    // The one step: the module that is there, together with parameters that fit it.
    let parameters = json!({"symbols": {"BTCUSDT": {"weight": 9}}});
    let body = json!({"action": "activate", "module": "bundled", "parameters": parameters, "reason": "mend"});
    let mended = service.post(DEPLOYMENT, body).await;
    let level = &mended.data()["entry"]["parameters"][0];
    assert_eq!((&level["before"], &level["parameters"]), (&json!({"weight": 15}), &json!({"weight": 9})), "{level}");
    // It holds from the next candle on; the newest one was seen already.
    assert_eq!(outcome(&service, "BTCUSDT").await.0, "misconfigured");
    assert_eq!(listed(&service).await["misconfigured"], json!([]));
    assert_eq!(service.get("/health").await.body["parameters"]["misfits"], 0);
    let stored = service.get(&format!("{CONFIG}/BTCUSDT")).await.data()["stored"].clone();
    assert_eq!(stored["parameters"], json!({"weight": 9}), "the store has it as well");
    service.end().await;
}

#[tokio::test]
async fn what_others_write_into_the_store_is_judged_too() {
    let strategies = tempfile::tempdir().unwrap();
    let service =
        setup(Setup::new(), strategies.path(), "versions_v2").with_falling("BTCUSDT", Timeframe::M15).start().await;
    let store = SqliteConfig::new(Database::open(&service.folder.path().join("data")).await.unwrap());
    let key = ConfigKey { strategy: "versions".parse().unwrap(), symbol: None };
    let author = Author { changed_by: "x".to_owned(), reason: None, at: ta_bot_core::Timestamp::now() };
    for (wrong, words) in [
        (json!({"weight": "10"}), r#"weight = "10""#),
        (json!({"weight": 10.5}), "weight = 10.5"),
        (json!({"weight": null}), "weight = null"),
        (json!({"wheight": 10}), "no such parameter; there are weight"),
        (json!({"weight": 3, "mode": "none"}), "mode"),
    ] {
        store.write(&key, wrong.as_object(), None, &author).await.unwrap();
        service.post("/api/v1/strategies/cache/refresh", json!({})).await.data();
        let (status, error) = outcome(&service, "BTCUSDT").await;
        assert!(status == "misconfigured" && error.contains(words), "{wrong}: {status} {error}");
        assert_eq!(listed(&service).await["state"], "misconfigured", "{wrong}");
    }
    service.put(CONFIG, json!({"weight": 10})).await.data();
    assert_eq!(outcome(&service, "BTCUSDT").await.0, "signal");
    assert_eq!(listed(&service).await["state"], "ready");
    service.end().await;
}

#[tokio::test]
async fn parameters_come_and_go_with_their_module() {
    let service = Setup::new().with_falling("BTCUSDT", Timeframe::M15).start().await;
    let one = upload_bytes(&service, component("versions_v1"), "admitted").await;
    let two = upload_bytes(&service, component("versions_v2"), "admitted").await;
    let activate = async |module: &str, parameters: Value| {
        service.post(DEPLOYMENT, json!({"action": "activate", "module": module, "parameters": parameters})).await
    };
    let config = async |symbol: &str| service.get(&format!("{CONFIG}{symbol}")).await.data().clone();
    activate(&one, json!({"global": {"weight": 15}, "symbols": {"BTCUSDT": {"weight": 20}}})).await.data();
    assert_eq!((&config("").await["parameters"]["weight"], &config("").await["version"]), (&json!(15), &json!(1)));

    // All of it is checked together with the module, and nothing of it is taken if a part does not fit.
    let refused = activate(&two, json!({"global": {"weight": 5}})).await;
    refused.error(422, "invalid");
    assert_eq!(refused.refused(), ["BTCUSDT weight"]);
    for (wrong, words) in [
        (json!({"all": {}}), "an object like"),
        (json!({"global": {"enabled": true}}), "enabled"),
        (json!({"symbols": {"x y": {}}}), "x y"),
        (json!(3), "an object like"),
    ] {
        let refused = activate(&two, wrong).await;
        assert!(refused.error(422, "invalid").to_string().contains(words), "{}", refused.body);
    }
    let misplaced = json!({"action": "disable", "parameters": {"global": {"weight": 5}}});
    assert_eq!(service.post(DEPLOYMENT, misplaced).await.refused(), ["parameters"]);
    assert_eq!(config("").await["parameters"]["weight"], 15);

    service.send(Method::PATCH, CONFIG, json!({"enabled": false})).await.data();
    activate(&two, json!({"global": {"weight": 5}, "symbols": {"BTCUSDT": null}})).await.data();
    assert_eq!(
        (&config("").await["stored"]["parameters"], &config("/BTCUSDT").await["stored"]),
        (&json!({"weight": 5, "enabled": false}), &json!(null))
    );
    // What is stored afterwards counts.
    service.send(Method::PATCH, CONFIG, json!({"weight": 7})).await.data();
    assert_eq!(config("").await["parameters"]["weight"], 7);
    // The way back restores what held before, and leaves the pause.
    service.post(DEPLOYMENT, json!({"action": "roll_back"})).await.data();
    assert_eq!(config("").await["stored"]["parameters"], json!({"weight": 15, "enabled": false}));
    assert_eq!(config("/BTCUSDT").await["parameters"]["weight"], 20);
    // A level that a deployment brought is gone when somebody deletes it.
    service.send(Method::DELETE, &format!("{CONFIG}/BTCUSDT"), json!({})).await.data();
    assert_eq!(config("/BTCUSDT").await["parameters"]["weight"], 15);
    let service = Setup::in_folder(service.end().await).start().await;
    let after = service.get(&format!("{CONFIG}/BTCUSDT")).await.data().clone();
    assert_eq!((&after["parameters"]["weight"], &after["misconfigured"]), (&json!(15), &json!([])), "{after}");
    service.end().await;
}
