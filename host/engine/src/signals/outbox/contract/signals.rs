//! The cases about signals.

use std::sync::Arc;

use ta_bot_core::{Action, Timestamp};

use crate::signals::cursor::Cursor;

use super::{
    super::{Backlog, Committed, FinishedJob, SignalFilter, SignalState},
    Replicas, SignalTimestamp, Timeframe, finished, finished_of, ids, ids_of, job, moment, signal, texts, waiting,
};

/// An empty outbox returns empty results, and accepts empty lists.
pub async fn nothing_is_there_at_first((store, other): Replicas) {
    for replica in [&store, &other, &store] {
        replica.ping().await.unwrap();
        replica.probe().await.unwrap();
    }
    assert_eq!(store.commit(&[], moment(1)).await.unwrap(), Committed::default());
    assert_eq!(store.add(&[], moment(1)).await.unwrap(), []);
    store.mark_published(&[], moment(1)).await.unwrap();
    store.mark_published(&["ab".repeat(32)], moment(1)).await.unwrap();
    store.begin(&[]).await.unwrap();
    assert_eq!(store.unpublished(10).await.unwrap(), []);
    assert_eq!(store.backlog().await.unwrap(), Backlog { signals: 0, oldest: None });
    assert_eq!(store.signal(&"ab".repeat(32).parse().unwrap()).await.unwrap(), None);
    assert_eq!(store.signals(&SignalFilter { limit: 10, ..SignalFilter::default() }).await.unwrap(), []);
    assert_eq!(store.begun(Timeframe::M15).await.unwrap(), []);
    assert_eq!(finished_of(&*store, &[job("BTCUSDT", 1)]).await, []);
    assert_eq!(store.dead(10).await.unwrap(), []);
}

/// Every replica sees the signals in this order, with the message byte for byte.
pub async fn signals_wait_in_the_order_of_their_commits((store, other): Replicas) {
    let later = [finished("ETHUSDT", 5, &["rsi", "macd"]), finished("BTCUSDT", 4, &["macd"])];
    let sooner = [finished("BTCUSDT", 1, &["rsi"])];
    let mut expected = store.commit(&later, moment(1000)).await.unwrap().new;
    assert_eq!(expected, ids_of(&later), "answered in the order of the jobs");
    expected.extend(other.commit(&sooner, moment(900)).await.unwrap().new);
    let found = other.unpublished(10).await.unwrap();
    assert_eq!(ids(&found), texts(&expected));
    assert!(found.is_sorted_by_key(|signal| signal.sequence));
    assert_eq!(ids(&other.unpublished(2).await.unwrap()), texts(&expected[..2]));
    assert_eq!(other.unpublished(0).await.unwrap(), []);
    let (first, given) = (&found[0], &later[0].signals[0]);
    assert_eq!(first.message, given.message.to_string());
    assert_eq!(first.json(), given.message);
    assert_eq!((first.strategy.as_str(), first.symbol.as_str(), first.timeframe), ("rsi", "ETHUSDT", Timeframe::M15));
    assert_eq!((first.created_at, first.published_at), (moment(1000), None));
}

/// The second commit of a job returns no ids and changes nothing.
pub async fn a_signal_is_stored_once((store, other): Replicas) {
    let jobs = [finished("BTCUSDT", 1, &["rsi", "macd"]), finished("BTCUSDT", 2, &[])];
    let first = store.commit(&jobs, moment(1000)).await.unwrap().new;
    let before = store.unpublished(10).await.unwrap();
    assert_eq!(other.commit(&jobs, moment(2000)).await.unwrap(), Committed::default());
    assert_eq!(store.unpublished(10).await.unwrap(), before);
    let twice = finished("BTCUSDT", 3, &["rsi"]);
    let third = store.commit(&[twice.clone(), twice.clone()], moment(3000)).await.unwrap().new;
    assert_eq!(third, ids_of(&[twice]), "a job that is given twice in one commit");
    assert_eq!(waiting(&*store).await, texts(&[first, third].concat()));
}

