use proptest::prelude::*;

use super::*;

fn job(symbol: &str, index: i64) -> Job {
    let candle_close = Timestamp::from_millis(index * Timeframe::M15.millis());
    Job { symbol: symbol.parse().unwrap(), timeframe: Timeframe::M15, candle_close }
}

/// Lets the module fail on every admitted candle of the symbol. Returns the candles that were admitted, and the steps
/// taken.
fn fails_on(ladder: &mut Ladder, symbol: &str, closes: impl IntoIterator<Item = i64>) -> (Vec<i64>, Vec<Step>) {
    let admitted = closes.into_iter().filter_map(|close| {
        let job = job(symbol, close);
        ladder.admits(&job).then(|| (close, ladder.failed(&job)))
    });
    admitted.unzip()
}

/// The reason of a quarantine.
fn reason(step: &Step) -> &str {
    let Step::Quarantine { reason } = step else { panic!("{step:?}") };
    reason
}

fn suspended(ladder: &Ladder) -> Vec<String> {
    let mut all: Vec<_> = ladder.suspended().map(|(symbol, timeframe)| format!("{symbol} {timeframe}")).collect();
    all.sort();
    all
}

#[test]
fn a_module_that_fails_on_a_series_is_skipped_then_backed_off_then_suspended_on_it_alone() {
    let mut ladder = Ladder::default();
    let (mut seen, mut steps) = (Vec::new(), Vec::new());
    for close in 0..1000 {
        // The module's other series are not affected, and it answers there.
        assert!(ladder.admits(&job("ETHUSDT", close)), "{close}");
        ladder.succeeded(&job("ETHUSDT", close));
        let (admitted, step) = fails_on(&mut ladder, "BTCUSDT", [close]);
        seen.extend(admitted);
        steps.extend(step);
        let expected: &[&str] = if steps.len() >= 6 { &["BTCUSDT 15m"] } else { &[] };
        assert_eq!(suspended(&ladder), expected, "{close}");
    }
    let back_off = |candles| Step::BackOff { candles };
    assert_eq!(steps[..5], [Step::Skip, Step::Skip, back_off(1), back_off(2), back_off(4)]);
    let candles: Vec<u32> = steps[5..]
        .iter()
        .map(|step| match step {
            Step::Suspend { candles } => *candles,
            other => panic!("{other:?}"),
        })
        .collect();
    let pauses: Vec<i64> = seen.windows(2).map(|pair| pair[1] - pair[0] - 1).collect();
    assert_eq!(pauses[..9], [0, 0, 1, 2, 4, 8, 16, 16, 16]);
    // Each candle that is evaluated from now on is a try after so many that are left out.
    assert_eq!(candles.iter().map(|count| i64::from(*count)).take(pauses.len() - 5).collect::<Vec<_>>(), pauses[5..]);
    assert!(pauses.len() > 60, "{pauses:?}");
}

#[test]
fn three_symbols_on_which_it_is_suspended_are_enough_for_a_quarantine_and_two_are_not() {
    let mut ladder = Ladder::default();
    for symbol in ["BTCUSDT", "ETHUSDT"] {
        let (_, steps) = fails_on(&mut ladder, symbol, 0..13);
        assert_eq!(steps[5], Step::Suspend { candles: 8 }, "{symbol}");
        ladder.succeeded(&job("ADAUSDT", 0));
    }
    // Another series of the same symbol shares the symbol's fault.
    for index in 0..13 {
        let hourly = Job { timeframe: Timeframe::H1, ..job("BTCUSDT", index * 4) };
        if ladder.admits(&hourly) {
            assert!(!matches!(ladder.failed(&hourly), Step::Quarantine { .. }));
            ladder.succeeded(&job("ADAUSDT", index));
        }
    }
    assert_eq!(suspended(&ladder), ["BTCUSDT 15m", "BTCUSDT 1h", "ETHUSDT 15m"]);
    let (seen, steps) = fails_on(&mut ladder, "DOGEUSDT", 40..53);
    assert_eq!(seen, [40, 41, 42, 44, 47, 52]);
    assert!(steps[..5].iter().all(|step| matches!(step, Step::Skip | Step::BackOff { .. })), "{steps:?}");
    let expected = "it failed on 6 or more candles in a row of each of 3 symbols, the last time on DOGEUSDT 15m";
    assert_eq!(reason(&steps[5]), expected);

    // An answer on one of the three takes it off the list.
    ladder.succeeded(&job("ETHUSDT", 60));
    let (_, steps) = fails_on(&mut ladder, "DOGEUSDT", 53..62);
    assert_eq!(steps, [Step::Suspend { candles: 16 }]);
}

