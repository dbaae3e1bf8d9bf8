//! Candles that an operator changes by hand: the preview tells what rested on them, a running service notices, a replay
//! says that the candles have changed, and what is decided anew is what an undisturbed service decides on the new ones.

use std::collections::{BTreeMap, BTreeSet};

use ta_bot::app::App;
use ta_bot_core::{Candle, Job, Symbol, Timeframe, Timestamp};
use ta_bot_engine::{
    market::candle_store::{RepairChange, RepairKind},
    pipeline::repair::{Preview, RepairError},
    settings::config_store::Author,
    signals::{
        outbox::{FinishedJob, SignalFilter, StoredSignal},
        redecision_store::{Redecision, RedecisionFilter},
    },
};
use ta_bot_test_servers::MariaDb;
use ta_bot_tests::{app, market};
use tempfile::TempDir;

mod killed;

const M15: Timeframe = Timeframe::M15;
/// 2026-01-01 00:00.
const START: Timestamp = Timestamp::from_millis(1_767_225_600_000);
const CANDLES: i64 = 420;
/// Candles from this one on are decided.
const DECIDED_FROM: i64 = 300;
/// The candles that an archive had wrong.
const WRONG: std::ops::Range<i64> = 330..336;

/// A service with finished jobs, whose candles lie on SQLite or MySQL.
struct Market {
    app: App,
    _maria: Option<MariaDb>,
    _folder: TempDir,
}

fn symbol() -> Symbol {
    "BTCUSDT".parse().unwrap()
}

fn opened(index: i64) -> Timestamp {
    START.plus_millis(index * M15.millis())
}

fn job(index: i64) -> Job {
    Job { symbol: symbol(), timeframe: M15, candle_close: M15.close_of(opened(index)) }
}

fn author() -> Author {
    Author { changed_by: "ann".to_owned(), claimed_by: None, reason: Some("a new archive".to_owned()), at: START }
}

/// Numbers as MySQL's tables hold them.
fn rounded(candle: Candle) -> Candle {
    let number = |number: f64| (number * 1e6).round() / 1e6;
    let [open, high, low, close, volume] =
        [candle.open, candle.high, candle.low, candle.close, candle.volume].map(number);
    Candle { open, high, low, close, volume, ..candle }
}

fn right() -> Vec<Candle> {
    market(&symbol(), M15, START, CANDLES).into_iter().map(rounded).collect()
}

/// The same with some candles that fell far and came back.
fn wrong() -> Vec<Candle> {
    let mut candles = right();
    for index in WRONG {
        let candle = &mut candles[index as usize];
        candle.close -= 4.0;
        candle.low = candle.low.min(candle.close) - 1.0;
        candle.volume *= 3.0;
        *candle = rounded(*candle);
    }
    candles
}

impl Market {
    async fn on_sqlite(candles: &[Candle]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let app = app::app(folder.path()).await.unwrap();
        Self::begin(app, None, folder, candles).await
    }

    async fn on_mysql(candles: &[Candle]) -> Self {
        let maria = MariaDb::start().await.unwrap();
        let uri = maria.create_database("market").await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        app::share_compiled(folder.path()).unwrap();
        let app = app::open_with(folder.path(), &[("MYSQL_URI", uri)]).await.unwrap();
        app.load_strategies().await.unwrap();
        Self::begin(app, Some(maria), folder, candles).await
    }

    /// Decides the newest candles as the pipeline does.
    async fn begin(app: App, maria: Option<MariaDb>, folder: TempDir, candles: &[Candle]) -> Self {
        app.candles.insert(&symbol(), M15, candles).await.unwrap();
        for index in DECIDED_FROM..CANDLES {
            let analysis = app.analyst.analyse(&job(index)).await.unwrap();
            let signals = analysis.signals().cloned().collect();
            let done = FinishedJob { job: job(index), signals, revision: analysis.revision };
            app.outbox.commit(&[done], START).await.unwrap();
        }
        Self { app, _maria: maria, _folder: folder }
    }

    async fn preview(&self, change: &RepairChange) -> Preview {
        self.app.mender.preview(&symbol(), M15, change).await.unwrap()
    }

    /// All stored signals.
    async fn signals(&self) -> Vec<StoredSignal> {
        let all = SignalFilter { limit: 1_000, ..SignalFilter::default() };
        let signals = self.app.outbox.signals(&all).await.unwrap();
        assert!(signals.len() < 1_000 && !signals.is_empty(), "{}", signals.len());
        signals
    }

    /// The ids of the signals whose candles are others now, or are gone.
    async fn made_of_other_candles(&self) -> BTreeSet<String> {
        let mut ids = BTreeSet::new();
        for signal in self.signals().await {
            let replay = self.app.replayer.replay(&signal.id.parse().unwrap()).await.unwrap().unwrap();
            match replay.cause.map(|cause| cause.code()) {
                None => assert!(replay.differences.is_empty(), "{}", signal.message),
                Some("candles_changed" | "candles_missing") => {
                    ids.insert(signal.id);
                }
                Some(other) => panic!("{other}"),
            }
        }
        ids
    }

