//! Equity over time, at a resolution that does not grow with the number of candles.

use serde::{Deserialize, Serialize};
use ta_bot_core::Timestamp;

/// The most points that a curve keeps.
const MOST_POINTS: usize = 4096;
/// The length of a period, over which returns are taken: a day, in milliseconds.
pub(super) const PERIOD_MS: i64 = 86_400_000;

/// The account between two moments, in the quote currency.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EquityPoint {
    /// The last moment that it covers.
    pub at: Timestamp,
    /// The lowest equity at a close.
    pub low: f64,
    /// The highest equity at a close.
    pub high: f64,
    /// The equity at its last moment.
    pub equity: f64,
    /// The value of all positions at its last moment, as a multiple of the equity.
    pub exposure: f64,
    /// The deepest drawdown at a close, as a share of the peak before, from 0 to 1.
    pub drawdown: f64,
}

impl EquityPoint {
    fn joined(self, later: Self) -> Self {
        Self {
            low: self.low.min(later.low),
            high: self.high.max(later.high),
            drawdown: self.drawdown.max(later.drawdown),
            ..later
        }
    }
}

/// The end of a period.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PeriodEnd {
    /// The last moment of the period at which there was a close.
    pub at: Timestamp,
    /// The equity then, in the quote currency.
    pub equity: f64,
    /// What the same money would be if it had bought all symbols at their first opens, in equal parts, and held them,
    /// with the costs of buying.
    pub buy_and_hold: f64,
}

/// A drawdown: from a peak down, and up to it again.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Drawdown {
    /// How far it went down, as a share of the peak, from 0 to 1.
    pub depth: f64,
    /// When the peak was.
    pub peak: Timestamp,
    /// When it was deepest.
    pub bottom: Timestamp,
    /// When the peak was reached again; `None` if it never was.
    pub recovered: Option<Timestamp>,
}

/// Equity over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EquityCurve {
    /// The curve, oldest first: at most 4096 points. Each of them keeps the extremes of all closes that it covers.
    pub points: Vec<EquityPoint>,
    /// The ends of the days, UTC, at which there were candles.
    pub periods: Vec<PeriodEnd>,
    /// The first moment.
    pub from: Timestamp,
    /// The last moment.
    pub to: Timestamp,
    /// The deepest drawdown; `None` if the equity never fell below an earlier one.
    pub deepest: Option<Drawdown>,
    /// The longest drawdown, from its peak until it was recovered, or until the end.
    pub longest: Option<Drawdown>,
    /// The share of the time with an open position, from 0 to 1.
    pub time_invested: f64,
    /// The value of all positions as a multiple of the equity, on average over time.
    pub mean_exposure: f64,
    /// The equity on average over time, in the quote currency.
    pub mean_equity: f64,
}

/// What the account is at a close.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    pub(super) equity: f64,
    /// The value of all positions, in the quote currency.
    pub(super) value: f64,
    pub(super) buy_and_hold: f64,
}

/// Collects readings.
#[derive(Debug)]
pub(super) struct Collector {
    points: Vec<EquityPoint>,
    /// How many readings a point covers.
    each: u32,
    /// How many the last point covers.
    covered: u32,
    periods: Vec<PeriodEnd>,
    from: Option<Timestamp>,
    last: Option<(Timestamp, Reading)>,
    peak: (f64, Timestamp),
    current: Option<Drawdown>,
    deepest: Option<Drawdown>,
    longest: Option<Drawdown>,
    /// Over time, in milliseconds: with a position, exposure, equity.
    sums: (f64, f64, f64),
}

impl Collector {
    pub(super) fn new(start_equity: f64) -> Self {
        Self {
            points: Vec::new(),
            each: 1,
            covered: 0,
            periods: Vec::new(),
            from: None,
            last: None,
            peak: (start_equity, Timestamp::from_millis(0)),
            current: None,
            deepest: None,
            longest: None,
            sums: (0.0, 0.0, 0.0),
        }
    }

    /// The market begins.
    pub(super) fn begin(&mut self, at: Timestamp) {
        self.from = Some(at);
        self.peak.1 = at;
    }

    /// Notes a close. `was_invested` says whether a position was open on the way to it.
    pub(super) fn note(&mut self, at: Timestamp, reading: Reading, was_invested: bool) {
        let since = self.last.map_or(self.from.unwrap_or(at), |(last, _)| last);
        let time = (at.millis() - since.millis()) as f64;
        let exposure = if reading.equity > 0.0 { reading.value / reading.equity } else { 0.0 };
        self.sums.0 += if was_invested { time } else { 0.0 };
        self.sums.1 += exposure * time;
        self.sums.2 += reading.equity * time;
        let drawdown = self.draw_down(at, reading.equity);
        let Reading { equity, buy_and_hold, .. } = reading;
        self.add(EquityPoint { at, low: equity, high: equity, equity, exposure, drawdown });
        let end = PeriodEnd { at, equity, buy_and_hold };
        // Midnight ends the day before.
        let period = |moment: Timestamp| (moment.millis() - 1).div_euclid(PERIOD_MS);
        match self.periods.last_mut() {
            Some(last) if period(last.at) == period(at) => *last = end,
            _ => self.periods.push(end),
        }
        self.last = Some((at, reading));
    }

