//! Candles that are made of shorter ones, with the rows that the Data Extractor really writes: those of five minutes in
//! time, those of 15 minutes twice a day, those of an hour once, while the candle is open.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;
use ta_bot_core::{Candle, Symbol, Timeframe, Timestamp, gathered};
use ta_bot_engine::{
    market::{candles::Candles, clock::MarketClock, made_up::walk},
    signals::{
        bus::{Bus as _, Notice, local::LocalBus},
        outbox::Outbox,
    },
    support::metrics::Metrics,
};
use ta_bot_test_servers::MariaDb;
use ta_bot_tests::{app, until};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const MINUTE: i64 = 60_000;
const M5: Timeframe = Timeframe::M5;
const M15: Timeframe = Timeframe::M15;
const M30: Timeframe = Timeframe::M30;
const H1: Timeframe = Timeframe::H1;
/// How long a busy machine may take for what has to be decided at once: the market's clock stands still meanwhile.
const AT_MOST: Duration = Duration::from_mins(1);

/// The whole service in the test's process, on MySQL and on a market whose time the test sets.
struct Service {
    maria: MariaDb,
    candles: Arc<Candles>,
    outbox: Arc<dyn Outbox>,
    bus: Arc<LocalBus>,
    clock: MarketClock,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
    running: JoinHandle<anyhow::Result<()>>,
    _data: tempfile::TempDir,
}

impl Service {
    async fn start(now: Timestamp) -> Self {
        let maria = MariaDb::start().await.unwrap();
        let uri = maria.create_database("market").await.unwrap();
        let data = tempfile::tempdir().unwrap();
        app::share_compiled(data.path()).unwrap();
        let more = [
            ("MYSQL_URI", uri),
            ("HTTP_ADDR", "127.0.0.1:0".to_owned()),
            ("SUPPORTED_SYMBOLS", "BTCUSDT".to_owned()),
            ("SUPPORTED_TIMEFRAMES", "5m,15m,30m,1h".to_owned()),
            ("ENABLED_STRATEGIES", "rsi,macd".to_owned()),
        ];
        let app = app::open_with(data.path(), &more).await.unwrap();
        app.clock.simulate();
        app.clock.closed(now);
        let (candles, outbox, clock) = (Arc::clone(&app.candles), Arc::clone(&app.outbox), app.clock.clone());
        let bus = Arc::clone(app.local_bus.as_ref().unwrap());
        let metrics = Arc::clone(&app.analyst.metrics);
        let stop = CancellationToken::new();
        let running = tokio::spawn(Box::pin(app.serve(None, stop.clone(), |_| {})));
        Self { maria, candles, outbox, bus, clock, metrics, stop, running, _data: data }
    }

    async fn insert(&self, timeframe: Timeframe, candles: &[Candle]) {
        self.candles.insert(&symbol(), timeframe, candles).await.unwrap();
    }

    /// Stores the open candle of `timeframe` as it was when it was written, which is as it stays.
    async fn insert_open(&self, timeframe: Timeframe, candle: Candle, written: Timestamp) {
        self.insert(timeframe, &[candle]).await;
        let table = if timeframe == H1 { "klines_h1" } else { "klines_m30" };
        let moment = |at: Timestamp| format!("TIMESTAMPADD(SECOND, {}, '1970-01-01')", at.millis() / 1000);
        let (written, opened) = (moment(written), moment(candle.open_time));
        let update = format!("USE market; UPDATE {table} SET extracted_at = {written} WHERE timestamp = {opened}");
        self.maria.sql(&update).await.unwrap();
    }

    fn announce(&self, timeframe: Timeframe) {
        let event = json!({"symbol": "BTCUSDT", "period": timeframe, "success": true});
        self.bus.announce(event.to_string().into_bytes());
    }

    async fn is_over(&self, timeframe: Timeframe, close: Timestamp) -> bool {
        !self.outbox.finished(timeframe, &[(symbol(), close)]).await.unwrap().is_empty()
    }

