//! A row that was written while its candle was open is waited for, and no strategy ever sees it. Other rows that are no
//! candles keep strategies from being asked, and are named.

use std::{process::Command, time::Duration};

use ta_bot_core::{Symbol, Timeframe, Timestamp};
use ta_bot_test_servers::MariaDb;
use ta_bot_tests::{app, binary, market, strategies_dir, until, working::Working};

const MINUTE: Duration = Duration::from_mins(1);
const M15: Timeframe = Timeframe::M15;

/// A running pipeline whose candles are on MySQL.
struct Service {
    working: Working,
    maria: MariaDb,
    _data: tempfile::TempDir,
}

impl Service {
    async fn start(patience: &str) -> Self {
        let maria = MariaDb::start().await.unwrap();
        let uri = maria.create_database("market").await.unwrap();
        let data = tempfile::tempdir().unwrap();
        let more = [("MYSQL_URI", uri), ("CANDLE_PATIENCE_SECONDS", patience.to_owned())];
        let app = app::open_with(data.path(), &more).await.unwrap();
        Self { working: Working::start(app), maria, _data: data }
    }

    /// Stores candles up to `close`, the last of which was written a second too early.
    async fn insert(&self, symbol: &Symbol, close: Timestamp) {
        let candles = market(symbol, M15, close.plus_millis(-50 * M15.millis()), 50);
        self.working.app.candles.insert(symbol, M15, &candles).await.unwrap();
        // Whatever the time is at which the test runs, the rows were written after the candles' ends.
        self.sql("UPDATE klines_m15 SET extracted_at = TIMESTAMPADD(MINUTE, 15, timestamp)").await;
        self.written(close, -1).await;
    }

    /// Says when the row of the candle that closed at `close` was written.
    async fn written(&self, close: Timestamp, seconds_later: i64) {
        let set = format!("TIMESTAMPADD(SECOND, {seconds_later}, TIMESTAMPADD(MINUTE, 15, timestamp))");
        let opened = close.plus_millis(-M15.millis()).millis() / 1000;
        let row = format!("timestamp = TIMESTAMPADD(SECOND, {opened}, '1970-01-01')");
        self.sql(&format!("UPDATE klines_m15 SET extracted_at = {set} WHERE {row}")).await;
    }

    async fn sql(&self, statement: &str) {
        self.maria.sql(&format!("USE market; {statement}")).await.unwrap();
    }

    async fn push(&self, symbol: &Symbol, close: Timestamp) {
        self.working.push(symbol, M15, close).await;
    }

    async fn is_over(&self, symbol: &Symbol, close: Timestamp) -> bool {
        self.working.is_over(symbol, M15, close).await
    }

    fn ended(&self, outcome: &str) -> u64 {
        self.working.app.analyst.metrics.jobs.with_label_values(&[outcome]).get()
    }
}

fn symbol(name: &str) -> Symbol {
    name.parse().unwrap()
}