    fn draw_down(&mut self, at: Timestamp, equity: f64) -> f64 {
        if equity >= self.peak.0 {
            if let Some(over) = self.current.take() {
                self.finish(Drawdown { recovered: Some(at), ..over });
            }
            self.peak = (equity, at);
            return 0.0;
        }
        let depth = ((self.peak.0 - equity) / self.peak.0).min(1.0);
        let new = Drawdown { depth, peak: self.peak.1, bottom: at, recovered: None };
        let current = self.current.get_or_insert(new);
        if depth > current.depth {
            (current.depth, current.bottom) = (depth, at);
        }
        depth
    }

    fn finish(&mut self, drawdown: Drawdown) {
        let end = self.last.map_or(drawdown.bottom, |(last, _)| last);
        let length = |drawdown: &Drawdown| drawdown.recovered.unwrap_or(end).millis() - drawdown.peak.millis();
        if self.deepest.is_none_or(|deepest| drawdown.depth > deepest.depth) {
            self.deepest = Some(drawdown);
        }
        if self.longest.is_none_or(|longest| length(&drawdown) > length(&longest)) {
            self.longest = Some(drawdown);
        }
    }

    fn add(&mut self, point: EquityPoint) {
        match self.points.last_mut() {
            Some(last) if last.at == point.at => *last = last.joined(point),
            Some(last) if self.covered < self.each => {
                *last = last.joined(point);
                self.covered += 1;
            }
            _ => {
                self.points.push(point);
                self.covered = 1;
            }
        }
        if self.points.len() == MOST_POINTS && self.covered == self.each {
            self.points = self.points.chunks(2).map(|pair| pair[0].joined(pair[1])).collect();
            self.each *= 2;
            self.covered = self.each;
        }
    }

    /// The last close that was noted.
    pub(super) fn last_close(&self) -> Option<Timestamp> {
        self.last.map(|(at, _)| at)
    }

    /// The curve; `None` if no candle has closed.
    pub(super) fn curve(mut self) -> Option<EquityCurve> {
        let (from, (to, _)) = self.from.zip(self.last)?;
        if let Some(current) = self.current.take() {
            self.finish(current);
        }
        let time = (to.millis() - from.millis()) as f64;
        let (invested, exposure, equity) = self.sums;
        Some(EquityCurve {
            points: self.points,
            periods: self.periods,
            from,
            to,
            deepest: self.deepest,
            longest: self.longest,
            time_invested: invested / time,
            mean_exposure: exposure / time,
            mean_equity: equity / time,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_millis(minutes * 60_000)
    }

    fn collect(equities: impl IntoIterator<Item = f64>) -> EquityCurve {
        let mut collector = Collector::new(100.0);
        collector.begin(at(0));
        for (minute, equity) in (1..).zip(equities) {
            collector.note(at(minute), Reading { equity, value: 50.0, buy_and_hold: 1.0 }, minute % 2 == 0);
        }
        collector.curve().unwrap()
    }

    #[test]
    fn drawdowns_have_a_depth_and_a_length() {
        let curve = collect([100.0, 110.0, 99.0, 104.0, 110.0, 112.0, 108.0, 109.0, 110.0, 111.0]);
        let deepest = curve.deepest.unwrap();
        assert!((deepest.depth - 0.1).abs() < 1e-12);
        assert_eq!((deepest.peak, deepest.bottom, deepest.recovered), (at(2), at(3), Some(at(5))));
        let longest = curve.longest.unwrap();
        assert_eq!((longest.peak, longest.bottom, longest.recovered), (at(6), at(7), None));
        assert_eq!(curve.time_invested, 0.5);
        assert_eq!(collect([100.0, 101.0]).deepest, None);
        let lost = collect([90.0, -10.0]);
        assert_eq!(lost.deepest.unwrap().depth, 1.0, "more than everything is everything");
    }

    #[test]
    fn a_long_curve_keeps_its_extremes_in_few_points() {
        let equity = |minute: i64| if minute == 70_001 { 1.0 } else { 100.0 + (minute % 7) as f64 };
        let curve = collect((1..=100_000).map(equity));
        assert!(curve.points.len() <= MOST_POINTS && curve.points.len() >= MOST_POINTS / 2, "{}", curve.points.len());
        assert!(curve.points.is_sorted_by(|a, b| a.at < b.at));
        assert_eq!(curve.points.last().unwrap().at, at(100_000));
        assert_eq!(curve.points.iter().map(|point| point.low).fold(f64::MAX, f64::min), 1.0);
        assert_eq!(curve.points.iter().map(|point| point.high).fold(0.0, f64::max), 106.0);
        assert_eq!(curve.periods.len(), 70);
        assert_eq!(curve.periods[0].at, at(1440), "midnight ends a day");
    }
}
