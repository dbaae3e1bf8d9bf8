//! One look: which closed candles of a timeframe have no finished job.

use std::collections::{HashMap, HashSet};

use ta_bot_core::{Job, Symbol, Timeframe, Timestamp};

use super::{
    Hinted, Schedule, Scheduled,
    waiting::{Found, Waiting},
};
use crate::support::store_error::StoreError;

/// How many candles a sweep goes back behind what is done, for candles that came late.
const RECHECK: i64 = 8;
/// How many candles of a series before its newest are caught up on at most; older ones are let go, since what they
/// say is no longer news.
const CATCH_UP: i64 = 1_000;
/// How many series one query is about: few enough that the longest catch-up of all of them takes a second, far from the
/// time that a query may take.
const SERIES_AT_ONCE: usize = 128;

type Closes = Vec<(Symbol, Timestamp)>;

/// How far the looks have come.
#[derive(Default)]
pub(super) struct Progress {
    /// Up to which close nothing is left to do of a series, as of the last look at it: its newest close, or the one
    /// before its oldest candle without a finished job.
    done: HashMap<(Symbol, Timeframe), Timestamp>,
    /// What was found and is not in the queue yet.
    pub(super) waiting: Waiting,
}

impl Progress {
    /// Forgets what is no longer scheduled. Should it be again, it is caught up on like after a stop.
    pub(super) fn keep(&mut self, scheduled: &Scheduled) {
        self.done.retain(|(symbol, timeframe), _| scheduled.has(symbol, *timeframe));
        self.waiting.retain(|job| scheduled.has(&job.symbol, job.timeframe));
    }

    /// After which close a series is looked at; none where it is not known, or lies so far behind that its newest candle has
    /// to be known first.
    fn start_of(&self, timeframe: Timeframe, symbol: &Symbol, now: Timestamp) -> Option<Timestamp> {
        let done = *self.done.get(&(symbol.clone(), timeframe))?;
        (done > now.plus_millis(-CATCH_UP * timeframe.millis())).then_some(done)
    }

    /// Takes the result of a look: the last close of each series in `newest` is its newest.
    fn take(&mut self, timeframe: Timeframe, newest: Closes, unfinished: Closes, hinted: Option<&Hinted>) {
        let newest: HashMap<Symbol, Timestamp> = newest.into_iter().collect();
        self.done.extend(newest.iter().map(|(symbol, close)| ((symbol.clone(), timeframe), *close)));
        let found = unfinished.into_iter().map(|(symbol, candle_close)| {
            let before = candle_close.plus_millis(-timeframe.millis());
            self.done.entry((symbol.clone(), timeframe)).and_modify(|done| *done = before.min(*done));
            Found {
                newest: newest.get(&symbol) == Some(&candle_close),
                retry: false,
                traceparent: hinted.and_then(|hinted| hinted.get(&symbol)?.clone()),
                job: Job { symbol, timeframe, candle_close },
            }
        });
        let found = found.collect();
        let looked_at =
            |job: &Job| job.timeframe == timeframe && hinted.is_none_or(|hinted| hinted.contains_key(&job.symbol));
        self.waiting.replace(looked_at, found);
    }
}

impl Schedule {
    /// Finds the closed candles of `timeframe` that have no finished job. With hints, only of the symbols hinted at, and
    /// only behind what is done: a candle that came late is the sweep's to find.
    pub(super) async fn look(
        &self,
        timeframe: Timeframe,
        hinted: Option<&Hinted>,
        scheduled: &Scheduled,
        progress: &mut Progress,
    ) -> Result<(), StoreError> {
        let now = Timestamp::now();
        let symbols = || hinted.into_iter().flat_map(Hinted::keys);
        let start = |symbol: &Symbol| Some((symbol.clone(), progress.start_of(timeframe, symbol, now)?));
        let mut starts: Closes = symbols().filter_map(start).collect();
        let mut newest = Closes::new();
        // Of the others the newest candle has to be asked for; in a sweep those are all.
        let others = scheduled.others(timeframe, hinted, &starts);
        if !others.is_empty() {
            newest = self.candles.newest_closes(timeframe, &others, now).await?;
            let begun = self.begun(timeframe, &newest, now).await?;
            starts.extend(starts_of(timeframe, &newest, &begun, progress));
        }
        let (mut closes, mut unfinished) = (Closes::new(), Closes::new());
        for some in starts.chunks(SERIES_AT_ONCE) {
            let closed = self.candles.closed_between(timeframe, some, now).await?;
            let finished: HashSet<_> = self.outbox.finished(timeframe, &closed).await?.into_iter().collect();
            unfinished.extend(closed.iter().filter(|close| !finished.contains(close)).cloned());
            closes.extend(closed);
        }
        // Each series' closes are in order, so of those that were found the newest stays.
        closes.extend(newest);
        progress.take(timeframe, closes, unfinished, hinted);
        Ok(())
    }

    /// Where the service began with each series. It begins now with those that it has not seen before.
    async fn begun(
        &self,
        timeframe: Timeframe,
        newest: &[(Symbol, Timestamp)],
        now: Timestamp,
    ) -> Result<HashMap<Symbol, Timestamp>, StoreError> {
        let begun: HashMap<_, _> = self.outbox.begun(timeframe).await?.into_iter().collect();
        let new = newest.iter().filter(|(symbol, _)| !begun.contains_key(symbol));
        let new: Vec<_> =
            new.map(|(symbol, close)| (symbol.clone(), timeframe, begin_at(*close, timeframe, now))).collect();
        if new.is_empty() {
            return Ok(begun);
        }
        self.outbox.begin(&new).await?;
        // Read again: another replica may have begun with a series at the same time.
        Ok(self.outbox.begun(timeframe).await?.into_iter().collect())
    }
}

/// After which close each series is looked at: a little behind what is done, or where the service began with it, but
/// never too far behind its newest candle.
fn starts_of(
    timeframe: Timeframe,
    newest: &[(Symbol, Timestamp)],
    begun: &HashMap<Symbol, Timestamp>,
    progress: &Progress,
) -> Closes {
    let length = timeframe.millis();
    let starts = newest.iter().filter_map(|(symbol, close)| {
        let begun = *begun.get(symbol)?;
        let done = progress.done.get(&(symbol.clone(), timeframe)).copied();
        let furthest = close.plus_millis(-CATCH_UP * length);
        if furthest > done.unwrap_or(begun) {
            tracing::warn!(%symbol, %timeframe, from = %furthest, "too much was missed to catch up on all of it");
        }
        let behind = done.map_or(begun, |done| done.plus_millis(-RECHECK * length));
        Some((symbol.clone(), behind.max(begun).max(furthest)))
    });
    starts.collect()
}

/// Where the service begins with a series that it sees for the first time: at the newest candle if that one has just closed,
/// else behind it, since an old candle is no news.
fn begin_at(newest: Timestamp, timeframe: Timeframe, now: Timestamp) -> Timestamp {
    let fresh = now.millis() - newest.millis() <= timeframe.millis();
    if fresh { newest.plus_millis(-timeframe.millis()) } else { newest }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_candle_is_no_news() {
        let hour = Timeframe::H1.millis();
        let newest = Timestamp::from_millis(10 * hour);
        assert_eq!(begin_at(newest, Timeframe::H1, newest.plus_millis(5)), newest.plus_millis(-hour));
        assert_eq!(begin_at(newest, Timeframe::H1, newest.plus_millis(3 * hour)), newest);
    }
}
