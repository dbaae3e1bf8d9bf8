//! Which replica led when, read from the logs of the replicas.
//!
//! A replica logs that it leads after its term has begun, and that it leads no longer after the term has ended, perhaps
//! late if the machine is busy. The Lease guarantees that the next term begins at least two seconds after the end of
//! the previous one, so terms that overlap by less than that in the logs did not overlap.

use ta_bot_core::Timestamp;
use ta_bot_tests::replicas::Fleet;

/// How much longer the Lease lasts than its holder relies on it.
const MARGIN_MS: i64 = 2_000;

/// A term of a replica, from when until when it led.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LedBy {
    replica: usize,
    from: i64,
    until: i64,
}

/// Checks that no two replicas led at once, and returns the number of terms. `killed` are the moments at which a
/// replica was killed, because a killed replica does not log the end of its term.
pub(crate) fn never_two(fleet: &Fleet, killed: &[(usize, Timestamp)]) -> usize {
    let mut terms: Vec<LedBy> = Vec::new();
    for (index, replica) in fleet.replicas.iter().enumerate() {
        let ends: Vec<i64> = killed.iter().filter(|(of, _)| *of == index).map(|(_, at)| at.millis()).collect();
        terms.extend(of_replica(index, &replica.log(), &ends));
    }
    assert!(!terms.is_empty(), "nobody ever led\n{}", fleet.logs());
    terms.sort_by_key(|term| term.from);
    for pair in terms.windows(2) {
        let overlap = pair[0].until - pair[1].from;
        assert!(
            pair[0].replica == pair[1].replica || overlap <= MARGIN_MS,
            "{overlap} ms with two leaders: {pair:?}\n{}",
            fleet.logs()
        );
    }
    terms.len()
}

fn of_replica(replica: usize, log: &str, killed: &[i64]) -> Vec<LedBy> {
    let mut terms = Vec::new();
    let mut since: Option<i64> = None;
    // A term that nothing ended goes on.
    let end = |from: i64, at: Option<i64>| {
        let killed = killed.iter().copied().find(|killed| *killed >= from);
        LedBy { replica, from, until: at.into_iter().chain(killed).min().unwrap_or(i64::MAX) }
    };
    for line in log.lines() {
        let at = line.split_whitespace().next().and_then(|word| word.parse::<Timestamp>().ok()).map(Timestamp::millis);
        let Some(at) = at else { continue };
        let (begins, ends) = (line.contains(" leads identity="), line.contains("leads no longer"));
        if begins || ends || line.contains(" was given up") {
            terms.extend(since.take().map(|from| end(from, Some(at))));
        }
        if begins {
            since = Some(at);
        }
    }
    terms.extend(since.map(|from| end(from, None)));
    terms
}
