//! The whole service in the test's process, on real servers that the test kills, and on a market whose time the test
//! sets.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;
use sqlx::{AssertSqlSafe, MySql, MySqlPool, QueryBuilder};
use ta_bot_core::{ApplicationSettings, Job, Symbol, Timeframe, Timestamp};
use ta_bot_engine::{
    market::clock::MarketClock,
    signals::{
        bus::{Bus, Notice},
        outbox::{Outbox, SignalFilter},
    },
    support::{metrics::Metrics, store_error::StoreError},
};
use ta_bot_test_servers::{MariaDb, Nats};
use ta_bot_tests::{
    app,
    replicas::{SUBJECT, stream},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{GAP_WINDOW, LONG, PATIENCE, SHORT, STRATEGIES, extractor::Row, oracle::Answer};

/// Within this time everything that can be done is done, even if a server has just been restarted.
const IN_TIME: Duration = Duration::from_mins(1);
/// The pause before the service is told once more to look for candles. It may have lost what it heard before.
const AGAIN: Duration = Duration::from_secs(2);
/// The extractor's own definition of a table.
const TABLE: &str = include_str!("../../../../host/drivers/migrations/mysql/klines.sql");

/// A running service.
pub(crate) struct Service {
    pub(crate) maria: MariaDb,
    pub(crate) nats: Nats,
    /// What stays if a server is killed.
    pub(crate) desk: Desk,
    pub(crate) clock: MarketClock,
    pub(crate) settings: ApplicationSettings,
    pub(crate) parameter_store: &'static str,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
    running: JoinHandle<anyhow::Result<()>>,
    _data: tempfile::TempDir,
}

/// What the test writes to and reads from.
#[derive(Clone)]
pub(crate) struct Desk {
    pool: MySqlPool,
    client: async_nats::Client,
    outbox: Arc<dyn Outbox>,
    bus: Arc<dyn Bus>,
}

impl Service {
    /// Starts the servers, writes the history, and starts the service at `begin`.
    pub(crate) async fn start(symbols: &[Symbol], history: &[Row], begin: Timestamp) -> Self {
        let (maria, nats) = tokio::try_join!(MariaDb::start(), Nats::start()).unwrap();
        let uri = maria.create_database("market").await.unwrap();
        let pool = MySqlPool::connect_lazy(&uri).unwrap();
        for timeframe in [SHORT, LONG] {
            let definition = TABLE.replace("{table}", table(timeframe));
            sqlx::query(AssertSqlSafe(definition)).execute(&pool).await.unwrap();
        }
        try_to_write(&pool, history).await.unwrap();
        let data = tempfile::tempdir().unwrap();
        app::share_compiled(data.path()).unwrap();
        let symbols: Vec<&str> = symbols.iter().map(Symbol::as_str).collect();
        let more = [
            ("MYSQL_URI", uri),
            ("NATS_URL", nats.url()),
            ("NATS_TOPIC_INTENTS", SUBJECT.to_owned()),
            ("HTTP_ADDR", "127.0.0.1:0".to_owned()),
            ("SUPPORTED_SYMBOLS", symbols.join(",")),
            ("SUPPORTED_TIMEFRAMES", format!("{SHORT},{LONG}")),
            ("ENABLED_STRATEGIES", STRATEGIES.join(",")),
            ("CANDLE_PATIENCE_SECONDS", (PATIENCE / 1000).to_string()),
            ("GAP_WINDOW", GAP_WINDOW.to_string()),
            // More signals prove more.
            ("MIN_CONFIDENCE", "0".to_owned()),
            ("MAX_CONFIDENCE", "1".to_owned()),
        ];
        let app = app::open_with(data.path(), &more).await.unwrap();
        app.clock.simulate();
        app.clock.closed(begin);
        let client = async_nats::connect(nats.url()).await.unwrap();
        let desk = Desk { pool, client, outbox: Arc::clone(&app.outbox), bus: Arc::clone(&app.bus) };
        let settings = app.analyst.settings.current().settings.clone();
        let parameter_store = app.analyst.parameters.store_name();
        let (clock, metrics) = (app.clock.clone(), Arc::clone(&app.analyst.metrics));
        let stop = CancellationToken::new();
        let running = tokio::spawn(Box::pin(app.serve(None, stop.clone(), |_| {})));
        Self { maria, nats, desk, clock, settings, parameter_store, metrics, stop, running, _data: data }
    }

    /// How many candles of the longer timeframe were made of shorter ones.
    pub(crate) fn made(&self) -> u64 {
        self.metrics.inputs.candles_derived.with_label_values(&[LONG.as_str()]).get()
    }

    /// The ids of the signals that went out, in their order.
    pub(crate) async fn sent(&self) -> Vec<String> {
        stream::ids(&self.nats.url()).await
    }

    pub(crate) async fn end(self) {
        self.stop.cancel();
        self.running.await.unwrap().unwrap();
    }
}

impl Desk {
    /// Writes rows in one transaction and tries again until that succeeds, as an extractor does whose server is away.
    pub(crate) async fn write(&self, rows: &[Row]) {
        while try_to_write(&self.pool, rows).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Announces candles. The event is lost while NATS is away.
    pub(crate) async fn announce(&self, symbol: &Symbol, timeframe: Timeframe) {
        let event = json!({"event_type": "extraction_completed", "symbol": symbol, "period": timeframe});
        let subject = format!("binance.extraction.klines.{symbol}.{timeframe}");
        let _ = self.client.publish(subject, event.to_string().into()).await;
    }

    /// Has the service look for candles at once, as it does by itself within some seconds.
    pub(crate) async fn sweep(&self) {
        let _ = self.bus.notify(Notice::JobsRetried).await;
    }

    /// Waits until the service's answer is the expected one.
    pub(crate) async fn answers(&self, expected: &Answer, jobs: &[Job], moment: &str) {
        let begun = Instant::now();
        let mut told = begun;
        loop {
            let answer = self.answer(expected, jobs).await;
            if answer.as_ref().is_ok_and(|answer| answer == expected) {
                return;
            }
            assert!(
                begun.elapsed() < IN_TIME,
                "{moment}: {}",
                answer.map_or_else(|e| e.to_string(), |a| differ(&a, expected))
            );
            if told.elapsed() > AGAIN {
                self.sweep().await;
                told = Instant::now();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What has become of `jobs`. Signals are only read once the jobs are as expected.
    async fn answer(&self, expected: &Answer, jobs: &[Job]) -> Result<Answer, StoreError> {
        let code = |reason: &str| reason.split(':').next().unwrap_or_default().to_owned();
        let dead = self.outbox.dead(10_000).await?;
        let dead: BTreeMap<Job, String> = dead.into_iter().map(|dead| (dead.job, code(&dead.reason))).collect();
        let mut decided = BTreeSet::new();
        for timeframe in [SHORT, LONG] {
            let of = jobs.iter().filter(|job| job.timeframe == timeframe);
            let of: Vec<_> = of.map(|job| (job.symbol.clone(), job.candle_close)).collect();
            let over = self.outbox.finished(timeframe, &of).await?.into_iter();
            let over = over.map(|(symbol, candle_close)| Job { symbol, timeframe, candle_close });
            decided.extend(over.filter(|job| !dead.contains_key(job)));
        }
        let mut answer = Answer { decided, dead, signals: BTreeMap::new() };
        if answer.decided == expected.decided && answer.dead == expected.dead {
            let all = self.outbox.signals(&SignalFilter { limit: u32::MAX, ..SignalFilter::default() }).await?;
            let signals =
                all.into_iter().map(|signal| (signal.id.clone(), (signal.state().as_str().to_owned(), signal.message)));
            answer.signals.extend(signals);
        }
        Ok(answer)
    }
}

/// What differs between an answer and the expected one.
fn differ(found: &Answer, expected: &Answer) -> String {
    let lacks = |one: &Answer, other: &Answer| {
        let mut lines = Vec::new();
        lines.extend(one.decided.difference(&other.decided).map(|job| format!("  decided: {job}")));
        let dead = one.dead.iter().filter(|(job, code)| other.dead.get(job) != Some(code));
        lines.extend(dead.map(|(job, code)| format!("  given up: {job}: {code}")));
        let signals = one.signals.iter().filter(|(id, signal)| other.signals.get(*id) != Some(signal));
        lines.extend(signals.map(|(id, (state, message))| format!("  {state} {id}: {message}")));
        lines.join("\n")
    };
    format!(
        "expected, and not found:\n{}\nfound, and not expected:\n{}",
        lacks(expected, found),
        lacks(found, expected)
    )
}

fn table(timeframe: Timeframe) -> &'static str {
    if timeframe == SHORT { "klines_m5" } else { "klines_m15" }
}

async fn try_to_write(pool: &MySqlPool, rows: &[Row]) -> sqlx::Result<()> {
    let mut transaction = pool.begin().await?;
    for timeframe in [SHORT, LONG] {
        let of: Vec<&Row> = rows.iter().filter(|row| row.timeframe == timeframe).collect();
        for some in of.chunks(1000) {
            insert(timeframe, some).build().execute(&mut *transaction).await?;
        }
    }
    transaction.commit().await
}

/// The statement that writes rows, in place of those of the same names.
fn insert(timeframe: Timeframe, rows: &[&Row]) -> QueryBuilder<MySql> {
    let mut insert = QueryBuilder::<MySql>::new(format!(
        "REPLACE INTO {} (id, symbol, timestamp, open_time, close_time, extracted_at, `interval`, extractor_version,
         source, open_price, high_price, low_price, close_price, volume, quote_asset_volume, number_of_trades,
         taker_buy_base_asset_volume, taker_buy_quote_asset_volume) ",
        table(timeframe)
    ));
    insert.push_values(rows, |mut values, row| {
        let open = row.candle.open_time;
        let close = open.plus_millis(timeframe.millis() - 1_000);
        values.push_bind(format!("{}_{}_{}", row.symbol, open.millis(), row.copy)).push_bind(row.symbol.to_string());
        for moment in [open, open, close, row.written] {
            values.push("TIMESTAMPADD(SECOND, ").push_bind_unseparated(moment.millis() / 1000);
            values.push_unseparated(", '1970-01-01')");
        }
        values.push_bind(timeframe.to_string()).push_bind("1.0.0").push_bind("binance-futures");
        let candle = row.candle;
        for number in [candle.open, candle.high, candle.low, candle.close, candle.volume, 0.0, 0.0, 0.0, 0.0] {
            values.push_bind(format!("{number:.8}"));
        }
    });
    insert
}
