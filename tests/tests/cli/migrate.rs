//! `ta-bot migrate` on servers as the older service leaves them: what it says, what it writes, a week of candles that
//! is decided as it said, and the way back.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::run::Done;

mod older;
mod streams;
mod week;

use older::Older;

/// A row of the plan.
fn level<'a>(plan: &'a Json, strategy: &str, symbol: Option<&str>) -> &'a Json {
    let levels = plan["levels"].as_array().unwrap();
    let found = levels.iter().find(|level| level["strategy"] == strategy && level["symbol"] == json!(symbol));
    found.unwrap_or_else(|| panic!("{strategy} {symbol:?} is not in {plan:#}"))
}

/// What a level's parameters mean, by name.
fn meanings(level: &Json) -> BTreeMap<&str, &str> {
    let parameters = level["parameters"].as_array().unwrap().iter();
    parameters.map(|one| (one["name"].as_str().unwrap(), one["meaning"].as_str().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_plan_says_of_an_older_service_is_what_is_decided() {
    let older = Older::start().await;
    let before = older.everything().await;
    let plan = older.run(&["migrate", "plan"]);
    assert_eq!(plan.code, Some(1), "a level is stopped: {plan:?}");
    is_told(&plan.json());
    is_printed(&older.run_for_people(&["migrate"]));
    assert_eq!(older.run(&["migrate", "apply"]).code, Some(1));
    assert_eq!(older.everything().await, before, "nothing was changed");

    let applied = older.run(&["migrate", "apply", "--yes", "--by", "ann"]);
    assert_eq!(applied.code, Some(1), "one level is for an operator to decide: {applied:?}");
    is_written(&applied.json());
    let after = older.configuration().await;
    let again = older.run(&["migrate", "apply", "--yes"]);
    assert_eq!(again.json()["written"], json!([]), "{again:?}");
    assert_eq!(older.configuration().await, after, "a second time changes nothing");

    let plan = older.run(&["migrate", "plan"]).json();
    week::is_decided_as(&older, &plan).await;
    older.stream_is_as(&older.run(&["migrate", "plan"]).json()["stream"]).await;
    goes_back(&older, &before).await;
}

/// The plan names every level and setting with what it means.
fn is_told(plan: &Json) {
    let levels = plan["levels"].as_array().unwrap();
    let in_state = |state: &str| levels.iter().filter(|level| level["state"] == state).count();
    let states = ["left_out", "stopped", "runs", "no_module"].map(in_state);
    assert_eq!(states, [older::BY_ITSELF, 4, 1, 1], "{plan:#}");
    for (strategy, symbol, state, step, wanted) in [
        (
            "shooting_star_reversal",
            None,
            "stopped",
            "write",
            json!({
                "upper_shadow_ratio_threshold": "counts", "shadow_ratio_threshold": "unknown",
                "trend_confirmation_periods": "unknown", "base_confidence": "counts",
            }),
        ),
        ("shooting_star_reversal", Some("ETHUSDT"), "stopped", "follows", json!({"base_confidence": "counts"})),
        (
            "range_break_pop",
            None,
            "runs",
            "nothing",
            json!({"atr_period": "counts", "stop_candles": "counts", "min_data_points": "same"}),
        ),
        (
            "range_break_pop",
            Some("BTCUSDT"),
            "stopped",
            "write",
            json!({"stop_buffer": "counts", "volume_confirmation_multiplier": "unknown", "momentum_candles": "does_not_fit"}),
        ),
        ("ema_pullback_continuation", None, "stopped", "decide", json!({"ema_fast": "counts", "ema_slow": "same"})),
        ("grid_bot", None, "no_module", "nothing", json!({"step": "unknown"})),
    ] {
        let level = level(plan, strategy, symbol);
        assert_eq!((&level["state"], &level["step"]), (&json!(state), &json!(step)), "{level:#}");
        assert_eq!(json!(meanings(level)), wanted, "{level:#}");
    }
    let by_itself = meanings(level(plan, "bear_trap_buy", None));
    assert_eq!(by_itself["a_threshold_of_the_older_service"], "unknown", "{by_itself:?}");
    let decide = level(plan, "ema_pullback_continuation", None)["decide"].as_str().unwrap();
    assert!(decide.contains("ema_fast"), "{decide}");
    let settings = plan["settings"].as_array().unwrap();
    let meaning = |name: &str| settings.iter().find(|setting| setting["name"] == name).unwrap().clone();
    assert_eq!(meaning("candle_periods")["left_out"][0][0], "1M");
    assert_eq!(meaning("enabled_strategies")["left_out"][0][0], "grid_bot");
    for (name, word) in [("max_positions", "ignored"), ("position_sizes", "ignored"), ("min_confidence", "counts")] {
        assert_eq!(meaning(name)["meaning"], word, "{name}");
    }
    assert_eq!(plan["not_enabled"], json!(["macd", "rsi"]));
    assert_eq!((&plan["tables"]["older_signals"], &plan["tables"]["has_own"]), (&json!(3), &json!(false)));
    assert_eq!((&plan["stream"]["step"], &plan["stream"]["copies"][0][0]), (&json!("make"), &json!(older::INTENTS)));
}

/// The table for people says the same.
fn is_printed(done: &Done) {
    for words in [
        "shooting_star_reversal",
        "written again, with 2 of 4",
        "left out; would count",
        "yours to decide",
        "counts without \"1M\"",
        "there is no such setting here",
        "3 rows of an older service",
        "ta-bot migrate apply --yes\" writes again: 2",
        "stop their strategy: 4",
    ] {
        assert!(done.stdout.contains(words), "{words:?} is not in\n{}", done.stdout);
    }
    // docs/migrating.md shows a part of it.
    println!("{}", done.stdout);
}

/// What was written is what fits, and nothing else.
fn is_written(applied: &Json) {
    let written = applied["written"].as_array().unwrap();
    let of = |entry: &Json| (entry["strategy"].clone(), entry["symbol"].clone(), entry["parameters"].clone());
    assert_eq!(
        written.iter().map(of).collect::<Vec<_>>(),
        [
            (json!("range_break_pop"), json!("BTCUSDT"), json!({"stop_buffer": 0.02})),
            (
                json!("shooting_star_reversal"),
                json!(null),
                json!({"upper_shadow_ratio_threshold": 2.0, "base_confidence": 0.61})
            ),
        ]
    );
    for (strategy, symbol) in [
        ("shooting_star_reversal", None),
        ("shooting_star_reversal", Some("ETHUSDT")),
        ("range_break_pop", Some("BTCUSDT")),
    ] {
        assert_eq!(level(applied, strategy, symbol)["state"], "runs", "{applied:#}");
    }
    assert_eq!(applied["stopped"], 1, "{applied:#}");
}

/// The way back names what was changed, and puts the documents back exactly.
async fn goes_back(older: &Older, before: &older::Everything) {
    let told = older.run(&["migrate", "back"]).succeeded().json();
    let levels = told["levels"].as_array().unwrap();
    assert_eq!((levels.len(), &levels[0]["changed_by"], &levels[0]["reason"]), (2, &json!("ann"), &json!("migrate")));
    assert_eq!(levels[0]["document"]["parameters"], levels[0]["before"], "{told:#}");
    assert_eq!(levels[0]["document"]["metadata"], json!({"created_by": "llm", "reason": "volatile"}), "{told:#}");
    let people = older.run_for_people(&["migrate", "back"]);
    for words in ["The way back", "Put them back with --yes", "may stay"] {
        assert!(people.stdout.contains(words), "{words:?} is not in\n{}", people.stdout);
    }
    assert_ne!(older.configuration().await, before.configuration);
    let done = older.run(&["migrate", "back", "--yes", "--by", "ann"]).succeeded().json();
    assert!(done["levels"].as_array().unwrap().iter().all(|level| level["put_back"] == true), "{done:#}");
    assert_eq!(older.configuration().await, before.configuration, "each document is what it was");
    let again = older.run(&["migrate", "back", "--yes"]).succeeded().json();
    assert_eq!(again["levels"], json!([]), "{again:#}");
    assert_eq!(older.rows_of_the_older_service().await, 3, "they were left alone");
    defaults_are_taken_if_asked_for(older, before).await;
    is_whole_after_a_kill(older, before).await;
}

/// The defaults that the older service stored by itself count if somebody wants that, as far as they fit, and can be
/// given up again.
async fn defaults_are_taken_if_asked_for(older: &Older, before: &older::Everything) {
    let applied = older.run(&["migrate", "apply", "--include-auto-persisted", "--yes"]).json();
    for (strategy, parameters) in [
        ("momentum_pulse", json!({"min_data_points": 30, "base_confidence": 0.72})),
        (
            "golden_trend_sync",
            json!({"ema_fast": 50, "ema_slow": 200, "min_data_points": 210, "base_confidence": 0.78}),
        ),
        ("doji_reversal", json!({"body_size_threshold": 0.1, "base_confidence": 0.68})),
    ] {
        let written = applied["written"].as_array().unwrap().iter().find(|entry| entry["strategy"] == strategy);
        assert_eq!(written.unwrap()["parameters"], parameters, "{applied:#}");
        assert_eq!(level(&applied, strategy, None)["state"], "runs", "{applied:#}");
    }
    older.run(&["migrate", "back", "--yes"]).succeeded();
    assert_eq!(older.configuration().await, before.configuration, "each document is what it was");
}

/// Each level is either old or new when the command is killed, and the next run does the rest.
async fn is_whole_after_a_kill(older: &Older, before: &older::Everything) {
    let old = older::parameters(&before.configuration);
    older.killed_after_its_first_write(&["migrate", "apply", "--yes"], &before.configuration).await;
    let between = older::parameters(&older.configuration().await);
    older.run(&["migrate", "apply", "--yes"]);
    let new = older::parameters(&older.configuration().await);
    assert_eq!(new.iter().filter(|(level, parameters)| old[*level] != **parameters).count(), 2, "{new:?}");
    for (level, parameters) in &between {
        assert!([&old[level], &new[level]].contains(&parameters), "{level}: {parameters}");
    }
}
