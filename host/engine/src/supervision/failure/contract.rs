//! The tests that every store of bundles must pass.
//!
//! A driver runs [`all`] in its tests. Each case gets an empty store of its own, as two handles that stand for two
//! replicas of the service.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "tests, and a test may fail loudly")]

use std::{sync::Arc, time::Duration};

use ta_bot_core::{
    Candle, CandleWindow, FailureId, Job, ModuleDigest, ParameterLevels, ParameterSchema, ResolvedParameters,
    Timeframe, Timestamp,
};
use ta_bot_wasm::{Limits, LogLevel, LogLine};

use super::{
    FailedWindow, Failure, FailureFilter, FailureStore, FailureSummary, KEPT_OF_A_MODULE, RecordedError, packed::Packed,
};

/// Two handles of one empty store.
pub type Replicas = (Arc<dyn FailureStore>, Arc<dyn FailureStore>);

/// 2026-01-01 00:00.
const START: i64 = 1_767_225_600_000;

/// Runs every case, each on a store that `fresh` makes.
pub async fn all(fresh: impl AsyncFn() -> Replicas) {
    nothing_is_there_at_first(fresh().await).await;
    a_bundle_comes_back_as_it_was(fresh().await).await;
    the_same_failure_again_changes_nothing(fresh().await).await;
    replicas_that_fail_at_once_keep_one(fresh().await).await;
    bundles_are_found_by_what_they_are_about(fresh().await).await;
    the_newest_of_a_module_are_kept(fresh().await).await;
    replicas_that_thin_out_at_once_keep_the_newest(fresh().await).await;
    the_largest_bundle_is_kept(fresh().await).await;
}

/// A failure of `module` on the candle that closed `index` quarters of an hour after the start.
pub fn failure(strategy: &str, module: &[u8], symbol: &str, index: i64) -> Failure {
    let timeframe = Timeframe::M15;
    let job = Job {
        symbol: symbol.parse().unwrap(),
        timeframe,
        candle_close: Timestamp::from_millis(START + index * timeframe.millis()),
    };
    let candle = |ago: i64| Candle {
        open_time: job.candle_close.plus_millis(-ago * timeframe.millis()),
        open: 0.1 + 0.2,
        high: 1.0 / 3.0,
        low: f64::MIN_POSITIVE,
        close: ago as f64,
        volume: 0.0,
    };
    let candles = CandleWindow::new((1..=20).rev().map(candle)).unwrap();
    Failure {
        at: Timestamp::from_millis(START + 1_000_000 + index),
        strategy: strategy.parse().unwrap(),
        module: ModuleDigest::of(module),
        wit_version: "1.0.0".to_owned(),
        host_version: "0.1.0".to_owned(),
        limits: Limits { timeout: Duration::from_millis(250), ..Limits::default() },
        parameters: ResolvedParameters::resolve(&ParameterSchema::new(Vec::new()), &ParameterLevels::default()),
        windows: vec![FailedWindow { series: Some((job.symbol.clone(), timeframe)), candles }],
        error: RecordedError { code: "trap".to_owned(), message: "ärger \"quoted\" \\ 市場 \u{1f4c9}\0".to_owned() },
        log: vec![LogLine { level: LogLevel::Error, message: "its last words\n\u{1b}[31m".to_owned() }],
        job,
    }
}

fn packed(failure: &Failure) -> Packed {
    Packed::new(failure).unwrap()
}

async fn listed(store: &dyn FailureStore, filter: FailureFilter) -> Vec<FailureSummary> {
    store.list(&FailureFilter { limit: if filter.limit == 0 { 1000 } else { filter.limit }, ..filter }).await.unwrap()
}

/// An empty store returns empty results.
pub async fn nothing_is_there_at_first((store, other): Replicas) {
    assert_eq!(listed(&*store, FailureFilter::default()).await, []);
    assert_eq!(other.get(FailureId::of(b"never kept")).await.unwrap(), None);
}

/// Another replica reads the bundle back exactly, to the last bit.
pub async fn a_bundle_comes_back_as_it_was((store, other): Replicas) {
    let failure = failure("rsi", b"module", "BTCUSDT", 1);
    assert!(store.put(&packed(&failure)).await.unwrap());
    let document = other.get(failure.id()).await.unwrap().unwrap();
    assert_eq!(document, failure.to_json());
    assert_eq!(Failure::read(document.as_bytes()).unwrap(), failure);
    assert_eq!(listed(&*other, FailureFilter::default()).await, [failure.summary()]);
}

/// A job that runs again fails again.
pub async fn the_same_failure_again_changes_nothing((store, other): Replicas) {
    let first = failure("rsi", b"module", "BTCUSDT", 1);
    let again = Failure { at: first.at.plus_millis(60_000), ..first.clone() };
    assert_eq!(first.id(), again.id());
    assert!(store.put(&packed(&first)).await.unwrap());
    assert!(!store.put(&packed(&again)).await.unwrap());
    assert!(!other.put(&packed(&again)).await.unwrap());
    assert_eq!(listed(&*store, FailureFilter::default()).await, [first.summary()]);
    assert_eq!(store.get(first.id()).await.unwrap(), Some(first.to_json()));
}

/// Two replicas store the failure of the same job at the same time, along with others.
pub async fn replicas_that_fail_at_once_keep_one((store, other): Replicas) {
    let writers = (0..16).map(|writer| {
        let store = Arc::clone(if writer % 2 == 0 { &store } else { &other });
        let bundle = packed(&failure("rsi", b"module", "BTCUSDT", writer / 4));
        tokio::spawn(async move { store.put(&bundle).await.unwrap() })
    });
    let mut new = 0;
    for writer in writers.collect::<Vec<_>>() {
        new += usize::from(writer.await.unwrap());
    }
    assert_eq!((new, listed(&*store, FailureFilter::default()).await.len()), (4, 4));
}

