//! What an outcome says, and how much it may be believed.
//!
//! Returns are those of days, UTC, after all costs. Each number has the size of its sample and an interval by the
//! stationary bootstrap, which a seed determines, so that the same outcome gives the same bytes. Without trades there
//! are no statistics.

use serde::{Deserialize, Serialize};

use crate::money::{Drawdown, EquityCurve, Outcome, Trade, float};

mod bootstrap;
mod doubt;
mod figure;
pub mod measures;
mod overfitting;
mod random_entries;
mod reality;

pub use doubt::{SharpeSample, Trials, normal, normal_quantile};
pub use figure::{Figure, Measure, Sample, Unit};
pub use overfitting::{Overfitting, overfitting};
pub use random_entries::{RandomEntries, RandomEntriesResult};
pub use reality::{RealityCheck, reality_check};

/// A year in milliseconds: 365 days, since these markets do not rest.
pub const YEAR_MS: f64 = 365.0 * DAY_MS;
const DAY_MS: f64 = 86_400_000.0;
/// The fewest values that an interval is drawn from.
const FEWEST: usize = 10;
/// The fewest days from which a year is extrapolated.
const FEWEST_DAYS: f64 = 30.0;

/// What an outcome says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// Every measure, in the order of [`Measure::ALL`].
    pub figures: Vec<Figure>,
    /// The same measures of having bought all symbols at the start and held them; `None` if there were no candles.
    pub buy_and_hold: Option<BuyAndHold>,
    /// How many trades there were.
    pub trades: u64,
    /// The returns of the days, from which the others follow.
    pub returns: Vec<f64>,
    /// How many days with returns a year has.
    pub days_a_year: Option<f64>,
    /// The seed of the intervals.
    pub seed: u64,
}

/// Having bought all symbols, in equal parts, at their first opens, and held them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BuyAndHold {
    /// What it gained after the costs of buying, as a share.
    pub total_return: Option<f64>,
    /// The deepest drawdown at the ends of days, as a share from 0 to 1.
    pub max_drawdown: Option<f64>,
    /// The Sharpe ratio a year.
    pub sharpe: Option<f64>,
}

