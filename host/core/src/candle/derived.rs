//! Candles that are made of shorter ones.
//!
//! A longer candle whose row is missing or unfinished is known all the same if the shorter candles that it consists of
//! are all there. It is made of them in the same way by whoever needs it, and is never stored.

use std::{collections::BTreeMap, str::FromStr};

use thiserror::Error;

use crate::{Candle, ClosedCandles, Symbol, Timeframe, TimeframeError, Timestamp};

/// From which shorter timeframe the candles of a longer one are made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum CandleSources {
    /// From the shortest scheduled timeframe that divides the longer one.
    #[default]
    ShortestScheduled,
    /// From these, each beside the timeframe that is made of it. Others are not made.
    Listed(BTreeMap<Timeframe, Timeframe>),
}

/// Why a text does not list sources.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum CandleSourcesError {
    #[error("{0:?} is no pair: give a longer and a shorter timeframe, such as 1h=5m, or none")]
    NotAPair(String),
    #[error(transparent)]
    Timeframe(#[from] TimeframeError),
    #[error(
        "a candle of {longer} does not consist of whole candles of {shorter}: give one that divides it, such as 1h=5m"
    )]
    NotDivided { longer: Timeframe, shorter: Timeframe },
    #[error("{0} is listed twice: list each longer timeframe once")]
    Twice(Timeframe),
}

impl CandleSources {
    /// The timeframe that candles of `timeframe` are made of; `None` if they are not made.
    pub fn source_of(&self, timeframe: Timeframe, scheduled: &[Timeframe]) -> Option<Timeframe> {
        match self {
            Self::ShortestScheduled => {
                scheduled.iter().copied().filter(|source| parts_of(timeframe, *source).is_some()).min()
            }
            Self::Listed(sources) => sources.get(&timeframe).copied(),
        }
    }
}

impl FromStr for CandleSources {
    type Err = CandleSourcesError;

    /// Reads pairs such as `15m=5m,1h=5m`, or `none`.
    fn from_str(text: &str) -> Result<Self, CandleSourcesError> {
        let mut sources = BTreeMap::new();
        if text.trim() == "none" {
            return Ok(Self::Listed(sources));
        }
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (longer, shorter) =
                pair.split_once('=').ok_or_else(|| CandleSourcesError::NotAPair(pair.chars().take(40).collect()))?;
            let (longer, shorter) = (longer.trim().parse()?, shorter.trim().parse()?);
            if parts_of(longer, shorter).is_none() {
                return Err(CandleSourcesError::NotDivided { longer, shorter });
            }
            if sources.insert(longer, shorter).is_some() {
                return Err(CandleSourcesError::Twice(longer));
            }
        }
        Ok(if sources.is_empty() { Self::ShortestScheduled } else { Self::Listed(sources) })
    }
}

/// Which candles of a window were made of shorter ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DerivedCandles {
    /// The timeframe that they were made of.
    pub source: Timeframe,
    /// When they opened, oldest first.
    pub open_times: Vec<Timestamp>,
}

/// The candles of one series in the windows of an evaluation that were made of shorter ones, as provenance.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DerivedInput {
    /// The symbol of the series.
    pub symbol: Symbol,
    /// The timeframe of the series.
    pub timeframe: Timeframe,
    /// The timeframe that they were made of.
    pub source: Timeframe,
    /// How many there are in the window.
    pub candles: usize,
}

/// How many candles of `source` a candle of `timeframe` consists of, if it consists of whole ones and is longer.
pub const fn parts_of(timeframe: Timeframe, source: Timeframe) -> Option<i64> {
    let parts = timeframe.millis() / source.millis();
    if parts > 1 && timeframe.millis() % source.millis() == 0 { Some(parts) } else { None }
}

/// Combines candles that follow each other into a longer one; `None` if there are none. The volume is rounded to eight
/// decimals, with which exchanges give it, since a sum of binary fractions has more.
pub fn gathered(open_time: Timestamp, parts: &[Candle]) -> Option<Candle> {
    let (first, last) = (parts.first()?, parts.last()?);
    let volume: f64 = parts.iter().map(|part| part.volume).sum();
    Some(Candle {
        open_time,
        open: first.open,
        high: parts.iter().map(|part| part.high).fold(f64::MIN, f64::max),
        low: parts.iter().map(|part| part.low).fold(f64::MAX, f64::min),
        close: last.close,
        volume: format!("{volume:.8}").parse().unwrap_or(volume),
    })
}

/// The candle of `timeframe` that opened at `open_time`, if all the shorter candles that it consists of are among
/// `shorter`. Those must be closed candles of `source`, oldest first, each once.
pub fn derived(timeframe: Timeframe, source: Timeframe, open_time: Timestamp, shorter: &[Candle]) -> Option<Candle> {
    let close = timeframe.close_of(open_time);
    let from = shorter.partition_point(|candle| candle.open_time < open_time);
    let parts = &shorter[from..];
    let parts = &parts[..parts.partition_point(|candle| candle.open_time < close)];
    let whole = parts_of(timeframe, source)? == parts.len() as i64;
    gathered(open_time, parts).filter(|candle| whole && candle.check(timeframe).is_ok())
}

