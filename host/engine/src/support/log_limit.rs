//! Keeps a flood of bad input from becoming a flood of log lines: the first few are written one by one, the rest only
//! as a count.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The largest number of lines written in a period.
const LINES: u32 = 5;
/// The length of a period.
const PERIOD: Duration = Duration::from_mins(1);

/// The limit for one kind of log line.
#[derive(Debug, Default)]
pub struct LogLimit(Mutex<Period>);

#[derive(Debug, Default)]
struct Period {
    began: Option<Instant>,
    written: u32,
    withheld: u64,
}

impl LogLimit {
    /// Returns how many lines were withheld since the last written one, or `None` if this line must be withheld too.
    pub fn admit(&self) -> Option<u64> {
        let mut period = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if period.began.is_none_or(|began| began.elapsed() >= PERIOD) {
            (period.began, period.written) = (Some(Instant::now()), 0);
        }
        if period.written == LINES {
            period.withheld += 1;
            return None;
        }
        period.written += 1;
        Some(std::mem::take(&mut period.withheld))
    }

    /// Returns how many lines were withheld and not yet reported; `None` if there are none.
    pub fn withheld(&self) -> Option<u64> {
        let mut period = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Some(std::mem::take(&mut period.withheld)).filter(|withheld| *withheld > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_a_few_lines_and_a_count() {
        let limit = LogLimit::default();
        let written = (0..10_000).filter(|_| limit.admit().is_some()).count();
        assert_eq!(written, LINES as usize);
        assert_eq!(limit.withheld(), Some(9_995));
        assert_eq!(limit.withheld(), None, "it is told once");
    }
}
