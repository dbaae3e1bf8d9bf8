//! The commands for failures if there are none. The tests `failures` list and download those of a service.

use serde_json::json;

use crate::run::Home;

#[test]
fn where_nothing_failed_there_is_nothing_to_take_home() {
    let home = Home::new();
    assert_eq!(home.json(&["failures", "list"])["failures"], json!([]));
    let none = home.run(["failures", "list", "--strategy", "rsi"]).succeeded().stdout;
    assert!(none.contains("There is no failure, or none of the strategy"), "{none}");
    let id = "ab".repeat(32);
    let output = home.path().join("bundle.json").display().to_string();
    let download = ["failures", "download", &id, "--output", &output];
    home.run(download).failed(1, &["there is no failure", "ta-bot failures list"]);
    assert!(!home.path().join("bundle.json").exists());
    home.run(["failures", "download", "abc", "--output", &output]).failed(2, &["abc"]);
    home.run(["failures", "list", "--module", "abcdef"]).failed(1, &["there is no module abcdef"]);
    home.run(["failures", "list", "--limit", "1001"]).failed(2, &["1..=1000"]);
}
