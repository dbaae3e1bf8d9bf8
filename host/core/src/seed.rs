//! How much of its seed an average still holds at the end of a window.
//!
//! A recursive average begins with a seed and forgets it candle by candle. The window of a strategy has a fixed length,
//! so a long average is made of its seed in large part: an RSI of 200 candles, from 250 of them, by 78 %.
//!
//! A declaration has no word for the lengths of averages. Descriptions have, by the convention that
//! `docs/strategies.md` states, and a parameter that is described otherwise is not judged.

use std::fmt;

use serde_json::{Map, Value as Json};

use crate::{ParameterSpec, StrategyDescription, Value};

/// From which share of the seed on a value is told.
const TOLD_FROM: f64 = 0.05;
/// How descriptions of lengths begin.
const LENGTH: &str = "Length of ";
/// What is averaged as Wilder does it: the newest value weighs `1/length`.
const WILDER: [&str; 4] = ["Wilder", "RSI", "ATR", "ADX"];
/// Words for exponential averages: the newest value weighs `2/(length + 1)`.
const EXPONENTIAL: [&str; 2] = ["average", "MACD"];

/// A value that makes an average too long for the strategy's window.
#[derive(Debug, Clone, PartialEq)]
pub struct SeedLeft {
    /// The parameter.
    pub parameter: String,
    /// Its value: the length of the average, in candles.
    pub length: i32,
    /// The length of the strategy's base window, in candles.
    pub lookback: u32,
    /// About which share of the average is still its seed, from 0 to 1.
    pub share: f64,
}

impl SeedLeft {
    /// The values among `given` that make an average too long, in the order of the declaration. Values that are not
    /// valid are passed over.
    pub fn of(description: &StrategyDescription, given: &Map<String, Json>) -> Vec<Self> {
        let (values, _) = description.schema.read_what_fits(given);
        let lookback = description.lookback;
        let left = |spec: &ParameterSpec| {
            let Some(Value::Integer(length)) = values.get(&spec.name) else { return None };
            let share = share(&spec.description, *length, lookback)?;
            (share >= TOLD_FROM).then(|| Self { parameter: spec.name.clone(), length: *length, lookback, share })
        };
        description.schema.specs().iter().filter_map(left).collect()
    }
}

/// The share of the seed that is left after `lookback` candles, of which the first `length` make the seed. Returns
/// `None` if the description is not that of an average's length.
fn share(description: &str, length: i32, lookback: u32) -> Option<f64> {
    let of = description.strip_prefix(LENGTH)?;
    let names = |words: &[&str]| words.iter().any(|word| of.contains(word));
    let length = f64::from(length.max(1));
    let weight = if names(&WILDER) {
        1.0 / length
    } else if names(&EXPONENTIAL) {
        2.0 / (length + 1.0)
    } else {
        return None;
    };
    let after = (f64::from(lookback) - length).max(0.0);
    Some((1.0 - weight).powf(after))
}

impl fmt::Display for SeedLeft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { parameter, length, lookback, share } = self;
        let percent = 100.0 * share;
        write!(
            f,
            "the strategy looks at {lookback} candles, and after those about {percent:.0} % of an average over {length} is \
             still its seed: it is taken, but a shorter {parameter} says more of the market"
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Columns, ParameterSchema, ValueKind};

    fn description() -> StrategyDescription {
        let spec = |name: &str, description: &str| ParameterSpec {
            name: name.to_owned(),
            description: description.to_owned(),
            kind: ValueKind::Integer,
            default: None,
            min: None,
            max: None,
            choices: Vec::new(),
        };
        StrategyDescription {
            id: "some".parse().unwrap(),
            name: "Some".to_owned(),
            version: "1".to_owned(),
            description: "Some.".to_owned(),
            lookback: 250,
            columns: Columns::ALL,
            timeframes: Vec::new(),
            extra: Vec::new(),
            schema: ParameterSchema::new(vec![
                spec("period", "Length of Wilder's average, in candles."),
                spec("ema_slow", "Length of the slow average, in candles."),
                spec("sma_period", "Length of the longest mean, in candles."),
                spec("min_data_points", "The least number of candles on which the average speaks."),
            ]),
        }
    }

    fn left(given: &Json) -> Vec<SeedLeft> {
        SeedLeft::of(&description(), given.as_object().unwrap())
    }

    #[test]
    fn a_long_average_is_told_with_what_is_left_of_its_seed() {
        let told = left(&json!({"period": 200, "ema_slow": 200, "sma_period": 240, "min_data_points": 240}));
        let shares: Vec<(&str, f64)> =
            told.iter().map(|one| (one.parameter.as_str(), (100.0 * one.share).round())).collect();
        assert_eq!(shares, [("period", 78.0), ("ema_slow", 61.0)]);
        assert!(told[0].to_string().contains("about 78 % of an average over 200"), "{}", told[0]);
    }

    #[test]
    fn what_the_window_serves_and_what_does_not_fit_are_not_told() {
        assert_eq!(left(&json!({"period": 14, "ema_slow": 80, "unknown": 200})), []);
        assert_eq!(left(&json!({"period": "200", "ema_slow": null})), []);
        assert_eq!(left(&json!({"period": 0, "ema_slow": i32::MIN})), [], "such bounds are the module's affair");
        let longer = left(&json!({"period": 300}));
        assert_eq!(longer[0].share, 1.0, "the window does not even hold the seed");
    }
}