/// A value with its interval, or why there is none.
type Found = Result<(f64, Result<(f64, f64), &'static str>), &'static str>;

const NO_TRADES: &str = "there were no trades";
const COUNTED: &str = "it is counted, not estimated";
const TOO_FEW: &str = "the sample is smaller than ten";
const RARELY_DEFINED: &str = "it is not defined in many of the samples that were drawn anew";
const NO_SPREAD: &str = "the daily returns do not differ";

impl Statistics {
    /// The statistics of an outcome. `trades` are all of its trades, those included that were taken before its end.
    pub fn new(outcome: &Outcome, trades: &[Trade], seed: u64) -> Self {
        let curve = outcome.equity.as_ref();
        let start = float(outcome.assumptions.start_equity);
        let returns = curve.map(|curve| steps(start, curve.periods.iter().map(|end| end.equity))).unwrap_or_default();
        let days_a_year = curve.and_then(|curve| days_a_year(curve, returns.len()));
        let mut statistics =
            Self { figures: Vec::new(), buy_and_hold: None, trades: trades.len() as u64, returns, days_a_year, seed };
        statistics.buy_and_hold = curve.map(|curve| buy_and_hold(curve, start, days_a_year));
        let found = statistics.find(outcome, trades);
        let days = Sample::Days(statistics.returns.len() as u64);
        let of_trades = Sample::Trades(statistics.trades);
        statistics.figures = Measure::ALL
            .into_iter()
            .zip(found)
            .map(|(measure, found)| {
                let sample = match measure {
                    Measure::ProfitFactor | Measure::WinRate | Measure::Expectancy | Measure::Turnover => of_trades,
                    Measure::Exposure => Sample::Candles(outcome.candles),
                    _ => days,
                };
                figure(measure, sample, found)
            })
            .collect();
        statistics
    }

    /// A figure by its measure.
    pub fn get(&self, measure: Measure) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.measure == measure)
    }

    /// The values in the order of [`Measure::ALL`].
    fn find(&self, outcome: &Outcome, trades: &[Trade]) -> [Found; 12] {
        let Some(curve) = outcome.equity.as_ref().filter(|_| !trades.is_empty()) else {
            return [Err(NO_TRADES); 12];
        };
        let years = (curve.to.millis() - curve.from.millis()) as f64 / YEAR_MS;
        let [total, annual, depth, length, sharpe, sortino, calmar] = self.of_days(outcome, curve, years);
        let profits: Vec<f64> = trades.iter().map(|trade| float(trade.net)).collect();
        let shares: Vec<f64> = trades.iter().map(Trade::profit).collect();
        let [factor_interval, won_interval] = bootstrap::intervals(&profits, self.seed, |drawn| {
            [measures::profit_factor(drawn), measures::win_rate(drawn)]
        });
        let [mean_interval] = bootstrap::intervals(&shares, self.seed, |drawn| [measures::mean(drawn)]);
        let few = trades.len() < FEWEST;
        let turnover = float(outcome.traded) / curve.mean_equity / years;
        [
            total,
            annual,
            depth,
            length,
            sharpe,
            sortino,
            calmar,
            found(measures::profit_factor(&profits), factor_interval, few, "no trade lost"),
            found(measures::win_rate(&profits), won_interval, few, NO_TRADES),
            found(measures::mean(&shares), mean_interval, few, NO_TRADES),
            Ok((curve.time_invested, Err(COUNTED))),
            if turnover.is_finite() { Ok((turnover, Err(COUNTED))) } else { Err("the equity was not above zero") },
        ]
    }

    /// Those that follow from the returns of days.
    fn of_days(&self, outcome: &Outcome, curve: &EquityCurve, years: f64) -> [Found; 7] {
        let returns = &self.returns;
        let a_year = self.days_a_year.map(f64::sqrt);
        let day = if returns.is_empty() { 0.0 } else { years * 365.0 / returns.len() as f64 };
        let measured = |drawn: &[f64]| {
            let total = measures::total_return(drawn);
            let annual = total.and_then(|total| measures::annual_return(total, years));
            let drawdown = measures::drawdown(drawn);
            let depth = drawdown.map(|(depth, _)| depth);
            [
                total,
                annual,
                depth,
                drawdown.map(|(_, length)| length * day),
                measures::sharpe(drawn).zip(a_year).map(|(ratio, a_year)| ratio * a_year),
                measures::sortino(drawn).zip(a_year).map(|(ratio, a_year)| ratio * a_year),
                annual.zip(depth.filter(|depth| *depth > 0.0)).map(|(annual, depth)| annual / depth),
            ]
        };
        let intervals = bootstrap::intervals(returns, self.seed, measured);
        let [_, _, _, _, sharpe, sortino, _] = measured(returns);
        let total = float(outcome.end_equity) / float(outcome.assumptions.start_equity) - 1.0;
        let is_long = years * 365.0 >= FEWEST_DAYS;
        let annual = measures::annual_return(total, years).filter(|_| is_long);
        let depth = curve.deepest.map_or(0.0, |deepest| deepest.depth);
        let days = |drawdown: &Drawdown| {
            (drawdown.recovered.unwrap_or(curve.to).millis() - drawdown.peak.millis()) as f64 / DAY_MS
        };
        let length = curve.longest.as_ref().map_or(0.0, days);
        let calmar = annual.filter(|_| depth > 0.0).map(|annual| annual / depth);
        let too_short = "fewer than thirty days say nothing of a year";
        let no_calmar = if is_long { "the equity never fell below an earlier one" } else { too_short };
        let no_sortino = "no day lost";
        let values = [Some(total), annual, Some(depth), Some(length), sharpe, sortino, calmar];
        let reasons = ["", too_short, "", "", NO_SPREAD, no_sortino, no_calmar];
        let few = returns.len() < FEWEST;
        std::array::from_fn(|place| found(values[place], intervals[place], few, reasons[place]))
    }
}

fn found(value: Option<f64>, interval: Option<(f64, f64)>, few: bool, why_none: &'static str) -> Found {
    let interval = if few { Err(TOO_FEW) } else { interval.ok_or(RARELY_DEFINED) };
    Ok((value.ok_or(why_none)?, interval))
}

fn figure(measure: Measure, sample: Sample, found: Found) -> Figure {
    let (value, interval, reason) = match found {
        Ok((value, Ok(interval))) => (Some(value), Some(interval), None),
        Ok((value, Err(reason))) => (Some(value), None, Some(reason)),
        Err(reason) => (None, None, Some(reason)),
    };
    Figure { measure, value, interval, sample, reason: reason.map(str::to_owned) }
}

/// The returns from one value to the next. What is lost does not come back: after a value that is not above zero they
/// end.
fn steps(start: f64, values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut before = start;
    let returns = values.map_while(|value| {
        let step = (before > 0.0).then(|| value / before - 1.0);
        before = value;
        step
    });
    returns.collect()
}

/// How many returns a year has, from how many there were.
fn days_a_year(curve: &EquityCurve, count: usize) -> Option<f64> {
    let time = (curve.to.millis() - curve.from.millis()) as f64;
    // Part of a day is a day of its own; it must not make the year longer.
    let days = (time / DAY_MS).ceil().max(1.0);
    (count > 0).then(|| 365.0 * (count as f64 / days).min(1.0))
}

fn buy_and_hold(curve: &EquityCurve, start: f64, days_a_year: Option<f64>) -> BuyAndHold {
    let returns = steps(start, curve.periods.iter().map(|end| end.buy_and_hold));
    BuyAndHold {
        total_return: measures::total_return(&returns),
        max_drawdown: measures::drawdown(&returns).map(|(depth, _)| depth),
        sharpe: measures::sharpe(&returns).zip(days_a_year).map(|(ratio, days)| ratio * days.sqrt()),
    }
}

#[cfg(test)]
mod tests;
