//! The doors of a running service: jobs before and after a restart, analyses, impact and replays.

use std::process::Command;

use serde_json::{Value as Json, json};
use ta_bot_core::{Candle, ModuleDigest, RowProblem, Symbol, Timestamp};
use ta_bot_tests::{binary, built_in, two_strategies_dir, until};
use tempfile::TempDir;

use super::{
    cases::{CASES, Case, M15, Says, coded, newest_close},
    service::{MINUTE, Service},
    tables::Tables,
};

/// How many candles are there before the bad one.
const HISTORY: i64 = 300;

/// A market that falls without a break. It is sound up to `before`; the candle that closes at `bad` is that of the
/// case, and the one that closes at `after` is sound again.
struct Market {
    tables: Tables,
    data: TempDir,
    before: Timestamp,
    bad: Timestamp,
    after: Timestamp,
}

/// The cases that rows of the extractor's tables can be.
fn cases() -> impl Iterator<Item = &'static Case> {
    CASES.iter().filter(|case| !matches!(case.in_mysql, Says::NoSuchInput(_)))
}

fn symbols() -> impl Iterator<Item = Symbol> {
    cases().map(Case::symbol)
}

/// What the job of a case's candle has to say. A row that is off the grid closes no candle, so it has no job.
fn of_job(case: &Case) -> Says {
    match case.in_mysql {
        Says::Refused("off_grid", _) => Says::Nothing,
        says => says,
    }
}

impl Market {
    async fn new() -> Self {
        let after = newest_close();
        let [bad, before] = [1, 2].map(|back| after.plus_millis(-back * M15.millis()));
        Self { tables: Tables::start().await, data: tempfile::tempdir().unwrap(), before, bad, after }
    }

    /// The sound candle that closed at `close`.
    fn sound(&self, close: Timestamp) -> Candle {
        let ago = (self.after.millis() - close.millis()) / M15.millis();
        let open_time = close.plus_millis(-M15.millis());
        let close = 50_000.0 + 10.0 * ago as f64;
        Candle { open_time, open: close + 10.0, high: close + 12.0, low: close - 2.0, close, volume: 1.0 }
    }

    fn history(&self) -> Vec<Candle> {
        (0..HISTORY).rev().map(|back| self.sound(self.before.plus_millis(-back * M15.millis()))).collect()
    }

    async fn start(&self, now: Timestamp) -> Service {
        let names: Vec<String> = symbols().map(|symbol| symbol.to_string()).collect();
        Service::start(&self.tables, self.data.path(), &names.join(","), now).await
    }

    /// Puts the rows of each case in place of the candle that closed at `close`, or where it would be.
    async fn spoil(&self, close: Timestamp) {
        let sound = self.sound(close);
        self.tables.delete(sound.open_time).await;
        let bad = cases().flat_map(|case| (case.rows)(sound).into_iter().map(|row| (case.symbol(), row)));
        self.tables.insert(bad).await;
    }

    /// Has the history decided, of which each symbol gets a signal.
    async fn decide_history(&self, service: &Service) {
        service.speak().await;
        for symbol in symbols() {
            service.candles.insert(&symbol, M15, &self.history()).await.unwrap();
        }
        self.tables.take_missing_numbers().await;
        decided(service, self.before).await;
        for symbol in symbols() {
            assert_eq!(service.signals(&symbol).await.len(), 1, "{symbol}");
        }
    }

    /// Announces the bad candles when their writer has had its time, and waits for what becomes of their jobs.
    async fn announce_bad(&self, service: &Service) {
        self.spoil(self.bad).await;
        service.clock.closed(self.bad.plus_millis(11_000));
        service.announce(symbols());
        let mut due: Vec<Symbol> = cases().filter(|case| of_job(case) != Says::Nothing).map(Case::symbol).collect();
        due.sort();
        let over = async || service.over(symbols(), self.bad).await;
        until(MINUTE, async || format!("over are {:?}", over().await), async || over().await == due).await;
        self.check_jobs(service).await;
    }

    /// What has become of the bad candles' jobs.
    async fn check_jobs(&self, service: &Service) {
        let dead = service.outbox.dead(100).await.unwrap();
        assert!(dead.iter().all(|dead| dead.job.candle_close == self.bad), "{dead:?}");
        for case in cases() {
            let reason = dead.iter().find(|dead| dead.job.symbol == case.symbol()).map(|dead| dead.reason.as_str());
            match of_job(case) {
                Says::Refused(code, words) => {
                    let expected = format!("{code}: {words}");
                    assert!(reason.is_some_and(|reason| reason.starts_with(&expected)), "{}: {reason:?}", case.name);
                }
                _ => assert_eq!(reason, None, "{}", case.name),
            }
        }
    }

    /// Analyses every case on request. `newest` is the newest candle that is sound for all, and `beside` what is said
    /// of it if the bad candle is none. Returns the refused candles of each case.
    async fn analyse(&self, service: &Service, newest: Timestamp, beside: &str) -> Vec<Json> {
        let mut all = Vec::new();
        for case in cases() {
            let body = json!({"symbol": case.symbol(), "timeframe": "15m"});
            let answer = service.post("/api/v1/test/analyze", body).await;
            let is_taken = case.in_mysql == Says::Taken;
            let (newest, said) = if is_taken { (newest.max(self.bad), "signal") } else { (newest, beside) };
            assert_eq!(answer["candle_close"], newest.to_string(), "{}: {answer}", case.name);
            assert_eq!(answer["strategies"][0]["outcome"], said, "{}: {answer}", case.name);
            self.check_refused(case, &answer["refused"]);
            all.push(answer["refused"].clone());
        }
        all
    }

