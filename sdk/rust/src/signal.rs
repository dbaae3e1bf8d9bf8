//! Builds a [`Signal`] with calls that read as one sentence.

use crate::{Action, Fault, Signal, Strength, Value};

impl Signal {
    /// A signal to buy, with a confidence in [0, 1].
    pub const fn buy(confidence: f64) -> Self {
        Self::new(Action::Buy, confidence)
    }

    /// A signal to sell, with a confidence in [0, 1].
    pub const fn sell(confidence: f64) -> Self {
        Self::new(Action::Sell, confidence)
    }

    /// A notice without a trade, with a confidence in [0, 1].
    pub const fn hold(confidence: f64) -> Self {
        Self::new(Action::Hold, confidence)
    }

    /// A signal to close what is open, with a confidence in [0, 1].
    pub const fn close(confidence: f64) -> Self {
        Self::new(Action::Close, confidence)
    }

    /// A signal with only an action and a confidence.
    pub const fn new(action: Action, confidence: f64) -> Self {
        Self {
            action,
            confidence,
            price: None,
            stop_loss: None,
            take_profit: None,
            strength: None,
            rationale: None,
            metadata: Vec::new(),
        }
    }

    /// Sets the entry price. Without one, it is the newest close.
    #[must_use]
    pub const fn price(mut self, price: f64) -> Self {
        self.price = Some(price);
        self
    }

    /// Sets the price at which the trade is given up. Without one, the host chooses it.
    #[must_use]
    pub const fn stop_loss(mut self, price: f64) -> Self {
        self.stop_loss = Some(price);
        self
    }

    /// Sets the price at which the profit is taken. Without one, the host chooses it.
    #[must_use]
    pub const fn take_profit(mut self, price: f64) -> Self {
        self.take_profit = Some(price);
        self
    }

    /// Sets the levels of a trade: the entry at `price`, the stop at `stop_loss`, and the target `reward` times as far
    /// from the price as the stop. The target of a sell lies below the price, that of any other action above.
    #[must_use]
    pub const fn trade(self, price: f64, stop_loss: f64, reward: f64) -> Self {
        let distance = (price - stop_loss).abs() * reward;
        let take_profit = if matches!(self.action, Action::Sell) { price - distance } else { price + distance };
        self.price(price).stop_loss(stop_loss).take_profit(take_profit)
    }

    /// Adds the stop and the target to the metadata as well, under `stop_loss` and `take_profit`.
    #[must_use]
    pub fn levels_as_metadata(self) -> Self {
        let levels = [("stop_loss", self.stop_loss), ("take_profit", self.take_profit)];
        levels.into_iter().fold(self, |signal, (name, level)| match level {
            Some(level) => signal.metadata(name, level),
            None => signal,
        })
    }

    /// Sets the strength of the signal. Without one, it is medium.
    #[must_use]
    pub const fn strength(mut self, strength: Strength) -> Self {
        self.strength = Some(strength);
        self
    }

    /// Sets the rationale: one sentence, with the numbers, that says why. The host keeps 4 KiB of it.
    #[must_use]
    pub fn rationale(mut self, sentence: impl Into<String>) -> Self {
        self.rationale = Some(sentence.into());
        self
    }

    /// Adds a reading behind the decision to the metadata. The host keeps 200 bytes of a name, 2 KiB of a text, and
    /// 16 KiB of all readings together.
    #[must_use]
    pub fn metadata(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.metadata.push((name.into(), value.into()));
        self
    }

    /// The metadata entry of this name.
    pub fn reading(&self, name: &str) -> Option<&Value> {
        self.metadata.iter().find_map(|(entry, value)| (entry == name).then_some(value))
    }

    /// The metadata entry of this name as a number; NaN if there is none or it is not a number.
    pub fn number(&self, name: &str) -> f64 {
        match self.reading(name) {
            Some(&Value::Number(number)) => number,
            Some(&Value::Integer(number)) => number.into(),
            _ => f64::NAN,
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self::Integer(value)
    }
}

/// A count is an integer, or a number if it is too large for one.
impl From<usize> for Value {
    fn from(value: usize) -> Self {
        i32::try_from(value).map_or(Self::Number(value as f64), Self::Integer)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.into())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl Fault {
    /// A fault that neither the parameters nor a lack of data has caused.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::Failed(message.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trade_s_target_lies_across_the_price_from_its_stop() {
        let levels = |signal: &Signal| (signal.price, signal.stop_loss, signal.take_profit);
        let buy = Signal::buy(0.7).trade(100.0, 98.0, 2.5);
        assert_eq!(levels(&buy), (Some(100.0), Some(98.0), Some(105.0)));
        let sell = Signal::sell(0.7).trade(100.0, 104.0, 1.5).levels_as_metadata();
        assert_eq!(levels(&sell), (Some(100.0), Some(104.0), Some(94.0)));
        assert_eq!(sell.metadata, [("stop_loss".into(), 104.0.into()), ("take_profit".into(), 94.0.into())]);
        assert!(Signal::hold(0.7).levels_as_metadata().metadata.is_empty());
    }

    #[test]
    fn a_signal_reads_as_it_was_built() {
        let signal = Signal::sell(0.7)
            .price(100.0)
            .stop_loss(110.0)
            .take_profit(80.0)
            .strength(Strength::Strong)
            .rationale("the RSI fell")
            .metadata("rsi", 71.5)
            .metadata("trigger", "cross")
            .metadata("candles", 3);
        assert_eq!((signal.action, signal.confidence, signal.price), (Action::Sell, 0.7, Some(100.0)));
        assert_eq!((signal.stop_loss, signal.take_profit), (Some(110.0), Some(80.0)));
        assert_eq!(signal.strength, Some(Strength::Strong));
        assert_eq!(signal.rationale.as_deref(), Some("the RSI fell"));
        assert_eq!(signal.reading("rsi"), Some(&Value::Number(71.5)));
        assert_eq!(signal.reading("trigger"), Some(&Value::Text("cross".into())));
        assert_eq!(signal.reading("macd"), None);
        assert_eq!((signal.number("rsi"), signal.number("candles")), (71.5, 3.0));
        assert!(signal.number("trigger").is_nan() && signal.number("macd").is_nan());
    }
}