/// A close that no patience is over for yet.
fn next_close() -> Timestamp {
    M15.close_of(M15.open_of(Timestamp::now()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_waits_for_the_finished_row_and_others_pass_it() {
    let service = Service::start("3600").await;
    let close = next_close();
    let (waiting, complete) = (symbol("ETHUSDT"), symbol("BTCUSDT"));
    service.insert(&complete, close.plus_millis(-M15.millis())).await;
    service.written(close.plus_millis(-M15.millis()), 0).await;
    service.insert(&waiting, close).await;
    service.push(&waiting, close).await;
    service.push(&complete, close.plus_millis(-M15.millis())).await;
    let nothing = async || "it is not over".to_owned();
    until(MINUTE, nothing, async || service.is_over(&complete, close.plus_millis(-M15.millis())).await).await;
    assert!(!service.is_over(&waiting, close).await);
    service.written(close, 2).await;
    until(MINUTE, nothing, async || service.is_over(&waiting, close).await).await;
    assert_eq!((service.ended("finished"), service.ended("unfinished")), (2, 0));
    service.working.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_stays_unfinished_ends_the_job_and_is_named_and_counted() {
    let service = Service::start("10").await;
    let close = M15.open_of(Timestamp::now()).plus_millis(-M15.millis());
    let symbol = symbol("BTCUSDT");
    service.insert(&symbol, close).await;
    service.push(&symbol, close).await;
    until(MINUTE, async || "it is not over".to_owned(), async || service.is_over(&symbol, close).await).await;
    until(MINUTE, async || "it is not counted".to_owned(), async || service.ended("unfinished") == 1).await;
    let dead = service.working.app.outbox.dead(10).await.unwrap();
    assert!(dead.len() == 1 && dead[0].reason.starts_with("unfinished: the row was written at"), "{dead:?}");
    assert_eq!(service.working.app.outbox.unpublished(10).await.unwrap(), []);
    let counted = service.working.app.analyst.metrics.inputs.candles_unfinished.with_label_values(&["15m"]).get();
    assert_eq!(counted, 1);
    // On request, the newest finished candle is looked at.
    let newest = service.working.app.candles.newest(&symbol, M15, close, 1).await.unwrap();
    assert_eq!(M15.close_of(newest.candles[0].open_time), close.plus_millis(-M15.millis()));
    service.working.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_rows_among_the_newest_are_named_and_nothing_is_decided_beside_them() {
    let maria = MariaDb::start().await.unwrap();
    let uri = maria.create_database("market").await.unwrap();
    let data = tempfile::tempdir().unwrap();
    let more = [("MYSQL_URI", uri.clone())];
    let app = app::open_with(data.path(), &more).await.unwrap();
    let close = M15.open_of(Timestamp::now());
    for name in ["BADUSDT", "GOODUSDT"] {
        let candles = market(&symbol(name), M15, close.plus_millis(-400 * M15.millis()), 400);
        app.candles.insert(&symbol(name), M15, &candles).await.unwrap();
    }
    drop(app);
    let row = |back: i64| {
        let opened = close.plus_millis(-back * M15.millis()).millis() / 1000;
        format!("symbol = 'BADUSDT' AND timestamp = TIMESTAMPADD(SECOND, {opened}, '1970-01-01')")
    };
    let zero = format!("UPDATE klines_m15 SET close_price = 0, low_price = 0 WHERE {};", row(2));
    let reversed = format!("UPDATE klines_m15 SET high_price = low_price / 2 WHERE {};", row(5));
    maria.sql(&format!("USE market; {zero}{reversed}")).await.unwrap();
    let analyze = |symbol: &str| {
        let mut command = Command::new(binary::ta_bot());
        command.env_clear().env("DATA_DIR", data.path()).env("MYSQL_URI", &uri).env("STRATEGIES_DIR", strategies_dir());
        let done =
            command.env("STRATEGY_TIMEOUT_MS", "20000").args(["analyze", symbol, "15m", "--json"]).output().unwrap();
        assert!(done.status.success(), "{done:?}");
        serde_json::from_slice::<serde_json::Value>(&done.stdout).unwrap()
    };
    let bad = tokio::task::block_in_place(|| analyze("BADUSDT"));
    let outcomes = |answer: &serde_json::Value, wanted: &str| {
        let all = answer["strategies"].as_array().unwrap();
        (all.iter().filter(|row| row["outcome"] == wanted).count(), all.len())
    };
    let (gaps, strategies) = outcomes(&bad, "gap");
    assert!(gaps == strategies && strategies > 20, "{bad}");
    let refused = &bad["refused"][0];
    assert_eq!((&refused["symbol"], &refused["candles"]), (&"BADUSDT".into(), &2.into()), "{refused}");
    for (place, back, words) in [(0, 5, "do not enclose"), (1, 2, "is 0: a price is above zero")] {
        let candle = &refused["newest"][place];
        assert_eq!(candle["open_time"], close.plus_millis(-back * M15.millis()).to_string(), "{candle}");
        assert!(candle["code"] == "unsound" && candle["message"].as_str().unwrap().contains(words), "{candle}");
    }
    let good = tokio::task::block_in_place(|| analyze("GOODUSDT"));
    // Only what reads a longer series, which is not there, can't be asked.
    assert!(outcomes(&good, "gap").0 < 5 && good["refused"] == serde_json::json!([]), "{good}");
}
