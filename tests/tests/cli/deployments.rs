//! Commands that change which module decides, on the store of a service.

use std::{path::Path, time::Duration};

use serde_json::{Map, Value as Json, json};
use ta_bot_core::Timestamp;
use ta_bot_drivers::sqlite::{Database, config::SqliteConfig};
use ta_bot_engine::settings::config_store::{Author, ConfigKey, ConfigStore as _};
use ta_bot_tests::until;

use crate::{
    kept_modules::{component, upload},
    run::{Done, Home},
    serve::{Service, get},
};

pub(crate) fn change(home: &Home, arguments: &[&str]) -> Json {
    let done = home.run([&["modules"], arguments, &["--json"]].concat());
    done.succeeded().json()
}

pub(crate) fn error(home: &Home, arguments: &[&str]) -> Json {
    let done = home.run([&["modules"], arguments, &["--json"]].concat());
    assert_eq!(done.code, Some(1), "{done:?}");
    done.json()["error"].clone()
}

/// The history of a strategy, newest first.
fn history(home: &Home, strategy: &str) -> Vec<Json> {
    home.json(&["modules", "history", strategy])["history"].as_array().unwrap().clone()
}

#[test]
fn modules_are_activated_and_rolled_back() {
    let home = Home::with_candles();
    let (one, two) = (upload(&home, "versions_v1"), upload(&home, "versions_v2"));
    home.run(["modules", "history", "versions"]).failed(1, &["there is no strategy versions", "macd, rsi"]);
    let valid = home.run(["modules", "activate", "versions", &one, "--validate-only"]).succeeded().stdout;
    assert!(valid.contains("Nothing speaks against it"), "{valid}");
    assert_eq!(change(&home, &["activate", "versions", &one, "--validate-only"])["outcome"], "valid");
    home.run(["modules", "history", "versions"]).failed(1, &["there is no strategy versions"]);

    let told = home.run(["modules", "activate", "versions", &one, "--reason", "new", "--by", "ann"]).succeeded().stdout;
    for words in ["versions 1.0.0", &one, "Done: activate, revision 1", "enabled     yes"] {
        assert!(told.contains(words), "{words:?} is not in {told}");
    }
    let listed = home.json(&["candles", "list"])["series"].as_array().unwrap().clone();
    let newest: Timestamp =
        listed.iter().map(|series| series["last_open"].as_str().unwrap().parse().unwrap()).max().unwrap();
    let first = &history(&home, "versions")[0];
    let from: Timestamp = first["decides_from"].as_str().unwrap().parse().unwrap();
    assert!(from > newest, "{from} is not after {newest}");
    assert_eq!((&first["changed_by"], &first["reason"]), (&json!("ann"), &json!("new")));

    assert_eq!(change(&home, &["activate", "versions", &one])["outcome"], "unchanged");
    let second = change(&home, &["activate", "versions", &two[..10], "--revision", "1"]);
    assert_eq!((&second["outcome"], &second["deployment"]["version"]), (&json!("changed"), &json!("2.0.0")));
    let back = change(&home, &["roll-back", "versions"]);
    assert_eq!((&back["deployment"]["module"], &back["entry"]["action"]), (&json!(one), &json!("roll_back")));
    let forth = change(&home, &["roll-back", "versions", "--to", "2"]);
    assert_eq!((&forth["deployment"]["module"], &forth["deployment"]["revision"]), (&json!(two), &json!(4)));

    let told: Vec<Json> = history(&home, "versions").iter().map(|entry| entry["module"].clone()).collect();
    assert_eq!(told, [&two, &one, &two, &one].map(|module| json!(module)));
    let table = home.run(["modules", "history", "versions", "--limit", "2"]).succeeded().stdout;
    assert!(table.contains("FROM CANDLE CLOSE") && table.contains(&two[..12]), "{table}");
    assert_eq!(table.matches("roll_back").count(), 2, "{table}");
}