#[test]
fn where_the_quarantine_waits_it_is_asked_for_again_and_back_off_has_an_end() {
    // The module fails on the only series that it has.
    let (seen, steps) = fails_on(&mut Ladder::default(), "BTCUSDT", 0..500);
    assert!(steps[..19].iter().all(|step| !matches!(step, Step::Quarantine { .. })), "{steps:?}");
    assert_eq!(reason(&steps[19]), "it failed 20 times in a row, the last time on BTCUSDT 15m");
    assert!(steps[19..].iter().all(|step| matches!(step, Step::Quarantine { .. })), "{steps:?}");
    assert!(steps.len() > 30, "{steps:?}");
    assert!(seen.windows(2).all(|pair| pair[1] - pair[0] <= 17), "{seen:?}");
}

/// A delisted symbol neither brings the module nearer to its quarantine nor stays on the list.
#[test]
fn a_series_that_stands_still_does_not_count() {
    let mut ladder = Ladder::default();
    for symbol in ["BTCUSDT", "ETHUSDT"] {
        fails_on(&mut ladder, symbol, 0..13);
        ladder.succeeded(&job("ADAUSDT", 12));
    }
    assert!(ladder.admits(&job("ADAUSDT", 12 + STANDS_STILL_AFTER)));
    assert_eq!(suspended(&ladder), ["BTCUSDT 15m", "ETHUSDT 15m"]);
    // A candle that is left out is a candle as well.
    assert!(!ladder.admits(&job("ETHUSDT", 13 + STANDS_STILL_AFTER)));
    assert_eq!(suspended(&ladder), ["ETHUSDT 15m"]);
    let (_, steps) = fails_on(&mut ladder, "DOGEUSDT", 100..113);
    assert_eq!(steps[5], Step::Suspend { candles: 8 });
    assert_eq!(suspended(&ladder), ["DOGEUSDT 15m", "ETHUSDT 15m"]);
}

#[test]
fn a_success_on_the_series_begins_anew() {
    let mut ladder = Ladder::default();
    for close in 0..5 {
        ladder.failed(&job("BTCUSDT", close));
    }
    assert!(!ladder.admits(&job("BTCUSDT", 5)));
    ladder.succeeded(&job("BTCUSDT", 6));
    assert!(ladder.is_empty());
    let (seen, steps) = fails_on(&mut ladder, "BTCUSDT", 7..20);
    assert_eq!(seen, [7, 8, 9, 11, 14, 19]);
    assert_eq!(steps[5], Step::Suspend { candles: 8 });
}

#[test]
fn failures_everywhere_are_enough_and_one_success_is_enough_against_them() {
    let mut ladder = Ladder::default();
    let fails = |ladder: &mut Ladder, index: i64| ladder.failed(&job(&format!("COIN{index}"), 0));
    let steps: Vec<Step> = (0..20).map(|index| fails(&mut ladder, index)).collect();
    assert!(steps[..19].iter().all(|step| *step == Step::Skip), "{steps:?}");
    assert_eq!(reason(&steps[19]), "it failed 20 times in a row, the last time on COIN19 15m");

    let mut ladder = Ladder::default();
    for index in 0..200 {
        if index % 19 == 18 {
            ladder.succeeded(&job("BTCUSDT", index));
        }
        assert_eq!(fails(&mut ladder, index), Step::Skip, "{index}");
    }
}

