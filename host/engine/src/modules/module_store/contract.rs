//! What every store of modules must do, whatever is behind it.
//!
//! A driver runs [`all`] in its tests. Each case gets an empty store of its own, as two handles: two replicas of the
//! service.

#![allow(clippy::unwrap_used, clippy::panic, clippy::missing_panics_doc, reason = "tests, and a test may fail loudly")]

use std::sync::Arc;

use ta_bot_core::{ModuleDigest, Timestamp};

use super::{Judgement, KeepError, LARGEST_MODULE, ModuleStore, Removal, RemovedModule, Upload};
use crate::modules::admission::{Check, CheckName, CheckOutcome, Verdict};

/// Two handles of one empty store.
pub type Replicas = (Arc<dyn ModuleStore>, Arc<dyn ModuleStore>);

/// Runs every case, each on a store that `fresh` makes.
pub async fn all(fresh: impl AsyncFn() -> Replicas) {
    nothing_is_there_at_first(fresh().await).await;
    bytes_come_back(fresh().await).await;
    the_same_bytes_again_change_nothing(fresh().await).await;
    many_at_once_keep_one(fresh().await).await;
    a_module_that_is_too_large_is_refused(fresh().await).await;
    what_is_noted_first_stays(fresh().await).await;
    what_is_removed_is_gone_and_can_come_back(fresh().await).await;
}

/// Bytes without a pattern that a store could compress away or cut at a boundary unnoticed.
fn module(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let next = |state: &mut u64| {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 56) as u8
    };
    (0..size).map(|_| next(&mut state)).collect()
}

/// An empty store answers and holds nothing.
pub async fn nothing_is_there_at_first((store, other): Replicas) {
    assert_eq!(store.list().await.unwrap(), []);
    assert_eq!(other.get(ModuleDigest::of(b"never kept")).await.unwrap(), None);
}

/// Modules of every size come back: no bytes, one byte, around the boundaries of chunks, and a Python component.
pub async fn bytes_come_back((store, other): Replicas) {
    let before = Timestamp::now();
    let mut sizes = Vec::new();
    for (size, seed) in [0, 1, 255 * 1024, 255 * 1024 + 1, 4 * 1024 * 1024 - 1, 18_500_000].into_iter().zip(1..) {
        let bytes = module(size, seed);
        let digest = store.put(&bytes).await.unwrap();
        assert_eq!(digest, ModuleDigest::of(&bytes));
        assert!(other.get(digest).await.unwrap() == Some(bytes), "{size} bytes came back as others");
        sizes.push((digest.to_string(), size as u64));
    }
    sizes.sort();
    let listed = other.list().await.unwrap();
    assert_eq!(listed.iter().map(|kept| (kept.digest.to_string(), kept.size)).collect::<Vec<_>>(), sizes);
    assert!(listed.iter().all(|kept| kept.kept_at >= before && kept.kept_at <= Timestamp::now()));
}

/// This holds through another replica, too.
pub async fn the_same_bytes_again_change_nothing((store, other): Replicas) {
    let bytes = module(300_000, 7);
    let digest = store.put(&bytes).await.unwrap();
    let listed = store.list().await.unwrap();
    assert_eq!(other.put(&bytes).await.unwrap(), digest);
    assert_eq!(store.put(&bytes).await.unwrap(), digest);
    assert_eq!(other.list().await.unwrap(), listed);
    assert!(store.get(digest).await.unwrap() == Some(bytes));
}

/// Replicas that start at the same time all keep their bundled modules.
pub async fn many_at_once_keep_one((store, other): Replicas) {
    let bytes = Arc::new(module(1_000_000, 9));
    let writers = (0..8).map(|writer| {
        let store = Arc::clone(if writer % 2 == 0 { &store } else { &other });
        let bytes = Arc::clone(&bytes);
        tokio::spawn(async move { store.put(&bytes).await.unwrap() })
    });
    for writer in writers.collect::<Vec<_>>() {
        assert_eq!(writer.await.unwrap(), ModuleDigest::of(&bytes));
    }
    assert_eq!(store.list().await.unwrap().len(), 1);
    assert!(other.get(ModuleDigest::of(&bytes)).await.unwrap().as_ref() == Some(&*bytes));
}

/// Nothing of a module that is too large is kept.
pub async fn a_module_that_is_too_large_is_refused((store, _): Replicas) {
    let bytes = vec![0; LARGEST_MODULE + 1];
    match store.put(&bytes).await {
        Err(KeepError::TooLarge { given }) => assert_eq!(given, LARGEST_MODULE + 1),
        other => panic!("was not refused: {other:?}"),
    }
    assert_eq!(store.get(ModuleDigest::of(&bytes)).await.unwrap(), None);
    assert_eq!(store.list().await.unwrap(), []);
}

