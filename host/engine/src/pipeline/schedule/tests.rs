//! Tests the schedule on real stores, in a directory that is removed at the end.

use serde_json::{Value as Json, json};
use ta_bot_core::{ApplicationSettings, Candle, Job, SettingsPatch};

use super::*;
use crate::{
    pipeline::job_queue::local::LocalQueue,
    settings::config_store::Author,
    signals::outbox::{DeadFilter, DeadJob, FinishedJob},
    testing::{Engine, settings, symbol},
};

mod queue;

const M5: Timeframe = Timeframe::M5;
const M15: Timeframe = Timeframe::M15;

/// A service without strategies. Nothing reads its queue.
struct Service {
    schedule: Schedule,
    engine: Engine,
}

impl Service {
    async fn new(symbols: &str, timeframes: &str) -> Self {
        let settings = ApplicationSettings {
            symbols: symbols.split(',').map(symbol).collect(),
            timeframes: timeframes.split(',').map(|name| name.parse().unwrap()).collect(),
            ..settings()
        };
        let engine = Engine::new(settings).await;
        Self { schedule: schedule(&engine), engine }
    }

    /// Inserts `count` candles, of which the newest closed `ago` candles before now. Returns their jobs.
    async fn candles(&self, symbol: &str, timeframe: Timeframe, count: i64, ago: i64) -> Vec<Job> {
        let symbol: Symbol = symbol.parse().unwrap();
        let closes: Vec<_> = (0..count).rev().map(|index| closed(timeframe, ago + index)).collect();
        let candles: Vec<_> = closes.iter().map(|close| candle(close.plus_millis(-timeframe.millis()))).collect();
        self.engine.candles.insert(&symbol, timeframe, &candles).await.unwrap();
        let job = |candle_close| Job { symbol: symbol.clone(), timeframe, candle_close };
        closes.into_iter().map(job).collect()
    }

    /// Records that the service began with a series right before this job.
    async fn begin_before(&self, job: &Job) {
        let before = job.candle_close.plus_millis(-job.timeframe.millis());
        self.engine.outbox.begin(&[(job.symbol.clone(), job.timeframe, before)]).await.unwrap();
    }

    async fn finish(&self, jobs: &[Job]) {
        let finished = |job: &Job| FinishedJob { job: job.clone(), signals: Vec::new(), revision: 0 };
        let finished: Vec<_> = jobs.iter().map(finished).collect();
        self.engine.outbox.commit(&finished, Timestamp::now()).await.unwrap();
    }

    /// The jobs that a sweep finds, in the order in which they would be pushed.
    async fn sweep(&self, progress: &mut Progress) -> Vec<Job> {
        self.schedule.sweep(progress).await;
        progress.waiting.take(usize::MAX).into_iter().map(|found| found.job).collect()
    }

    async fn run_on(&self, timeframes: &[Timeframe]) {
        let patch = SettingsPatch { timeframes: Some(timeframes.to_vec()), ..SettingsPatch::default() };
        let author = Author { changed_by: "test".to_owned(), claimed_by: None, reason: None, at: Timestamp::now() };
        self.engine.analyst.settings.change(patch, None, false, &author).await.unwrap();
    }

    fn events(&self, outcome: &str) -> u64 {
        self.engine.analyst.metrics.events.with_label_values(&[outcome]).get()
    }
}

fn schedule(engine: &Engine) -> Schedule {
    Schedule {
        candles: Arc::clone(&engine.candles),
        outbox: Arc::clone(&engine.outbox),
        bus: Arc::clone(&engine.bus),
        settings: Arc::clone(&engine.analyst.settings),
        queue: Arc::new(LocalQueue::new(Arc::clone(&engine.analyst.metrics))),
        feeds: Arc::default(),
        leadership: Leadership::single_node("test".to_owned()),
        metrics: Arc::clone(&engine.analyst.metrics),
        abilities: Arc::clone(&engine.analyst.abilities),
        refused: LogLimit::default(),
    }
}

