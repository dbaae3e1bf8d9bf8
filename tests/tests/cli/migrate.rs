//! `ta-bot migrate` on servers as the older service leaves them: what it says, what it writes, a week of candles that is
//! decided as it said, and the way back.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use serde_json::{Map, Value as Json, json};
use ta_bot_core::{Candle, Job, Signal, Symbol, Timeframe, Timestamp};
use ta_bot_engine::{
    settings::{
        config_store::{Author, ConfigKey},
        parameters::{Change, Merge},
    },
    signals::{bus::Notice, outbox::SignalFilter},
};
use ta_bot_tests::{app, market, until};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::run::Done;

mod older;
mod streams;

use older::Older;

const TIMEFRAME: Timeframe = Timeframe::M15;
const SYMBOLS: [&str; 2] = ["BTCUSDT", "ETHUSDT"];
/// A week of quarters of an hour.
const WEEK: i64 = 7 * 24 * 4;
/// Enough for every window, those of longer timeframes included.
const HISTORY: i64 = 2000;
const PATIENCE: Duration = Duration::from_mins(4);

/// The candles of a symbol.
type Series = (Vec<Candle>, Symbol);

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
    a_week_is_decided(&older, &plan).await;
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

/// What counts at each level, as the plan says.
fn counting(plan: &Json) -> Vec<(ConfigKey, Map<String, Json>)> {
    let running = plan["levels"].as_array().unwrap().iter().filter(|level| level["state"] == "runs");
    let counts = |one: &&Json| ["counts", "same"].contains(&one["meaning"].as_str().unwrap());
    let level = |level: &Json| {
        let symbol = level["symbol"].as_str().map(|symbol| symbol.parse().unwrap());
        let key = ConfigKey { strategy: level["strategy"].as_str().unwrap().parse().unwrap(), symbol };
        let parameters = level["parameters"].as_array().unwrap().iter().filter(counts);
        (key, parameters.map(|one| (one["name"].as_str().unwrap().to_owned(), one["stored"].clone())).collect())
    };
    running.map(level).collect()
}

/// The service decides a week as another one does that holds what counts by the plan and nothing else.
async fn a_week_is_decided(older: &Older, plan: &Json) {
    let first = TIMEFRAME.open_of(Timestamp::now()).plus_millis(-(HISTORY + WEEK + 4) * TIMEFRAME.millis());
    let candles: Vec<_> = SYMBOLS
        .map(|name| name.parse::<Symbol>().unwrap())
        .into_iter()
        .map(|symbol| (market(&symbol, TIMEFRAME, first, HISTORY + WEEK).into_iter().map(rounded).collect(), symbol))
        .collect();
    let begin = first.plus_millis(HISTORY * TIMEFRAME.millis());
    let decided = service_decides(older, &candles, begin).await;
    let expected = expected(plan, &candles, begin).await;
    // The ids hold the module, the parameters and the candle.
    let lacks = |one: &[(String, Json)], other: &[(String, Json)]| {
        let ids: BTreeSet<_> = other.iter().map(|(id, _)| id).collect();
        one.iter().filter(|(id, _)| !ids.contains(id)).map(|(_, message)| message.clone()).collect::<Vec<_>>()
    };
    let differ = (lacks(&decided, &expected), lacks(&expected, &decided));
    assert_eq!(differ, (vec![], vec![]), "decided and not expected, expected and not decided");
    let of = |strategy: &str| decided.iter().filter(|(_, message)| message["strategy_id"] == strategy).count();
    println!(
        "{} signals, {} of shooting_star_reversal, {} of range_break_pop",
        decided.len(),
        of("shooting_star_reversal"),
        of("range_break_pop")
    );
    assert!(decided.len() > 50 && of("range_break_pop") > 0, "{} signals prove little", decided.len());
    assert_eq!((of("ema_pullback_continuation"), of("rsi")), (0, 0), "one is stopped, the other not enabled");
    for (_, message) in &decided {
        provenance_is_as(plan, message);
    }
}

/// A candle with as many digits as a column of MySQL holds.
fn rounded(candle: Candle) -> Candle {
    let round = |number: f64| (number * 1e4).round() / 1e4;
    let Candle { open_time, open, high, low, close, volume } = candle;
    Candle {
        open_time,
        open: round(open),
        high: round(high),
        low: round(low),
        close: round(close),
        volume: round(volume),
    }
}

/// The signal says that it was decided with what the plan says.
fn provenance_is_as(plan: &Json, message: &Json) {
    let config = &message["metadata"]["strategy_config"];
    let (strategy, symbol) = (message["strategy_id"].as_str().unwrap(), message["symbol"].as_str().unwrap());
    let levels = counting(plan);
    let mut nearest = None;
    for of in [None, Some(symbol)] {
        let is_it =
            |key: &ConfigKey| key.strategy.as_str() == strategy && key.symbol.as_ref().map(Symbol::as_str) == of;
        let Some((_, parameters)) = levels.iter().find(|(key, _)| is_it(key)) else { continue };
        nearest = Some(level(plan, strategy, of)["version"].clone());
        for (name, value) in parameters {
            let is_overlaid = of.is_none()
                && levels.iter().any(|(key, parameters)| {
                    key.strategy.as_str() == strategy
                        && key.symbol.as_ref().map(Symbol::as_str) == Some(symbol)
                        && parameters.contains_key(name)
                });
            let found = config["parameters"][name].as_f64();
            assert!(is_overlaid || found == value.as_f64(), "{strategy} {symbol} {name}: {value} in {config}");
        }
    }
    assert_eq!(config["version"], nearest.unwrap_or_else(|| json!(0)), "{strategy} {symbol}: {config}");
}

