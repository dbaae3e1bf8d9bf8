//! A real service works for a day of market time, and another process makes every signal of that day again.

use std::{collections::BTreeSet, fs, path::Path, process::Command, sync::Arc, time::Duration};

use serde_json::{Value as Json, json};
use ta_bot_core::{Symbol, Timeframe, Timestamp};
use ta_bot_drivers::sqlite::{Database, candles::SqliteCandles, outbox::SqliteOutbox};
use ta_bot_engine::{
    market::candles::{Candles, DEFAULT_PATIENCE},
    signals::outbox::{Outbox, SignalFilter, StoredSignal},
    support::metrics::Metrics,
};
use ta_bot_tests::{
    app::share_compiled, binary::ta_bot, built_in, gathered_by, jobs, market, replicas::Replica, strategies_dir, until,
};

const SYMBOLS: [&str; 2] = ["BTCUSDT", "ETHUSDT"];
const SHORTEST: Timeframe = Timeframe::M5;
const TIMEFRAMES: [Timeframe; 3] = [SHORTEST, Timeframe::M15, Timeframe::H1];
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// How many hours of candles there are before the day: enough for every window.
const HISTORY_HOURS: i64 = 300;
const MINUTES: Duration = Duration::from_mins(4);

/// The store of a service, opened beside the service.
struct Beside {
    candles: Candles,
    outbox: SqliteOutbox,
}

impl Beside {
    async fn open(data: &Path) -> Self {
        let database = Database::open(data).await.unwrap();
        let (store, metrics) = (Arc::new(SqliteCandles::new(database.clone())), Arc::new(Metrics::new().unwrap()));
        Self { candles: Candles::new(store, DEFAULT_PATIENCE, metrics), outbox: SqliteOutbox::new(database) }
    }

    /// Candles of every symbol and timeframe that end at `close`.
    async fn insert_history(&self, close: Timestamp) {
        let first = close.plus_millis(-HISTORY_HOURS * Timeframe::H1.millis());
        let count = HISTORY_HOURS * Timeframe::H1.millis() / SHORTEST.millis();
        for symbol in SYMBOLS.map(|name| name.parse::<Symbol>().unwrap()) {
            let base = market(&symbol, SHORTEST, first, count);
            for timeframe in TIMEFRAMES {
                let parts = (timeframe.millis() / SHORTEST.millis()) as usize;
                self.candles.insert(&symbol, timeframe, &gathered_by(parts, &base)).await.unwrap();
            }
        }
    }

    /// The close of the newest candle of the last symbol.
    async fn newest_close(&self) -> Timestamp {
        let symbol = SYMBOLS[SYMBOLS.len() - 1].parse().unwrap();
        let newest = self.candles.newest(&symbol, SHORTEST, Timestamp::now(), 1).await.unwrap();
        SHORTEST.close_of(newest.candles[0].open_time)
    }

    async fn wait_for(&self, service: &Replica, close: Timestamp) {
        let told = async || format!("the market is at {}\n{}", self.newest_close().await, service.log_tail());
        until(MINUTES, told, async || self.newest_close().await >= close).await;
    }

    async fn wait_for_jobs(&self, service: &Replica) {
        let unfinished = async || jobs::unfinished(&self.outbox, &self.candles, &TIMEFRAMES).await.unwrap();
        let told = async || format!("{} jobs are not done\n{}", unfinished().await, service.log_tail());
        until(MINUTES, told, async || unfinished().await == 0).await;
    }

    async fn signals(&self) -> Vec<StoredSignal> {
        self.outbox.signals(&SignalFilter { limit: u32::MAX, ..SignalFilter::default() }).await.unwrap()
    }
}

