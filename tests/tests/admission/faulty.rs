//! Each fault is detected by the check that is meant for it.

use std::time::Duration;

use ta_bot_core::{Symbol, Timeframe, Timestamp};
use ta_bot_engine::{
    market::{history::CandleSeries, made_up::walk},
    modules::admission::{CheckName, CheckOutcome, Recorded, Verdict, admit},
};
use ta_bot_wasm::{Limits, StrategyModule};

use crate::support::{load, patient, sandbox};

fn verdict(module: &StrategyModule) -> Verdict {
    admit(module, &Recorded::made_up(module.description()).unwrap())
}

/// The checks that failed.
fn failed(verdict: &Verdict) -> Vec<CheckName> {
    let failed = verdict.checks.iter().filter(|check| matches!(check.outcome, CheckOutcome::Failed { .. }));
    failed.map(|check| check.name).collect()
}

/// The message of a failed check, with its example.
fn said(verdict: &Verdict, name: CheckName) -> String {
    format!("{:?}", verdict.outcome(name).unwrap())
}

#[test]
fn each_fault_is_seen_by_its_check() {
    use CheckName::{Answers, Decisions, Description, Hostile, NoClock, NoMemory, Past, WarmUp};
    let cases: [(&str, &[CheckName], CheckName, &str); 10] = [
        ("by_clock", &[NoClock], NoClock, "close-time"),
        ("by_address", &[NoMemory, Past], NoMemory, "where something lies in memory"),
        ("by_counter", &[NoMemory], NoMemory, "count nothing"),
        ("keeps_state", &[NoMemory, Past], Past, "candles before its lookback"),
        ("asks_for_300", &[WarmUp], WarmUp, "needs 300 candles and declares a lookback of 50"),
        ("warms_up_300", &[WarmUp], WarmUp, "longer than its lookback of 50"),
        ("describe_changes", &[Description], Description, "1.0.1"),
        ("flat_trap", &[Answers, Hostile], Hostile, "flat"),
        ("nan_when_flat", &[Decisions, Hostile], Hostile, "confidence is NaN"),
        ("wrong_side", &[Decisions], Decisions, "stop_loss_wrong"),
    ];
    let sandbox = sandbox(patient());
    for (name, checks, check, words) in cases {
        let verdict = verdict(&load(&sandbox, &format!("faulty_{name}")));
        assert_eq!(failed(&verdict), checks, "{name}: {verdict:#?}");
        assert!(!verdict.admitted() && verdict.finished(), "{name}: {verdict:#?}");
        assert!(said(&verdict, check).contains(words), "{name}: {:#?}", verdict.outcome(check));
    }
}

/// A year in which the market never stands still.
fn moving_year() -> Recorded {
    let (symbol, timeframe): (Symbol, _) = ("BTCUSDT".parse().unwrap(), Timeframe::H1);
    let opens = (0..8760).map(|index| Timestamp::from_millis(1_704_067_200_000 + index * timeframe.millis()));
    let candles = walk(&symbol, opens, 100.0);
    Recorded::new("a year of hours", vec![CandleSeries::new(symbol, timeframe, candles).unwrap()])
}

#[test]
fn what_is_fine_for_a_year_traps_on_flat_candles() {
    let verdict = admit(&load(&sandbox(patient()), "faulty_flat_trap"), &moving_year());
    assert_eq!(failed(&verdict), [CheckName::Hostile], "{verdict:#?}");
    assert!(said(&verdict, CheckName::Hostile).contains("trap"), "{verdict:#?}");
}

#[test]
fn what_is_too_slow_has_failed_and_nothing_about_it_has_passed() {
    let limits = Limits { timeout: Duration::from_millis(40), ..Limits::default() };
    let verdict = verdict(&load(&sandbox(limits), "faulty_never_ends"));
    assert_eq!(failed(&verdict), [CheckName::Answers, CheckName::Hostile], "{verdict:#?}");
    let passed = verdict.checks.iter().filter(|check| matches!(check.outcome, CheckOutcome::Passed { .. }));
    // Nothing can be shown about its answers; only the check of its description passes.
    let passed: Vec<CheckName> = passed.map(|check| check.name).collect();
    assert_eq!(passed, [CheckName::Description], "{verdict:#?}");
    assert!(said(&verdict, CheckName::Answers).contains("stopped after its 40 ms"), "{verdict:#?}");
    // It is called twice on one candle, and twice on one hostile window: a timeout is not waited for again and again.
    let calls: u64 = verdict.checks.iter().map(|check| check.evaluations).sum();
    assert!(calls <= 4 + 2 + 2, "{calls} calls");
}

#[test]
fn a_module_that_can_not_be_asked_is_not_admitted() {
    let module = load(&sandbox(patient()), "momentum_rust");
    for (recorded, words) in [
        (Recorded::new("no candles", Vec::new()), "among the no candles"),
        (
            Recorded::new("too few candles", {
                let symbol: Symbol = "BTCUSDT".parse().unwrap();
                let opens = (0..200).map(|index| Timestamp::from_millis(index * Timeframe::H1.millis()));
                let candles = walk(&symbol, opens, 100.0);
                vec![CandleSeries::new(symbol, Timeframe::H1, candles).unwrap()]
            }),
            "no candle on which it runs",
        ),
    ] {
        let verdict = admit(&module, &recorded);
        assert!(!verdict.admitted() && !verdict.finished(), "{verdict:#?}");
        let answers = verdict.outcome(CheckName::Answers).unwrap();
        assert!(matches!(answers, CheckOutcome::Unfinished { reason } if reason.contains(words)), "{verdict:#?}");
    }
}

#[test]
fn a_guest_that_answers_what_wasi_tells_it_is_seen() {
    let verdict = verdict(&load(&sandbox(patient()), "wasi_probe"));
    // The keys of its hash maps are drawn once for an instance and counted on from there.
    assert_eq!(failed(&verdict), [CheckName::NoMemory, CheckName::Past, CheckName::NoClock], "{verdict:#?}");
}

#[test]
fn a_rule_that_looks_at_all_it_is_given_has_its_window_as_its_lookback() {
    // It compares with the lowest and the highest close of its window, so more candles always give other answers.
    let verdict = admit(&load(&sandbox(patient()), "faulty_flat_trap"), &moving_year());
    let CheckOutcome::Passed { note } = verdict.outcome(CheckName::WarmUp).unwrap() else { panic!("{verdict:#?}") };
    assert!(note.contains("it looks at all that it is given"), "{note}");
}