#[test]
fn a_strategy_is_taken_out_and_put_in_under_the_user_s_name() {
    let home = Home::new();
    let untouched = home.run(["modules", "history", "rsi"]).succeeded().stdout;
    assert!(untouched.contains("Nothing was ever changed") && untouched.contains("the bundled one"), "{untouched}");
    let mut command = home.command();
    let done = Done::of(command.env("USER", "ann").args(["modules", "disable", "rsi", "--json"])).succeeded().json();
    assert_eq!((&done["deployment"]["enabled"], &done["deployment"]["bundled"]), (&json!(false), &json!(true)));
    assert_eq!(change(&home, &["disable", "rsi"])["outcome"], "unchanged");
    let enabled = change(&home, &["enable", "rsi", "--by", " "]);
    let by: Vec<Json> = history(&home, "rsi").iter().map(|entry| entry["changed_by"].clone()).collect();
    assert_eq!((&enabled["deployment"]["enabled"], by), (&json!(true), vec![json!("cli"), json!("ann")]));
    assert_eq!(error(&home, &["lift", "rsi"])["code"], "not_quarantined");
    assert_eq!(error(&home, &["roll-back", "rsi"])["code"], "unknown_version");
}

#[test]
fn what_can_not_be_deployed_is_refused_with_the_reason() {
    let home = Home::new();
    assert_eq!(home.run(["modules", "upload", &component("faulty_keeps_state"), "--json"]).code, Some(1));
    let refused = home.json(&["modules", "list"])["modules"][0]["digest"].as_str().unwrap().to_owned();
    let one = upload(&home, "versions_v1");
    for (arguments, code, words) in [
        (&["activate", "keeps_state", &refused][..], "not_admitted", "ta-bot modules show"),
        (&["activate", "rsi", &one], "other_strategy", "versions, not rsi"),
        (&["activate", "versions", &"ab".repeat(32)], "unknown_module", "ta-bot modules upload"),
        (&["activate", "versions", "abcdef"], "unknown_module", "ta-bot modules upload"),
        (&["activate", "versions", "bundled"], "not_bundled", "by its digest"),
        (&["enable", "versions"], "unknown_strategy", "activate a module"),
        (&["disable", "rsi", "--revision", "3"], "version_conflict", "is 0, not 3"),
        (&["roll-back", "rsi", "--to", "7"], "unknown_version", "no entry 7"),
    ] {
        let error = error(&home, arguments);
        assert_eq!(error["code"], code, "{arguments:?}: {error}");
        assert!(error["message"].as_str().unwrap().contains(words), "{arguments:?}: {error}");
    }
    let conflict = error(&home, &["disable", "rsi", "--revision", "3"]);
    assert_eq!(conflict["details"], json!({"expected_version": 3, "current_version": 0}));
    let long = "x".repeat(2001);
    for (arguments, words) in [
        (&["activate", "rsi", "Bundled"][..], "or bundled"),
        (&["activate", "rsi"], "required"),
        (&["activate", "No!", "bundled"], "No!"),
        (&["disable", "rsi", "--revision", "-1"], "-1"),
        (&["disable", "rsi", "--reason", &long], "at most 2000"),
        (&["history", "rsi", "--limit", "0"], "1..=1000"),
    ] {
        home.run([&["modules"], arguments].concat()).failed(2, &[words]);
    }
    assert!(history(&home, "rsi").is_empty());

    // Without the bundled modules it is not known which module decides.
    let mut command = home.command();
    command.env("STRATEGIES_DIR", home.path().join("absent")).args(["modules", "disable", "rsi"]);
    Done::of(&mut command).failed(1, &["STRATEGIES_DIR", "can't be read"]);
    // A service may be started without any; then there are only the uploaded ones.
    let empty = home.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let alone = |arguments: &[&str]| {
        let mut command = home.command();
        Done::of(command.env("STRATEGIES_DIR", &empty).arg("modules").args(arguments))
    };
    alone(&["disable", "rsi"]).failed(1, &["there is no strategy rsi"]);
    alone(&["activate", "versions", &one]).succeeded();
}

async fn store(data_dir: &Path, symbol: Option<&str>, weight: i64) {
    let store = SqliteConfig::new(Database::open(data_dir).await.unwrap());
    let key = ConfigKey { strategy: "versions".parse().unwrap(), symbol: symbol.map(|symbol| symbol.parse().unwrap()) };
    let parameters = Map::from_iter([("weight".to_owned(), json!(weight))]);
    let author = Author { changed_by: "test".to_owned(), claimed_by: None, reason: None, at: Timestamp::now() };
    store.write(&key, Some(&parameters), None, &author).await.unwrap();
}

