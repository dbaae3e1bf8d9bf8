//! Candles for a picture: few enough to be drawn, however many there were.

use serde::Serialize;
use ta_bot_core::{Candle, Series, Timestamp};

/// The most bars of a picture.
const MOST_BARS: usize = 10_000;

/// Candles of a series, gathered so that no more than 10,000 bars remain.
#[derive(Debug, Clone)]
pub struct Bars {
    /// The series.
    pub series: Series,
    drawn: Vec<Candle>,
    /// How many candles a bar is made of.
    each: u32,
    /// How many the last one is made of.
    gathered: u32,
}

/// The columns of the picture.
#[derive(Debug, Serialize)]
pub(super) struct Columns {
    time: Vec<i64>,
    open: Vec<f64>,
    high: Vec<f64>,
    low: Vec<f64>,
    close: Vec<f64>,
}

impl Bars {
    /// Begins with no candle.
    pub fn new(series: Series) -> Self {
        Self { series, drawn: Vec::new(), each: 1, gathered: 0 }
    }

    /// Adds the next candle.
    pub fn push(&mut self, candle: &Candle) {
        match self.drawn.last_mut() {
            Some(last) if self.gathered < self.each => {
                *last = joined(last, candle);
                self.gathered += 1;
            }
            _ => {
                self.drawn.push(*candle);
                self.gathered = 1;
            }
        }
        if self.drawn.len() > MOST_BARS {
            self.drawn = self
                .drawn
                .chunks(2)
                .map(|pair| if let [first, second] = pair { joined(first, second) } else { pair[0] })
                .collect();
            // The last one had no partner.
            self.each *= 2;
        }
    }

    /// How many candles a bar is made of.
    pub fn each(&self) -> u32 {
        self.each
    }

    /// How many bars there are.
    pub fn len(&self) -> usize {
        self.drawn.len()
    }

    /// Whether there are no bars.
    pub fn is_empty(&self) -> bool {
        self.drawn.is_empty()
    }

    /// The time of the bar that covers this moment, in seconds; `None` if it lies before the first.
    pub(super) fn time_of(&self, moment: Timestamp) -> Option<i64> {
        let place = self.drawn.partition_point(|bar| bar.open_time <= moment).checked_sub(1)?;
        Some(seconds(self.drawn[place].open_time))
    }

    /// How many decimal places the prices need.
    pub(super) fn places(&self) -> u32 {
        let highest = self.drawn.iter().map(|bar| bar.high).fold(0.0, f64::max);
        (2..8).find(|places| highest >= 10.0 / 10_f64.powi(*places - 2)).unwrap_or(8) as u32
    }

    pub(super) fn columns(&self) -> Columns {
        let column = |of: fn(&Candle) -> f64| self.drawn.iter().map(of).collect();
        Columns {
            time: self.drawn.iter().map(|bar| seconds(bar.open_time)).collect(),
            open: column(|bar| bar.open),
            high: column(|bar| bar.high),
            low: column(|bar| bar.low),
            close: column(|bar| bar.close),
        }
    }
}

fn joined(first: &Candle, second: &Candle) -> Candle {
    Candle {
        high: first.high.max(second.high),
        low: first.low.min(second.low),
        close: second.close,
        volume: first.volume + second.volume,
        ..*first
    }
}

pub(super) const fn seconds(moment: Timestamp) -> i64 {
    moment.millis().div_euclid(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_candles_become_few_bars_that_keep_their_extremes() {
        let mut bars = Bars::new("BTCUSDT 1m".parse().unwrap());
        for index in 0..100_000_i64 {
            let high = if index == 54_321 { 500.0 } else { 102.0 };
            let open_time = Timestamp::from_millis(index * 60_000);
            let price = 100.0 + (index % 2) as f64;
            bars.push(&Candle { open_time, open: price, high, low: 99.0, close: price, volume: 1.0 });
        }
        assert_eq!((bars.each(), bars.len()), (16, 6_250));
        let columns = bars.columns();
        assert!(columns.time.windows(2).all(|pair| pair[1] - pair[0] == 16 * 60));
        assert_eq!(columns.high.iter().filter(|high| **high == 500.0).count(), 1);
        assert_eq!((columns.open[7], columns.close[7]), (100.0, 101.0));
        assert_eq!(bars.time_of(Timestamp::from_millis(16 * 60_000 + 5)), Some(16 * 60));
        assert_eq!((bars.time_of(Timestamp::from_millis(-1)), bars.places()), (None, 2));
    }
}
