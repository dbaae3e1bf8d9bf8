//! What is kept can be made again after older signals were removed.

use ta_bot_core::{SignalId, Timestamp};
use ta_bot_drivers::sqlite::{Database, retention::SqliteRetention};
use ta_bot_engine::{
    retention::{
        kind::Kind,
        store::{Prunable as _, RetentionStore as _},
    },
    signals::{outbox::SignalFilter, replay::Verdict},
};

use crate::store::Store;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_is_made_again_and_what_is_not_is_told() {
    let store = Store::with_signals().await;
    let filter = SignalFilter { limit: 10_000, ..SignalFilter::default() };
    let ids = async || {
        let signals = store.app.outbox.signals(&filter).await.unwrap().into_iter();
        signals.rev().map(|signal| signal.id).collect::<Vec<_>>()
    };
    let all = ids().await;
    store.app.outbox.mark_published(&all, Timestamp::from_millis(1)).await.unwrap();
    let retention = SqliteRetention::new(Database::open(store.folder.path()).await.unwrap());
    let half = all.len() as u32 / 2;
    let removed = retention.prune(Kind::Signals, Timestamp::from_millis(1), half).await.unwrap();
    assert_eq!(removed, u64::from(half));
    let kept = ids().await;
    assert_eq!(kept, all[half as usize..]);
    for id in kept.iter().take(20) {
        let id: SignalId = id.parse().unwrap();
        assert_eq!(store.app.replayer.replay(&id).await.unwrap().unwrap().verdict(), Verdict::Equal, "{id}");
    }
    let gone: SignalId = all[0].parse().unwrap();
    assert!(store.app.replayer.replay(&gone).await.unwrap().is_none());
    assert_eq!(retention.removed_to(Kind::Signals).await.unwrap(), Some(Timestamp::from_millis(1)));
}
