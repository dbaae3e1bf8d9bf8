//! Technical indicators over whole columns.
//!
//! A function returns as many values as its shortest input has, oldest first. They are NaN until it has seen enough
//! (the *warm-up*; each function states the index of its first value). Short, empty or broken data therefore gives
//! NaN, and no indicator panics. NaN compares false with everything, so a rule that compares readings gives no signal
//! if there are none.
//!
//! Everything is computed from the window alone, since each evaluation runs in a fresh instance. An exponential
//! average therefore depends on its seed: after `k` periods beyond the warm-up, the seed's share has fallen to about
//! `e^-2k` for [`ema`] and `e^-k` for [`rma`].
//!
//! A constant series gives constant averages, bit for bit, so strict comparisons on flat data are safe. A period of 0
//! gives NaN throughout.

mod average;
mod extremes;
mod momentum;
mod smoothing;
mod trend;
mod volatility;

pub use average::{ema, ema_adjusted, mean, rma, sma};
pub use extremes::{highest, lowest, midprice, rolling_max, rolling_min};
pub use momentum::{Macd, macd, rsi, rsi_adjusted};
pub use trend::{Adx, adx};
pub use volatility::{
    Band, Bollinger, atr, bollinger, bollinger_band, rolling_standard_deviation, standard_deviation, true_range,
};

#[cfg(test)]
mod tests;
