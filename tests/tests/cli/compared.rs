//! Commands that show what another module would change, on the candles of the store and beside the module that decides.

use std::{fs, time::Duration};

use serde_json::{Value as Json, json};
use ta_bot_tests::{
    built_in::{self, Instead, changed, relabelled},
    until,
};

use crate::{
    deployments::{change, error, made, on_made_up_market},
    kept_modules::upload,
    run::{Done, Home},
};

/// Uploads bytes, admitted or not. Returns their digest.
fn upload_bytes(home: &Home, bytes: &[u8]) -> String {
    let file = home.path().join("module.wasm");
    fs::write(&file, bytes).unwrap();
    let taken = home.json(&["modules", "upload", file.to_str().unwrap()]);
    taken["digest"].as_str().unwrap().to_owned()
}

fn rsi() -> Vec<u8> {
    built_in::bytes("rsi").unwrap()
}

fn counts(of: &Json) -> [u64; 5] {
    ["agree", "added", "missed", "changed", "failed"].map(|name| of[name].as_u64().unwrap())
}

#[test]
fn a_module_is_compared_on_the_last_closed_candles() {
    let home = Home::with_candles();
    // Its index only goes up to 90, so it buys earlier and sells later.
    let eager = upload_bytes(&home, &changed(&rsi(), 100.0, Instead::Number(90.0)).unwrap());
    let compare = ["modules", "compare", "rsi", &eager[..12], "--symbol", "BTCUSDT", "--candles", "1000"];
    let compared = home.json(&[&compare[..], &["--examples", "2", "--symbol", "BTCUSDT"]].concat());
    let [agree, added, missed, changed_s, failed] = counts(&compared);
    assert_eq!(compared["compared"], agree + added + missed + changed_s + failed);
    assert!(agree > 0 && added > 0 && missed + changed_s > 0 && failed == 0, "{compared} proves little");
    assert_eq!((&compared["module"], &compared["symbols"]), (&json!(eager), &json!(1)));
    assert_eq!(compared["complete"], true);
    assert_eq!(compared["cost"]["candidate"]["evaluations"], compared["compared"]);
    let examples = compared["examples"]["added"].as_array().unwrap();
    assert!((1..=2).contains(&examples.len()), "{compared}");

    let told = home.run(compare).succeeded().stdout;
    let numbers = format!("agree {agree}, added {added}");
    for words in [&eager, &numbers, "CANDLE CLOSE", "DIFFERS IN", "P99 MS"] {
        assert!(told.contains(words), "{words:?} is not in {told}");
    }
    let shown = |example: &Json| {
        let action = example["candidate"]["signal"]["action"].as_str().unwrap();
        let close = example["candle_close"].as_str().unwrap();
        told.lines().any(|line| line.contains(close) && line.contains("added") && line.contains(action))
    };
    assert!(examples.iter().all(shown), "{told}");
    assert!(!told.contains("INCOMPLETE") && !told.contains('\u{1b}'), "{told}");

    // All scheduled symbols, with other bytes of the same code.
    let same = upload_bytes(&home, &relabelled(&rsi(), 1));
    let compared = home.json(&["modules", "compare", "rsi", &same]);
    assert_eq!((&compared["symbols"], counts(&compared)[1..].iter().sum()), (&json!(3), 0_u64), "{compared}");
    assert!(counts(&compared)[0] > 100, "{compared}");
    // A strategy that does not exist yet.
    let new = upload(&home, "versions_v1");
    let told = home.run(["modules", "compare", "versions", &new]).succeeded().stdout;
    assert!(told.contains("none yet") && told.contains("outcomes    added "), "{told}");
    // A module that fails, and that admission refused.
    let traps = upload_bytes(&home, &changed(&rsi(), 0.35, Instead::Trap).unwrap());
    let compared = home.json(&["modules", "compare", "rsi", &traps, "--candles", "1000"]);
    assert_eq!(compared["failures"]["trap"], counts(&compared)[4], "{compared}");
    let told = home.run(["modules", "compare", "rsi", &traps, "--candles", "1000"]).succeeded().stdout;
    assert!(told.contains("failures    trap ") && told.contains("error trap"), "{told}");
    assert_eq!(home.json(&["modules", "history", "rsi"])["history"], json!([]), "nothing was changed");
}

