//! What the service as a whole runs: symbols, timeframes, strategies and the bounds of confidence.

use serde::{Deserialize, Serialize};

use crate::{StrategyId, Symbol, Timeframe};

/// The most symbols that one service schedules.
const MAX_SYMBOLS: usize = 5000;

/// What is scheduled, and which signals go out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApplicationSettings {
    /// Whose candles are looked at.
    pub symbols: Vec<Symbol>,
    /// On which timeframes.
    pub timeframes: Vec<Timeframe>,
    /// Which strategies run; none given means all that are registered, an empty list means none.
    pub enabled_strategies: Option<Vec<StrategyId>>,
    /// Signals below are counted and dropped.
    pub min_confidence: f64,
    /// Signals above are counted and dropped.
    pub max_confidence: f64,
}

/// A change of some settings; what is not named stays.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "see ApplicationSettings")]
pub struct SettingsPatch {
    pub symbols: Option<Vec<Symbol>>,
    #[serde(alias = "candle_periods")]
    pub timeframes: Option<Vec<Timeframe>>,
    pub enabled_strategies: Option<Vec<StrategyId>>,
    pub min_confidence: Option<f64>,
    pub max_confidence: Option<f64>,
}

/// Why a setting is refused.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SettingProblem {
    /// Which setting.
    pub parameter: &'static str,
    /// What was given.
    pub given: serde_json::Value,
    /// What is allowed.
    pub allowed: String,
}

impl ApplicationSettings {
    /// Whether `id` runs.
    pub fn enables(&self, id: &StrategyId) -> bool {
        self.enabled_strategies.as_ref().is_none_or(|enabled| enabled.contains(id))
    }

    /// Whether candles of `symbol` and `timeframe` are looked at.
    pub fn schedules(&self, symbol: &Symbol, timeframe: Timeframe) -> bool {
        self.timeframes.contains(&timeframe) && self.symbols.contains(symbol)
    }

    /// These settings with the change laid over them.
    #[must_use]
    pub fn patched(&self, patch: SettingsPatch) -> Self {
        Self {
            symbols: patch.symbols.unwrap_or_else(|| self.symbols.clone()),
            timeframes: patch.timeframes.unwrap_or_else(|| self.timeframes.clone()),
            enabled_strategies: patch.enabled_strategies.or_else(|| self.enabled_strategies.clone()),
            min_confidence: patch.min_confidence.unwrap_or(self.min_confidence),
            max_confidence: patch.max_confidence.unwrap_or(self.max_confidence),
        }
    }

    /// What does not fit, one entry for each setting. `known` are the strategies that are registered.
    pub fn problems(&self, known: &[StrategyId]) -> Vec<SettingProblem> {
        let mut problems = Vec::new();
        let mut refuse = |parameter, given: serde_json::Value, allowed: String| {
            problems.push(SettingProblem { parameter, given, allowed });
        };
        if self.symbols.len() > MAX_SYMBOLS {
            refuse("symbols", self.symbols.len().into(), format!("{MAX_SYMBOLS} symbols at most"));
        }
        for id in self.enabled_strategies.iter().flatten().filter(|id| !known.contains(id)) {
            let known = known.iter().map(StrategyId::as_str).collect::<Vec<_>>().join(", ");
            refuse("enabled_strategies", id.as_str().into(), format!("registered strategies: {known}"));
        }
        for (name, bound) in [("min_confidence", self.min_confidence), ("max_confidence", self.max_confidence)] {
            if !(0.0..=1.0).contains(&bound) {
                refuse(name, bound.into(), "a number from 0 to 1".to_owned());
            }
        }
        if self.min_confidence > self.max_confidence {
            let most = format!("at most max_confidence, {}", self.max_confidence);
            refuse("min_confidence", self.min_confidence.into(), most);
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> ApplicationSettings {
        ApplicationSettings {
            symbols: vec!["BTCUSDT".parse().unwrap()],
            timeframes: vec![Timeframe::M15],
            enabled_strategies: None,
            min_confidence: 0.6,
            max_confidence: 0.95,
        }
    }

    #[test]
    fn an_empty_list_enables_nothing() {
        let rsi: StrategyId = "rsi".parse().unwrap();
        assert!(settings().enables(&rsi));
        let none = settings().patched(SettingsPatch { enabled_strategies: Some(vec![]), ..SettingsPatch::default() });
        assert!(!none.enables(&rsi));
        assert_eq!(none.symbols, settings().symbols);
    }

    #[test]
    fn every_problem_is_named() {
        let patch = serde_json::json!({"enabled_strategies": ["rsj"], "min_confidence": 2, "max_confidence": 0.5});
        let settings = settings().patched(serde_json::from_value(patch).unwrap());
        let named: Vec<_> = settings.problems(&["rsi".parse().unwrap()]).iter().map(|p| p.parameter).collect();
        assert_eq!(named, ["enabled_strategies", "min_confidence", "min_confidence"]);
    }
}