#[tokio::test]
async fn parameters_that_no_longer_fit_are_named() {
    let home = Home::new();
    let (one, two) = (upload(&home, "versions_v1"), upload(&home, "versions_v2"));
    change(&home, &["activate", "versions", &one]);
    store(&home.data_dir(), None, 15).await;
    store(&home.data_dir(), Some("ETHUSDT"), 20).await;
    let refused = home.run(["modules", "activate", "versions", &two]);
    refused.failed(1, &["2 of the stored parameters", "\nweight: 15 is stored", "\nETHUSDT weight: 20 is stored"]);
    let refused = error(&home, &["activate", "versions", &two, "--validate-only"]);
    assert_eq!((&refused["code"], &refused["details"][1]["parameter"]), (&json!("invalid"), &json!("ETHUSDT weight")));
    store(&home.data_dir(), None, 10).await;
    store(&home.data_dir(), Some("ETHUSDT"), 10).await;
    assert_eq!(change(&home, &["activate", "versions", &two])["outcome"], "changed");
}

#[test]
fn of_two_that_change_the_same_at_once_one_is_told_so() {
    let home = Home::new();
    home.run(["modules", "history", "rsi"]).succeeded();
    let actions = ["disable", "enable", "disable", "enable"];
    let started = actions.map(|action| {
        let mut command = home.command();
        command.args(["modules", action, "rsi", "--revision", "0", "--json"]);
        std::thread::spawn(move || Done::of(&mut command))
    });
    let done = started.map(|done| done.join().unwrap());
    let changed = done.iter().filter(|done| done.code == Some(0)).count();
    let told = done.iter().filter(|done| done.code == Some(1)).map(|done| done.json()["error"]["code"].clone());
    assert_eq!((changed, told.collect::<Vec<_>>()), (1, vec![json!("version_conflict"); 3]), "{done:?}");
    assert_eq!(history(&home, "rsi").len(), 1);
}

/// A service on a made-up market of one symbol that closes five times a second, and its URL. The service does not learn
/// of a deployment by the clock, only because a commit is left out after the change.
pub(crate) fn on_made_up_market(home: &Home) -> (Service, String) {
    let mut command = home.command();
    command
        .env("SUPPORTED_SYMBOLS", "BTCUSDT")
        .env("SUPPORTED_TIMEFRAMES", "1m")
        .env("ENABLED_STRATEGIES", "")
        .env("CONFIG_CACHE_TTL_SECONDS", "86400");
    let mut service = Service::of(command, &["--simulate", "--simulate-every-ms", "200", "--json"]);
    let answer: Json = serde_json::from_str(&service.until("}")).unwrap();
    (service, answer["url"].as_str().unwrap().to_owned())
}

/// The digests of the modules that made the signals of `versions`, newest first, and the closes of their candles.
pub(crate) async fn made(url: &str) -> Vec<(String, Timestamp)> {
    let answer: Json = get(&format!("{url}/api/v1/signals?strategy=versions")).await.json().await.unwrap();
    let provenance = |signal: &Json| {
        let provenance = &signal["message"]["metadata"]["provenance"];
        let close = Timestamp::from_millis(provenance["candle_close"].as_i64().unwrap());
        (provenance["module_digest"].as_str().unwrap().to_owned(), close)
    };
    answer["data"].as_array().unwrap().iter().map(provenance).collect()
}

/// A service decides by what was deployed before it started, and by what is deployed beside it while it runs.
#[tokio::test]
async fn a_service_on_the_same_folder_follows() {
    let home = Home::new();
    let (one, two) = (upload(&home, "versions_v1"), upload(&home, "versions_v2"));
    change(&home, &["activate", "versions", &one]);
    let (_service, url) = on_made_up_market(&home);
    let newest = async || made(&url).await.first().map(|(digest, _)| digest.clone());
    let is_made_by = async |digest: &str| {
        until(
            Duration::from_mins(2),
            async || format!("{:?}", made(&url).await),
            async || newest().await.is_some_and(|newest| newest == digest),
        )
        .await;
    };
    is_made_by(&one).await;
    let changed = change(&home, &["activate", "versions", &two]);
    is_made_by(&two).await;
    change(&home, &["roll-back", "versions"]);
    is_made_by(&one).await;

    let from: Timestamp = changed["entry"]["decides_from"].as_str().unwrap().parse().unwrap();
    let made = made(&url).await;
    let before = made.iter().filter(|(_, close)| *close < from);
    assert!(before.clone().count() > 0 && before.clone().all(|(digest, _)| *digest == one), "{from}: {made:?}");
    let disabled = change(&home, &["disable", "versions"]);
    assert_eq!(disabled["deployment"]["enabled"], false);
}