/// A job that is evaluated again, with a module or parameters that changed meanwhile, emits no more signals. Other jobs
/// of the same commit do.
pub async fn a_finished_job_is_left_alone((store, other): Replicas) {
    let first = finished("BTCUSDT", 1, &["rsi"]);
    let none = finished("BTCUSDT", 2, &[]);
    store.commit(&[first.clone(), none.clone()], moment(1000)).await.unwrap();
    let again = |done: &FinishedJob| FinishedJob { signals: vec![signal(&done.job, "rsi", 1)], ..done.clone() };
    let fresh = finished("BTCUSDT", 3, &["rsi"]);
    let committed = other.commit(&[again(&first), again(&none), fresh.clone()], moment(2000)).await.unwrap().new;
    assert_eq!(committed, ids_of(std::slice::from_ref(&fresh)));
    assert_eq!(waiting(&*store).await, texts(&ids_of(&[first, fresh])));
}

/// An operator can request signals whether the job is finished or not. That does not finish the job.
pub async fn signals_can_be_added_beside_a_job((store, other): Replicas) {
    let done = finished("BTCUSDT", 1, &["rsi"]);
    store.commit(std::slice::from_ref(&done), moment(1000)).await.unwrap();
    let other_parameters = signal(&done.job, "rsi", 1);
    let unfinished = signal(&job("BTCUSDT", 2), "rsi", 0);
    let given = [done.signals[0].clone(), other_parameters.clone(), unfinished.clone(), unfinished.clone()];
    let expected = [other_parameters.id.clone(), unfinished.id.clone()];
    assert_eq!(other.add(&given, moment(2000)).await.unwrap(), expected);
    assert_eq!(other.add(&given, moment(3000)).await.unwrap(), []);
    assert_eq!(finished_of(&*store, &[job("BTCUSDT", 1), job("BTCUSDT", 2)]).await, [job("BTCUSDT", 1)]);
    let committed = store.commit(&[finished("BTCUSDT", 2, &["rsi", "macd"])], moment(4000)).await.unwrap().new;
    assert_eq!(committed, [signal(&job("BTCUSDT", 2), "macd", 0).id], "the signal that was added is not emitted again");
    assert_eq!(waiting(&*store).await.len(), 4);
}

/// A mark is set once. The number of waiting signals and their age follow.
pub async fn published_signals_wait_no_more((store, other): Replicas) {
    store.commit(&[finished("BTCUSDT", 1, &["rsi", "macd"])], moment(1000)).await.unwrap();
    store.commit(&[finished("BTCUSDT", 2, &["rsi"])], moment(2000)).await.unwrap();
    let ids = waiting(&*store).await;
    assert_eq!(other.backlog().await.unwrap(), Backlog { signals: 3, oldest: Some(moment(1000)) });
    other.mark_published(&[ids[1].clone(), "ab".repeat(32)], moment(3000)).await.unwrap();
    assert_eq!(waiting(&*store).await, [ids[0].as_str(), ids[2].as_str()]);
    store.mark_published(&ids[..2], moment(4000)).await.unwrap();
    assert_eq!(other.backlog().await.unwrap(), Backlog { signals: 1, oldest: Some(moment(2000)) });
    store.mark_published(&ids, moment(5000)).await.unwrap();
    assert_eq!(other.backlog().await.unwrap(), Backlog::default());
    assert_eq!(waiting(&*store).await, [""; 0]);
    let all = store.signals(&SignalFilter { limit: 10, ..SignalFilter::default() }).await.unwrap();
    let published: Vec<_> = all.iter().rev().map(|signal| signal.published_at.unwrap().millis()).collect();
    assert_eq!(published, [4000, 3000, 5000]);
    let again = store.commit(&[finished("BTCUSDT", 1, &["rsi"])], moment(6000)).await.unwrap();
    assert_eq!(again, Committed::default());
    assert_eq!(waiting(&*store).await, [""; 0], "a signal that was sent does not come back");
}