    /// Waits until the candles that close at `close` are decided, and returns how long that took. There are thousands
    /// of them, so the pauses are short.
    async fn decided(&self, timeframes: &[Timeframe], close: Timestamp) -> Duration {
        let began = Instant::now();
        let decided = async {
            for timeframe in timeframes.iter().filter(|timeframe| timeframe.open_of(close) == close) {
                while !self.is_over(*timeframe, close).await {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }
            while !self.dead().await.is_empty() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let is_decided = tokio::time::timeout(AT_MOST, decided).await.is_ok();
        assert!(is_decided, "what closes at {close} is not decided, given up: {:?}", self.dead().await);
        began.elapsed()
    }

    /// The closes of the hours that were given up and are not tried again.
    async fn dead(&self) -> Vec<(Timeframe, Timestamp)> {
        let dead = self.outbox.dead(100).await.unwrap();
        dead.into_iter().map(|dead| (dead.job.timeframe, dead.job.candle_close)).collect()
    }

    async fn end(self) {
        self.stop.cancel();
        self.running.await.unwrap().unwrap();
    }
}

fn symbol() -> Symbol {
    "BTCUSDT".parse().unwrap()
}

/// A market of candles of five minutes, and what the extractor's jobs make of it.
struct Market(Vec<Candle>);

impl Market {
    /// The candles from `first` until `end`.
    fn new(first: Timestamp, end: Timestamp) -> Self {
        let opens =
            (0..(end.millis() - first.millis()) / M5.millis()).map(|index| first.plus_millis(index * M5.millis()));
        Self(walk(&symbol(), opens, 100.0))
    }

    fn between(&self, from: Timestamp, to: Timestamp) -> &[Candle] {
        let place = |at: Timestamp| self.0.partition_point(|candle| candle.open_time < at);
        &self.0[place(from)..place(to)]
    }

    /// The candle of `timeframe` that opened at `open`, as it was at `now`.
    fn longer(&self, timeframe: Timeframe, open: Timestamp, now: Timestamp) -> Candle {
        gathered(open, self.between(open, now.min(timeframe.close_of(open)))).unwrap()
    }

    /// The whole candles of `timeframe` from `from` until `to`.
    fn whole(&self, timeframe: Timeframe, from: Timestamp, to: Timestamp) -> Vec<Candle> {
        let count = (to.millis() - from.millis()) / timeframe.millis();
        let opens = (0..count).map(|index| from.plus_millis(index * timeframe.millis()));
        opens.map(|open| self.longer(timeframe, open, to)).collect()
    }
}

/// What the extractor's jobs for longer timeframes write at `now`, five minutes of which are the step.
async fn extract_longer(service: &Service, market: &Market, now: Timestamp) {
    let minute = now.millis().rem_euclid(24 * 60 * MINUTE) / MINUTE;
    match (minute / 60, minute % 60) {
        // At two minutes past: whole candles, since the last time.
        (hour @ (0 | 15), 0) => {
            let since = now.plus_millis(if hour == 0 { -9 } else { -15 } * H1.millis());
            service.insert(M15, &market.whole(M15, since, now)).await;
            service.announce(M15);
        }
        // The candle that has just opened is written with the others and stays as it is.
        (0, 5) => {
            let midnight = now.plus_millis(-5 * MINUTE);
            let since = midnight.plus_millis(M30.millis() - 24 * H1.millis());
            service.insert(M30, &market.whole(M30, since, midnight)).await;
            service.insert_open(M30, market.longer(M30, midnight, now), now).await;
        }
        (_, 10) => {
            let open = H1.open_of(now);
            service.insert_open(H1, market.longer(H1, open, now), now.plus_millis(8_000)).await;
            service.announce(H1);
        }
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_week_of_the_real_extractor_is_decided_in_time() {
    const DAYS: i64 = 7;
    let begin = Timeframe::D1.open_of(Timestamp::now().plus_millis(-(DAYS + 2) * Timeframe::D1.millis()));
    let end = begin.plus_millis(DAYS * Timeframe::D1.millis());
    let history = begin.plus_millis(-Timeframe::D1.millis());
    let market = Market::new(history, end);
    let service = Service::start(begin).await;
    service.insert(M5, market.between(history, begin)).await;
    service.announce(M5);
    service.decided(&[M5, M15, M30, H1], begin).await;
    let mut stored = begin;
    let mut longest = Duration::ZERO;
    for step in 1..=DAYS * 24 * 12 {
        let now = begin.plus_millis(step * M5.millis());
        service.clock.closed(now);
        // Twice a day the run of the full hour fails, and the next one brings its candle too.
        let fails = step % 144 == 12;
        if fails {
            // The row of the hour is that of an open candle, so its job waits, and is given up once its time is over.
            service.clock.closed(now.plus_millis(11_000));
            // Sweeps come in the time of this machine, so one is asked for instead of waiting for it.
            service.bus.notify(Notice::JobsRetried).await.unwrap();
            let dead = async || service.dead().await == [(H1, now)];
            until(Duration::from_mins(1), async || "the hour is not given up".to_owned(), dead).await;
            // Until the next run the service sweeps some twenty times.
            service.bus.notify(Notice::JobsRetried).await.unwrap();
        } else {
            service.insert(M5, market.between(stored, now)).await;
            stored = now;
            service.announce(M5);
            if step % 144 == 13 {
                service.decided(&[M15, H1], now.plus_millis(-M5.millis())).await;
            }
            longest = longest.max(service.decided(&[M5, M15, M30, H1], now).await);
        }
        extract_longer(&service, &market, now).await;
    }
    for timeframe in [M15, H1] {
        let count = ((end.millis() - begin.millis()) / timeframe.millis()) as u32;
        let window = service.candles.newest(&symbol(), timeframe, end, count).await.unwrap();
        assert_eq!(window.candles, market.whole(timeframe, begin, end), "as the exchange has them");
        let closes: Vec<_> =
            window.candles.iter().map(|candle| (symbol(), timeframe.close_of(candle.open_time))).collect();
        assert_eq!(service.outbox.finished(timeframe, &closes).await.unwrap().len(), closes.len(), "{timeframe}");
        let derived = service.metrics.inputs.candles_derived.with_label_values(&[timeframe.as_str()]).get();
        assert!(derived >= u64::from(count) - 1, "{derived}");
    }
    assert_eq!(service.dead().await, []);
    println!("after the last candle of five minutes, what it completes was decided within {longest:?}");
    service.end().await;
}
