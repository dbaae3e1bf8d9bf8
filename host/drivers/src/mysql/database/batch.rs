//! How many values one statement holds.
//!
//! A statement is prepared once on each connection and kept there. Its text depends on how many values it holds, so
//! only a few numbers are used: powers of two. If a value may occur twice, the last one is repeated; otherwise the
//! values are cut into pieces.
//!
//! Preparing a statement for a single use would cost more than a second round trip: closing it is a message without an
//! answer, and sqlx 0.9.0 leaves Nagle's algorithm on (sqlx issue 4335), so the next statement waits up to 40 ms until
//! the server acknowledges that message.

/// How many statements a connection keeps. A service on a few timeframes uses about a hundred; statements beyond the
/// limit are prepared again.
pub(super) const KEPT_STATEMENTS: usize = 256;

/// The values, with the last one repeated up to a power of two.
pub(crate) fn padded<T: Copy>(values: &[T]) -> impl Iterator<Item = T> {
    let last = values.last().copied();
    let missing = values.len().next_power_of_two() - values.len();
    values.iter().copied().chain(last.into_iter().flat_map(move |last| std::iter::repeat_n(last, missing)))
}

/// The values in pieces whose lengths are powers of two, the longest first, none longer than `most`.
pub(crate) fn pieces<T>(values: &[T], most: usize) -> impl Iterator<Item = &[T]> {
    let mut rest = values;
    std::iter::from_fn(move || {
        let length = largest_power(rest.len().min(most))?;
        let (piece, after) = rest.split_at(length);
        rest = after;
        Some(piece)
    })
}

/// The largest power of two up to `most`.
pub(crate) fn largest_power(most: usize) -> Option<usize> {
    most.checked_ilog2().map(|exponent| 1 << exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_filled_up() {
        let filled = |count: usize| padded(&(0..count).collect::<Vec<_>>()).collect::<Vec<_>>();
        assert!(filled(0).is_empty());
        assert_eq!(filled(1), [0]);
        assert_eq!(filled(4), [0, 1, 2, 3]);
        assert_eq!(filled(5), [0, 1, 2, 3, 4, 4, 4, 4]);
    }

    #[test]
    fn rows_are_cut() {
        let values: Vec<_> = (0..37).collect();
        let lengths = |most| pieces(&values, most).map(<[_]>::len).collect::<Vec<_>>();
        assert_eq!(lengths(64), [32, 4, 1]);
        assert_eq!(lengths(10), [8, 8, 8, 8, 4, 1]);
        assert_eq!(lengths(1).len(), 37);
        assert_eq!(pieces(&values, 8).flatten().copied().collect::<Vec<_>>(), values);
        assert_eq!(pieces(&values[..0], 8).count(), 0);
    }
}