/// An expired signal waits no more and is not published. What the bus has acknowledged is published, whatever another
/// replica thinks of its age.
pub async fn expired_signals_wait_no_more((store, other): Replicas) {
    store.commit(&[finished("BTCUSDT", 1, &["rsi", "macd"])], moment(1000)).await.unwrap();
    store.commit(&[finished("BTCUSDT", 2, &["rsi", "macd"])], moment(2000)).await.unwrap();
    let ids = waiting(&*store).await;
    store.mark_expired(&[], moment(2500)).await.unwrap();
    store.mark_published(&ids[..1], moment(3000)).await.unwrap();
    other.mark_expired(&[ids[0].clone(), ids[1].clone(), ids[2].clone(), "ab".repeat(32)], moment(4000)).await.unwrap();
    assert_eq!(waiting(&*store).await, [ids[3].as_str()]);
    assert_eq!(other.backlog().await.unwrap(), Backlog { signals: 1, oldest: Some(moment(2000)) });
    store.mark_published(&ids[2..3], moment(5000)).await.unwrap();
    store.mark_expired(&ids[1..3], moment(6000)).await.unwrap();
    let all = store.signals(&SignalFilter { limit: 10, ..SignalFilter::default() }).await.unwrap();
    let states: Vec<_> =
        all.iter().rev().map(|signal| (signal.state().as_str(), signal.published_at, signal.expired_at)).collect();
    let expected = [
        ("published", Some(moment(3000)), None),
        ("expired", None, Some(moment(4000))),
        ("published", Some(moment(5000)), None),
        ("waiting", None, None),
    ];
    assert_eq!(states, expected);
    let jobs: Vec<_> = all.iter().rev().map(super::super::StoredSignal::job).collect();
    assert_eq!(jobs, [job("BTCUSDT", 1), job("BTCUSDT", 1), job("BTCUSDT", 2), job("BTCUSDT", 2)]);
}

/// A withheld signal waits no more and is not published. What the bus has acknowledged is published, whatever another
/// replica withholds.
pub async fn withheld_signals_wait_no_more((store, other): Replicas) {
    store.commit(&[finished("BTCUSDT", 1, &["rsi", "macd"])], moment(1000)).await.unwrap();
    store.commit(&[finished("BTCUSDT", 2, &["rsi", "macd"])], moment(2000)).await.unwrap();
    let waiting_at_first = store.unpublished(10).await.unwrap();
    assert!(waiting_at_first.iter().all(|signal| signal.action == "buy"), "{waiting_at_first:?}");
    let ids: Vec<_> = waiting_at_first.into_iter().map(|signal| signal.id).collect();
    store.mark_withheld(&[], moment(2500)).await.unwrap();
    store.mark_published(&ids[..1], moment(3000)).await.unwrap();
    other.mark_withheld(&ids[..3], moment(4000)).await.unwrap();
    assert_eq!(waiting(&*store).await, [ids[3].as_str()]);
    assert_eq!(other.backlog().await.unwrap(), Backlog { signals: 1, oldest: Some(moment(2000)) });
    store.mark_published(&ids[2..3], moment(5000)).await.unwrap();
    store.mark_expired(&ids[1..2], moment(6000)).await.unwrap();
    let all = store.signals(&SignalFilter { limit: 10, ..SignalFilter::default() }).await.unwrap();
    let states: Vec<_> = all.iter().rev().map(|signal| (signal.state().as_str(), signal.withheld_at)).collect();
    let expected = [("published", None), ("withheld", Some(moment(4000))), ("published", None), ("waiting", None)];
    assert_eq!(states, expected);
}

/// A signal that is withheld from its commit on never waits.
pub async fn a_signal_may_never_wait((store, other): Replicas) {
    let mut jobs = [finished("BTCUSDT", 1, &["rsi", "macd"]), finished("BTCUSDT", 2, &["rsi"])];
    jobs[0].signals[1].is_withheld = true;
    store.commit(&jobs, moment(1000)).await.unwrap();
    let ids = texts(&ids_of(&jobs));
    assert_eq!(waiting(&*other).await, [ids[0].as_str(), &ids[2]]);
    assert_eq!(store.backlog().await.unwrap().signals, 2);
    let withheld = SignalFilter { state: Some(SignalState::Withheld), limit: 10, ..SignalFilter::default() };
    let found = other.signals(&withheld).await.unwrap();
    assert_eq!((found.len(), found[0].id.as_str(), found[0].withheld_at), (1, ids[1].as_str(), Some(moment(1000))));
}