#[test]
fn a_candle_that_comes_again_counts_once_and_gets_the_same_answer() {
    let mut ladder = Ladder::default();
    for close in [0, 0, 1, 1, 1, 2] {
        assert!(ladder.admits(&job("BTCUSDT", close)));
        ladder.failed(&job("BTCUSDT", close));
    }
    // One candle is left out: the first one to arrive.
    assert!((0..5).all(|_| !ladder.admits(&job("BTCUSDT", 7))));
    assert!((0..5).all(|_| ladder.admits(&job("BTCUSDT", 3))));
    assert!(ladder.admits(&job("BTCUSDT", 2)), "it was looked at before");
    assert!(!ladder.admits(&job("BTCUSDT", 7)));
}

#[test]
fn the_order_of_candles_does_not_matter() {
    let mut ladder = Ladder::default();
    let (seen, steps) = fails_on(&mut ladder, "BTCUSDT", (987..1000).rev());
    assert_eq!(seen, [999, 998, 997, 995, 992, 987]);
    assert_eq!(steps[5], Step::Suspend { candles: 8 });
    assert_eq!(suspended(&ladder), ["BTCUSDT 15m"]);
}

#[test]
fn what_is_remembered_has_an_end() {
    let mut ladder = Ladder::default();
    for index in 0..MOST_SERIES as i64 + 10 {
        ladder.failed(&job(&format!("COIN{index}"), 0));
    }
    assert_eq!(ladder.series.len(), MOST_SERIES);
    assert!(!ladder.series.contains_key(&key(&job("COIN9", 0))));
    assert!(ladder.series.contains_key(&key(&job("COIN10", 0))));
    let mut ladder = Ladder::default();
    for close in 0..10_000 {
        if ladder.admits(&job("BTCUSDT", close)) {
            ladder.failed(&job("BTCUSDT", close));
        }
    }
    let series = &ladder.series[&key(&job("BTCUSDT", 0))];
    assert!(series.failed.len() <= REMEMBERED && series.left_out.len() <= REMEMBERED);
}

#[test]
fn thresholds_of_any_size_do_no_harm() {
    for [back_off, most_left_out, suspend, symbols, quarantine_in_all] in [
        [0, 0, 0, 0, 0],
        [0, 3, u32::MAX, u32::MAX, u32::MAX],
        [u32::MAX, u32::MAX, 1, 1, 1],
        [1, 1, 1, u32::MAX, u32::MAX],
    ] {
        let quarantine_symbols = symbols as usize;
        let thresholds = Thresholds { back_off, most_left_out, suspend, quarantine_symbols, quarantine_in_all };
        let mut ladder = Ladder::new(thresholds);
        for close in 0..200 {
            if ladder.admits(&job("BTCUSDT", close)) {
                ladder.failed(&job("BTCUSDT", close));
            }
        }
    }
}

proptest! {
    /// Whatever happens, in any order: a series is evaluated again after at most `most_left_out` candles, and
    /// quarantine is never requested before its threshold, whatever happens on fewer than three symbols.
    #[test]
    fn no_series_is_left_out_for_good(
        events in prop::collection::vec((0..4_i64, 0..60_i64, prop::bool::weighted(0.2)), 1..300),
    ) {
        let mut ladder = Ladder::default();
        let mut rows: HashMap<i64, u32> = HashMap::new();
        let mut all = 0;
        for (coin, close, succeeds) in events {
            let job = job(&format!("COIN{coin}"), close);
            if !ladder.admits(&job) {
                continue;
            }
            if succeeds {
                ladder.succeeded(&job);
                rows.remove(&coin);
                all = 0;
            } else {
                // A repeated candle may count less in the ladder than here, never more.
                *rows.entry(coin).or_default() += 1;
                all += 1;
                if let Step::Quarantine { .. } = ladder.failed(&job) {
                    let suspended = rows.values().filter(|row| **row >= 6).count();
                    prop_assert!(suspended >= 3 && rows[&coin] >= 6 || all >= 20);
                }
            }
        }
        for coin in 0..4 {
            let left = (1000..1100).take_while(|close| !ladder.admits(&job(&format!("COIN{coin}"), *close))).count();
            prop_assert!(left <= 16);
        }
    }
}
