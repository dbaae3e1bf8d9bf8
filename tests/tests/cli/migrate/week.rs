//! A week of candles on the servers of the older service, decided as the plan says.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

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

use super::{
    level,
    older::{self, Older},
};

const TIMEFRAME: Timeframe = Timeframe::M15;
const SYMBOLS: [&str; 2] = ["BTCUSDT", "ETHUSDT"];
/// A week of quarters of an hour.
const WEEK: i64 = 7 * 24 * 4;
/// Enough for every window, those of longer timeframes included.
const HISTORY: i64 = 2000;
const PATIENCE: Duration = Duration::from_mins(4);

/// The candles of a symbol.
type Series = (Vec<Candle>, Symbol);

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
pub(super) async fn is_decided_as(older: &Older, plan: &Json) {
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
        let analysis = app.analyst.analyse(&job).await.unwrap();
        let told = |signal: &Signal| (signal.id.to_string(), signal.message.clone());
        signals.extend(analysis.signals().map(told));
    }
    signals.sort_by(|one, other| one.0.cmp(&other.0));
    signals
}