    fn check_refused(&self, case: &Case, refused: &Json) {
        let name = case.name;
        let Says::Refused(code, words) = case.in_mysql else {
            assert_eq!(*refused, json!([]), "{name}");
            return;
        };
        let opened = (case.rows)(self.sound(self.bad))[0].candle.open_time.to_string();
        let candle = &refused[0]["newest"][0];
        let message = candle["message"].as_str().unwrap_or_default();
        assert_eq!((&refused[0]["candles"], &candle["open_time"]), (&json!(1), &json!(opened)), "{name}: {refused}");
        assert!(candle["code"] == code && message.starts_with(words), "{name}: {refused}");
    }

    /// No window has a price of a row that is no candle.
    async fn check_windows(&self, service: &Service) {
        for case in cases() {
            let window = service.candles.newest(&case.symbol(), M15, self.after, 1_000).await.unwrap().candles;
            let mut sound = self.history();
            sound.extend((case.in_mysql == Says::Taken).then(|| self.sound(self.bad)));
            sound.push(self.sound(self.after));
            assert_eq!(window, sound, "{}", case.name);
        }
    }

    /// The command says of each case what the service says.
    fn analyse_by_command(&self, expected: &[Json]) {
        for (case, expected) in cases().zip(expected) {
            let mut command = Command::new(binary::ta_bot());
            command.env_clear().env("DATA_DIR", self.data.path()).env("MYSQL_URI", &self.tables.uri);
            command.env("STRATEGIES_DIR", two_strategies_dir()).env("STRATEGY_TIMEOUT_MS", "20000");
            let done = command.args(["analyze", case.symbol().as_str(), "15m", "--json"]).output().unwrap();
            let answer: Json = serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("{done:?}"));
            assert_eq!(answer["refused"], *expected, "{}", case.name);
        }
    }

    /// Of the newest two candles, a comparison asks the modules on those whose windows are whole. The bad candle is no
    /// candle to it, and the window of the one after it has a hole.
    async fn compare(&self, service: &Service) {
        let module = ModuleDigest::of(&built_in::bytes("rsi").unwrap()).to_string();
        for case in cases() {
            let body = json!({"module": module, "symbols": [case.symbol()], "candles": 2});
            let answer = service.post("/api/v1/strategies/rsi/candidate", body).await;
            let asked = if case.in_mysql == Says::Taken { 2 } else { 1 };
            let (compared, evaluations) = (&answer["compared"], &answer["cost"]["candidate"]["evaluations"]);
            assert_eq!((compared, evaluations), (&json!(2), &json!(asked)), "{}: {answer}", case.name);
        }
    }

    /// Spoils the candle that closed at `close`, and replays the signal of the history's last candle. `changed` is what
    /// has to be said if the candle is refused, and `missing` if it is not there.
    async fn replay(&self, service: &Service, close: Timestamp, [changed, missing]: [&str; 2]) {
        self.spoil(close).await;
        for case in cases() {
            let id = &service.signals(&case.symbol()).await[0].id;
            let answer = service.post(&format!("/api/v1/signals/{id}/replay"), json!({})).await;
            let (verdict, cause) = match of_job(case) {
                Says::Taken => ("equal", json!(null)),
                Says::Refused(..) => ("impossible", json!(changed)),
                _ => ("impossible", json!(missing)),
            };
            let said = (&answer["verdict"], &answer["cause"]["code"]);
            assert_eq!(said, (&json!(verdict), &cause), "{}: {answer}", case.name);
            if close == self.before && verdict == "impossible" {
                assert_eq!((&answer["windows"], &answer["outcome"]), (&json!([]), &json!(null)), "{}", case.name);
            }
        }
    }
}

/// Announces the candles that close at `close`, and waits until all are decided.
async fn decided(service: &Service, close: Timestamp) {
    service.announce(symbols());
    let over = async || service.over(symbols(), close).await.len();
    until(MINUTE, async || format!("{} are over", over().await), async || over().await == symbols().count()).await;
}

/// Each candle of the cases has been counted once for each place that was spoilt.
fn check_counted(service: &Service, places: u64) {
    for code in RowProblem::CODES {
        assert_eq!(service.refused(code), places * coded(|case| case.in_mysql, code), "{code}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_says_the_same_at_each_of_its_doors() {
    let market = Market::new().await;
    let service = market.start(market.before).await;
    market.decide_history(&service).await;
    market.announce_bad(&service).await;
    market.analyse(&service, market.before, "signal").await;
    check_counted(&service, 1);
    service.end().await;

    let service = market.start(market.bad.plus_millis(11_000)).await;
    service.clock.closed(market.after);
    for symbol in symbols() {
        service.candles.insert(&symbol, M15, &[market.sound(market.after)]).await.unwrap();
    }
    decided(&service, market.after).await;
    market.check_jobs(&service).await;
    for case in cases() {
        let signals = if case.in_mysql == Says::Taken { 3 } else { 1 };
        assert_eq!(service.signals(&case.symbol()).await.len(), signals, "{}", case.name);
    }
    let refused = market.analyse(&service, market.after, "gap").await;
    market.check_windows(&service).await;
    market.compare(&service).await;
    check_counted(&service, 1);
    tokio::task::block_in_place(|| market.analyse_by_command(&refused));

    let deep = market.before.plus_millis(-3 * M15.millis());
    market.replay(&service, deep, ["candles_changed", "candles_changed"]).await;
    check_counted(&service, 2);
    market.replay(&service, market.before, ["candles_changed", "candles_missing"]).await;
    service.end().await;
}
