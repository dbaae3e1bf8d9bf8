use std::time::Duration;

use ta_bot_core::ModuleDigest;
use ta_bot_drivers::sqlite::{Database, costs::SqliteCosts};
use ta_bot_engine::supervision::costs::{
    Cost, CostEntry, CostStore as _,
    contract::{entry, hour},
};

use crate::run::Home;

#[tokio::test]
async fn costs_are_listed_the_most_expensive_first() {
    let home = Home::new();
    let empty = home.run(["costs"]).succeeded().stdout;
    assert!(empty.contains("No job was looked at since"), "{empty}");
    assert_eq!(home.json(&["costs"])["costs"], serde_json::json!([]));

    let store = SqliteCosts::new(Database::open(&home.data_dir()).await.unwrap());
    let took = |millis: u64, signals: u64, entry: CostEntry| {
        let cost = Cost { evaluations: 4, signals, total: Duration::from_millis(millis), ..entry.cost };
        CostEntry { cost, ..entry }
    };
    let entries = [
        took(10, 0, entry(0, "macd", b"macd", "BTCUSDT", 1)),
        took(30, 3, entry(0, "rsi", b"rsi", "BTCUSDT", 1)),
        took(20, 2, entry(1, "rsi", b"rsi", "ETHUSDT", 1)),
    ];
    store.add(&entries).await.unwrap();
    let since = hour(0).to_string();
    let all = home.json(&["costs", "--since", &since]);
    let field = |name: &str| all["costs"].as_array().unwrap().iter().map(|cost| cost[name].clone()).collect::<Vec<_>>();
    assert_eq!(field("strategy"), ["rsi", "macd"]);
    assert_eq!(field("total_ms"), [50.0, 10.0]);
    assert_eq!(field("ms_per_signal"), [10.0.into(), serde_json::Value::Null]);
    assert_eq!(all["since"], since);

    let text = home.run(["costs", "--since", &since, "--by", "module"]).succeeded().stdout;
    let digest = ModuleDigest::of(b"rsi");
    let rows: Vec<Vec<&str>> = text.lines().skip(3).map(|line| line.split_whitespace().take(4).collect()).collect();
    assert_eq!(rows[0], ["rsi", &digest.short(), "8", "5"], "{text}");
    assert_eq!(rows[1][0], "macd", "{text}");
    assert!(!text.contains('\u{1b}'));

    let digest = digest.to_string();
    let query = ["costs", "--by", "symbol", "--module", &digest, "--since", &since, "--limit", "1"];
    let one = home.json(&query);
    assert_eq!((&one["costs"][0]["symbol"], one["costs"].as_array().unwrap().len()), (&"BTCUSDT".into(), 1));
}

#[test]
fn what_makes_no_sense_is_wrong_usage() {
    let home = Home::new();
    for (option, value) in
        [("--by", "timeframe"), ("--limit", "0"), ("--since", "yesterday"), ("--module", "abc"), ("--symbol", "B")]
    {
        home.run(["costs", option, value]).failed(2, &[option, value]);
    }
}