    /// The candle that opened at a time, as the service gives it to strategies.
    async fn given(&self, index: i64) -> Option<Candle> {
        let window = self.app.candles.newest(&symbol(), M15, opened(CANDLES), 200).await.unwrap();
        window.candles.into_iter().find(|candle| candle.open_time == opened(index))
    }
}

fn ids(preview: &Preview) -> BTreeSet<String> {
    preview.signals.iter().map(|signal| signal.id.clone()).collect()
}

/// The messages of signals, by candle and strategy.
fn messages(signals: &[StoredSignal]) -> BTreeMap<(Timestamp, String), String> {
    signals.iter().map(|signal| ((signal.candle_close, signal.strategy.to_string()), signal.message.clone())).collect()
}

async fn a_new_archive(market: Market) {
    let undisturbed = Market::on_sqlite(&right()).await;
    assert_eq!(market.made_of_other_candles().await, BTreeSet::new());
    let before = market.signals().await;
    let known = market.app.cache.take_repairs(None).await.unwrap();
    assert_eq!(market.given(WRONG.start).await.unwrap(), wrong()[WRONG.start as usize]);

    // What it would do.
    let change = RepairChange::Replace(right());
    let preview = market.preview(&change).await;
    assert_eq!((preview.kind, preview.added, preview.removed, preview.kept), (RepairKind::Replace, 0, 0, 0));
    assert_eq!((preview.changed, preview.same), (6, CANDLES as u64 - 6));
    assert_eq!(preview.changes.len(), 6);
    assert_eq!(preview.changes[0].old, Some(wrong()[WRONG.start as usize]));
    assert_eq!(preview.changes[0].new, Some(right()[WRONG.start as usize]));
    // Some strategy reads far enough to see them from the last candle on.
    assert_eq!(preview.jobs, (WRONG.start..CANDLES).map(job).collect::<Vec<_>>());
    assert_eq!(market.signals().await, before, "a preview changes nothing");
    assert_eq!(market.app.mender.repairs(9).await.unwrap(), []);

    // Doing it.
    let series = (&symbol(), M15);
    if let Some(owner) = preview.owner {
        let refused = market.app.mender.apply(series, change.clone(), author(), false).await.unwrap_err();
        assert!(matches!(refused, RepairError::Foreign(_)) && refused.to_string().contains(owner), "{refused}");
    }
    let repaired = market.app.mender.apply(series, change, author(), true).await.unwrap();
    let number = repaired.number.unwrap();
    assert_eq!((repaired.changed, repaired.added, repaired.same), (6, 0, CANDLES as u64 - 6));
    let entry = &market.app.mender.repairs(9).await.unwrap()[0];
    assert_eq!((entry.number, &entry.author), (number, &author()));

    // A service that runs learns of it, and decides on the new candles from then on.
    assert_eq!(market.app.cache.take_repairs(Some(known)).await.unwrap(), number);
    for index in WRONG {
        assert_eq!(market.given(index).await.unwrap(), right()[index as usize]);
    }
    assert_eq!(market.made_of_other_candles().await, ids(&preview), "the preview named just those");
    assert_eq!(market.signals().await, before, "signals stay as they are");

    // What is decided anew.
    let done = market.app.mender.redecide(number, &preview, &mut |_| ()).await.unwrap();
    assert_eq!((done.jobs, done.without_candle), (preview.jobs.len() as u64, 0));
    let filter = RedecisionFilter { repair: number, limit: 1_000, ..RedecisionFilter::default() };
    let anew = market.app.mender.redecisions(&filter).await.unwrap();
    let given: BTreeMap<_, _> = anew
        .iter()
        .filter_map(|one| {
            let (id, message) = one.signal.as_ref()?;
            assert_eq!(serde_json::from_str::<serde_json::Value>(message).unwrap()["signal_id"], id.as_str());
            Some(((one.job.candle_close, one.strategy.to_string()), message.clone()))
        })
        .collect();
    let from = job(WRONG.start).candle_close;
    let expected: Vec<_> =
        undisturbed.signals().await.into_iter().filter(|signal| signal.candle_close >= from).collect();
    assert_eq!(given, messages(&expected), "an undisturbed service decides the same");
    let gone: BTreeSet<_> = anew
        .iter()
        .filter(|one| one.signal.is_none())
        .map(|one| (one.job.candle_close, one.strategy.to_string()))
        .collect();
    let old = messages(&before);
    let are_not_given: BTreeSet<_> =
        old.keys().filter(|key| key.0 >= from && !given.contains_key(*key)).cloned().collect();
    assert_eq!(gone, are_not_given);
    assert!(!gone.is_empty() && given != old, "the wrong candles made a difference");
    assert_eq!((done.signals, done.gone), (given.len() as u64, gone.len() as u64));
    // Once more, as after an interruption: what rested on it is known from the log, and the same comes of it.
    let rested = market.app.mender.rested_on(number).await.unwrap();
    assert_eq!(
        (rested.jobs.clone(), ids(&rested)),
        (preview.jobs, ids(&Preview { signals: preview.signals, ..rested.clone() }))
    );
    market.app.mender.redecide(number, &rested, &mut |_| ()).await.unwrap();
    let again = market.app.mender.redecisions(&filter).await.unwrap();
    let of = |decisions: &[Redecision]| {
        decisions.iter().map(|one| (one.job.clone(), one.strategy.clone(), one.signal.clone())).collect::<Vec<_>>()
    };
    assert_eq!(of(&again), of(&anew));
    assert_eq!(market.signals().await, before, "nothing of it is published or replaces anything");
}