/// A signal that says when it was emitted says the moment of its commit, which is the one in its row. A second commit
/// changes nothing.
pub async fn an_emitted_signal_says_when_it_was_committed((store, other): Replicas) {
    let emitted = |index| {
        let mut done = finished("BTCUSDT", index, &["rsi"]);
        done.signals[0].timestamp = SignalTimestamp::Emitted;
        done
    };
    let (committed, added) = (emitted(1), emitted(2));
    store.commit(std::slice::from_ref(&committed), moment(1_767_225_600_123)).await.unwrap();
    other.commit(std::slice::from_ref(&committed), moment(1_767_225_700_000)).await.unwrap();
    store.add(&added.signals, moment(1_767_225_600_456)).await.unwrap();
    for (signal, millis) in [(&committed.signals[0], "123"), (&added.signals[0], "456")] {
        let found = other.signal(&signal.id).await.unwrap().unwrap();
        assert_eq!(found.json()["timestamp"], format!("2026-01-01T00:00:00.{millis}+00:00"));
        assert_eq!(found.json()["timestamp"], found.created_at.to_string());
        assert_eq!(found.json()["candle_close"], signal.job.candle_close.to_string());
    }
}

/// A signal is found by every replica, with the message byte for byte, whether or not it was sent.
pub async fn a_signal_is_found_by_its_id((store, other): Replicas) {
    let jobs = [finished("BTCUSDT", 1, &["rsi", "macd"]), finished("ETHUSDT", 1, &["rsi"])];
    store.commit(&jobs, moment(1000)).await.unwrap();
    let added = signal(&job("BTCUSDT", 1), "rsi", 1);
    other.add(std::slice::from_ref(&added), moment(2000)).await.unwrap();
    for given in jobs.iter().flat_map(|finished| &finished.signals).chain([&added]) {
        for store in [&store, &other] {
            let found = store.signal(&given.id).await.unwrap().unwrap();
            assert_eq!((found.id.as_str(), &found.message), (given.id.as_str(), &given.message.to_string()));
            assert_eq!((&found.symbol, &found.strategy), (&given.job.symbol, &given.strategy));
        }
    }
    store.mark_published(&[added.id.to_string()], moment(3000)).await.unwrap();
    let found = other.signal(&added.id).await.unwrap().unwrap();
    assert_eq!((found.created_at, found.published_at), (moment(2000), Some(moment(3000))));
    assert_eq!(store.signal(&signal(&job("BTCUSDT", 2), "rsi", 0).id).await.unwrap(), None);
}

/// Signals are found by any combination of strategy, symbol and timeframe, newest first.
pub async fn signals_are_found_by_what_they_are_about((store, _): Replicas) {
    let mut hourly = finished("BTCUSDT", 0, &[]);
    hourly.job.timeframe = Timeframe::H1;
    hourly.signals = vec![signal(&hourly.job, "rsi", 0)];
    let jobs = [finished("BTCUSDT", 1, &["rsi", "macd"]), finished("ETHUSDT", 1, &["rsi"]), hourly];
    store.commit(&jobs, moment(1000)).await.unwrap();
    let all = texts(&ids_of(&jobs));
    let (rsi, btc) = ("rsi".parse().ok(), "BTCUSDT".parse().ok());
    let filter = |strategy: &Option<_>, symbol: &Option<_>, timeframe, limit| SignalFilter {
        strategy: strategy.clone(),
        symbol: symbol.clone(),
        timeframe,
        limit,
        ..SignalFilter::default()
    };
    let cases = [
        (filter(&None, &None, None, 10), vec![3, 2, 1, 0]),
        (filter(&None, &None, None, 2), vec![3, 2]),
        (filter(&None, &None, None, 0), vec![]),
        (filter(&rsi, &None, None, 10), vec![3, 2, 0]),
        (filter(&None, &btc, None, 10), vec![3, 1, 0]),
        (filter(&None, &None, Some(Timeframe::H1), 10), vec![3]),
        (filter(&None, &btc, Some(Timeframe::M15), 10), vec![1, 0]),
        (filter(&rsi, &btc, Some(Timeframe::M15), 10), vec![0]),
        (filter(&rsi, &btc, None, 1), vec![3]),
        (filter(&"none".parse().ok(), &None, None, 10), vec![]),
    ];
    for (filter, expected) in cases {
        let expected: Vec<&str> = expected.into_iter().map(|index: usize| all[index].as_str()).collect();
        assert_eq!(ids(&store.signals(&filter).await.unwrap()), expected, "{filter:?}");
    }
    let newest = store.signals(&filter(&None, &None, None, 1)).await.unwrap();
    let earlier = SignalFilter { before: Some(newest[0].sequence), ..filter(&None, &None, None, 2) };
    assert_eq!(ids(&store.signals(&earlier).await.unwrap()), [all[2].as_str(), all[1].as_str()], "page by page");
}

