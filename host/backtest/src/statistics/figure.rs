//! A number with its doubt: how large the sample is that it rests on, and in which interval it might as well have been.

use serde::{Deserialize, Serialize};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// What the account gained over the whole time.
    TotalReturn,
    /// The same as one of a year.
    AnnualReturn,
    /// How far the equity fell below an earlier one, at closes.
    MaxDrawdown,
    /// For how long it stayed below an earlier one.
    LongestDrawdown,
    /// The average daily return over its deviation, as one of a year.
    Sharpe,
    /// The average daily return over what is below zero, as one of a year.
    Sortino,
    /// The annual return over the deepest drawdown.
    Calmar,
    /// What winning trades brought over what losing ones took.
    ProfitFactor,
    /// The share of trades that won.
    WinRate,
    /// What a trade brought on average, as a share of its value.
    Expectancy,
    /// The share of the time with an open position.
    Exposure,
    /// The value of all fills in a year, as a multiple of the equity.
    Turnover,
}

impl Measure {
    /// All measures, in the order in which they are shown.
    pub const ALL: [Self; 12] = [
        Self::TotalReturn,
        Self::AnnualReturn,
        Self::MaxDrawdown,
        Self::LongestDrawdown,
        Self::Sharpe,
        Self::Sortino,
        Self::Calmar,
        Self::ProfitFactor,
        Self::WinRate,
        Self::Expectancy,
        Self::Exposure,
        Self::Turnover,
    ];

    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TotalReturn => "Return",
            Self::AnnualReturn => "Return a year",
            Self::MaxDrawdown => "Deepest drawdown",
            Self::LongestDrawdown => "Longest drawdown",
            Self::Sharpe => "Sharpe ratio a year",
            Self::Sortino => "Sortino ratio a year",
            Self::Calmar => "Calmar ratio",
            Self::ProfitFactor => "Profit factor",
            Self::WinRate => "Trades won",
            Self::Expectancy => "Expectancy of a trade",
            Self::Exposure => "Time in the market",
            Self::Turnover => "Turnover a year",
        }
    }

    /// What it is, in words.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::TotalReturn => "what the account gained, after all costs",
            Self::AnnualReturn => "the return as one of a year, compounded",
            Self::MaxDrawdown => {
                "how far the equity fell below its highest close before; the interval is that of the ends of days"
            }
            Self::LongestDrawdown => {
                "how long the equity stayed below its highest close before; the interval is that of whole days"
            }
            Self::Sharpe => "the average of the daily returns over their standard deviation",
            Self::Sortino => "the average of the daily returns over the root mean square of the losses",
            Self::Calmar => "the return a year over the deepest drawdown",
            Self::ProfitFactor => "what the winning trades brought over what the losing ones took",
            Self::WinRate => "the share of the trades that brought something after costs",
            Self::Expectancy => "what a trade brought after costs, as a share of its value, on average",
            Self::Exposure => "the share of the time with an open position",
            Self::Turnover => "the value of all fills in a year over the average equity",
        }
    }

    /// How its numbers are written.
    pub const fn unit(self) -> Unit {
        match self {
            Self::TotalReturn
            | Self::AnnualReturn
            | Self::MaxDrawdown
            | Self::WinRate
            | Self::Expectancy
            | Self::Exposure => Unit::Share,
            Self::LongestDrawdown => Unit::Days,
            Self::Sharpe | Self::Sortino | Self::Calmar | Self::ProfitFactor | Self::Turnover => Unit::Ratio,
        }
    }
}

/// How a number is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A share, which is written in percent.
    Share,
    /// A number of days.
    Days,
    /// A number without a unit.
    Ratio,
}

impl Unit {
    /// A number as people read it.
    pub fn write(self, number: f64) -> String {
        // A zero has no sign.
        let number = number + 0.0;
        match self {
            Self::Share => format!("{:.2} %", number * 100.0 + 0.0),
            Self::Days => format!("{number:.1} days"),
            Self::Ratio => format!("{number:.2}"),
        }
    }
}

/// What a number rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sample {
    /// So many days with their returns.
    Days(u64),
    /// So many trades.
    Trades(u64),
    /// So many candles.
    Candles(u64),
}

impl Sample {
    /// The sample in words.
    pub fn in_words(self) -> String {
        let (count, what) = match self {
            Self::Days(count) => (count, "day"),
            Self::Trades(count) => (count, "trade"),
            Self::Candles(count) => (count, "candle"),
        };
        format!("{count} {what}{}", if count == 1 { "" } else { "s" })
    }
}

/// A measure with its doubt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What was measured.
    pub measure: Measure,
    /// The number; `None` if there is none, which `reason` explains. It is never zero for that.
    pub value: Option<f64>,
    /// In which interval it might as well have been, at 95 %; `None` if nothing can be said, which `reason` explains.
    pub interval: Option<(f64, f64)>,
    /// What it rests on.
    pub sample: Sample,
    /// Why there is no value, or no interval.
    pub reason: Option<String>,
}

impl Figure {
    /// The value, or `–`.
    pub fn value_in_words(&self) -> String {
        self.value.map_or_else(|| "–".to_owned(), |value| self.measure.unit().write(value))
    }

    /// The interval, or `–`.
    pub fn interval_in_words(&self) -> String {
        let write = |number| self.measure.unit().write(number);
        self.interval.map_or_else(|| "–".to_owned(), |(low, high)| format!("{} to {}", write(low), write(high)))
    }
}
