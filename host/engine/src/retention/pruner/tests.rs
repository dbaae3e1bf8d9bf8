use std::sync::{
    Mutex,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;

use super::*;
use crate::{
    pipeline::leadership::Leadership,
    retention::task::{Times, while_leading},
    sqlite::retention::SqliteRetention,
    testing::{Engine, settings},
};

/// Keeps a number of rows of two kinds.
struct Made {
    left: [AtomicU32; 2],
    asked: Mutex<Vec<(Kind, u32)>>,
    fails: bool,
}

const KINDS: [Kind; 2] = [Kind::Costs, Kind::Failures];

impl Made {
    fn new(costs: u32, failures: u32, fails: bool) -> Arc<Self> {
        Arc::new(Self { left: [costs, failures].map(AtomicU32::new), asked: Mutex::default(), fails })
    }

    fn left(&self, kind: Kind) -> &AtomicU32 {
        &self.left[usize::from(kind == Kind::Failures)]
    }
}

#[async_trait]
impl Prunable for Made {
    fn kinds(&self) -> &'static [Kind] {
        &KINDS
    }

    async fn prune(&self, kind: Kind, _: Timestamp, limit: u32) -> Result<u64, StoreError> {
        if self.fails && kind == Kind::Costs {
            return Err(StoreError::Unavailable { store: "test", reason: "away".to_owned() });
        }
        self.asked.lock().unwrap().push((kind, limit));
        let removed = self.left(kind).load(Ordering::Relaxed).min(limit);
        self.left(kind).fetch_sub(removed, Ordering::Relaxed);
        Ok(removed.into())
    }

    async fn due(&self, kind: Kind, _: Timestamp, most: u32) -> Result<u64, StoreError> {
        Ok(self.left(kind).load(Ordering::Relaxed).min(most).into())
    }

    async fn stored(&self, kind: Kind) -> Result<Stored, StoreError> {
        Ok(Stored { rows: Some(self.left(kind).load(Ordering::Relaxed).into()), ..Stored::default() })
    }
}

fn pruner(engine: &Engine, made: &Arc<Made>, keep: Keep) -> Arc<Pruner> {
    Arc::new(Pruner {
        kept: vec![Arc::clone(made) as _],
        signals: Some(Arc::new(SqliteRetention::new(engine.database.clone()))),
        readers: Some(Arc::new(Vec::<String>::new)),
        keep,
        metrics: Arc::clone(&engine.analyst.metrics),
    })
}

fn lines(engine: &Engine, begin: &str) -> Vec<String> {
    let text: String = engine.analyst.metrics.render().unwrap().collect();
    text.lines().filter(|line| line.starts_with(begin)).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_round_removes_all_that_is_too_old_a_few_rows_at_a_time() {
    let engine = Engine::new(settings()).await;
    let made = Made::new(1234, 7, false);
    let pruner = pruner(&engine, &made, Keep::default().with(Kind::Failures, 0));
    let looked = pruner.look(Timestamp::now()).await;
    assert_eq!(
        looked.iter().map(|done| (done.kind, done.rows)).collect::<Vec<_>>(),
        [(Kind::Costs, 1234), (Kind::Failures, 0)]
    );
    let done = pruner.round(Timestamp::now(), || true).await;
    assert_eq!(done.iter().map(|done| done.rows).collect::<Vec<_>>(), [1234, 0], "failures are kept for ever");
    assert_eq!((done[0].days, done[1].before), (Some(90), None));
    assert_eq!((done[0].stored.rows, done[1].stored.rows), (Some(0), Some(7)));
    let asked = made.asked.lock().unwrap().clone();
    assert!(asked.iter().all(|(kind, limit)| *kind == Kind::Costs && *limit <= Pace::MOST), "{asked:?}");
    assert_eq!(lines(&engine, "ta_bot_retention_rows_total"), [r#"ta_bot_retention_rows_total{kind="costs"} 1234"#]);
    let rounds = lines(&engine, r#"ta_bot_retention_rounds_total{of="stores""#);
    assert!(rounds[1].ends_with("finished\"} 1") && rounds[0].ends_with("failed\"} 0"), "{rounds:?}");
}

#[tokio::test]
async fn a_kind_that_fails_is_told_and_the_others_go_on() {
    let engine = Engine::new(settings()).await;
    let made = Made::new(5, 7, true);
    let pruner = pruner(&engine, &made, Keep::default());
    let done = pruner.round(Timestamp::now(), || true).await;
    assert!(done[0].error.as_ref().is_some_and(|error| error.to_string().contains("away")));
    assert!(done[1].rows == 7 && done[1].error.is_none(), "{done:?}");
    let rounds = lines(&engine, r#"ta_bot_retention_rounds_total{of="stores""#);
    assert!(rounds[1].ends_with("finished\"} 0") && rounds[0].ends_with("failed\"} 1"), "{rounds:?}");
}

#[tokio::test]
async fn a_round_ends_between_two_batches() {
    let engine = Engine::new(settings()).await;
    let made = Made::new(10_000, 7, false);
    let pruner = pruner(&engine, &made, Keep::default());
    let calls = AtomicU32::new(0);
    let done = pruner.round(Timestamp::now(), || calls.fetch_add(1, Ordering::Relaxed) < 4).await;
    assert_eq!(made.asked.lock().unwrap().len(), 3);
    assert_eq!(done.len(), 1, "the next kind did not begin");
}

async fn until(is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), waiting).await.expect("it comes");
}

#[tokio::test]
async fn only_a_leader_makes_rounds() {
    let engine = Engine::new(settings()).await;
    let made = Made::new(10, 7, false);
    let pruner = pruner(&engine, &made, Keep::default());
    let (leadership, tell) = Leadership::told();
    let stop = tokio_util::sync::CancellationToken::new();
    let times = Times { first: Duration::from_millis(20), pause: Duration::from_millis(40) };
    let task = tokio::spawn(while_leading(Arc::clone(&pruner), leadership, times, stop.clone()));
    let left = |kind| made.left(kind).load(Ordering::Relaxed);
    let is_measured = || !lines(&engine, "ta_bot_stored_rows").is_empty();
    assert_eq!((left(Kind::Costs), is_measured()), (10, false));
    tell(true);
    until(|| left(Kind::Failures) == 0 && is_measured()).await;
    made.left[0].store(5, Ordering::Relaxed);
    until(|| left(Kind::Costs) == 0).await;
    tell(false);
    // The next leader measures.
    until(|| !is_measured()).await;
    made.left[0].store(5, Ordering::Relaxed);
    tell(true);
    until(|| left(Kind::Costs) == 0).await;
    stop.cancel();
    task.await.unwrap();
}

#[test]
fn batches_adapt_to_what_they_take() {
    let mut pace = Pace::default();
    let ms = Duration::from_millis;
    assert_eq!((pace.rows, pace.after(ms(1)), pace.rows), (100, ms(10), 200));
    assert_eq!((pace.after(ms(2)), pace.after(ms(3)), pace.rows), (ms(10), ms(12), 500));
    assert_eq!((pace.after(ms(40)), pace.rows), (ms(160), 500));
    for _ in 0..9 {
        pace.after(ms(100));
    }
    assert_eq!((pace.rows, pace.after(Duration::from_mins(1))), (50, Duration::from_secs(5)));
}