/// The service on the older one's servers decides a week. Returns its signals, ordered by id.
async fn service_decides(older: &Older, candles: &[Series], begin: Timestamp) -> Vec<(String, Json)> {
    let data = TempDir::new().unwrap();
    app::share_compiled(data.path()).unwrap();
    let app = Box::pin(app::open_with(data.path(), &older.variables())).await.unwrap();
    app.clock.simulate();
    app.clock.closed(begin);
    let (store, outbox) = (Arc::clone(&app.candles), Arc::clone(&app.outbox));
    let (clock, bus) = (app.clock.clone(), Arc::clone(&app.bus));
    for (candles, symbol) in candles {
        store.insert(symbol, TIMEFRAME, &candles[..HISTORY as usize]).await.unwrap();
    }
    let stop = CancellationToken::new();
    let running = tokio::spawn(Box::pin(app.serve(None, stop.clone(), |_| {})));
    let begun = async || outbox.begun(TIMEFRAME).await.is_ok_and(|begun| begun.len() == SYMBOLS.len());
    until(PATIENCE, async || "the series did not begin".to_owned(), begun).await;
    for (candles, symbol) in candles {
        store.insert(symbol, TIMEFRAME, &candles[HISTORY as usize..]).await.unwrap();
    }
    let end = begin.plus_millis(WEEK * TIMEFRAME.millis());
    clock.closed(end);
    let asked: Vec<_> = jobs(candles, begin).map(|job| (job.symbol, job.candle_close)).collect();
    let finished = async || outbox.finished(TIMEFRAME, &asked).await.map_or(0, |finished| finished.len());
    until(
        PATIENCE,
        async || format!("{} of {} are decided", finished().await, asked.len()),
        async || {
            // Looked for at once, and not only with the next sweep.
            let _ = bus.notify(Notice::JobsRetried).await;
            finished().await == asked.len()
        },
    )
    .await;
    assert_eq!(outbox.dead(10).await.unwrap().len(), 0);
    let filter = SignalFilter { limit: u32::MAX, ..SignalFilter::default() };
    // The series began with the candle before the week.
    let signals = outbox.signals(&filter).await.unwrap().into_iter().filter(|signal| signal.candle_close > begin);
    let mut signals: Vec<_> =
        signals.map(|signal| (signal.id.clone(), serde_json::from_str(&signal.message).unwrap())).collect();
    stop.cancel();
    running.await.unwrap().unwrap();
    signals.sort_by(|one: &(String, Json), other| one.0.cmp(&other.0));
    signals
}

fn jobs(candles: &[Series], begin: Timestamp) -> impl Iterator<Item = Job> {
    candles.iter().flat_map(move |(_, symbol)| {
        (1..=WEEK).map(move |index| Job {
            symbol: symbol.clone(),
            timeframe: TIMEFRAME,
            candle_close: begin.plus_millis(index * TIMEFRAME.millis()),
        })
    })
}

/// What a service decides on an embedded store that holds what counts by the plan.
async fn expected(plan: &Json, candles: &[Series], begin: Timestamp) -> Vec<(String, Json)> {
    let data = TempDir::new().unwrap();
    app::share_compiled(data.path()).unwrap();
    let in_use = |name: &str| {
        let setting = plan["settings"].as_array().unwrap().iter().find(|setting| setting["name"] == name).unwrap();
        setting["in_use"].clone()
    };
    let list = |name: &str| {
        let list =
            in_use(name).as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect::<Vec<_>>();
        list.join(",")
    };
    let stopped = |id: &str| {
        plan["levels"].as_array().unwrap().iter().any(|level| level["strategy"] == id && level["state"] == "stopped")
    };
    let enabled: Vec<String> =
        list("enabled_strategies").split(',').filter(|id| !stopped(id)).map(str::to_owned).collect();
    let variables = [
        ("SUPPORTED_SYMBOLS", list("symbols")),
        ("SUPPORTED_TIMEFRAMES", list("candle_periods")),
        ("ENABLED_STRATEGIES", enabled.join(",")),
        ("MIN_CONFIDENCE", in_use("min_confidence").to_string()),
        ("MAX_CONFIDENCE", in_use("max_confidence").to_string()),
        ("CANDLE_SOURCES", older::CANDLE_SOURCES.to_owned()),
    ];
    let app = Box::pin(app::open_with(data.path(), &variables)).await.unwrap();
    app.load_strategies().await.unwrap();
    for (candles, symbol) in candles {
        app.candles.insert(symbol, TIMEFRAME, candles).await.unwrap();
    }
    let author = Author { changed_by: "test".to_owned(), claimed_by: None, reason: None, at: Timestamp::now() };
    for (key, parameters) in counting(plan) {
        let author = author.clone();
        let change = Change { key, parameters, merge: Merge::Replace, expected: None, validate_only: false, author };
        app.analyst.parameters.change(change).await.unwrap();
    }
    let mut signals = Vec::new();
    for job in jobs(candles, begin) {
        let analysis = app.analyst.analyse(&job, None).await.unwrap();
        let told = |signal: &Signal| (signal.id.to_string(), signal.message.clone());
        signals.extend(analysis.signals().map(told));
    }
    signals.sort_by(|one, other| one.0.cmp(&other.0));
    signals
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

/// The defaults that the older service stored by itself count if somebody wants that, as far as they fit, and can be given
/// up again.
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