/// Signals are found by their action, what has become of them, and when their candle closed. A signal that is read some
/// other way is judged alike.
pub async fn signals_are_found_by_what_became_of_them((store, other): Replicas) {
    let jobs: Vec<_> = (0..4).map(|index| finished("BTCUSDT", index, &["rsi"])).collect();
    store.commit(&jobs, moment(1000)).await.unwrap();
    let ids = texts(&ids_of(&jobs));
    store.mark_published(&ids[1..2], moment(2000)).await.unwrap();
    store.mark_expired(&ids[2..3], moment(2000)).await.unwrap();
    store.mark_withheld(&ids[3..], moment(2000)).await.unwrap();
    let all = other.signals(&SignalFilter { limit: 10, ..SignalFilter::default() }).await.unwrap();
    let closes: Vec<_> = jobs.iter().map(|done| done.job.candle_close).collect();
    let any = || SignalFilter { limit: 10, ..SignalFilter::default() };
    let action = |action| SignalFilter { action: Some(action), ..any() };
    let state = |state| SignalFilter { state: Some(state), ..any() };
    let between = |since, until| SignalFilter { since, until, ..any() };
    let cases = [
        (action(all[0].action.parse().unwrap()), vec![3, 2, 1, 0]),
        (action(Action::Close), vec![]),
        (state(SignalState::Waiting), vec![0]),
        (state(SignalState::Published), vec![1]),
        (state(SignalState::Expired), vec![2]),
        (state(SignalState::Withheld), vec![3]),
        (between(Some(closes[1]), None), vec![3, 2, 1]),
        (between(None, Some(closes[1])), vec![0]),
        (between(Some(closes[1]), Some(closes[3])), vec![2, 1]),
        (SignalFilter { state: Some(SignalState::Expired), ..between(Some(closes[3]), None) }, vec![]),
    ];
    for (filter, expected) in cases {
        let expected: Vec<&str> = expected.into_iter().map(|index: usize| ids[index].as_str()).collect();
        assert_eq!(super::ids(&store.signals(&filter).await.unwrap()), expected, "{filter:?}");
        let judged: Vec<_> = all.iter().filter(|signal| filter.matches(signal)).cloned().collect();
        assert_eq!(super::ids(&judged), expected, "{filter:?}");
    }
}

/// A reader gets what it has not seen, in the order of the positions, also from holes.
pub async fn a_reader_gets_what_it_has_not_seen((store, other): Replicas) {
    assert_eq!(store.unseen(&Cursor::default(), 10).await.unwrap(), []);
    let jobs: Vec<_> = (0..6).map(|index| finished("BTCUSDT", index, &["rsi"])).collect();
    store.commit(&jobs, Timestamp::now()).await.unwrap();
    let all = other.unseen(&Cursor::default(), 10).await.unwrap();
    assert_eq!(ids(&all), texts(&ids_of(&jobs)));
    assert!(all.is_sorted_by_key(|signal| signal.sequence));
    let mut cursor = Cursor::at(all[0].sequence);
    for index in [1, 4] {
        assert!(cursor.take(all[index].sequence, Timestamp::now()));
    }
    let unseen = other.unseen(&cursor, 10).await.unwrap();
    assert_eq!(unseen, [&all[2..4], &all[5..]].concat());
    assert_eq!(other.unseen(&cursor, 2).await.unwrap(), unseen[..2]);
    assert_eq!(store.unseen(&Cursor::at(all[5].sequence), 10).await.unwrap(), []);
}

