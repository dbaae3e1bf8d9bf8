//! A candle that is corrected after it was decided: every replica notices it, it is listed once, and the new numbers
//! count from then on.

use std::time::Duration;

use sqlx::{ConnectOptions as _, sqlite::SqliteConnectOptions};
use ta_bot::app::App;
use ta_bot_core::{Candle, Job, Signal, Symbol, Timeframe, Timestamp};
use ta_bot_drivers::sqlite::FILE_NAME;
use ta_bot_engine::market::revision_store::{Revision, RevisionFilter};
use ta_bot_test_servers::MariaDb;
use ta_bot_tests::{app, market};

const M15: Timeframe = Timeframe::M15;
/// 2026-01-01 00:00.
const START: Timestamp = Timestamp::from_millis(1_767_225_600_000);
const CANDLES: i64 = 400;
/// How many of the newest candles are decided.
const DECIDED: i64 = 40;

/// Two replicas that have decided the newest candles of a store, each with windows in memory.
struct Replicas {
    apps: [App; 2],
    maria: Option<MariaDb>,
    folders: [tempfile::TempDir; 2],
    signals: Vec<Signal>,
}

fn symbol() -> Symbol {
    "BTCUSDT".parse().unwrap()
}

fn opened(index: i64) -> Timestamp {
    START.plus_millis(index * M15.millis())
}

fn job(candle_close: Timestamp) -> Job {
    Job { symbol: symbol(), timeframe: M15, candle_close }
}

impl Replicas {
    async fn on_sqlite() -> Self {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let path = folders[0].path();
        let apps = [app::app(path).await.unwrap(), app::app(path).await.unwrap()];
        Box::pin(Self::begin(apps, None, folders)).await
    }

    async fn on_mysql() -> Self {
        let maria = MariaDb::start().await.unwrap();
        let uri = maria.create_database("market").await.unwrap();
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let open = async |folder: &tempfile::TempDir| {
            app::share_compiled(folder.path()).unwrap();
            let app = app::open_with(folder.path(), &[("MYSQL_URI", uri.clone())]).await.unwrap();
            app.load_strategies().await.unwrap();
            app
        };
        let apps = [open(&folders[0]).await, open(&folders[1]).await];
        Box::pin(Self::begin(apps, Some(maria), folders)).await
    }

    async fn begin(apps: [App; 2], maria: Option<MariaDb>, folders: [tempfile::TempDir; 2]) -> Self {
        let candles = market(&symbol(), M15, START, CANDLES);
        apps[0].candles.insert(&symbol(), M15, &candles).await.unwrap();
        let mut replicas = Self { apps, maria, folders, signals: Vec::new() };
        for index in CANDLES - DECIDED..CANDLES {
            let both = replicas.decide(&job(M15.close_of(opened(index)))).await;
            assert_eq!(both[0], both[1]);
            let [signals, _] = both;
            replicas.signals.extend(signals);
        }
        replicas.apps[0].outbox.add(&replicas.signals, START).await.unwrap();
        replicas
    }

    /// What both replicas say of a candle.
    async fn decide(&self, job: &Job) -> [Vec<Signal>; 2] {
        let mut both = [Vec::new(), Vec::new()];
        for (app, signals) in self.apps.iter().zip(&mut both) {
            signals.extend(app.analyst.analyse(job).await.unwrap().signals().cloned());
        }
        both
    }

    /// Changes the candle that opened at a time behind the service's back: another volume, or none at all.
    async fn correct(&self, open_time: Timestamp, volume: Option<f64>) {
        if let Some(maria) = &self.maria {
            let at = format!("timestamp = TIMESTAMPADD(SECOND, {}, '1970-01-01')", open_time.millis() / 1000);
            let change = volume.map_or_else(
                || format!("DELETE FROM klines_m15 WHERE {at}"),
                |volume| format!("UPDATE klines_m15 SET volume = {volume} WHERE {at}"),
            );
            maria.sql(&format!("USE market; {change}")).await.unwrap();
        } else {
            let file = SqliteConnectOptions::new().filename(self.folders[0].path().join(FILE_NAME));
            let mut connection = file.connect().await.unwrap();
            let change = match volume {
                None => sqlx::query("DELETE FROM candles WHERE open_time = ?"),
                Some(volume) => sqlx::query("UPDATE candles SET volume = ? WHERE open_time = ?").bind(volume),
            };
            let changed = change.bind(open_time.millis()).execute(&mut connection).await.unwrap();
            assert_eq!(changed.rows_affected(), 1);
        }
    }

