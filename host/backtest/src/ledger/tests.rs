//! Ledgers that are tampered with, killed and merged.

use std::{fs, thread};

use super::*;

fn trial(period: u32) -> Trial {
    Trial {
        module: "ab".repeat(32).parse().unwrap(),
        parameters: [("period".to_owned(), period.into())].into_iter().collect(),
        series: vec!["BTCUSDT 15m".parse().unwrap()],
        from: Timestamp::from_millis(0),
        to: Timestamp::from_millis(1_000_000),
        objective: "sharpe".to_owned(),
    }
}

fn result(trades: u64) -> TrialResult {
    TrialResult { objective: Some(1.5), sharpe: Some(0.1), days: 100, trades }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// A ledger of three trials, of which the second was interrupted.
fn three() -> (tempfile::TempDir, Ledger, Vec<TrialId>) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::new(folder.path().join("trials/ledger.jsonl"));
    let ids: Vec<_> = (0..3).map(|number| ledger.begin(&trial(number), at(i64::from(number))).unwrap()).collect();
    ledger.end(&ids[0], &result(7)).unwrap();
    ledger.end(&ids[2], &result(9)).unwrap();
    (folder, ledger, ids)
}

#[test]
fn every_trial_counts_the_interrupted_one_too() {
    let (_folder, ledger, ids) = three();
    let trials = ledger.trials().unwrap();
    let results: Vec<_> = ids.iter().map(|id| trials[id].result.as_ref().map(|result| result.trades)).collect();
    assert_eq!(results, [Some(7), None, Some(9)]);
    assert_eq!((&trials[&ids[1]].trial, trials[&ids[1]].began), (&trial(1), at(1)));
    // The same again is another try.
    ledger.begin(&trial(0), at(9)).unwrap();
    assert_eq!(ledger.trials().unwrap().len(), 4);
    assert!(Ledger::new("/nowhere/at/all").trials().unwrap().is_empty());
}

#[test]
fn what_was_removed_or_changed_is_found_wherever_it_is() {
    let (_folder, ledger, _) = three();
    let whole = fs::read_to_string(&ledger.path).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let write =
        |lines: &[&str]| fs::write(&ledger.path, lines.iter().flat_map(|line| [*line, "\n"]).collect::<String>());
    for place in 0..lines.len() - 1 {
        let mut fewer = lines.clone();
        fewer.remove(place);
        write(&fewer).unwrap();
        let told = ledger.trials().unwrap_err().to_string();
        assert!(told.contains(&format!("line {} ", place + 1)) && told.contains("removed or changed"), "{told}");
        assert!(ledger.begin(&trial(9), at(9)).is_err(), "a broken ledger is not continued");
    }
    for place in 0..lines.len() {
        let changed = lines[place].replace("\"trades\":7", "\"trades\":70").replace("\"period\":", "\"Period\":");
        let changed = changed.replace("\"trades\":9", "\"trades\":8");
        let mut other = lines.clone();
        other[place] = &changed;
        write(&other).unwrap();
        assert!(ledger.trials().is_err(), "line {}", place + 1);
    }
    let mut swapped = lines.clone();
    swapped.swap(0, 1);
    write(&swapped).unwrap();
    assert!(ledger.trials().is_err());
    write(&lines).unwrap();
    let head = ledger.head().unwrap().unwrap();
    assert!(ledger.trials().unwrap().len() == 3 && ledger.holds(&head).unwrap());
    // Nothing in the file shows that its end is missing; who kept the head finds it.
    write(&lines[..4]).unwrap();
    assert!(ledger.trials().unwrap().len() == 3 && !ledger.holds(&head).unwrap());
    ledger.begin(&trial(9), at(9)).unwrap();
    assert!(!ledger.holds(&head).unwrap());
}

#[test]
fn a_line_that_a_kill_cut_is_no_line() {
    let (_folder, ledger, ids) = three();
    let whole = fs::read(&ledger.path).unwrap();
    let before_last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    for length in [before_last + 1, before_last + 70, whole.len() - 1] {
        fs::write(&ledger.path, &whole[..length]).unwrap();
        assert_eq!(ledger.trials().unwrap()[&ids[2]].result, None, "its end was never reported as written");
        ledger.end(&ids[2], &result(9)).unwrap();
        assert_eq!(fs::read(&ledger.path).unwrap(), whole, "cut at {length}");
    }
}

#[test]
fn merging_gives_the_union() {
    let (_first, one, _) = three();
    let (_second, other, ids) = three();
    let more = other.begin(&trial(8), at(8)).unwrap();
    other.end(&ids[1], &result(3)).unwrap();
    assert_eq!(one.merge(&other).unwrap(), 2);
    assert_eq!(one.trials().unwrap(), other.trials().unwrap());
    assert!(one.trials().unwrap().contains_key(&more));
    assert_eq!((one.merge(&other).unwrap(), other.merge(&one).unwrap()), (0, 0), "there is nothing left to take");
}

#[test]
fn writers_take_turns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.jsonl");
    let write = |writer: u32| {
        // A handle of its own, as another process has.
        let ledger = Ledger::new(&path);
        for number in 0..20 {
            let id = ledger.begin(&trial(number), at(i64::from(writer * 1_000 + number))).unwrap();
            ledger.end(&id, &result(1)).unwrap();
        }
    };
    thread::scope(|scope| (0..4).for_each(|writer| drop(scope.spawn(move || write(writer)))));
    let trials = Ledger::new(&path).trials().unwrap();
    assert!(trials.len() == 80 && trials.values().all(|known| known.result.is_some()));
}