/// The close of the candle that is `ago` candles older than the newest closed one. The time stays fixed within a test,
/// so that a candle may close meanwhile.
fn closed(timeframe: Timeframe, ago: i64) -> Timestamp {
    thread_local!(static NOW: Timestamp = Timestamp::now());
    timeframe.open_of(NOW.with(|now| *now)).plus_millis(-ago * timeframe.millis())
}

fn candle(open_time: Timestamp) -> Candle {
    Candle { open_time, open: 100.0, high: 101.0, low: 99.0, close: 100.5, volume: 1.0 }
}

fn reversed(jobs: &[Job]) -> Vec<Job> {
    jobs.iter().rev().cloned().collect()
}

#[tokio::test]
async fn a_stale_series_stands_beside_a_live_one() {
    let service = Service::new("LIVEUSDT,STALEUSDT", "5m").await;
    let live = service.candles("LIVEUSDT", M5, 900, 0).await;
    let stale = service.candles("STALEUSDT", M5, 20, 20_000).await;
    service.candles("OTHERUSDT", M5, 20, 0).await;
    service.begin_before(&live[0]).await;
    service.begin_before(&stale[10]).await;
    service.finish(&live[..899]).await;
    service.finish(&[&stale[..15], &stale[16..]].concat()).await;
    let mut progress = Progress::default();
    let left = [live[899].clone(), stale[15].clone()];
    assert_eq!(service.sweep(&mut progress).await, left);
    service.finish(&left).await;
    for _ in 0..2 {
        assert_eq!(service.sweep(&mut progress).await, []);
    }
    let late = service.candles("STALEUSDT", M5, 1, 19_999).await;
    assert_eq!(service.sweep(&mut progress).await, late);
    assert_eq!(service.engine.outbox.begun(M5).await.unwrap().len(), 2, "what is not scheduled does not begin");
}

#[tokio::test]
async fn a_timeframe_that_is_scheduled_again_is_caught_up_on() {
    let service = Service::new("BTCUSDT", "5m,15m").await;
    let mut progress = Progress::default();
    let first = service.candles("BTCUSDT", M15, 1, 1500).await;
    assert_eq!(service.sweep(&mut progress).await, [], "an old candle is no news");
    service.run_on(&[M5]).await;
    service.candles("BTCUSDT", M15, 1500, 0).await;
    assert_eq!(service.sweep(&mut progress).await, []);
    service.finish(&service.candles("BTCUSDT", M15, 1, 0).await).await;
    service.run_on(&[M5, M15]).await;
    let found = service.sweep(&mut progress).await;
    assert_eq!(found.len(), 999, "at most 1000 before the newest, which is done");
    assert!(found.iter().all(|job| job.candle_close > first[0].candle_close));
}

#[tokio::test]
async fn catching_up_is_bounded_while_it_runs() {
    let service = Service::new("BTCUSDT", "5m").await;
    let mut progress = Progress::default();
    service.candles("BTCUSDT", M5, 1, 3000).await;
    service.sweep(&mut progress).await;
    let missed = service.candles("BTCUSDT", M5, 1500, 1500).await;
    assert_eq!(service.sweep(&mut progress).await, reversed(&missed[500..]));
}

