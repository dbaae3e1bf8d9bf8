//! Ten thousand signals for receivers that fail in every way, while the service is killed. Each of them gets each
//! signal at least once, those of a series in their order, and NATS has everything while one of them is still dead.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use serde_json::json;
use ta_bot_test_servers::Nats;
use ta_bot_tests::{replicas::stream, until};

use crate::{
    receiver::{Receiver, Reply, Request},
    service::{Service, entry},
};

const SYMBOLS: i64 = 20;
const CANDLES: i64 = 500;
const SIGNALS: usize = (SYMBOLS * CANDLES) as usize;
/// How many candles of each symbol are committed at once.
const PART: i64 = 10;
const PATIENCE: Duration = Duration::from_mins(2);

fn take(_: &Request, _: usize) -> Reply {
    Reply::Status(204, "")
}

/// Fails three times in a row, now and then, each time in another way.
fn fail(_: &Request, number: usize) -> Reply {
    match number % 3000 {
        300 => Reply::Status(500, ""),
        301 => Reply::Status(429, "Retry-After: 1\r\n"),
        302 => Reply::Status(503, "Retry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\n"),
        _ => Reply::Status(200, ""),
    }
}

/// Hangs on one request before the service is killed, and on one after that.
fn hang(_: &Request, number: usize) -> Reply {
    if [700, 9000].contains(&number) { Reply::Hang } else { Reply::Status(200, "") }
}

/// Sends the first requests elsewhere.
fn redirect(_: &Request, number: usize) -> Reply {
    let away = Reply::Status(302, "Location: http://127.0.0.1:9/T0K3N\r\n");
    if number <= 2 { away } else { Reply::Status(200, "") }
}

/// Never takes the signals of one candle.
fn refuse(request: &Request, _: usize) -> Reply {
    let message: serde_json::Value = serde_json::from_str(&request.body).unwrap();
    let is_refused = message["symbol"] == "SYM03" && message["candle_close"] == "2026-01-01T00:15:00+00:00";
    Reply::Status(if is_refused { 422 } else { 200 }, "")
}

/// The ids of the signals, by symbol in their order.
type Committed = HashMap<String, Vec<String>>;

struct Course {
    service: Service,
    committed: Committed,
    next: i64,
}

impl Course {
    /// Commits the signals of the candles up to this one.
    async fn commit_until(&mut self, candle: i64) {
        let symbols: Vec<String> = (0..SYMBOLS).map(|symbol| format!("SYM{symbol:02}")).collect();
        while self.next < candle {
            let part = self.next..self.next + PART;
            let candles = part.flat_map(|index| symbols.iter().map(move |symbol| (symbol.as_str(), index)));
            let candles: Vec<_> = candles.collect();
            let ids = self.service.commit(candles.iter().copied()).await;
            assert_eq!(ids.len(), candles.len());
            for ((symbol, _), id) in candles.into_iter().zip(ids) {
                self.committed.entry(symbol.to_owned()).or_default().push(id);
            }
            self.next += PART;
        }
    }

