//! What a reader of signals has seen.
//!
//! Signals have positions in the order in which they were inserted, which is not the order in which they become
//! visible: a replica may commit a signal with a smaller position than one that a reader has seen already. A reader
//! that went on from the largest position would miss it. So a cursor also names the holes before it, for as long as
//! something may still appear in them. With that, a reader sees each signal exactly once, whenever it stops and goes
//! on.

use std::{fmt, ops::RangeInclusive, str::FromStr};

use ta_bot_core::Timestamp;
use thiserror::Error;

/// How long after its successor was committed a position may still be filled. No commit takes nearly as long: its
/// transaction is given up after seconds.
const SETTLED_AFTER_MS: i64 = 60_000;
/// How many holes a cursor names. If there are more, neighbours become one, and the signals between them are seen
/// again.
const MOST_HOLES: usize = 32;

/// The signals that a reader has seen: all up to a position, except those in holes.
///
/// As a text it is the position, followed by the holes if there are any: `1243~1235-1236.1764514060000`, in which the
/// last number is the moment until which the hole may be filled. A text may be part of a URL.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cursor {
    position: i64,
    /// In order, and all before the position.
    holes: Vec<Hole>,
}

/// Positions at which no signal has been seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Hole {
    first: i64,
    last: i64,
    /// Until when it may be filled, in milliseconds since 1970.
    until: i64,
}

/// A text that is no cursor.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is no cursor: give one exactly as an answer contains it, or 0 for the beginning")]
pub struct CursorError(String);

impl Cursor {
    /// A cursor of a reader that has seen everything up to a position.
    pub const fn at(position: i64) -> Self {
        Self { position, holes: Vec::new() }
    }

    /// The largest position that was seen.
    pub const fn position(&self) -> i64 {
        self.position
    }

    /// The positions before it that may still be filled.
    pub fn holes(&self) -> impl Iterator<Item = RangeInclusive<i64>> {
        self.holes.iter().map(|hole| hole.first..=hole.last)
    }

    /// The first position that may hold a signal that was not seen.
    pub fn first_unseen(&self) -> i64 {
        self.holes.first().map_or(self.position.saturating_add(1), |hole| hole.first)
    }

    /// Takes note of the signal at a position, which was committed at `committed`. Returns whether it is new.
    pub fn take(&mut self, position: i64, committed: Timestamp) -> bool {
        if position > self.position {
            if position - self.position > 1 {
                let until = committed.plus_millis(SETTLED_AFTER_MS).millis();
                self.holes.push(Hole { first: self.position + 1, last: position - 1, until });
                self.merge();
            }
            self.position = position;
            return true;
        }
        let Some(index) = self.holes.iter().position(|hole| (hole.first..=hole.last).contains(&position)) else {
            return false;
        };
        let hole = self.holes[index];
        let rest = [Hole { last: position - 1, ..hole }, Hole { first: position + 1, ..hole }];
        self.holes.splice(index..=index, rest.into_iter().filter(|part| part.first <= part.last));
        self.merge();
        true
    }

    /// Forgets the holes that can't be filled any more at this moment. The reader has to have looked into them since.
    pub fn settle(&mut self, now: Timestamp) {
        self.holes.retain(|hole| hole.until > now.millis());
    }