/// How a module was uploaded and what was found out about it is recorded once, even if another upload or judgement
/// follows.
pub async fn what_is_noted_first_stays((store, other): Replicas) {
    let digest = store.put(b"a module").await.unwrap();
    let found = other.find(digest).await.unwrap().unwrap();
    assert_eq!((found.upload.clone(), found.judgement.clone(), found.waits()), (None, None, false));
    let upload = |by: &str| Upload {
        by: by.to_owned(),
        at: Timestamp::from_millis(1_700_000_000_123),
        signed_by: Some("a key".to_owned()),
    };
    store.note_upload(digest, &upload("first")).await.unwrap();
    other.note_upload(digest, &upload("second")).await.unwrap();
    assert!(other.find(digest).await.unwrap().unwrap().waits());

    let check = |problem: &str| Check {
        name: CheckName::Hostile,
        outcome: CheckOutcome::Failed { problem: problem.to_owned(), example: None },
        evaluations: 7,
        duration_ms: 0.1,
    };
    let verdict = Verdict {
        digest: digest.to_string(),
        strategy: "rsi".to_owned(),
        host_version: "0.1.0".to_owned(),
        candles: "none".to_owned(),
        checks: vec![check("it $stops.in the middle: \u{1f4c9}")],
    };
    let at = Timestamp::from_millis(1_700_000_000_456);
    let checked = Judgement::Checked { at, version: "1.2.3".to_owned(), wit_version: "1.0.0".to_owned(), verdict };
    let unusable = Judgement::Unusable {
        at,
        host_version: "0.2.0".to_owned(),
        code: "describe_failed".to_owned(),
        reason: "another".to_owned(),
    };
    other.judge(digest, &checked).await.unwrap();
    store.judge(digest, &unusable).await.unwrap();
    // The same bytes again change nothing.
    assert_eq!(store.put(b"a module").await.unwrap(), digest);
    let found = store.find(digest).await.unwrap().unwrap();
    assert_eq!((found.upload.as_ref(), found.judgement.as_ref()), (Some(&upload("first")), Some(&checked)));
    assert!(!found.waits() && !checked.admits());
    assert_eq!(store.list().await.unwrap(), [found]);

    let unknown = ModuleDigest::of(b"never kept");
    store.note_upload(unknown, &upload("nobody")).await.unwrap();
    store.judge(unknown, &unusable).await.unwrap();
    assert_eq!(store.find(unknown).await.unwrap(), None);
}

/// A removed module is gone for every replica, who removed it is recorded, and the same bytes are a new module.
pub async fn what_is_removed_is_gone_and_can_come_back((store, other): Replicas) {
    let removal = |by: &str, at| Removal {
        by: by.to_owned(),
        at: Timestamp::from_millis(at),
        reason: (by == "ann").then(|| "it $crashes.everything".to_owned()),
    };
    let kept = store.put(b"to be kept").await.unwrap();
    let digest = store.put(b"to be removed").await.unwrap();
    let upload = Upload { by: "bob".to_owned(), at: Timestamp::from_millis(1_700_000_000_123), signed_by: None };
    store.note_upload(digest, &upload).await.unwrap();
    let refused = Judgement::Unusable {
        at: Timestamp::from_millis(1_700_000_000_456),
        host_version: "2.0.0".to_owned(),
        code: "too_costly".to_owned(),
        reason: "it is".to_owned(),
    };
    store.judge(digest, &refused).await.unwrap();
    assert!(other.remove(digest, &removal("ann", 1_700_000_001_000)).await.unwrap());
    assert!(!store.remove(digest, &removal("ann", 1_700_000_001_001)).await.unwrap(), "it is gone already");
    assert_eq!((store.find(digest).await.unwrap(), store.get(digest).await.unwrap()), (None, None));
    assert_eq!(store.list().await.unwrap().iter().map(|module| module.digest).collect::<Vec<_>>(), [kept]);
    // A check that is under way finds nothing to note its result on.
    store.judge(digest, &refused).await.unwrap();
    assert_eq!(store.find(digest).await.unwrap(), None);

    assert_eq!(other.put(b"to be removed").await.unwrap(), digest);
    let again = store.find(digest).await.unwrap().unwrap();
    assert_eq!((again.upload, again.judgement), (None, None));
    assert!(store.remove(digest, &removal("cy", 1_700_000_002_000)).await.unwrap());
    let size = b"to be removed".len() as u64;
    let of = |upload, removal| RemovedModule { digest, size, upload, removal };
    let (first, second) = (removal("ann", 1_700_000_001_000), removal("cy", 1_700_000_002_000));
    assert_eq!(store.removed(10).await.unwrap(), [of(None, second.clone()), of(Some(upload), first)]);
    assert_eq!(other.removed(1).await.unwrap(), [of(None, second)]);
}
