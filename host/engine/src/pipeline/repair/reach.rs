//! How far a changed candle reaches: which closes had it in a window.

use ta_bot_core::{InputSymbol, Job, StrategyDescription, StrategyId, Symbol, Timeframe, Timestamp};

use crate::evaluation::{SeriesKey, series_of};

/// The closes at which a strategy read candles that change.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reach {
    pub(super) strategy: StrategyId,
    /// The timeframe of the jobs.
    pub(super) timeframe: Timeframe,
    /// The symbols of the jobs.
    pub(super) symbols: Vec<Symbol>,
    pub(super) stretches: Stretches,
}

/// Stretches of time, in order and apart from each other. Each begins with its first moment and ends before its second
/// one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Stretches(Vec<(Timestamp, Timestamp)>);

/// The candles of a series that change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Changed {
    pub(super) timeframe: Option<Timeframe>,
    /// The open times as they are without the change, and the places of the candles that change or go.
    pub(super) before: (Vec<Timestamp>, Vec<usize>),
    /// The open times as they are after it, and the places of the candles that come.
    pub(super) after: (Vec<Timestamp>, Vec<usize>),
}

impl Changed {
    /// When a window of so many candles held one that changes: from its close until as many have closed after it.
    fn within(&self, depth: u32) -> Stretches {
        let Some(timeframe) = self.timeframe else { return Stretches::default() };
        let mut stretches = Stretches::default();
        for (opens, places) in [&self.before, &self.after] {
            let held = places.iter().map(|place| {
                let pushed_out = opens.get(place + depth as usize).map(|open| timeframe.close_of(*open));
                (timeframe.close_of(opens[*place]), pushed_out.unwrap_or(Timestamp::from_millis(i64::MAX)))
            });
            stretches.add(&Stretches::of(held));
        }
        stretches
    }
}

impl Stretches {
    /// Stretches that begin in order.
    fn of(ordered: impl Iterator<Item = (Timestamp, Timestamp)>) -> Self {
        let mut all: Vec<(Timestamp, Timestamp)> = Vec::new();
        for (from, until) in ordered {
            match all.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(until),
                _ => all.push((from, until)),
            }
        }
        Self(all)
    }

    /// Adds others.
    pub(super) fn add(&mut self, others: &Self) {
        let mut all = std::mem::take(&mut self.0);
        all.extend(&others.0);
        all.sort_unstable();
        *self = Self::of(all.into_iter());
    }

    /// Whether a moment lies within one of them.
    fn hold(&self, moment: Timestamp) -> bool {
        let place = self.0.partition_point(|(from, _)| *from <= moment);
        place.checked_sub(1).is_some_and(|place| moment < self.0[place].1)
    }

    /// The closes of candles within them, as far as they have come by now.
    pub(super) fn closes(&self, timeframe: Timeframe, now: Timestamp) -> impl Iterator<Item = Timestamp> + use<'_> {
        self.0.iter().flat_map(move |(from, until)| {
            let grid = timeframe.open_of(*from);
            let first = if grid == *from { grid } else { timeframe.close_of(grid) };
            let ends = move |close: &Timestamp| close < until && *close <= now;
            std::iter::successors(Some(first), move |close| Some(timeframe.close_of(*close))).take_while(ends)
        })
    }
}

impl Reach {
    /// Whether a strategy read candles that change when it looked at the candle of a job.
    pub(super) fn holds(&self, strategy: &StrategyId, job: &Job) -> bool {
        self.strategy == *strategy
            && self.timeframe == job.timeframe
            && self.stretches.hold(job.candle_close)
            && self.symbols.contains(&job.symbol)
    }
}

/// Where a strategy reads a series: on its own timeframe, and as extra input of others. `scheduled` are the symbols
/// that may have jobs.
pub(super) fn of(
    description: &StrategyDescription,
    series: &SeriesKey,
    changed: &Changed,
    scheduled: &[Symbol],
) -> Vec<Reach> {
    let (symbol, timeframe) = series;
    let reach = |at, symbols, depth| Reach {
        strategy: description.id.clone(),
        timeframe: at,
        symbols,
        stretches: changed.within(depth),
    };
    let mut reaches = Vec::new();
    if description.runs_on(*timeframe) {
        reaches.push(reach(*timeframe, vec![symbol.clone()], description.lookback));
    }
    for input in &description.extra {
        for at in Timeframe::ALL.into_iter().filter(|at| description.runs_on(*at)) {
            let job = Job { symbol: symbol.clone(), timeframe: at, candle_close: Timestamp::from_millis(0) };
            if series_of(input, &job).as_ref() != Some(series) {
                continue;
            }
            let symbols = match input.symbol {
                InputSymbol::Own => vec![symbol.clone()],
                InputSymbol::Fixed(_) => scheduled.to_vec(),
            };
            reaches.push(reach(at, symbols, input.lookback));
        }
    }
    reaches
}

#[cfg(test)]
mod tests {
    use super::*;

    const M15: Timeframe = Timeframe::M15;

    fn open(index: i64) -> Timestamp {
        Timestamp::from_millis(index * M15.millis())
    }

    fn changed(opens: impl IntoIterator<Item = i64>, places: &[usize]) -> Changed {
        let opens = opens.into_iter().map(open).collect();
        Changed { timeframe: Some(M15), before: (opens, places.to_vec()), ..Changed::default() }
    }

    fn closes(changed: &Changed, depth: u32, newest: i64) -> Vec<i64> {
        let closes = changed.within(depth);
        closes.closes(M15, open(newest)).map(|close| close.millis() / M15.millis() - 1).collect()
    }

    #[test]
    fn a_candle_is_read_until_as_many_have_come_after_it() {
        assert_eq!(closes(&changed(0..20, &[5]), 3, 99), [5, 6, 7]);
        assert_eq!(closes(&changed(0..20, &[5]), 1, 99), [5]);
        // Candles 6 to 8 are missing, so the window reaches past them.
        assert_eq!(closes(&changed((0..6).chain(9..20), &[5]), 3, 99), [5, 6, 7, 8, 9, 10]);
        assert_eq!(closes(&changed(0..8, &[6]), 3, 12), [6, 7, 8, 9, 10, 11], "nothing has pushed it out yet");
        assert_eq!(closes(&changed(0..40, &[3, 4, 20]), 3, 99), [3, 4, 5, 6, 20, 21, 22]);
        assert!(closes(&Changed::default(), 3, 99).is_empty());
    }

    #[test]
    fn stretches_grow_together() {
        let of = |pairs: &[(i64, i64)]| Stretches::of(pairs.iter().map(|(from, until)| (open(*from), open(*until))));
        let mut all = of(&[(1, 3), (7, 9)]);
        all.add(&of(&[(2, 5), (9, 10), (12, 13)]));
        assert_eq!(all, of(&[(1, 5), (7, 10), (12, 13)]));
        let held: Vec<i64> = (0..14).filter(|index| all.hold(open(*index))).collect();
        assert_eq!(held, [1, 2, 3, 4, 7, 8, 9, 12]);
    }

    #[test]
    fn closes_of_another_timeframe_lie_on_its_own_grid() {
        let stretches = Stretches::of([(open(3), open(13))].into_iter());
        let hours: Vec<i64> =
            stretches.closes(Timeframe::H1, open(99)).map(|close| close.millis() / Timeframe::H1.millis()).collect();
        assert_eq!(hours, [1, 2, 3]);
    }
}
