//! A look finds the closed candles of a timeframe that have no finished job.

use std::collections::{HashMap, HashSet};

use ta_bot_core::{Job, Symbol, Timeframe, Timestamp};

use super::{
    Hinted, Schedule, Scheduled,
    waiting::{Found, Waiting},
};
use crate::support::store_error::StoreError;

/// How many candles a sweep goes back from the finished ones, for candles that came late.
const RECHECK: i64 = 8;
/// The largest number of candles before the newest of a series that are caught up on. Older ones are skipped, because
/// their signals are no longer news.
const CATCH_UP: i64 = 1_000;
/// After how many sweeps every series was looked at as far back as it is caught up on, for holes that were filled: an
/// hour or less.
const LOOKS_ALL_BACK: usize = 240;
/// How many series one query covers: few enough that the longest catch-up of all of them takes a second, far less than
/// the time limit of a query.
const SERIES_AT_ONCE: usize = 128;

/// How many series that are behind one line of the log names.
const NAMED: usize = 5;

type Closes = Vec<(Symbol, Timestamp)>;

/// The progress of the looks.
#[derive(Default)]
pub(super) struct Progress {
    /// The close up to which nothing is left to do for each series, as of the last look at it: its newest close, or the
    /// one before its oldest candle without a finished job.
    done: HashMap<(Symbol, Timeframe), Timestamp>,
    /// How many sweeps there were.
    pub(super) sweeps: usize,
    /// Jobs that were given up because their candles were not there or unusable, as of the last sweep.
    pub(super) without_candle: Vec<Job>,
    /// The jobs that were found but are not in the queue yet.
    pub(super) waiting: Waiting,
}

impl Progress {
    /// Forgets series that are no longer scheduled. If such a series is scheduled again, it is caught up on as after a
    /// restart.
    pub(super) fn keep(&mut self, scheduled: &Scheduled) {
        self.done.retain(|(symbol, timeframe), _| scheduled.has(symbol, *timeframe));
        self.waiting.retain(|job| scheduled.has(&job.symbol, job.timeframe));
    }

    /// The close after which a look at a series starts; `None` if the series is not known, or lies so far behind that
    /// its newest candle has to be read first.
    fn start_of(&self, timeframe: Timeframe, symbol: &Symbol, now: Timestamp) -> Option<Timestamp> {
        let done = *self.done.get(&(symbol.clone(), timeframe))?;
        (done > now.plus_millis(-CATCH_UP * timeframe.millis())).then_some(done)
    }

    /// Whether nothing can be left to do for a series at the moment, apart from candles that come late.
    pub(super) fn is_up_to_date(&self, timeframe: Timeframe, symbol: &Symbol, now: Timestamp) -> bool {
        self.done.get(&(symbol.clone(), timeframe)) == Some(&timeframe.open_of(now))
    }

    /// Takes the result of a look. The last entry of each series in `newest` is its newest close.
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
    /// Finds the closed candles of `timeframe` that have no finished job. With hints, it looks only at the named
    /// symbols, and only after the finished candles: candles that came late are left to the sweep.
    pub(super) async fn look(
        &self,
        timeframe: Timeframe,
        hinted: Option<&Hinted>,
        scheduled: &Scheduled,
        progress: &mut Progress,
    ) -> Result<(), StoreError> {
        let now = self.feeds.clock().now();
        let symbols = || hinted.into_iter().flat_map(Hinted::keys);
        let start = |symbol: &Symbol| Some((symbol.clone(), progress.start_of(timeframe, symbol, now)?));
        let mut starts: Closes = symbols().filter_map(start).collect();
        let mut newest = Closes::new();
        // For the other series the newest candle has to be read; in a sweep these are all series.
        let others = scheduled.others(timeframe, hinted, &starts);
        if !others.is_empty() {
            newest = self.candles.newest_closes(timeframe, &others, now).await?;
            if hinted.is_none() {
                self.note_feeds(timeframe, &others, &newest);
            }
            let begun = self.begun(timeframe, &newest, now).await?;
            starts.extend(starts_of(timeframe, &newest, &begun, progress));
        }
        let mut closes = Closes::new();
        let mut unfinished = Closes::new();
        for some in starts.chunks(SERIES_AT_ONCE) {
            let closed = self.candles.closed_between(timeframe, some, now).await?;
            let finished: HashSet<_> = self.outbox.finished(timeframe, &closed).await?.into_iter().collect();
            unfinished.extend(closed.iter().filter(|close| !finished.contains(close)).cloned());
            closes.extend(closed);
        }
        // The closes of each series are in order, so the newest one found is kept.
        closes.extend(newest);
        progress.take(timeframe, closes, unfinished, hinted);
        Ok(())
    }

    /// Notes how old the series of a timeframe are, and names those that have come to be behind.
    fn note_feeds(&self, timeframe: Timeframe, scheduled: &[Symbol], newest: &[(Symbol, Timestamp)]) {
        let fallen = self.feeds.note(timeframe, scheduled, newest);
        let Some(oldest) = fallen.first() else { return };
        let names: Vec<&str> = fallen.iter().take(NAMED).map(|feed| feed.series.0.as_str()).collect();
        let newest_close = oldest.newest.map_or_else(|| "none".to_owned(), |close| close.to_string());
        tracing::warn!(
            %timeframe, series = fallen.len(), names = names.join(","), newest_close,
            "candles stay away: these series are behind; newest_close is that of the first"
        );
    }

    /// Returns where the service began with each series. It begins now with series that it has not seen before.
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
        // Read again, because another replica may have begun with a series at the same time.
        Ok(self.outbox.begun(timeframe).await?.into_iter().collect())
    }
}

/// Returns the close after which a look at each series starts: a little before its finished candles, or where the
/// service began with it, but never too far behind its newest candle. A few series in each sweep are looked at as far
/// back as that, since a hole in them may have been filled.
fn starts_of(
    timeframe: Timeframe,
    newest: &[(Symbol, Timestamp)],
    begun: &HashMap<Symbol, Timestamp>,
    progress: &Progress,
) -> Closes {
    let length = timeframe.millis();
    let starts = newest.iter().enumerate().filter_map(|(index, (symbol, close))| {
        let begun = *begun.get(symbol)?;
        let done = progress.done.get(&(symbol.clone(), timeframe)).copied();
        let furthest = close.plus_millis(-CATCH_UP * length);
        if furthest > done.unwrap_or(begun) {
            tracing::warn!(%symbol, %timeframe, from = %furthest, "missed too many candles to catch up on all of them");
        }
        let looks_all_back = index % LOOKS_ALL_BACK == progress.sweeps % LOOKS_ALL_BACK;
        let done = done.filter(|_| !looks_all_back);
        let behind = done.map_or(begun, |done| done.plus_millis(-RECHECK * length));
        Some((symbol.clone(), behind.max(begun).max(furthest)))
    });
    starts.collect()
}

/// Where the service begins with a series that it sees for the first time: at the newest candle if that one has just
/// closed, otherwise after it, because an old candle is no news.
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