    /// One comparison of everything that each replica keeps.
    async fn compare(&self) {
        for app in &self.apps {
            app.cache.round(Duration::ZERO).await;
        }
    }

    /// What every replica lists after all have stored what they noticed. Each must have counted `each`.
    async fn listed(&self, each: u64) -> Vec<Revision> {
        for app in &self.apps {
            app.revisions.flush().await.unwrap();
            let counted = app.analyst.metrics.inputs.candles_revised.with_label_values(&["15m"]).get();
            assert_eq!(counted, each);
        }
        let all = RevisionFilter { limit: 1000, ..RevisionFilter::default() };
        let [one, other] =
            [self.apps[0].revisions.list(&all).await.unwrap(), self.apps[1].revisions.list(&all).await.unwrap()];
        assert_eq!(one, other);
        one
    }

    /// The candle that opened at a time, as a replica gives it to strategies.
    async fn given(app: &App, open_time: Timestamp) -> Option<Candle> {
        let window = app.candles.newest(&symbol(), M15, opened(CANDLES), 200).await.unwrap();
        window.candles.into_iter().find(|candle| candle.open_time == open_time)
    }

    /// The newest signal whose strategy reads at least 30 candles.
    fn signal(&self) -> &Signal {
        let reads =
            |signal: &&Signal| self.apps[0].registry.get(&signal.strategy).unwrap().description().lookback >= 30;
        self.signals.iter().rev().find(reads).unwrap()
    }
}

async fn a_correction_deep_in_a_window(replicas: Replicas) {
    let signal = replicas.signal();
    let id = signal.id.clone();
    let replay = async || replicas.apps[0].replayer.replay(&id).await.unwrap().unwrap();
    assert!(replay().await.cause.is_none());
    let before = replicas.decide(&signal.job).await;
    let open_time = signal.job.candle_close.plus_millis(-20 * M15.millis());
    let old = Replicas::given(&replicas.apps[0], open_time).await.unwrap();
    replicas.correct(open_time, Some(77.0)).await;
    replicas.compare().await;
    replicas.compare().await;
    let new = Candle { volume: 77.0, ..old };
    let listed = replicas.listed(1).await;
    let [only] = &*listed else { panic!("{listed:?}") };
    assert_eq!((&only.symbol, only.timeframe, only.old, only.new), (&symbol(), M15, old, Some(new)));
    for app in &replicas.apps {
        assert_eq!(Replicas::given(app, open_time).await, Some(new), "the next window has the new numbers");
    }
    let after = replicas.decide(&signal.job).await;
    assert!(after[0] == after[1] && after != before, "signals name the candles that they were made of");
    assert_eq!(replay().await.cause.unwrap().code(), "candles_changed");

    // One that is gone.
    let open_time = open_time.plus_millis(-M15.millis());
    replicas.correct(open_time, None).await;
    replicas.compare().await;
    let listed = replicas.listed(2).await;
    assert_eq!((listed.len(), listed[0].open_time(), listed[0].new), (2, open_time, None));
    for app in &replicas.apps {
        assert_eq!(Replicas::given(app, open_time).await, None);
    }

    // One of the newest three, which one replica comes upon by a comparison and the other by its next window.
    let open_time = opened(CANDLES - 2);
    replicas.correct(open_time, Some(78.0)).await;
    replicas.apps[0].cache.round(Duration::ZERO).await;
    for app in &replicas.apps {
        assert_eq!(Replicas::given(app, open_time).await.unwrap().volume, 78.0);
    }
    replicas.compare().await;
    let listed = replicas.listed(3).await;
    assert_eq!((listed.len(), listed[0].open_time()), (3, open_time));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_in_sqlite_is_noticed_and_counts() {
    a_correction_deep_in_a_window(Replicas::on_sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_in_mysql_is_noticed_and_counts() {
    a_correction_deep_in_a_window(Box::pin(Replicas::on_mysql()).await).await;
}