#[test]
fn what_can_not_be_compared_is_refused_with_the_reason() {
    let home = Home::with_candles();
    let same = upload_bytes(&home, &relabelled(&rsi(), 1));
    for (arguments, code, words) in [
        (&["compare", "rsi", "abcdef"][..], "unknown_module", "ta-bot modules upload"),
        (&["compare", "macd", &same], "other_strategy", "rsi, not macd"),
        (&["compare", "rsi", &same, "--symbol", "DOGEUSDT"], "unscheduled_symbol", "Scheduled are: BTCUSDT, ETHUSDT"),
        (&["shadow", "macd", &same], "other_strategy", "rsi, not macd"),
        (&["shadow", "rsi", "abcdef"], "unknown_module", "ta-bot modules upload"),
        (&["differences", "nothing"], "unknown_strategy", "macd, rsi"),
        (&["promote", "rsi"], "no_shadow", "ta-bot modules shadow"),
        (&["end-shadow", "rsi"], "no_shadow", "ta-bot modules shadow"),
    ] {
        let error = error(&home, arguments);
        assert_eq!(error["code"], code, "{arguments:?}: {error}");
        assert!(error["message"].as_str().unwrap().contains(words), "{arguments:?}: {error}");
    }
    let mut command = home.command();
    let many: Vec<String> = (0..600).map(|index| format!("S{index:03}USDT")).collect();
    command.env("SUPPORTED_SYMBOLS", many.join(",")).args(["modules", "compare", "rsi", &same, "--candles", "1000"]);
    Done::of(&mut command).failed(1, &["1000000 are the most", "fewer symbols"]);
    for (arguments, words) in [
        (&["compare", "rsi"][..], "required"),
        (&["compare", "rsi", "abc"], "6 of the first"),
        (&["compare", "rsi", &same, "--candles", "1001"], "1..=1000"),
        (&["compare", "rsi", &same, "--examples", "101"], "0..=100"),
        (&["compare", "rsi", &same, "--seconds", "0"], "1..=60"),
        (&["compare", "rsi", &same, "--symbol", "B"], "B"),
        (&["shadow", "rsi", &same, "--promote-after", "5"], "--promote-at-most"),
        (&["shadow", "rsi", &same, "--promote-at-most", "0.5"], "--promote-after"),
        (&["shadow", "rsi", &same, "--promote-after", "0", "--promote-at-most", "0"], "1..=1000000000"),
        (&["shadow", "rsi", &same, "--promote-after", "5", "--promote-at-most", "1.1"], "from 0 to 1"),
        (&["shadow", "rsi", &same, "--promote-after", "5", "--promote-at-most", "NaN"], "from 0 to 1"),
        (&["differences", "rsi", "--limit", "0"], "1..=1000"),
    ] {
        home.run([&["modules"], arguments].concat()).failed(2, &[words]);
    }
}

