//! Tests a rule natively. A test runs the same code as the component: parameters are read and checked, only the
//! declared columns are filled, and no more candles are passed than the strategy asks for. A column that is missing
//! from the declaration therefore shows up in `cargo test`.

use crate::bindings::ta_bot::strategy::types::Candles as Columns;
use crate::{Column, Context, Fault, Input, Signal, Strategy, Value, Window, component};

pub use crate::bindings::ta_bot::strategy::types::Description;

/// Candles made up by a test.
#[derive(Clone, Debug, PartialEq)]
pub struct Candles(Columns);

impl Default for Candles {
    fn default() -> Self {
        let none = Vec::new;
        Self(Columns { open_time: none(), open: none(), high: none(), low: none(), close: none(), volume: none() })
    }
}

impl Candles {
    /// Candles with these closes. Each opens at the close before it, its highest and lowest price are those two
    /// prices, and its volume is 1.
    pub fn from_closes(closes: &[f64]) -> Self {
        let opens = closes.first().into_iter().chain(closes);
        opens.zip(closes).map(|(&open, &close)| [open, open.max(close), open.min(close), close, 1.0]).collect()
    }

    /// Appends a candle: open, high, low, close and volume. Candles are one minute apart.
    pub fn push(&mut self, [open, high, low, close, volume]: [f64; 5]) {
        self.0.open_time.push(self.len() as f64 * 60_000.0);
        self.0.open.push(open);
        self.0.high.push(high);
        self.0.low.push(low);
        self.0.close.push(close);
        self.0.volume.push(volume);
    }

    /// The number of candles.
    pub const fn len(&self) -> usize {
        self.0.close.len()
    }

    /// Whether there is no candle.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All columns of all candles, for calling a rule directly.
    pub fn window(&self) -> Window<'_> {
        Window::new(&self.0, &Column::ALL, "test").unwrap_or_default()
    }

    /// The newest candles, as a host would pass them.
    fn handed_over(&self, lookback: u32, columns: &[Column]) -> Columns {
        let start = self.len().saturating_sub(lookback as usize);
        let fill = |column: Column, values: &[f64]| {
            if columns.is_empty() || columns.contains(&column) { values[start..].to_vec() } else { Vec::new() }
        };
        Columns {
            open_time: fill(Column::OpenTime, &self.0.open_time),
            open: fill(Column::Open, &self.0.open),
            high: fill(Column::High, &self.0.high),
            low: fill(Column::Low, &self.0.low),
            close: fill(Column::Close, &self.0.close),
            volume: fill(Column::Volume, &self.0.volume),
        }
    }
}

impl FromIterator<[f64; 5]> for Candles {
    fn from_iter<T: IntoIterator<Item = [f64; 5]>>(rows: T) -> Self {
        let mut candles = Self::default();
        rows.into_iter().for_each(|row| candles.push(row));
        candles
    }
}

/// Evaluates a strategy as a host would: on the newest of these candles, with these parameters and the defaults of the
/// others.
pub fn evaluate<S: Strategy>(candles: &Candles, parameters: &[(&str, Value)]) -> Result<Option<Signal>, Fault> {
    evaluate_with::<S>(&context(candles), candles, &[], parameters)
}

/// Like [`evaluate`], with the given context and with the extra series that the strategy declares.
pub fn evaluate_with<S: Strategy>(
    context: &Context,
    candles: &Candles,
    extra: &[Candles],
    parameters: &[(&str, Value)],
) -> Result<Option<Signal>, Fault> {
    let base = candles.handed_over(S::LOOKBACK, S::COLUMNS);
    let undeclared = Input::next_higher_timeframe(0);
    let inputs = S::EXTRA.iter().chain(core::iter::repeat(&undeclared));
    let extra: Vec<_> =
        extra.iter().zip(inputs).map(|(candles, input)| candles.handed_over(input.lookback, input.columns)).collect();
    component::evaluate::<S>(context, &base, &extra, &named(parameters))
}

/// Checks these parameters as the host would.
pub fn check<S: Strategy>(parameters: &[(&str, Value)]) -> Result<(), String> {
    use crate::bindings::exports::ta_bot::strategy::strategy::Guest as _;
    component::Component::<S>::check(named(parameters))
}

/// The description that the strategy gives to the host.
pub fn describe<S: Strategy>() -> Description {
    component::describe::<S>()
}

/// A context for candles of BTCUSDT that are one minute apart.
pub fn context(candles: &Candles) -> Context {
    Context { symbol: "BTCUSDT".into(), timeframe: "1m".into(), close_time: candles.len() as f64 * 60_000.0 }
}

fn named(parameters: &[(&str, Value)]) -> Vec<(String, Value)> {
    parameters.iter().map(|(name, value)| ((*name).into(), value.clone())).collect()
}
