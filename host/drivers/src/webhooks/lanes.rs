//! The signals that a receiver has been given to take, and in which order.
//!
//! Signals of a series go one after the other, those of different series side by side. So they are not taken in the
//! order in which they were read, and the cursor that is stored is the one before the first that is not done.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use ta_bot_core::{Symbol, Timeframe, Timestamp};
use ta_bot_engine::signals::{cursor::Cursor, outbox::StoredSignal};

/// How many signals are held at most. A receiver that takes none costs no more memory than these.
const MOST: usize = 256;

/// The signals that were read and are not done, and those that are done after them.
#[derive(Debug)]
pub struct Lanes {
    /// The number of the first entry.
    first: u64,
    entries: VecDeque<Entry>,
    /// The entries of each series that are not done. The first of them is ready or under way.
    series: HashMap<(Symbol, Timeframe), VecDeque<u64>>,
    ready: BTreeSet<u64>,
    /// All signals before it are done.
    cursor: Cursor,
}

#[derive(Debug)]
struct Entry {
    signal: Arc<StoredSignal>,
    /// The reader's cursor after this signal.
    after: Cursor,
    is_done: bool,
}

impl Lanes {
    /// Begins at a cursor.
    pub fn new(cursor: Cursor) -> Self {
        Self { first: 0, entries: VecDeque::new(), series: HashMap::new(), ready: BTreeSet::new(), cursor }
    }

    /// The cursor up to which everything is done.
    pub const fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// Whether one more signal may be added.
    pub fn has_room(&self) -> bool {
        self.entries.len() < MOST
    }

    /// When the first signal that is not done was stored.
    pub fn oldest(&self) -> Option<Timestamp> {
        self.entries.front().map(|entry| entry.signal.created_at)
    }

    /// Adds the next signal that was read, and the reader's cursor after it. One that is not wanted is done at once.
    pub fn add(&mut self, signal: Arc<StoredSignal>, after: Cursor, is_wanted: bool) {
        let number = self.first + self.entries.len() as u64;
        if is_wanted {
            let lane = self.series.entry((signal.symbol.clone(), signal.timeframe)).or_default();
            lane.push_back(number);
            if lane.len() == 1 {
                self.ready.insert(number);
            }
        }
        self.entries.push_back(Entry { signal, after, is_done: !is_wanted });
        self.advance();
    }

    /// Takes the oldest signal that may be sent now.
    pub fn take(&mut self) -> Option<(u64, Arc<StoredSignal>)> {
        let number = self.ready.pop_first()?;
        let entry = self.entry(number)?;
        Some((number, Arc::clone(&entry.signal)))
    }

    /// Puts a signal back, to be sent again.
    pub fn put_back(&mut self, number: u64) {
        self.ready.insert(number);
    }

    /// Notes that nothing more happens to a signal.
    pub fn done(&mut self, number: u64) {
        let Some(entry) = self.entry(number) else { return };
        entry.is_done = true;
        let series = (entry.signal.symbol.clone(), entry.signal.timeframe);
        if let Some(lane) = self.series.get_mut(&series) {
            lane.pop_front();
            match lane.front() {
                Some(next) => {
                    self.ready.insert(*next);
                }
                None => {
                    self.series.remove(&series);
                }
            }
        }
        self.advance();
    }

    fn entry(&mut self, number: u64) -> Option<&mut Entry> {
        self.entries.get_mut(number.checked_sub(self.first)? as usize)
    }

    fn advance(&mut self) {
        while let Some(entry) = self.entries.pop_front_if(|entry| entry.is_done) {
            self.first += 1;
            self.cursor = entry.after;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(lanes: &mut Lanes, sequence: i64, symbol: &str, is_wanted: bool) {
        let signal = StoredSignal {
            sequence,
            id: sequence.to_string(),
            strategy: "rsi".parse().unwrap(),
            symbol: symbol.parse().unwrap(),
            timeframe: Timeframe::M15,
            action: "buy".to_owned(),
            message: String::new(),
            candle_close: Timestamp::from_millis(0),
            created_at: Timestamp::from_millis(sequence),
            published_at: None,
            expired_at: None,
            withheld_at: None,
        };
        lanes.add(Arc::new(signal), Cursor::at(sequence), is_wanted);
    }

    fn taken(lanes: &mut Lanes) -> Option<(u64, i64)> {
        lanes.take().map(|(number, signal)| (number, signal.sequence))
    }

    #[test]
    fn a_series_is_in_order_and_the_cursor_passes_nothing() {
        let mut lanes = Lanes::new(Cursor::at(10));
        for (sequence, symbol) in [(11, "BTCUSDT"), (12, "BTCUSDT"), (13, "ETHUSDT"), (14, "BTCUSDT")] {
            add(&mut lanes, sequence, symbol, true);
        }
        assert_eq!(taken(&mut lanes), Some((0, 11)));
        assert_eq!(taken(&mut lanes), Some((2, 13)));
        assert_eq!(taken(&mut lanes), None, "one of each series at a time");
        lanes.done(2);
        assert_eq!((lanes.cursor(), lanes.oldest()), (&Cursor::at(10), Some(Timestamp::from_millis(11))));
        lanes.put_back(0);
        assert_eq!(taken(&mut lanes), Some((0, 11)), "again before those after it");
        assert_eq!(taken(&mut lanes), None);
        lanes.done(0);
        assert_eq!(taken(&mut lanes), Some((1, 12)));
        assert_eq!(lanes.cursor(), &Cursor::at(11));
        lanes.done(1);
        assert_eq!(lanes.cursor(), &Cursor::at(13), "the one between was done before");
        assert_eq!(taken(&mut lanes), Some((3, 14)));
        lanes.done(3);
        assert_eq!((lanes.cursor(), lanes.oldest()), (&Cursor::at(14), None));
        assert!(lanes.series.is_empty() && lanes.entries.is_empty());
    }

    #[test]
    fn what_is_not_wanted_moves_the_cursor_and_there_is_an_end_to_the_room() {
        let mut lanes = Lanes::new(Cursor::at(0));
        add(&mut lanes, 1, "BTCUSDT", false);
        assert_eq!(taken(&mut lanes), None);
        assert_eq!(lanes.cursor(), &Cursor::at(1));
        let mut sequence = 2;
        while lanes.has_room() {
            add(&mut lanes, sequence, "BTCUSDT", sequence == 2);
            sequence += 1;
        }
        assert_eq!((lanes.cursor(), lanes.entries.len()), (&Cursor::at(1), MOST));
        let (number, _) = lanes.take().unwrap();
        lanes.done(number);
        assert_eq!(lanes.cursor(), &Cursor::at(sequence - 1));
    }
}