/// Each condition works alone and all of them together. Results come newest first.
pub async fn bundles_are_found_by_what_they_are_about((store, _): Replicas) {
    let mut all = Vec::new();
    for (index, (strategy, module, symbol)) in
        [("rsi", "one", "BTCUSDT"), ("rsi", "two", "ETHUSDT"), ("macd", "three", "BTCUSDT"), ("rsi", "two", "BTCUSDT")]
            .into_iter()
            .enumerate()
    {
        let failure = failure(strategy, module.as_bytes(), symbol, index as i64);
        store.put(&packed(&failure)).await.unwrap();
        all.insert(0, failure.summary());
    }
    let none = FailureFilter::default;
    assert_eq!(listed(&*store, none()).await, all);
    assert_eq!(listed(&*store, FailureFilter { limit: 2, ..none() }).await, all[..2]);
    let rsi = FailureFilter { strategy: Some("rsi".parse().unwrap()), ..none() };
    assert_eq!(listed(&*store, rsi.clone()).await, [all[0].clone(), all[2].clone(), all[3].clone()]);
    let two = FailureFilter { module: Some(ModuleDigest::of(b"two")), ..none() };
    assert_eq!(listed(&*store, two.clone()).await, [all[0].clone(), all[2].clone()]);
    let btc = FailureFilter { symbol: Some("BTCUSDT".parse().unwrap()), ..none() };
    assert_eq!(listed(&*store, btc.clone()).await, [all[0].clone(), all[1].clone(), all[3].clone()]);
    let together = FailureFilter { strategy: rsi.strategy, module: two.module, symbol: btc.symbol, limit: 0 };
    assert_eq!(listed(&*store, together).await, all[..1]);
}

/// Bundles of another module stay, and a bundle that is already stored removes nothing.
pub async fn the_newest_of_a_module_are_kept((store, other): Replicas) {
    let beside = failure("macd", b"beside", "BTCUSDT", 0);
    store.put(&packed(&beside)).await.unwrap();
    let kept = i64::from(KEPT_OF_A_MODULE);
    let bundles: Vec<Packed> =
        (0..kept + 3).map(|index| packed(&failure("rsi", b"module", "BTCUSDT", index))).collect();
    for bundle in &bundles[..kept as usize] {
        store.put(bundle).await.unwrap();
    }
    let of_rsi = || FailureFilter { strategy: Some("rsi".parse().unwrap()), ..FailureFilter::default() };
    assert_eq!(listed(&*store, of_rsi()).await.len(), kept as usize);
    assert!(!other.put(&bundles[0]).await.unwrap());
    for bundle in &bundles[kept as usize..] {
        other.put(bundle).await.unwrap();
    }
    let expected: Vec<FailureSummary> = bundles[3..].iter().rev().map(|bundle| bundle.summary.clone()).collect();
    assert!(listed(&*store, of_rsi()).await == expected, "the oldest three went");
    assert_eq!(store.get(bundles[0].summary.id).await.unwrap(), None);
    assert_eq!(store.get(beside.id()).await.unwrap(), Some(beside.to_json()));
}

/// Writers do not block each other, and no bundle is lost that should stay.
pub async fn replicas_that_thin_out_at_once_keep_the_newest((store, other): Replicas) {
    let kept = i64::from(KEPT_OF_A_MODULE);
    for index in 0..kept {
        store.put(&packed(&failure("rsi", b"module", "BTCUSDT", index))).await.unwrap();
    }
    let writers = (0..12).map(|writer| {
        let store = Arc::clone(if writer % 2 == 0 { &store } else { &other });
        let module: &[u8] = if writer % 3 == 0 { b"other" } else { b"module" };
        let bundle = packed(&failure("rsi", module, "BTCUSDT", kept + writer));
        tokio::spawn(async move { store.put(&bundle).await.unwrap() })
    });
    for writer in writers.collect::<Vec<_>>() {
        assert!(writer.await.unwrap());
    }
    let of = |module: &[u8]| FailureFilter { module: Some(ModuleDigest::of(module)), ..FailureFilter::default() };
    let newest = listed(&*store, of(b"module")).await;
    assert_eq!((newest.len(), listed(&*store, of(b"other")).await.len()), (kept as usize, 4));
    let started = |index: i64| Timestamp::from_millis(START + index * Timeframe::M15.millis());
    assert!(newest.iter().all(|summary| summary.job.candle_close >= started(8)));
}

/// Nine windows of ten thousand candles each, with random digits.
pub async fn the_largest_bundle_is_kept((store, other): Replicas) {
    let mut failure = failure("rsi", b"module", "BTCUSDT", 0);
    let mut state = 7_u64;
    let mut draw = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 40) as f64
    };
    let mut candle = |index: i64| Candle {
        open_time: Timestamp::from_millis(index * 60_000),
        open: draw(),
        high: draw(),
        low: draw(),
        close: draw(),
        volume: draw(),
    };
    let candles = CandleWindow::new((0..10_000).map(&mut candle)).unwrap();
    failure.windows = vec![FailedWindow { candles, ..failure.windows[0].clone() }; 9];
    assert!(store.put(&packed(&failure)).await.unwrap());
    let document = other.get(failure.id()).await.unwrap().unwrap();
    assert!(Failure::read(document.as_bytes()).unwrap() == failure);
}
