//! Holes in windows: candles that are missing between two candles that are there.

use serde::{Deserialize, Serialize};

use crate::{CandleSlice, Symbol, Timeframe, Timestamp};

/// How many holes of a window are listed.
const MOST_LISTED: usize = 5;

/// Candles that are missing between two candles that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hole {
    /// When the last candle before the hole closed.
    pub from: Timestamp,
    /// When the first candle after the hole opened.
    pub until: Timestamp,
    /// How many candles are missing.
    pub missing: u64,
}

/// The holes of one window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowHoles {
    /// The symbol of the window's candles.
    pub symbol: Symbol,
    /// The timeframe of the window's candles.
    pub timeframe: Timeframe,
    /// How many candles are missing in all its holes.
    pub missing: u64,
    /// Its newest holes, newest first; at most five.
    pub newest: Vec<Hole>,
}

impl<'a> CandleSlice<'a> {
    /// The holes between these candles of `timeframe`, newest first. The candles must be on the timeframe's grid.
    ///
    /// Without a hole the oldest and the newest candle are as far apart as their number says, so that most windows are
    /// not searched.
    pub fn holes(self, timeframe: Timeframe) -> impl Iterator<Item = Hole> + use<'a> {
        let length = timeframe.millis() as f64;
        let is_whole = match self.open_time {
            [oldest, .., newest] => newest - oldest == (self.len() - 1) as f64 * length,
            _ => true,
        };
        let searched = if is_whole { &[] } else { self.open_time };
        searched.windows(2).rev().filter_map(move |pair| {
            let [from, until] = [pair[0] + length, pair[1]].map(|millis| Timestamp::from_millis(millis as i64));
            let missing = (until.millis() - from.millis()) / timeframe.millis();
            (missing > 0).then_some(Hole { from, until, missing: missing.unsigned_abs() })
        })
    }
}

impl WindowHoles {
    /// The holes of a window; `None` if it has none.
    pub fn of(symbol: &Symbol, timeframe: Timeframe, window: CandleSlice<'_>) -> Option<Self> {
        let newest: Vec<Hole> = window.holes(timeframe).take(MOST_LISTED).collect();
        let missing = window.holes(timeframe).map(|hole| hole.missing).sum();
        (!newest.is_empty()).then(|| Self { symbol: symbol.clone(), timeframe, missing, newest })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Candle, CandleWindow};

    /// The window of the candles with these numbers, counted from the epoch.
    fn window(timeframe: Timeframe, numbers: &[i64]) -> CandleWindow {
        let candle = |number: &i64| {
            let open_time = timeframe.open_of(Timestamp::from_millis(number * timeframe.millis()));
            Candle { open_time, open: 1.0, high: 1.0, low: 1.0, close: 1.0, volume: 1.0 }
        };
        CandleWindow::new(numbers.iter().map(candle)).unwrap()
    }

    fn hole(from: i64, until: i64) -> Hole {
        let moment = |number: i64| Timestamp::from_millis(number * Timeframe::M15.millis());
        Hole { from: moment(from), until: moment(until), missing: (until - from) as u64 }
    }

    fn holes(numbers: &[i64]) -> Vec<Hole> {
        window(Timeframe::M15, numbers).newest(usize::MAX).holes(Timeframe::M15).collect()
    }

    #[test]
    fn a_hole_is_named_by_its_bounds() {
        for whole in [&[][..], &[7], &[7, 8], &[7, 8, 9, 10]] {
            assert_eq!(holes(whole), []);
        }
        assert_eq!(holes(&[7, 9]), [hole(8, 9)]);
        assert_eq!(holes(&[1, 2, 5, 6, 7, 17]), [hole(8, 17), hole(3, 5)]);
        let weeks = window(Timeframe::W1, &[1, 2, 5]);
        let missing: Vec<u64> = weeks.newest(9).holes(Timeframe::W1).map(|hole| hole.missing).collect();
        assert_eq!(missing, [2]);
    }

    #[test]
    fn the_list_is_short_and_the_number_is_whole() {
        let every_third: Vec<i64> = (0..100).map(|index| 3 * index).collect();
        let window = window(Timeframe::M15, &every_third);
        let symbol = "BTCUSDT".parse().unwrap();
        let holes = WindowHoles::of(&symbol, Timeframe::M15, window.newest(100)).unwrap();
        assert_eq!((holes.missing, holes.newest.len(), holes.newest[0]), (198, MOST_LISTED, hole(295, 297)));
        assert_eq!(WindowHoles::of(&symbol, Timeframe::M15, window.newest(1)), None);
    }

    proptest! {
        /// Each missing candle between the first and the last is in exactly one hole, and each candle in none.
        #[test]
        fn every_missing_candle_is_in_one_hole(there in prop::collection::btree_set(0..80_i64, 0..80)) {
            let numbers: Vec<i64> = there.iter().copied().collect();
            let found = holes(&numbers);
            let millis = Timeframe::M15.millis();
            let between = numbers.first().copied().unwrap_or(0)..=numbers.last().copied().unwrap_or(-1);
            for number in between {
                let opens = number * millis;
                let within = found.iter().filter(|hole| (hole.from.millis()..hole.until.millis()).contains(&opens));
                prop_assert_eq!(within.count(), usize::from(!there.contains(&number)));
            }
            prop_assert!(found.windows(2).all(|pair| pair[0].from > pair[1].until));
        }
    }
}