impl ClosedCandles {
    /// Adds candles that were made of shorter ones, in any order, and keeps the newest `count` of all. They replace
    /// unfinished rows.
    pub fn complete(&mut self, source: Timeframe, mut made: Vec<Candle>, count: usize) {
        made.sort_by_key(|candle| candle.open_time);
        self.refused
            .retain(|refused| made.binary_search_by_key(&refused.open_time, |candle| candle.open_time).is_err());
        self.candles.extend(made.iter().copied());
        self.candles.sort_by_key(|candle| candle.open_time);
        self.candles.drain(..self.candles.len().saturating_sub(count));
        let oldest = self.candles.first().map(|candle| candle.open_time);
        let opens =
            made.iter().map(|candle| candle.open_time).filter(|open| oldest.is_some_and(|oldest| *open >= oldest));
        let open_times: Vec<Timestamp> = opens.collect();
        self.derived = (!open_times.is_empty()).then_some(DerivedCandles { source, open_times });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const M5: Timeframe = Timeframe::M5;
    const M15: Timeframe = Timeframe::M15;

    fn short(index: i64) -> Candle {
        let open_time = Timestamp::from_millis(index * M5.millis());
        let open = 100.0 + (index % 7) as f64;
        Candle { open_time, open, high: open + 2.0, low: open - 2.0, close: open + 1.0, volume: 0.1 }
    }

    fn at(index: i64) -> Timestamp {
        Timestamp::from_millis(index * M15.millis())
    }

    #[test]
    fn a_candle_is_made_of_all_its_parts_or_not_at_all() {
        let shorter: Vec<Candle> = (0..9).map(short).collect();
        let made = derived(M15, M5, at(1), &shorter).unwrap();
        assert_eq!(made, Candle { open_time: at(1), open: 103.0, high: 107.0, low: 101.0, close: 106.0, volume: 0.3 });
        assert_eq!(derived(M15, M5, at(3), &shorter), None, "nothing is there");
        for missing in 3..6 {
            let shorter: Vec<Candle> = (0..9).filter(|index| *index != missing).map(short).collect();
            assert_eq!(derived(M15, M5, at(1), &shorter), None);
            assert!(derived(M15, M5, at(0), &shorter).is_some());
        }
        assert_eq!(derived(M15, M15, at(1), &shorter), None);
    }

    #[test]
    fn the_source_is_the_shortest_scheduled_one_or_the_listed_one() {
        let scheduled = [Timeframe::H1, M15, M5, Timeframe::M3];
        let shortest = |timeframe| CandleSources::ShortestScheduled.source_of(timeframe, &scheduled);
        assert_eq!(shortest(M15), Some(Timeframe::M3));
        assert_eq!(shortest(M5), None, "three minutes do not divide five");
        assert_eq!(shortest(Timeframe::M3), None);
        assert_eq!(shortest(Timeframe::W1), Some(Timeframe::M3), "what is not scheduled can be an extra series");
        let listed: CandleSources = " 15m=5m, 1h=15m ".parse().unwrap();
        assert_eq!(listed.source_of(Timeframe::H1, &scheduled), Some(M15));
        assert_eq!(listed.source_of(Timeframe::H4, &scheduled), None);
        assert_eq!("".parse(), Ok(CandleSources::ShortestScheduled));
        let none: CandleSources = "none".parse().unwrap();
        assert_eq!(none.source_of(M15, &scheduled), None);
    }

    #[test]
    fn a_list_of_sources_that_does_not_fit_is_refused_with_its_reason() {
        let refused = |text: &str| text.parse::<CandleSources>().unwrap_err().to_string();
        assert!(refused("15m").contains("\"15m\" is no pair"), "{}", refused("15m"));
        assert!(refused("15m=5min").contains("\"5min\" is no timeframe"));
        for wrong in ["15m=15m", "5m=15m", "5m=3m", "1w=3d"] {
            assert!(refused(wrong).contains("does not consist of whole candles"), "{wrong}");
        }
        assert!(refused("1h=5m,1h=15m").contains("1h is listed twice"));
    }

    proptest! {
        /// Whatever parts are there, each longer candle is sound, and is made of exactly its own parts.
        #[test]
        fn what_is_made_is_sound_and_of_its_own_parts(
            present in proptest::collection::vec(any::<bool>(), 12..60),
            volumes in proptest::collection::vec(0_u64..1_000_000_000_000, 60),
        ) {
            let shorter: Vec<Candle> = present
                .iter()
                .enumerate()
                .filter(|(_, present)| **present)
                .map(|(index, _)| Candle { volume: volumes[index] as f64 / 1e8, ..short(index as i64) })
                .collect();
            for slot in 0..(present.len() as i64 / 3) {
                let parts = slot as usize * 3..slot as usize * 3 + 3;
                let whole = present[parts.clone()].iter().all(|present| *present);
                let made = derived(M15, M5, at(slot), &shorter);
                prop_assert_eq!(made.is_some(), whole);
                if let Some(made) = made {
                    prop_assert_eq!(made.check(M15), Ok(()));
                    // As the exchange itself would give it, in whole units of its last decimal.
                    prop_assert_eq!(made.volume, volumes[parts].iter().sum::<u64>() as f64 / 1e8);
                }
            }
        }
    }
}