    /// Checks what a receiver took: all but so many signals, those of a series in their order. Returns how many came
    /// again.
    fn check(&self, name: &str, receiver: &Receiver, missing: usize) -> usize {
        let taken = receiver.taken();
        let mut seen = HashSet::new();
        let mut by_symbol: Committed = HashMap::new();
        for request in &taken {
            if seen.insert(request.id().to_owned()) {
                let message: serde_json::Value = serde_json::from_str(&request.body).unwrap();
                assert_eq!(message["signal_id"], request.id());
                by_symbol
                    .entry(message["symbol"].as_str().unwrap().to_owned())
                    .or_default()
                    .push(request.id().to_owned());
            }
        }
        assert_eq!(seen.len(), self.committed.values().map(Vec::len).sum::<usize>() - missing, "{name}");
        for (symbol, ids) in &self.committed {
            let expected: Vec<_> = ids.iter().filter(|id| missing == 0 || seen.contains(*id)).collect();
            assert_eq!(by_symbol[symbol].iter().collect::<Vec<_>>(), expected, "{name}: {symbol} is not in order");
        }
        taken.len() - seen.len()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_signals_reach_receivers_that_fail_in_every_way() {
    let nats = Nats::start().await.unwrap();
    let steady = Receiver::start(take).await;
    let mut killed = Receiver::start(take).await;
    let mut dead = Receiver::dead(take).await;
    let others = [
        ("failing", Receiver::start(fail).await),
        ("hanging", Receiver::start(hang).await),
        ("redirecting", Receiver::start(redirect).await),
        ("refusing", Receiver::start(refuse).await),
    ];
    let none = json!({});
    let mut receivers: Vec<_> = others.iter().map(|(name, one)| entry(name, one, &none)).collect();
    for (name, one) in [("steady", &steady), ("killed", &killed), ("dead", &dead)] {
        receivers.push(entry(name, one, &none));
    }
    let mut service = Service::new(&receivers.into(), &[("NATS_URL", nats.url())]).await;
    service.replica.start().await;
    service.replica.ready().await;
    let begun = async || service.deliveries("dead", "failed").await >= 0.0 && all_begun(&service).await;
    until(PATIENCE, async || service.replica.log_tail(), begun).await;
    let mut course = Course { service, committed: HashMap::new(), next: 0 };
    let started = Instant::now();
    course.commit_until(CANDLES / 5).await;
    until(PATIENCE, async || format!("{}", killed.taken_count()), async || killed.taken_count() > 500).await;
    killed.kill().await;
    course.commit_until(CANDLES / 2).await;
    until(PATIENCE, async || format!("{}", steady.taken_count()), async || steady.taken_count() > 2000).await;
    course.service.replica.kill().await;
    course.service.replica.start().await;
    course.commit_until(CANDLES * 3 / 4).await;
    killed.revive().await;
    course.commit_until(CANDLES).await;

    // NATS has everything, and the dead receiver nothing.
    let client = async_nats::connect(nats.url()).await.unwrap();
    let published = async || stream::state(&client).await.messages as usize == SIGNALS;
    until(PATIENCE, async || format!("{:?}", stream::state(&client).await), published).await;
    println!("NATS has {SIGNALS} signals after {:?}", started.elapsed());
    assert_eq!(dead.requests(), 0);
    let health = course.service.health("dead").await;
    assert!(health["lag_seconds"].as_f64().unwrap() > 0.0 && health["trouble"] == "connection", "{health}");
    dead.revive().await;

    let all = others.iter().map(|(name, one)| (*name, one)).chain([
        ("killed", &killed),
        ("dead", &dead),
        ("steady", &steady),
    ]);
    for (name, receiver) in all {
        let missing = usize::from(name == "refusing");
        let service = &course.service;
        let idle =
            async || service.health(name).await["lag_seconds"] == 0.0 && receiver.taken_count() >= SIGNALS - missing;
        let otherwise = async || format!("{name}: {} {}", receiver.taken_count(), service.health(name).await);
        until(PATIENCE, otherwise, idle).await;
        println!("{name} had all after {:?}, {} again", started.elapsed(), course.check(name, receiver, missing));
    }
    assert_eq!(course.service.deliveries("refusing", "refused").await, 1.0);
    course.service.check_hidden().await;
    end_in_order(course, &steady).await;
}

/// After an end in order nothing is sent again.
async fn end_in_order(mut course: Course, steady: &Receiver) {
    assert!(course.service.replica.terminate().await.success());
    let before = steady.requests();
    course.service.replica.start().await;
    course.commit_until(CANDLES + PART).await;
    let expected = before + (SYMBOLS * PART) as usize;
    until(PATIENCE, async || format!("{}", steady.requests()), async || steady.requests() >= expected).await;
    assert_eq!(steady.requests(), expected);
    course.check("steady", steady, 0);
}

/// Whether the service has stored for each receiver where it begins.
async fn all_begun(service: &Service) -> bool {
    for name in ["failing", "hanging", "redirecting", "refusing", "steady", "killed", "dead"] {
        if service.outbox.reader(&format!("webhook:{name}")).await.unwrap().is_none() {
            return false;
        }
    }
    true
}
