//! The anatomy of one candle.

/// One candle, with the names of its parts: a body from open to close, and a shadow on each side of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candle {
    /// The first price.
    pub open: f64,
    /// The highest price.
    pub high: f64,
    /// The lowest price.
    pub low: f64,
    /// The last price.
    pub close: f64,
    /// The amount traded.
    pub volume: f64,
}

impl Candle {
    /// The distance from the lowest to the highest price.
    pub const fn range(&self) -> f64 {
        self.high - self.low
    }

    /// The distance between open and close, whichever is higher.
    pub const fn body(&self) -> f64 {
        (self.close - self.open).abs()
    }

    /// The distance from the body up to the highest price.
    pub const fn upper_shadow(&self) -> f64 {
        self.high - if self.close > self.open { self.close } else { self.open }
    }

    /// The distance from the lowest price up to the body.
    pub const fn lower_shadow(&self) -> f64 {
        (if self.close < self.open { self.close } else { self.open }) - self.low
    }

    /// Whether the candle closed above its open.
    pub const fn is_rising(&self) -> bool {
        self.close > self.open
    }

    /// Whether the candle closed below its open.
    pub const fn is_falling(&self) -> bool {
        self.close < self.open
    }

    /// Whether the candle lies within the range of the one before: a lower high and a higher low.
    pub const fn is_inside(&self, before: &Self) -> bool {
        self.high < before.high && self.low > before.low
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_add_up_to_the_range() {
        let rising = Candle { open: 10.0, high: 15.0, low: 8.0, close: 14.0, volume: 1.0 };
        let falling = Candle { open: 14.0, close: 10.0, ..rising };
        for candle in [rising, falling] {
            assert_eq!((candle.upper_shadow(), candle.body(), candle.lower_shadow()), (1.0, 4.0, 2.0));
            assert_eq!(candle.range(), 7.0);
        }
        assert!(rising.is_rising() && falling.is_falling() && !rising.is_falling());
    }

    #[test]
    fn an_inside_candle_touches_neither_end() {
        let outer = Candle { open: 10.0, high: 15.0, low: 8.0, close: 14.0, volume: 1.0 };
        assert!(Candle { high: 14.9, low: 8.1, ..outer }.is_inside(&outer));
        assert!(!Candle { high: 15.0, low: 8.1, ..outer }.is_inside(&outer));
        assert!(!Candle { high: 14.9, low: 8.0, ..outer }.is_inside(&outer));
    }
}
