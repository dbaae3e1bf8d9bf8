//! A rule that is all arithmetic: every indicator of the SDK over the whole window, for several periods. It stands for
//! the heaviest strategy that somebody may write, so that benchmarks show what the sandbox costs when the rule itself
//! takes time.

use ta_bot_sdk::prelude::*;

parameters! {
    /// No parameters that matter.
    pub struct Parameters {
        /// How many periods each indicator is computed for.
        #[range(1..=50)]
        periods: i32 = 8,
    }
}

/// The rule.
#[derive(Debug)]
pub struct Heavy;

impl Strategy for Heavy {
    type Parameters = Parameters;

    const ID: &'static str = "heavy";
    const NAME: &'static str = "Heavy";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DESCRIPTION: &'static str = "Computes many indicators and never signals; for benchmarks.";
    const LOOKBACK: u32 = 10_000;
    const COLUMNS: &'static [Column] = &[Column::High, Column::Low, Column::Close];

    fn evaluate(
        _context: &Context,
        window: Window<'_>,
        _extra: &[Window<'_>],
        parameters: &Parameters,
    ) -> Result<Option<Signal>, Fault> {
        let (high, low, close) = (window.high(), window.low(), window.close());
        let mut sum = 0.0;
        for step in 0..parameters.periods as usize {
            let period = 10 + step;
            sum += indicators::rsi(close, period).newest();
            sum += indicators::ema(close, period).newest();
            sum += indicators::atr(high, low, close, period).newest();
            sum += indicators::adx(high, low, close, period).adx.newest();
            sum += indicators::bollinger(close, period, 2.0).upper.newest();
            sum += indicators::rolling_max(high, period).newest() - indicators::rolling_min(low, period).newest();
        }
        // No market has this sum, but the compiler can't know that.
        Ok((sum == 0.123_456_789).then(|| Signal::buy(0.6)))
    }
}

export!(Heavy);