#[test]
fn a_shadow_begins_ends_and_is_promoted() {
    let home = Home::new();
    let (one, two) = (upload(&home, "versions_v1"), upload(&home, "versions_v2"));
    let never = home.run(["modules", "differences", "rsi"]).succeeded().stdout;
    assert!(never.contains("ta-bot modules shadow rsi DIGEST"), "{never}");
    change(&home, &["activate", "versions", &one]);
    assert_eq!(error(&home, &["shadow", "versions", &one])["code"], "decides_already");
    let terms = ["--promote-after", "5000", "--promote-at-most", "0.01"];
    let begin = [&["shadow", "versions", &two[..8]], &terms[..], &["--revision", "1", "--by", "ann"]].concat();
    assert_eq!(change(&home, &[&begin[..], &["--validate-only"]].concat())["outcome"], "valid");
    let begun = change(&home, &begin);
    let shadow = json!({"module": two, "promote_after": 5000, "promote_at_most": 0.01, "unadmitted": false});
    assert_eq!((&begun["entry"]["action"], &begun["deployment"]["shadow"]), (&json!("shadow"), &shadow));
    assert_eq!(begun["deployment"]["module"], json!(one), "it does not decide");
    let looks = home.json(&["modules", "differences", "versions"]);
    assert_eq!((&looks["shadow"]["module"], &looks["shadow"]["began_by"]), (&json!(two), &json!("ann")));
    assert_eq!((counts(&looks["shadow"]), &looks["shadow"]["ended_at"]), ([0; 5], &Json::Null));
    let told = home.run(["modules", "differences", "versions"]).succeeded().stdout;
    for words in
        [&two, "by itself after 5000 candles", "a share of 0.01 of them", "outcomes    nothing", "by ann, revision 2"]
    {
        assert!(told.contains(words), "{words:?} is not in {told}");
    }
    let told = home.run(["modules", "end-shadow", "versions"]).succeeded().stdout;
    assert!(told.contains("Done: end_shadow, revision 3") && !told.contains("shadow      "), "{told}");
    let told = home.run(["modules", "differences", "versions"]).succeeded().stdout;
    assert!(told.contains("by end_shadow"), "{told}");

    let told = home.run(["modules", "shadow", "versions", &two]).succeeded().stdout;
    assert!(told.contains(&format!("shadow      {two}\n  promotion   by hand")), "{told}");
    let table = home.run(["modules", "history", "versions"]).succeeded().stdout;
    assert!(table.contains("SHADOW") && table.matches(&two[..12]).count() >= 3, "{table}");
    let promoted = change(&home, &["promote", "versions", "--reason", "it agrees"]);
    let deployment = &promoted["deployment"];
    assert_eq!((&deployment["module"], &deployment["shadow"]), (&json!(two), &Json::Null));
    assert_eq!(change(&home, &["roll-back", "versions"])["deployment"]["module"], json!(one));

    // A module that admission refused may be a shadow, if that is asked for explicitly, but never decides.
    let traps = upload_bytes(&home, &changed(&rsi(), 0.35, Instead::Trap).unwrap());
    assert_eq!(error(&home, &["shadow", "rsi", &traps])["code"], "not_admitted");
    let thresholds = ["shadow", "rsi", &traps, "--unadmitted", "--promote-after", "5", "--promote-at-most", "0"];
    assert!(error(&home, &thresholds)["message"].as_str().unwrap().contains("leave out"));
    let told = home.run(["modules", "shadow", "rsi", &traps, "--unadmitted"]).succeeded().stdout;
    assert!(told.contains("never: admission refused it"), "{told}");
    assert_eq!(error(&home, &["promote", "rsi"])["code"], "not_admitted");
    let table = home.run(["modules", "history", "rsi"]).succeeded().stdout;
    assert!(table.contains("(unadmitted)"), "{table}");
}

#[test]
fn where_nothing_is_compared_it_says_why() {
    let home = Home::new();
    let same = upload_bytes(&home, &relabelled(&rsi(), 1));
    let told = home.run(["modules", "compare", "rsi", &same]).succeeded().stdout;
    assert!(told.contains("NOTHING was compared") && told.contains("ta-bot candles list"), "{told}");
    let new = "rsi_extreme_reversal";
    let of_hours = built_in::bytes("rsi_extreme_reversal").unwrap();
    let digest = upload_bytes(&home, &of_hours);
    let mut command = home.command();
    command.env("SUPPORTED_TIMEFRAMES", "5m").args(["modules", "compare", new, &digest]);
    let told = Done::of(&mut command).succeeded().stdout;
    assert!(told.contains("NOTHING was compared") && told.contains("no timeframe"), "{told}");
}

/// A service takes up a shadow that a command began, and a command shows the result.
#[tokio::test]
async fn a_shadow_looks_at_the_candles_of_a_service() {
    let home = Home::new();
    let (one, two) = (upload(&home, "versions_v1"), upload(&home, "versions_v2"));
    change(&home, &["activate", "versions", &one]);
    change(&home, &["shadow", "versions", &two]);
    let (_service, url) = on_made_up_market(&home);
    let looked = || home.json(&["modules", "differences", "versions", "--limit", "3"])["shadow"].clone();
    let enough = async || looked()["compared"].as_u64().is_some_and(|compared| compared >= 5);
    until(Duration::from_mins(2), async || looked().to_string(), enough).await;
    let shadow = looked();
    // One buys whenever the other one sells.
    assert_eq!((&shadow["changed"], &shadow["differing_share"]), (&shadow["compared"], &json!(1.0)), "{shadow}");
    assert_eq!(shadow["differences"].as_array().unwrap().len(), 3);
    let told = home.run(["modules", "differences", "versions"]).succeeded().stdout;
    assert!(told.contains("buy 0.80") && told.contains("sell 0.80") && told.contains("action"), "{told}");
    let signals = made(&url).await;
    assert!(!signals.is_empty() && signals.iter().all(|(digest, _)| *digest == one), "a shadow publishes nothing");

    change(&home, &["promote", "versions"]);
    let decides = async || made(&url).await.first().is_some_and(|(digest, _)| *digest == two);
    until(Duration::from_mins(2), async || format!("{:?}", made(&url).await), decides).await;
    assert_eq!(looked()["ended_by_action"], "promote");
}