/// How far a reader has come is kept under its name, for every replica.
pub async fn a_reader_goes_on_where_it_was((store, other): Replicas) {
    assert_eq!(store.reader("desk").await.unwrap(), None);
    let mut cursor = Cursor::at(3);
    cursor.take(9, Timestamp::now());
    store.keep_reader("desk", &Cursor::at(3), moment(1000)).await.unwrap();
    store.keep_reader("phone", &Cursor::at(1), moment(1000)).await.unwrap();
    other.keep_reader("desk", &cursor, moment(2000)).await.unwrap();
    assert_eq!(store.reader("desk").await.unwrap(), Some(cursor));
    assert_eq!(store.reader("phone").await.unwrap(), Some(Cursor::at(1)));
}

/// More jobs and signals than fit into one statement.
pub async fn many_signals_are_committed_at_once((store, _): Replicas) {
    let jobs: Vec<_> = (0..1100).map(|index| finished("BTCUSDT", index, &["rsi", "macd"])).collect();
    let committed = store.commit(&jobs, moment(1000)).await.unwrap().new;
    assert_eq!(committed, ids_of(&jobs));
    assert_eq!(waiting(&*store).await, texts(&committed));
    store.mark_published(&texts(&committed[..2000]), moment(2000)).await.unwrap();
    assert_eq!(waiting(&*store).await, texts(&committed[2000..]));
    assert_eq!(store.commit(&jobs, moment(3000)).await.unwrap(), Committed::default());
    let jobs: Vec<_> = jobs.into_iter().map(|finished| finished.job).collect();
    assert_eq!(finished_of(&*store, &jobs).await, jobs);
}

/// If writers commit the same signal at the same time, exactly one of them gets its id.
pub async fn replicas_that_commit_the_same_emit_it_once((store, other): Replicas) {
    let jobs: Arc<Vec<_>> = Arc::new((0..20).map(|index| finished("BTCUSDT", index, &["rsi", "macd"])).collect());
    let writers = (0..6).map(|writer| {
        let store = Arc::clone(if writer % 2 == 0 { &store } else { &other });
        let jobs = Arc::clone(&jobs);
        tokio::spawn(async move {
            let mut new = Vec::new();
            // Each writer splits the jobs differently, so that the commits overlap.
            for piece in jobs.chunks(3 + writer) {
                new.extend(store.commit(piece, moment(1000)).await.unwrap().new);
            }
            new
        })
    });
    let mut new = Vec::new();
    for writer in writers.collect::<Vec<_>>() {
        new.extend(writer.await.unwrap());
    }
    new.sort();
    let mut expected = ids_of(&jobs);
    expected.sort();
    assert_eq!(new, expected);
    assert_eq!(waiting(&*store).await.len(), 40);
}

/// Both replicas commit and mark at the same time.
pub async fn replicas_that_commit_at_once_lose_nothing((store, other): Replicas) {
    let writers = (0..20).map(|writer| {
        let store = Arc::clone(if writer % 2 == 0 { &store } else { &other });
        tokio::spawn(async move {
            let done = [finished("BTCUSDT", writer, &["rsi", "macd"])];
            let new = store.commit(&done, moment(1000)).await.unwrap().new;
            store.mark_published(&texts(&new[..1]), moment(2000)).await.unwrap();
            new.len()
        })
    });
    let mut new = 0;
    for writer in writers.collect::<Vec<_>>() {
        new += writer.await.unwrap();
    }
    assert_eq!(new, 40);
    assert_eq!(store.backlog().await.unwrap().signals, 20);
    let all = store.signals(&SignalFilter { limit: 100, ..SignalFilter::default() }).await.unwrap();
    assert_eq!(all.len(), 40);
    assert!(all.windows(2).all(|two| two[0].sequence > two[1].sequence));
}
