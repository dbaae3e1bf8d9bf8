//! The rule and what it declares about itself. The declarations are constants, not methods: a description that cannot
//! depend on anything is the same each time it is asked for.

use crate::{Context, Fault, ParameterSet, Signal, Window};

/// A trading rule: a pure function from closed candles and parameters to a decision.
pub trait Strategy {
    /// The parameters, declared with [`parameters!`](crate::parameters). `()` if there are none.
    type Parameters: ParameterSet;

    /// The name in URLs and metrics: lower case letters, digits and underscores, beginning with a letter.
    const ID: &'static str;
    /// The name for people.
    const NAME: &'static str;
    /// The semantic version of the rule, usually `env!("CARGO_PKG_VERSION")`.
    const VERSION: &'static str;
    /// What the rule does, in a sentence or two.
    const DESCRIPTION: &'static str;
    /// The number of candles that the rule gets. It gets fewer only if the market has fewer.
    const LOOKBACK: u32;
    /// The columns that the rule reads; the others are empty. An empty list asks for all columns.
    const COLUMNS: &'static [Column] = &[];
    /// The timeframes that the rule may run on, such as `"15m"`. An empty list means any.
    const TIMEFRAMES: &'static [&'static str] = &[];
    /// Further series that the rule reads, passed to [`evaluate`](Self::evaluate) in this order.
    const EXTRA: &'static [Input] = &[];

    /// Checks the constraints between parameters. Types and ranges have been checked before. The error names the
    /// constraint and the values.
    ///
    /// It runs when an operator sets parameters and again before each evaluation.
    fn check(_parameters: &Self::Parameters) -> Result<(), String> {
        Ok(())
    }

    /// Makes one decision on one window. `None` means no signal for this candle.
    fn evaluate(
        context: &Context,
        window: Window<'_>,
        extra: &[Window<'_>],
        parameters: &Self::Parameters,
    ) -> Result<Option<Signal>, Fault>;
}

/// A column of the candles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// When the candle opened.
    OpenTime,
    /// The first price.
    Open,
    /// The highest price.
    High,
    /// The lowest price.
    Low,
    /// The last price.
    Close,
    /// The amount traded.
    Volume,
}

impl Column {
    /// All columns, in the order in which the candles have them.
    pub const ALL: [Self; 6] = [Self::OpenTime, Self::Open, Self::High, Self::Low, Self::Close, Self::Volume];

    /// The name in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenTime => "open_time",
            Self::Open => "open",
            Self::High => "high",
            Self::Low => "low",
            Self::Close => "close",
            Self::Volume => "volume",
        }
    }
}

/// A further series that a rule reads, such as the next higher timeframe.
///
/// ```
/// use ta_bot_sdk::{Column, Input};
///
/// const EXTRA: &[Input] = &[
///     Input::next_higher_timeframe(200).columns(&[Column::Close]),
///     Input::timeframe("1h", 100).symbol("BTCUSDT"),
/// ];
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input {
    pub(crate) symbol: Option<&'static str>,
    pub(crate) timeframe: Option<&'static str>,
    pub(crate) lookback: u32,
    pub(crate) columns: &'static [Column],
}

impl Input {
    /// The evaluated symbol on the timeframe after the evaluated one.
    pub const fn next_higher_timeframe(lookback: u32) -> Self {
        Self { symbol: None, timeframe: None, lookback, columns: &[] }
    }

    /// The evaluated symbol, always on this timeframe, such as `"1h"`.
    pub const fn timeframe(timeframe: &'static str, lookback: u32) -> Self {
        Self { symbol: None, timeframe: Some(timeframe), lookback, columns: &[] }
    }

    /// Sets a fixed symbol, such as `"BTCUSDT"`.
    #[must_use]
    pub const fn symbol(self, symbol: &'static str) -> Self {
        Self { symbol: Some(symbol), ..self }
    }

    /// Sets the columns that the rule reads of this series. Without this, it reads all.
    #[must_use]
    pub const fn columns(self, columns: &'static [Column]) -> Self {
        Self { columns, ..self }
    }
}
