//! Finds out which kept candles have changed: by each read of rows that are kept, and in the background by reading
//! everything that is kept again.
//!
//! A candle has changed if it was sound when it was kept, and now has other numbers or no usable row. What was read is
//! kept from then on, so each change is noted once, whichever read comes upon it first.

use std::{
    collections::{BTreeMap, HashMap},
    slice,
    sync::Arc,
    time::Duration,
};

use ta_bot_core::{Candle, CandleRow, Symbol, Timeframe, Timestamp, closed_candles};
use tokio_util::sync::CancellationToken;

use super::{CandleCache, Kept, Together, close_of, lock, whole_from};
use crate::{
    evaluation::SeriesKey,
    market::revision_store::Revision,
    support::{backoff::Backoff, store_error::StoreError},
};

/// How long a round takes. A series that comes to be kept after a round has begun is compared in the next one, so every
/// row is compared within ten minutes.
const ROUND: Duration = Duration::from_mins(5);
/// How long to wait if nothing is kept yet.
const NOTHING_YET: Duration = Duration::from_secs(5);
/// How many rows one step of a round reads at most, unless a single series has more.
const ROWS_AT_ONCE: usize = 16_000;
/// Pauses between tries while the store is away.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(10));

/// Symbols, each with the moment after which its candles are read.
type Wanted = Vec<(Symbol, Option<Timestamp>)>;

/// Rows that were read of a series, and of which of its candles they are all there is.
pub(super) struct Stretch<'a> {
    rows: &'a [CandleRow],
    /// Every row of a candle that closed after this moment is among them.
    complete_after: Timestamp,
    /// Every row of a candle that closed at this moment or before.
    until: Timestamp,
    /// The count of uses when the read began.
    began: u64,
}

impl<'a> Stretch<'a> {
    /// The rows that were found when `asked` was read of the candles that closed after `after`.
    pub(super) fn new(rows: &'a [CandleRow], after: Option<Timestamp>, asked: Together, began: u64) -> Self {
        let complete_after = match rows.first() {
            // There may be more rows than were read, also of the oldest candle.
            Some(oldest) if rows.len() >= asked.count as usize => close_of(asked.timeframe, oldest),
            _ => after.unwrap_or(Timestamp::from_millis(i64::MIN)),
        };
        Self { rows, complete_after, until: asked.until, began }
    }

    /// The rows to keep in place of kept ones. Of the oldest candle there may be more rows than were read, so what is
    /// kept of it already stays.
    fn to_keep(&self, timeframe: Timeframe, kept: &[CandleRow]) -> &'a [CandleRow] {
        let cut = self.rows.partition_point(|row| close_of(timeframe, row) <= self.complete_after);
        let (oldest, newer) = self.rows.split_at(cut);
        let is_kept = |row: &CandleRow| kept.iter().any(|known| known.candle.open_time == row.candle.open_time);
        if oldest.first().is_some_and(is_kept) { newer } else { self.rows }
    }

    /// Where rows to keep belong among kept ones: the place of the first and the place behind the last.
    fn place(&self, timeframe: Timeframe, rows: &[CandleRow], kept: &[CandleRow]) -> std::ops::Range<usize> {
        let first = rows.first().map(|row| row.candle.open_time);
        let is_before = |row: &CandleRow| {
            close_of(timeframe, row) <= self.complete_after && first.is_none_or(|first| row.candle.open_time < first)
        };
        let end = kept.partition_point(|row| close_of(timeframe, row) <= self.until);
        kept.partition_point(is_before).min(end)..end
    }

    /// The closed candles of kept rows that are others now, each with what it is now. The oldest kept candle is left
    /// out, since not all of its rows may be kept.
    fn changes(&self, timeframe: Timeframe, kept: &[CandleRow]) -> Vec<(Candle, Option<Candle>)> {
        let is_covered = |row: &&CandleRow| {
            (self.complete_after < close_of(timeframe, row)) && close_of(timeframe, row) <= self.until
        };
        let oldest = kept.first().map(|row| row.candle.open_time);
        let believed = kept.iter().filter(is_covered).filter(|row| Some(row.candle.open_time) != oldest).copied();
        let believed = closed_candles(timeframe, believed.collect()).candles;
        let now = closed_candles(timeframe, self.rows.to_vec()).candles;
        let now: HashMap<Timestamp, Candle> = now.into_iter().map(|candle| (candle.open_time, candle)).collect();
        let with_new = believed.into_iter().map(|old| (old, now.get(&old.open_time).copied()));
        with_new.filter(|(old, new)| *new != Some(*old)).collect()
    }
}

