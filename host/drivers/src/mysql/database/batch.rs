//! How many values one statement holds.
//!
//! A statement is prepared once on each connection and kept there. Its text depends on how many values it holds, so these
//! numbers are few: powers of two. Where a value may stand twice, the last one is repeated; where it may not, the values
//! are cut into pieces.
//!
//! Preparing for a single use would cost more than a second way to the server: its end is told without an answer, and
//! sqlx 0.9.0 leaves Nagle's algorithm on (issue 4335 there), so that the next statement waits up to 40 ms for the
//! server's acknowledgement of it.

/// How many statements a connection keeps. A service on a few timeframes uses some hundred; those beyond it are prepared
/// anew.
pub(super) const KEPT_STATEMENTS: usize = 256;

/// The values, with the last one repeated up to a power of two.
pub(crate) fn padded<T: Copy>(values: &[T]) -> impl Iterator<Item = T> {
    let last = values.last().copied();
    let missing = values.len().next_power_of_two() - values.len();
    values.iter().copied().chain(last.into_iter().flat_map(move |last| std::iter::repeat_n(last, missing)))
}

/// The values in pieces as long as powers of two, the longest first, none longer than `most`.
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