async fn a_deletion(market: Market) {
    let known = market.app.cache.take_repairs(None).await.unwrap();
    market.given(0).await;
    let change = RepairChange::Delete(opened(WRONG.start)..opened(WRONG.end));
    let preview = market.preview(&change).await;
    assert_eq!((preview.kind, preview.removed, preview.changes.len()), (RepairKind::Delete, 6, 6));
    assert_eq!((preview.changes[0].old.is_some(), preview.changes[0].new), (true, None));
    assert_eq!(preview.jobs, (WRONG.start..CANDLES).map(job).collect::<Vec<_>>());
    let repaired = market.app.mender.apply((&symbol(), M15), change, author(), true).await.unwrap();
    assert_eq!((repaired.removed, repaired.added, repaired.changed), (6, 0, 0));
    market.app.cache.take_repairs(Some(known)).await.unwrap();
    assert_eq!(market.given(WRONG.start).await, None);
    assert_eq!(market.made_of_other_candles().await, ids(&preview));
    let number = repaired.number.unwrap();
    let done = market.app.mender.redecide(number, &preview, &mut |_| ()).await.unwrap();
    assert_eq!((done.without_candle, done.jobs), (6, preview.jobs.len() as u64 - 6));
    let rested = market.app.mender.rested_on(number).await.unwrap();
    assert_eq!((&rested.jobs, ids(&rested).is_superset(&ids(&preview))), (&preview.jobs, true));

    // Filled again: the candles come, and what was decided without them is named.
    let change = RepairChange::Replace(right()[WRONG.start as usize..WRONG.end as usize].to_vec());
    let preview = market.preview(&change).await;
    assert_eq!((preview.added, preview.changed, preview.changes[0].old), (6, 0, None));
    assert_eq!(preview.jobs, (WRONG.start..CANDLES).map(job).collect::<Vec<_>>());
    let repaired = market.app.mender.apply((&symbol(), M15), change, author(), true).await.unwrap();
    assert_eq!(repaired.added, 6);
    assert_eq!(market.app.mender.repairs(9).await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_archive_on_sqlite() {
    Box::pin(a_new_archive(Market::on_sqlite(&wrong()).await)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_archive_on_mysql() {
    Box::pin(a_new_archive(Market::on_mysql(&wrong()).await)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_on_sqlite() {
    a_deletion(Market::on_sqlite(&right()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_on_mysql() {
    a_deletion(Market::on_mysql(&right()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_closed_candle_is_not_put_in_place_of_one() {
    let market = Market::on_sqlite(&right()).await;
    let candle = right()[9];
    let open_now = Candle { open_time: M15.open_of(Timestamp::now()), ..candle };
    for (candles, told) in [
        (vec![Candle { open_time: opened(9).plus_millis(1), ..candle }], "a candle of 15m opens at"),
        (vec![Candle { high: 1.0, ..candle }], "do not enclose"),
        (vec![open_now], "still open"),
        (vec![right()[9], right()[8]], "order the candles by time"),
        (vec![right()[9], right()[9]], "each once"),
    ] {
        let change = RepairChange::Replace(candles);
        let refused = market.app.mender.preview(&symbol(), M15, &change).await.unwrap_err();
        assert!(refused.to_string().contains(told), "{refused}");
        let refused = market.app.mender.apply((&symbol(), M15), change, author(), true).await.unwrap_err();
        assert!(matches!(refused, RepairError::Unsound { .. }), "{refused}");
    }
    let unknown = market.app.mender.redecisions(&RedecisionFilter { repair: 7, limit: 1, ..Default::default() }).await;
    assert!(matches!(unknown, Err(RepairError::UnknownRepair(7))));
    assert_eq!(market.app.mender.repairs(9).await.unwrap(), []);
}
