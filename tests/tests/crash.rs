//! The process is killed at random moments while candles come in. Afterwards the table holds exactly the signals that
//! an undisturbed run gives: none is lost, none is there twice.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
    process::Stdio,
    time::Duration,
};

use ta_bot::{app::App, environment::Environment};
use ta_bot_core::Timeframe;
use ta_bot_engine::signals::outbox::SignalFilter;
use ta_bot_tests::{
    binary,
    jobs::{due, unfinished},
    two_strategies_dir,
};
use tokio::{process::Command, time::sleep};

const ROUNDS: u64 = 50;
/// A market fast enough that there is always something under way.
const PACE_MS: &str = "15";
const TIMEFRAMES: [Timeframe; 2] = [Timeframe::M5, Timeframe::M15];

fn environment(data_dir: &Path) -> HashMap<String, String> {
    let variables = [
        ("HTTP_ADDR", "127.0.0.1:0".to_owned()),
        // The candles are old ones.
        ("SIGNAL_MAX_AGE_SECONDS", "0".to_owned()),
        ("DATA_DIR", data_dir.display().to_string()),
        ("STRATEGIES_DIR", two_strategies_dir().display().to_string()),
        ("SUPPORTED_SYMBOLS", "BTCUSDT,ETHUSDT,ADAUSDT".to_owned()),
        ("SUPPORTED_TIMEFRAMES", "5m,15m".to_owned()),
        ("LOG_LEVEL", "error".to_owned()),
    ];
    variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

async fn open(data_dir: &Path) -> App {
    let variables = environment(data_dir);
    let environment = Environment::read(|name| variables.get(name).cloned()).unwrap();
    let app = App::open(environment, ta_bot_tests::app::children()).await.expect("the database opens");
    app.load_strategies().await.unwrap();
    app
}

/// The ids of all stored signals, and how many of them are published.
async fn stored(app: &App) -> (BTreeSet<String>, usize) {
    let all = app.outbox.signals(&SignalFilter { limit: u32::MAX, ..SignalFilter::default() }).await.unwrap();
    let published = all.iter().filter(|signal| signal.published_at.is_some()).count();
    let ids: BTreeSet<String> = all.iter().map(|signal| signal.id.clone()).collect();
    assert_eq!(ids.len(), all.len(), "a signal is stored twice");
    (ids, published)
}

/// A pseudo-random number that is determined by the round.
fn spread(round: u64) -> u64 {
    round.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407) >> 33
}

#[tokio::test]
async fn killed_fifty_times_it_loses_nothing_and_repeats_nothing() {
    let data = tempfile::tempdir().unwrap();
    for round in 0..ROUNDS {
        let mut service = Command::new(binary::ta_bot())
            .args(["serve", "--simulate", "--simulate-every-ms", PACE_MS])
            .envs(environment(data.path()))
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        // The random moment is the point of this wait: there is no condition to wait for.
        let moment = Duration::from_millis(50 + spread(round) % 1200);
        let ended = tokio::time::timeout(moment, service.wait()).await;
        assert!(ended.is_err(), "round {round}: the service ended by itself: {ended:?}");
        service.kill().await.unwrap();
    }
    let app = finish(data.path()).await;
    let mut jobs = Vec::new();
    for timeframe in TIMEFRAMES {
        jobs.extend(due(&*app.outbox, &app.candles, timeframe).await.unwrap());
    }
    let mut expected = BTreeSet::new();
    for job in &jobs {
        let analysis = app.analyst.analyse(job).await.unwrap();
        expected.extend(analysis.signals().map(|signal| signal.id.as_str().to_owned()));
    }
    let (ids, published) = stored(&app).await;
    println!("{ROUNDS} kills, {} candles, {} signals", jobs.len(), ids.len());
    assert!(jobs.len() > 500 && ids.len() > 20, "{} candles and {} signals prove little", jobs.len(), ids.len());
    assert_eq!(ids, expected);
    assert_eq!(published, ids.len());
    assert!(app.outbox.dead(10).await.unwrap().is_empty());
}

/// Runs the service without a feed until nothing is left to do.
async fn finish(data_dir: &Path) -> App {
    let mut service = Command::new(binary::ta_bot())
        .arg("serve")
        .envs(environment(data_dir))
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let app = open(data_dir).await;
    let everything_done = async {
        while unfinished(&*app.outbox, &app.candles, &TIMEFRAMES).await.unwrap() > 0
            || app.outbox.backlog().await.unwrap().signals > 0
        {
            sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), everything_done).await.expect("the service catches up");
    service.kill().await.unwrap();
    app
}
