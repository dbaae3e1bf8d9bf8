use std::{fs, time::Duration};

use serde_json::json;
use ta_bot_tests::strategies_dir;

use crate::{
    run::{Done, Home},
    serve::Service,
};

#[test]
fn strategies_are_listed_and_shown() {
    let home = Home::new();
    let text = home.run(["strategies", "list"]).succeeded().stdout;
    assert!(text.starts_with("ID ") && text.contains("\nrsi "), "{text}");
    let list = home.json(&["strategies", "list"]);
    let rsi = list["strategies"].as_array().unwrap().iter().find(|row| row["id"] == "rsi").unwrap();
    assert_eq!((&rsi["enabled"], &rsi["lookback"], &rsi["parameter_count"]), (&true.into(), &250.into(), &4.into()));
    let text = home.run(["strategies", "show", "rsi"]).succeeded().stdout;
    assert!(text.contains("a whole number from 2 to 200") && text.contains("lookback    250 candles"), "{text}");
    let shown = home.json(&["strategies", "show", "rsi"]);
    let period = shown["parameters"].as_array().unwrap().iter().find(|row| row["name"] == "period").unwrap();
    assert_eq!((&period["default"], &period["origin"]), (&14.into(), &"default".into()));
    assert_eq!(shown["warnings"], serde_json::json!([]));
}

/// A symbol's own level, the one of all symbols, and the defaults, each named.
#[tokio::test]
async fn the_parameters_of_a_symbol_say_which_level_they_come_from() {
    let home = Home::new();
    let mut service = Service::start(&home, &["--json"]);
    let said: serde_json::Value = serde_json::from_str(&service.until("}")).unwrap();
    let config = format!("{}/api/v1/strategies/rsi/config", said["url"].as_str().unwrap());
    for (path, name, value) in [("", "oversold", 25), ("/BTCUSDT", "period", 10)] {
        let body = json!({"parameters": {name: value}, "changed_by": "ann", "reason": "a try"});
        let set = || reqwest::Client::new().patch(format!("{config}{path}")).json(&body).send();
        // The modules may still be loading.
        while set().await.unwrap().status() == 503 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let origins = |arguments: &[&str]| {
        let shown = home.json(arguments);
        let rows = shown["parameters"].as_array().unwrap().clone();
        let of = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap()["origin"].clone();
        ["period", "oversold", "overbought"].map(of)
    };
    let show = ["strategies", "show", "rsi", "--symbol", "BTCUSDT"];
    assert_eq!(origins(&show), ["symbol", "global", "default"]);
    assert_eq!(origins(&show[..3]), ["default", "global", "default"]);
    let text = home.run(show).succeeded().stdout;
    assert!(text.contains("On BTCUSDT:") && text.contains("LEVEL"), "{text}");
}

#[test]
fn an_empty_list_of_enabled_strategies_enables_none() {
    let home = Home::with_candles();
    let mut list = home.command();
    let list = Done::of(list.env("ENABLED_STRATEGIES", "").args(["strategies", "list", "--json"])).json();
    assert!(list["strategies"].as_array().unwrap().iter().all(|row| row["enabled"] == false), "{list}");
    let mut analyze = home.command();
    let done = Done::of(analyze.env("ENABLED_STRATEGIES", "").args(["analyze", "BTCUSDT", "15m"])).succeeded();
    assert!(done.stdout.contains("No strategy that is enabled"), "{done:?}");
}

#[test]
fn an_unknown_strategy_and_an_empty_folder_are_said_with_what_to_do() {
    let home = Home::new();
    home.run(["strategies", "show", "rsj"]).failed(1, &["no strategy rsj", "macd", "rsi"]);
    let folder = home.path().join("strategies");
    let list = ["strategies", "list", "--strategies-dir", folder.to_str().unwrap()];
    home.run(list).failed(1, &["can't be read", "make strategies"]);
    fs::create_dir(&folder).unwrap();
    home.run(list).failed(1, &["holds no *.wasm", "make strategies"]);
    assert_eq!(home.json(&list)["error"]["code"], "no_strategies");
}

#[test]
fn a_broken_module_does_not_hide_the_others() {
    let home = Home::new();
    let folder = home.path().join("strategies");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("broken.wasm"), "text").unwrap();
    let list = ["strategies", "list", "--strategies-dir", folder.to_str().unwrap()];
    home.run(list).failed(1, &["none of the strategies can be used", "broken.wasm"]);
    fs::copy(strategies_dir().join("rsi.wasm"), folder.join("rsi.wasm")).unwrap();
    let done = home.run(list).succeeded();
    assert!(done.stdout.contains("rsi") && done.stderr.contains("not available"), "{done:?}");
    assert_eq!(home.json(&list)["problems"].as_array().unwrap().len(), 1);
}

/// What the image does when it is built, and what a new installation has of it.
#[test]
fn strategies_that_are_compiled_into_a_folder_are_ready_with_an_empty_volume() {
    let home = Home::new();
    let folder = home.path().join("compiled");
    let compile = ["strategies", "compile", "--output", folder.to_str().unwrap()];
    let told = home.run(compile).succeeded().stdout;
    assert!(told.starts_with("2 modules are compiled in"), "{told}");
    home.run(compile).failed(1, &["can't be written"]);
    let list = |compiled: &str| {
        let mut list = home.command();
        Done::of(list.env("COMPILED_DIR", compiled).env("LOG_LEVEL", "info").args(["strategies", "list"])).succeeded()
    };
    let done = list(folder.to_str().unwrap());
    assert!(done.stdout.contains("\nrsi ") && done.stderr.contains("modules are compiled already"), "{done:?}");
    let kept = fs::read_dir(home.data_dir().join("compiled")).unwrap().count();
    assert_eq!(kept, 0, "nothing was compiled");
    // A folder that is not there costs the time to compile, and is said.
    let done = list("/no/such/folder");
    assert!(done.stdout.contains("\nrsi ") && done.stderr.contains("COMPILED_DIR is not used"), "{done:?}");
    assert_eq!(fs::read_dir(home.data_dir().join("compiled")).unwrap().count(), 2);
}