impl CandleCache {
    /// Compares everything that is kept with the store, again and again, until `stop` is cancelled.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let rounds = async {
            loop {
                self.round(ROUND).await;
            }
        };
        stop.run_until_cancelled(rounds).await;
    }

    /// Compares everything that is kept with the store once, in small steps that are spread over a time. If the store
    /// is away, the round goes on when it is back.
    pub async fn round(&self, time: Duration) {
        let steps = self.steps();
        if steps.is_empty() {
            tokio::time::sleep(time.min(NOTHING_YET)).await;
        }
        for step in &steps {
            tokio::time::sleep(time / steps.len() as u32).await;
            if self.compare_patiently(step).await.is_ok() {
                continue;
            }
            // Rows that can't be read must not hide what became of the other series.
            for one in step {
                if let Err(error) = self.compare_patiently(slice::from_ref(one)).await {
                    let (symbol, timeframe) = one;
                    tracing::warn!(%symbol, %timeframe, %error, "candles in memory can't be compared with the store");
                }
            }
        }
    }

    /// What is kept, in steps that read about the same number of rows: series of one timeframe, those of similar length
    /// together.
    fn steps(&self) -> Vec<Vec<SeriesKey>> {
        let kept = lock(&self.kept);
        let mut lengths: Vec<_> = kept.iter().map(|((symbol, at), kept)| (*at, kept.rows.len(), symbol)).collect();
        lengths.sort_unstable();
        let mut steps: Vec<Vec<SeriesKey>> = Vec::new();
        for (timeframe, length, symbol) in lengths {
            let has_room = |step: &Vec<SeriesKey>| step[0].1 == timeframe && (step.len() + 1) * length <= ROWS_AT_ONCE;
            let series = (symbol.clone(), timeframe);
            match steps.last_mut().filter(|step| has_room(step)) {
                Some(step) => step.push(series),
                None => steps.push(vec![series]),
            }
        }
        steps
    }

    /// Compares some series. Tries again for as long as the store is away, which is logged once.
    async fn compare_patiently(&self, series: &[SeriesKey]) -> Result<(), StoreError> {
        let mut pauses = PAUSES;
        let mut is_told = false;
        loop {
            match self.compare(series).await {
                Err(error @ StoreError::Unavailable { .. }) => {
                    if !std::mem::replace(&mut is_told, true) {
                        tracing::warn!(%error, "candles in memory can't be compared with the store yet");
                    }
                    tokio::time::sleep(pauses.pause()).await;
                }
                done => return done,
            }
        }
    }

    pub(super) async fn compare(&self, series: &[SeriesKey]) -> Result<(), StoreError> {
        for (asked, wanted) in self.wanted(series) {
            let began = self.now();
            let Together { timeframe, until, count } = asked;
            let read = self.reads.store.newest_closed_of(timeframe, &wanted, until, count).await?;
            for ((symbol, after), rows) in wanted.into_iter().zip(read) {
                let series = (symbol, timeframe);
                if let Some(known) = lock(&self.kept).get_mut(&series) {
                    self.take_in(&series, known, &Stretch::new(&rows, after, asked, began));
                }
            }
        }
        Ok(())
    }

    /// How the kept rows of some series are read again: those whose newest row is of the same time are read together.
    /// All rows but the oldest are read, with room for one more, so that it shows if there are more.
    fn wanted(&self, series: &[SeriesKey]) -> Vec<(Together, Wanted)> {
        let kept = lock(&self.kept);
        let mut together: BTreeMap<(Timeframe, Timestamp), (usize, Wanted)> = BTreeMap::new();
        for key in series {
            let (symbol, timeframe) = key;
            let rows = kept.get(key).map_or(&[][..], |kept| &kept.rows);
            let [oldest, .., newest] = rows else { continue };
            let (longest, wanted) = together.entry((*timeframe, close_of(*timeframe, newest))).or_default();
            *longest = rows.len().max(*longest);
            wanted.push((symbol.clone(), Some(close_of(*timeframe, oldest))));
        }
        let asked = |((timeframe, until), (longest, wanted))| {
            (Together { timeframe, until, count: u32::try_from(longest).unwrap_or(u32::MAX) }, wanted)
        };
        together.into_iter().map(asked).collect()
    }

    /// Notes what has changed since it was kept, and puts the rows of a stretch in place of what was kept of it.
    pub(super) fn take_in(&self, series: &SeriesKey, kept: &mut Kept, stretch: &Stretch<'_>) {
        let (symbol, timeframe) = (&series.0, series.1);
        let changes = stretch.changes(timeframe, &kept.rows);
        if !changes.is_empty() && kept.changed > stretch.began {
            // Of two reads that overlap, nobody knows which one saw the newer rows.
            return;
        }
        for (old, new) in changes {
            let noticed_at = Timestamp::now();
            self.revisions.note(Revision { symbol: symbol.clone(), timeframe, old, new, noticed_at });
        }
        let rows = stretch.to_keep(timeframe, &kept.rows);
        let place = stretch.place(timeframe, rows, &kept.rows);
        kept.rows.splice(place, rows.iter().copied());
        let surplus = kept.rows.len().saturating_sub(kept.longest);
        kept.rows.drain(..surplus);
        kept.whole_from = whole_from(timeframe, &kept.rows);
        kept.changed = self.now();
        if kept.rows.last().is_none_or(|newest| close_of(timeframe, newest) <= stretch.until) {
            kept.read = stretch.began;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const M5: Timeframe = Timeframe::M5;

    /// A row of a candle, which is told from other rows of it by its close.
    fn row(index: i64, close: f64) -> CandleRow {
        let open_time = Timestamp::from_millis(index * M5.millis());
        CandleRow::undated(Candle { open_time, open: 1.0, high: 9.0, low: 1.0, close, volume: 1.0 })
    }

    #[test]
    fn a_read_that_is_cut_within_the_rows_of_a_candle_takes_none_of_them_away() {
        let kept = [row(0, 2.0), row(1, 2.0), row(1, 3.0), row(2, 2.0)];
        let asked = Together { timeframe: M5, until: Timestamp::from_millis(4 * M5.millis()), count: 3 };
        let cut = [row(1, 3.0), row(2, 2.0), row(3, 2.0)];
        let stretch = Stretch::new(&cut, None, asked, 0);
        assert_eq!(stretch.to_keep(M5, &kept), &cut[1..]);
        assert_eq!(stretch.place(M5, &cut[1..], &kept), 3..4);
        assert_eq!(stretch.to_keep(M5, &kept[..1]), &cut, "what is not kept is taken as far as it was read");
        let whole = Stretch::new(&cut, Some(Timestamp::from_millis(M5.millis())), Together { count: 9, ..asked }, 0);
        assert_eq!(whole.to_keep(M5, &kept), &cut);
        assert_eq!(whole.place(M5, &cut, &kept), 1..4);
    }
}