    /// Makes one hole of the two that are nearest to each other, until there are few enough.
    fn merge(&mut self) {
        while self.holes.len() > MOST_HOLES {
            let nearest = self.holes.windows(2).enumerate().min_by_key(|(_, pair)| pair[1].first - pair[0].last);
            let Some((index, pair)) = nearest else { return };
            let whole = Hole { first: pair[0].first, last: pair[1].last, until: pair[0].until.max(pair[1].until) };
            self.holes.splice(index..=index + 1, [whole]);
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.position)?;
        self.holes.iter().try_for_each(|Hole { first, last, until }| write!(f, "~{first}-{last}.{until}"))
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let refused = || CursorError(ta_bot_core::cut(text, 100).into_owned());
        let number = |text: &str| text.parse().ok().filter(|number: &i64| *number >= 0);
        let hole = |text: &str| {
            let (first, rest) = text.split_once('-')?;
            let (last, until) = rest.split_once('.')?;
            Some(Hole { first: number(first)?, last: number(last)?, until: number(until)? })
        };
        let mut parts = text.split('~');
        let position = parts.next().and_then(number).ok_or_else(refused)?;
        let holes: Vec<Hole> = parts.map(hole).collect::<Option<_>>().ok_or_else(refused)?;
        let bounds: Vec<i64> =
            holes.iter().flat_map(|hole| [hole.first, hole.last.saturating_add(1)]).chain([position]).collect();
        let in_order = bounds.is_sorted() && holes.iter().all(|hole| hole.first <= hole.last);
        if in_order && holes.len() <= MOST_HOLES { Ok(Self { position, holes }) } else { Err(refused()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    fn taken(positions: &[i64]) -> Cursor {
        let mut cursor = Cursor::default();
        for position in positions {
            assert!(cursor.take(*position, NOW), "{position}");
        }
        cursor
    }

    #[test]
    fn what_appears_late_is_seen_once() {
        let mut cursor = taken(&[1, 2, 7, 4]);
        assert_eq!(cursor.holes().collect::<Vec<_>>(), [3..=3, 5..=6]);
        assert_eq!((cursor.first_unseen(), taken(&[1, 2]).first_unseen()), (3, 3));
        assert!([1, 2, 4, 7].iter().all(|position| !cursor.take(*position, NOW)));
        assert!([3, 6, 5].iter().all(|position| cursor.take(*position, NOW)));
        assert_eq!(cursor, Cursor::at(7));
    }

    #[test]
    fn a_hole_is_forgotten_when_no_commit_can_fill_it_any_more() {
        let mut cursor = taken(&[1, 3]);
        cursor.settle(NOW.plus_millis(SETTLED_AFTER_MS - 1));
        assert_eq!(cursor.holes().count(), 1);
        cursor.settle(NOW.plus_millis(SETTLED_AFTER_MS));
        assert_eq!(cursor, Cursor::at(3));
        assert!(!cursor.take(2, NOW));
    }

    #[test]
    fn a_text_is_read_as_it_was_written_and_nothing_else_is() {
        for cursor in [Cursor::default(), taken(&[1, 2, 7, 4]), Cursor::at(i64::MAX)] {
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        assert_eq!(taken(&[1, 4]).to_string(), format!("4~2-3.{}", NOW.millis() + SETTLED_AFTER_MS));
        let too_many: Vec<_> = (0..=MOST_HOLES).map(|hole| format!("~{0}-{0}.1", 2 * hole + 1)).collect();
        for wrong in [
            "",
            "-1",
            "x",
            "4~",
            "4~2-3",
            "4~3-2.1",
            "4~2-5.1",
            "9~5-6.1~2-3.1",
            "9~2-5.1~4-6.1",
            &format!("999{}", too_many.concat()),
        ] {
            assert!(wrong.parse::<Cursor>().is_err(), "{wrong}");
        }
        assert!("9~8-9223372036854775807.1".parse::<Cursor>().is_err());
    }

    proptest! {
        /// Whatever the order in which signals appear, none is missed. As long as there are few holes, none is seen
        /// twice, and the cursor can be stored and read in between.
        #[test]
        fn no_signal_is_missed(order in Just((1..200).collect::<Vec<i64>>()).prop_shuffle()) {
            let mut cursor = Cursor::default();
            let mut is_exact = true;
            for (index, position) in order.iter().enumerate() {
                assert!(cursor.take(*position, NOW));
                assert!(cursor.holes.len() <= MOST_HOLES);
                is_exact &= cursor.holes.len() < MOST_HOLES;
                cursor = cursor.to_string().parse().unwrap();
                if is_exact {
                    assert!(order[..=index].iter().all(|seen| !cursor.clone().take(*seen, NOW)));
                }
                assert!(order[index + 1..].iter().all(|later| cursor.clone().take(*later, NOW)));
            }
        }
    }
}