fn service(folder: &Path, strategies: &Path) -> Replica {
    let variables = [
        ("HTTP_ADDR", "127.0.0.1:0".to_owned()),
        // The candles are old ones.
        ("SIGNAL_MAX_AGE_SECONDS", "0".to_owned()),
        ("DATA_DIR", folder.join("data").display().to_string()),
        ("STRATEGIES_DIR", strategies.display().to_string()),
        ("SUPPORTED_SYMBOLS", SYMBOLS.join(",")),
        ("SUPPORTED_TIMEFRAMES", TIMEFRAMES.map(Timeframe::as_str).join(",")),
        ("MIN_CONFIDENCE", "0".to_owned()),
        ("MAX_CONFIDENCE", "1".to_owned()),
        // A slow evaluation on a busy machine must not fail the test.
        ("STRATEGY_TIMEOUT_MS", "20000".to_owned()),
        ("LOG_LEVEL", "warn".to_owned()),
    ];
    Replica::new(folder, variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

async fn put(service: &Replica, path: &str, body: Json) {
    let answer = reqwest::Client::new().put(service.url(path)).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
}

async fn replay(service: &Replica, id: &str) -> Json {
    let client = reqwest::Client::new();
    let answer = client.post(service.url(&format!("/api/v1/signals/{id}/replay"))).send().await.unwrap();
    answer.json().await.unwrap()
}

/// A folder with other versions of two strategies: the same code with another digest. The other strategies are missing.
fn other_versions(folder: &Path) -> std::path::PathBuf {
    let strategies = folder.join("strategies");
    fs::create_dir(&strategies).unwrap();
    for id in ["rsi", "macd"] {
        // A custom section named `test`, without content.
        let section = [&[0, 5, 4][..], b"test"].concat();
        let bytes = [built_in::bytes(id).unwrap(), section].concat();
        fs::write(strategies.join(format!("{id}.wasm")), bytes).unwrap();
    }
    strategies
}

#[tokio::test(flavor = "multi_thread")]
async fn every_signal_of_a_day_is_made_again_by_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    share_compiled(&data).unwrap();
    let store = Beside::open(&data).await;
    let begin = Timeframe::H1.open_of(Timestamp::now()).plus_millis(-DAY_MS - 2 * Timeframe::H1.millis());
    store.insert_history(begin).await;

    // The day, during which parameters change.
    let mut first = service(folder.path(), &strategies_dir());
    first.start_with(&["--simulate", "--simulate-every-ms", "20"]).await;
    first.ready().await;
    put(&first, "/api/v1/strategies/rsi/config", json!({"trigger": "level"})).await;
    store.wait_for(&first, begin.plus_millis(DAY_MS / 2)).await;
    put(&first, "/api/v1/strategies/rsi/config/BTCUSDT", json!({"period": 10})).await;
    store.wait_for(&first, begin.plus_millis(DAY_MS)).await;
    put(&first, "/api/v1/strategies/rsi/config", json!({"period": 20})).await;
    store.wait_for_jobs(&first).await;
    let registered = first.get("/api/v1/strategies/rsi").await["data"]["digest"].clone();
    // Modules are stored in parallel with the work.
    let kept = async || sqlite_modules(&data).await;
    until(MINUTES, async || first.log_tail(), async || kept().await == built_in::ids().unwrap().len()).await;
    assert!(first.terminate().await.success(), "{}", first.log_tail());

    let signals = store.signals().await;
    let strategies: BTreeSet<&str> = signals.iter().map(|signal| signal.strategy.as_str()).collect();
    println!("{} signals of {} strategies", signals.len(), strategies.len());
    assert!(signals.len() > 200 && strategies.len() > 15, "{} signals of {strategies:?} prove little", signals.len());

    let mut second = service(folder.path(), &other_versions(folder.path()));
    second.start().await;
    second.ready().await;
    assert_ne!(second.get("/api/v1/strategies/rsi").await["data"]["digest"], registered);
    let mut late = 0;
    for signal in &signals {
        let answer = replay(&second, &signal.id).await;
        assert_eq!(answer["data"]["verdict"], "equal", "{answer}\n{}", signal.message);
        if signal.strategy.as_str() == "rsi" {
            assert_eq!(answer["data"]["module_digest"], registered);
        }
        let windows = answer["data"]["windows"].as_array().unwrap();
        late += usize::from(windows.iter().any(|window| window["stored_since"] != 0));
    }
    println!("{late} of them were made before a longer candle that closed with theirs was stored");
    assert!(second.terminate().await.success());

    // The command replays one signal of each strategy.
    for strategy in strategies {
        let signal = signals.iter().find(|signal| signal.strategy.as_str() == strategy).unwrap();
        let mut command = Command::new(ta_bot());
        command.env_clear().env("DATA_DIR", &data).env("STRATEGY_TIMEOUT_MS", "20000");
        let done = command.args(["replay", &signal.id, "--json"]).output().unwrap();
        assert!(done.status.success(), "{strategy}: {}", String::from_utf8_lossy(&done.stdout));
    }
}

/// How many modules are stored.
async fn sqlite_modules(data: &Path) -> usize {
    use ta_bot_drivers::sqlite::modules::SqliteModules;
    use ta_bot_engine::modules::module_store::ModuleStore as _;
    SqliteModules::new(Database::open(data).await.unwrap()).list().await.unwrap().len()
}