#[tokio::test]
async fn a_dead_job_that_is_retried_is_taken_whatever_its_age_behind_what_is_new() {
    let service = Service::new("BTCUSDT", "5m").await;
    let mut progress = Progress::default();
    let new = service.candles("BTCUSDT", M5, 20, 0).await;
    service.begin_before(&new[0]).await;
    let old = service.candles("BTCUSDT", M5, 1, 5000).await.remove(0);
    let elsewhere = Job { symbol: "OTHERUSDT".parse().unwrap(), timeframe: M15, ..old.clone() };
    for job in [&old, &elsewhere, &new[3]] {
        let job = job.clone();
        let reason = "x".to_owned();
        let died_at = Timestamp::now();
        let dead = DeadJob { job, attempts: 5, reason, died_at, retried_at: None };
        service.engine.outbox.bury(&dead).await.unwrap();
    }
    let fresh = reversed(&[&new[..3], &new[4..]].concat());
    assert_eq!(service.sweep(&mut progress).await, fresh, "nobody asked for the dead ones");
    let all = DeadFilter::default();
    service.engine.outbox.retry(&all, Timestamp::now()).await.unwrap();
    let by_age = [reversed(&new), vec![elsewhere, old]].concat();
    for _ in 0..2 {
        let mut found = service.sweep(&mut progress).await;
        let last = found.len() - 2;
        found[last..].sort_by_key(|job| job.timeframe == M5);
        assert_eq!(found, by_age, "until it is finished or given up");
    }
    service.finish(&by_age).await;
    assert_eq!(service.sweep(&mut progress).await, []);
}

#[tokio::test]
async fn a_candle_that_came_late_and_a_job_that_was_abandoned_are_found() {
    let service = Service::new("BTCUSDT", "5m").await;
    let mut progress = Progress::default();
    let mut jobs = service.candles("BTCUSDT", M5, 20, 60).await;
    service.begin_before(&jobs[0]).await;
    assert_eq!(service.sweep(&mut progress).await, reversed(&jobs));
    service.finish(&[&jobs[..3], &jobs[4..]].concat()).await;
    let abandoned = jobs[3].clone();
    jobs = service.candles("BTCUSDT", M5, 20, 40).await;
    assert_eq!(service.sweep(&mut progress).await, [reversed(&jobs), vec![abandoned.clone()]].concat());
    service.finish(&jobs).await;
    assert_eq!(service.sweep(&mut progress).await, std::slice::from_ref(&abandoned));
    service.finish(&[abandoned]).await;
    assert_eq!(service.sweep(&mut progress).await, []);
    service.finish(&service.candles("BTCUSDT", M5, 1, 30).await).await;
    assert_eq!(service.sweep(&mut progress).await, []);
    service.candles("BTCUSDT", M5, 1, 38).await;
    let late = service.candles("BTCUSDT", M5, 1, 37).await;
    assert_eq!(service.sweep(&mut progress).await, late, "eight candles back, and more only in turn");
}

#[tokio::test]
async fn the_newest_come_first() {
    let service = Service::new("BTCUSDT,ETHUSDT", "5m,15m").await;
    let btc = service.candles("BTCUSDT", M5, 40, 0).await;
    let eth = service.candles("ETHUSDT", M5, 3, 100).await;
    let slow = service.candles("BTCUSDT", M15, 3, 2).await;
    for jobs in [&btc, &eth, &slow] {
        service.begin_before(&jobs[0]).await;
    }
    let found = service.sweep(&mut Progress::default()).await;
    assert_eq!(found.len(), 46);
    assert_eq!(found[..3], [btc[39].clone(), slow[2].clone(), eth[2].clone()], "the newest of each series");
    assert!(found[3..].is_sorted_by(|a, b| a.candle_close >= b.candle_close));
}

#[tokio::test]
async fn events_lead_to_their_series_only_and_leave_their_trace() {
    let service = Service::new("BTCUSDT,ETHUSDT", "5m").await;
    let btc = service.candles("BTCUSDT", M5, 3, 0).await;
    let eth = service.candles("ETHUSDT", M5, 1, 0).await;
    service.begin_before(&btc[0]).await;
    service.begin_before(&eth[0]).await;
    let scheduled = service.schedule.scheduled();
    let mut hints = Hints::new();
    let mut read = |body: &str| service.schedule.read_event(body.as_bytes(), &scheduled, &mut hints);
    read(r#"{"symbol": "BTCUSDT", "period": "5m"}"#);
    read(r#"{"symbol": "BTCUSDT", "period": "5m", "_otel_trace_headers": {"traceparent": "00-a"}}"#);
    read(r#"{"symbols": ["SOLUSDT"], "period": "5m"}"#);
    read(r#"{"symbols": ["BTCUSDT"], "period": "1h"}"#);
    read("candles");
    assert_eq!(["taken", "not_scheduled", "refused"].map(|outcome| service.events(outcome)), [2, 2, 1]);
    let mut progress = Progress::default();
    service.schedule.look_at(&hints, &mut progress).await;
    service.finish(&btc[..1]).await;
    service.schedule.sweep(&mut progress).await;
    let found = progress.waiting.take(usize::MAX);
    let traces: HashMap<_, _> = found.iter().map(|found| (&found.job, found.traceparent.as_deref())).collect();
    assert_eq!(traces, HashMap::from([(&btc[1], Some("00-a")), (&btc[2], Some("00-a")), (&eth[0], None)]));
}

/// Every form in which the Data Extractor announces candles, with the series that the event leads to.
#[tokio::test]
async fn every_form_of_the_extractors_events_leads_to_the_jobs_it_should() {
    const SENT: &str = "2031-05-04T10:02:07.123456+00:00Z";
    const SENT_ON_THE_SECOND: &str = "2031-05-04T10:10:09+00:00Z";
    let metrics = json!({"records_fetched": 3, "records_written": 2, "duration_seconds": 1.4, "gaps_found": 0,
        "gaps_filled": 0});
    let single = |symbol: &str, more: Json| {
        let mut event = json!({"event_type": "extraction_completed", "extraction_type": "klines", "symbol": symbol,
            "period": "5m", "timestamp": SENT, "success": true, "metrics": metrics, "errors": []});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let batch = |symbols: Json, success: bool, errors: Json| {
        json!({"event_type": "batch_extraction_completed", "extraction_type": "klines", "symbols": symbols,
            "period": "5m", "timestamp": SENT_ON_THE_SECOND, "success": success, "errors": errors,
            "metrics": {"total_records_fetched": 9, "total_records_written": 4, "symbols_processed": 2},
            "_otel_trace_context": {}})
    };
    let traced = json!({"traceparent": "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"});
    let mut renamed = single("BTCUSDT", json!({"timeframe": "5m"}));
    renamed.as_object_mut().unwrap().remove("period");
    let both = ["BTCUSDT", "1000SHIBUSDT"];
    let cases: [(&str, Json, &[&str], &str); 13] = [
        ("single", single("BTCUSDT", json!({"_otel_trace_context": traced})), &both[..1], "taken"),
        ("without a trace", single("1000SHIBUSDT", json!({"_otel_trace_context": {}})), &both[1..], "taken"),
        ("gap filler", single("BTCUSDT", json!({"extraction_type": "klines_gap_filling"})), &both[..1], "taken"),
        ("renamed", renamed, &both[..1], "taken"),
        ("failed", single("BTCUSDT", json!({"success": false, "errors": "timeout"})), &[], "refused"),
        ("errors as a text", single("BTCUSDT", json!({"errors": "slow"})), &both[..1], "taken"),
        ("batch", batch(json!(both), true, json!([])), &both, "taken"),
        ("batch in part", batch(json!(both), false, json!(["ETHUSDT: timeout"])), &both, "taken"),
        (
            "batch with odd symbols",
            batch(json!(["币安人生USDT", "BTCUSDT", 7, null]), true, json!([])),
            &both[..1],
            "taken",
        ),
        ("batch of nothing", batch(json!([]), false, json!(["all failed"])), &[], "not_scheduled"),
        ("odd symbol", single("币安人生USDT", json!({})), &[], "refused"),
        ("month", single("BTCUSDT", json!({"period": "1M"})), &[], "refused"),
        ("self-test", single("SELFTEST", json!({"period": "1m"})), &[], "not_scheduled"),
    ];
    for (form, event, wanted, outcome) in cases {
        let service = Service::new("BTCUSDT,1000SHIBUSDT", "5m").await;
        let mut jobs = HashMap::new();
        for name in both {
            let closed = service.candles(name, M5, 1, 0).await;
            service.begin_before(&closed[0]).await;
            jobs.insert(name, closed[0].clone());
        }
        let mut hints = Hints::new();
        service.schedule.read_event(event.to_string().as_bytes(), &service.schedule.scheduled(), &mut hints);
        assert_eq!(service.events(outcome), 1, "{form}");
        let mut progress = Progress::default();
        service.schedule.look_at(&hints, &mut progress).await;
        let mut found: Vec<Job> = progress.waiting.take(usize::MAX).into_iter().map(|found| found.job).collect();
        found.sort();
        let mut wanted: Vec<Job> = wanted.iter().map(|name| jobs[name].clone()).collect();
        wanted.sort();
        assert_eq!(found, wanted, "{form}");
        assert_eq!(service.events("unusable_symbol"), if form.contains("odd symbols") { 3 } else { 0 }, "{form}");
    }
}

#[tokio::test]
async fn a_hole_that_is_filled_far_back_is_found_in_the_course_of_the_sweeps() {
    let service = Service::new("AAAUSDT,BTCUSDT", "5m").await;
    service.candles("AAAUSDT", M5, 1, 0).await;
    let mut progress = Progress::default();
    let older = service.candles("BTCUSDT", M5, 450, 550).await;
    service.begin_before(&older[0]).await;
    let newer = service.candles("BTCUSDT", M5, 500, 0).await;
    service.finish(&[older, newer].concat()).await;
    service.finish(&service.sweep(&mut progress).await).await;
    let hole = service.candles("BTCUSDT", M5, 50, 500).await;
    let mut sweeps = 0;
    let found = loop {
        let found = service.sweep(&mut progress).await;
        if !found.is_empty() {
            break found;
        }
        sweeps += 1;
        assert!(sweeps < 300, "every series had its turn");
    };
    assert_eq!(found, reversed(&hole));
    service.finish(&found).await;
    assert_eq!(service.sweep(&mut progress).await, []);
}

#[tokio::test]
async fn a_job_that_was_given_up_for_its_row_is_taken_once_the_candle_is_there() {
    let service = Service::new("BTCUSDT", "5m").await;
    let mut progress = Progress::default();
    let new = service.candles("BTCUSDT", M5, 1, 0).await;
    service.finish(&new).await;
    let waits = |ago: i64| Job { candle_close: closed(M5, ago), ..new[0].clone() };
    // The third was given up for another reason, and the fourth is not scheduled.
    let elsewhere = Job { timeframe: M15, ..waits(6) };
    let dead =
        [(waits(2), "missing: x"), (waits(3), "unfinished: x"), (waits(4), "unsure: x"), (elsewhere, "unfinished: x")];
    for (job, reason) in dead {
        let dead = DeadJob { job, attempts: 1, reason: reason.to_owned(), died_at: Timestamp::now(), retried_at: None };
        service.engine.outbox.bury(&dead).await.unwrap();
    }
    assert_eq!(service.sweep(&mut progress).await, [], "nothing has come");
    service.candles("BTCUSDT", M5, 3, 2).await;
    let hints: Hints = HashMap::from([(M5, HashMap::from([(symbol("BTCUSDT"), None)]))]);
    service.schedule.look_at(&hints, &mut progress).await;
    let found: Vec<Job> = progress.waiting.take(usize::MAX).into_iter().map(|found| found.job).collect();
    assert_eq!(found, [waits(2), waits(3)], "an event is enough");
    service.finish(&found).await;
    assert_eq!(service.sweep(&mut progress).await, []);
}

/// An event finds candles after the finished ones, of a known and of a new series in the same look. The sweep finds
/// candles that came late, before the finished ones.
#[tokio::test]
async fn an_event_finds_what_is_new_and_the_sweep_what_is_late() {
    let service = Service::new("BTCUSDT,ETHUSDT", "5m").await;
    let mut progress = Progress::default();
    let btc = service.candles("BTCUSDT", M5, 5, 30).await;
    service.begin_before(&btc[0]).await;
    assert_eq!(service.sweep(&mut progress).await.len(), 5);
    service.finish(&btc).await;
    assert_eq!(service.sweep(&mut progress).await, []);
    // A gap of one candle, and a series that was never looked at.
    let newer = service.candles("BTCUSDT", M5, 2, 27).await;
    let eth = service.candles("ETHUSDT", M5, 2, 27).await;
    service.begin_before(&eth[0]).await;
    let scheduled = service.schedule.scheduled();
    let mut hints = Hints::new();
    service.schedule.read_event(br#"{"symbols": ["BTCUSDT", "ETHUSDT"], "period": "5m"}"#, &scheduled, &mut hints);
    service.schedule.look_at(&hints, &mut progress).await;
    let found = |progress: &mut Progress| {
        let mut found: Vec<Job> = progress.waiting.take(usize::MAX).into_iter().map(|found| found.job).collect();
        found.sort();
        found
    };
    let mut wanted = [newer.clone(), eth.clone()].concat();
    wanted.sort();
    assert_eq!(found(&mut progress), wanted);
    // Each look finds them again until they are finished.
    service.schedule.look_at(&hints, &mut progress).await;
    assert_eq!(found(&mut progress), wanted);
    service.finish(&wanted).await;
    service.schedule.look_at(&hints, &mut progress).await;
    assert_eq!(found(&mut progress), []);
    let late = service.candles("BTCUSDT", M5, 1, 29).await;
    service.schedule.look_at(&hints, &mut progress).await;
    assert_eq!(found(&mut progress), []);
    assert_eq!(service.sweep(&mut progress).await, late);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_begins_to_lead_sweeps_at_once_and_who_follows_does_not() {
    let service = Service::new("BTCUSDT", "5m").await;
    let jobs = service.candles("BTCUSDT", M5, 3, 0).await;
    service.begin_before(&jobs[0]).await;
    let Service { mut schedule, engine, .. } = service;
    let (leadership, lead) = Leadership::told();
    schedule.leadership = leadership;
    let stop = CancellationToken::new();
    let metrics = Arc::clone(&engine.analyst.metrics);
    let running = tokio::spawn(schedule.run(stop.clone()));
    // It receives events, but does not act on them.
    let heard = metrics.events.with_label_values(&["not_leading"]);
    while heard.get() == 0 {
        engine.local_bus.announce(br#"{"symbols":["BTCUSDT"],"period":"5m"}"#.to_vec());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(metrics.jobs_queued.get(), 0);
    lead(true);
    let queued = async {
        while metrics.jobs_queued.get() < 3 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    // Without the new term it would look when the next candle closes, or after 15 s.
    tokio::time::timeout(Duration::from_secs(2), queued).await.expect("it sweeps at once");
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn a_flood_of_bad_events_is_counted_and_harmless() {
    let service = Service::new("BTCUSDT", "5m").await;
    let jobs = service.candles("BTCUSDT", M5, 1, 0).await;
    service.begin_before(&jobs[0]).await;
    let stop = CancellationToken::new();
    let queue = Arc::clone(&service.schedule.queue);
    let metrics = Arc::clone(&service.engine.analyst.metrics);
    let bus = Arc::clone(&service.engine.local_bus);
    let running = tokio::spawn(service.schedule.run(stop.clone()));
    // The first sweep has run, so all receivers are subscribed.
    for delivery in queue.next(1).await {
        delivery.done().await;
    }
    let bad =
        [&b"{"[..], b"[]", b"null", br#"{"symbol": 5, "period": "5m"}"#, br#"{"symbol": "BTCUSDT", "period": 5}"#];
    for index in 0..10_000 {
        bus.announce(bad[index % bad.len()].to_vec());
    }
    let counted = || ["refused", "missed"].map(|outcome| metrics.events.with_label_values(&[outcome]).get());
    let all = async {
        while counted().iter().sum::<u64>() < 10_000 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), all).await.unwrap();
    stop.cancel();
    running.await.unwrap();
    assert_eq!(counted().iter().sum::<u64>(), 10_000);
}
