//! Settings of the service as a whole: symbols, timeframes, strategies and the confidence bounds.

use std::{collections::HashSet, hash::Hash};

use serde::{Deserialize, Serialize};

use crate::{Series, StrategyId, Symbol, Timeframe};

/// The most symbols that one service schedules.
const MAX_SYMBOLS: usize = 5000;
/// The most series whose holes are accepted.
const MAX_ACCEPTED_HOLES: usize = 5000;
/// For how many unknown strategies the error lists the known ones. A hostile list may hold a hundred thousand unknown
/// names.
const MOST_TOLD: usize = 100;

/// What is scheduled, and which signals are sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApplicationSettings {
    /// The symbols whose candles are evaluated.
    pub symbols: Vec<Symbol>,
    /// The timeframes that are evaluated.
    pub timeframes: Vec<Timeframe>,
    /// Which strategies run; `None` means all registered ones, an empty list means none of them.
    pub enabled_strategies: Option<Vec<StrategyId>>,
    /// Signals with a lower confidence are counted and dropped.
    pub min_confidence: f64,
    /// Signals with a higher confidence are counted and dropped.
    pub max_confidence: f64,
    /// The series with holes that belong to their market. Strategies are asked in spite of them, and signals name them.
    #[serde(default)]
    pub accepted_holes: Vec<Series>,
}

/// A change of some settings; the others stay as they are.
#[derive(Debug, Clone, PartialEq, Default)]
#[allow(missing_docs, reason = "see ApplicationSettings")]
pub struct SettingsPatch {
    pub symbols: Option<Vec<Symbol>>,
    pub timeframes: Option<Vec<Timeframe>>,
    pub enabled_strategies: Option<Enabled>,
    pub min_confidence: Option<f64>,
    pub max_confidence: Option<f64>,
    pub accepted_holes: Option<Vec<Series>>,
}

/// Which strategies a change enables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enabled {
    /// All registered strategies.
    All,
    /// Only these strategies.
    Only(Vec<StrategyId>),
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
    /// Whether the strategy `id` runs.
    pub fn enables(&self, id: &StrategyId) -> bool {
        self.enabled_strategies.as_ref().is_none_or(|enabled| enabled.contains(id))
    }

    /// Whether candles of `symbol` and `timeframe` are evaluated.
    pub fn schedules(&self, symbol: &Symbol, timeframe: Timeframe) -> bool {
        self.timeframes.contains(&timeframe) && self.symbols.contains(symbol)
    }

    /// Whether strategies are asked in spite of holes in the series of `symbol` and `timeframe`.
    pub fn accepts_holes(&self, symbol: &Symbol, timeframe: Timeframe) -> bool {
        self.accepted_holes.iter().any(|series| series.symbol == *symbol && series.timeframe == timeframe)
    }

    /// These settings with the patch applied. Duplicates in a list are removed.
    #[must_use]
    pub fn patched(&self, patch: SettingsPatch) -> Self {
        let enabled_strategies = match patch.enabled_strategies {
            None => self.enabled_strategies.clone(),
            Some(Enabled::All) => None,
            Some(Enabled::Only(ids)) => Some(each_once(ids)),
        };
        Self {
            symbols: patch.symbols.map_or_else(|| self.symbols.clone(), each_once),
            timeframes: patch.timeframes.map_or_else(|| self.timeframes.clone(), each_once),
            enabled_strategies,
            min_confidence: patch.min_confidence.unwrap_or(self.min_confidence),
            max_confidence: patch.max_confidence.unwrap_or(self.max_confidence),
            accepted_holes: patch.accepted_holes.map_or_else(|| self.accepted_holes.clone(), each_once),
        }
    }

    /// Every invalid value, one entry each. `known` lists the registered strategies.
    pub fn problems(&self, known: &[StrategyId]) -> Vec<SettingProblem> {
        let mut problems = Vec::new();
        let mut refuse = |parameter, given: serde_json::Value, allowed: String| {
            problems.push(SettingProblem { parameter, given, allowed });
        };
        if self.symbols.len() > MAX_SYMBOLS {
            refuse("symbols", self.symbols.len().into(), format!("{MAX_SYMBOLS} symbols at most"));
        }
        if self.accepted_holes.len() > MAX_ACCEPTED_HOLES {
            let most = format!("{MAX_ACCEPTED_HOLES} series at most; GAP_WINDOW=0 accepts the holes of all series");
            refuse("accepted_holes", self.accepted_holes.len().into(), most);
        }
        let unknown = self.enabled_strategies.iter().flatten().filter(|id| !known.contains(id));
        for (before, id) in unknown.enumerate() {
            let names = || known.iter().map(StrategyId::as_str).collect::<Vec<_>>().join(", ");
            let names = if before < MOST_TOLD { format!(": {}", names()) } else { String::new() };
            refuse("enabled_strategies", id.as_str().into(), format!("registered strategies{names}"));
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

/// Removes duplicates, keeping the order of first occurrence.
fn each_once<T: Clone + Eq + Hash>(list: Vec<T>) -> Vec<T> {
    let mut seen = HashSet::new();
    list.into_iter().filter(|one| seen.insert(one.clone())).collect()
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
            accepted_holes: Vec::new(),
        }
    }

    fn enable(ids: &[&str]) -> SettingsPatch {
        let ids = ids.iter().map(|id| id.parse().unwrap()).collect();
        SettingsPatch { enabled_strategies: Some(Enabled::Only(ids)), ..SettingsPatch::default() }
    }

    #[test]
    fn an_empty_list_enables_nothing_and_all_enables_all() {
        let rsi: StrategyId = "rsi".parse().unwrap();
        assert!(settings().enables(&rsi));
        let none = settings().patched(enable(&[]));
        assert!(!none.enables(&rsi));
        assert_eq!(none.symbols, settings().symbols);
        let all = SettingsPatch { enabled_strategies: Some(Enabled::All), ..SettingsPatch::default() };
        assert_eq!(none.patched(all).enabled_strategies, None);
    }

    #[test]
    fn what_is_named_twice_counts_once_where_it_stood_first() {
        let symbol = |name: &str| name.parse().unwrap();
        let patch = SettingsPatch {
            symbols: Some(vec![symbol("ETHUSDT"), symbol("BTCUSDT"), symbol("ethusdt")]),
            timeframes: Some(vec![Timeframe::H1, Timeframe::H1]),
            accepted_holes: Some(["ADAUSDT 1h", "ADAUSDT 5m", "adausdt 1h"].map(|one| one.parse().unwrap()).into()),
            ..enable(&["rsi", "macd", "rsi"])
        };
        let settings = settings().patched(patch);
        assert_eq!(settings.symbols, [symbol("ETHUSDT"), symbol("BTCUSDT")]);
        assert_eq!(settings.timeframes, [Timeframe::H1]);
        assert_eq!(
            settings.accepted_holes.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["ADAUSDT 1h", "ADAUSDT 5m"]
        );
        assert!(settings.accepts_holes(&symbol("ADAUSDT"), Timeframe::H1));
        assert!(!settings.accepts_holes(&symbol("ADAUSDT"), Timeframe::M15));
        assert_eq!(settings.enabled_strategies.unwrap().len(), 2);
    }

    #[test]
    fn settings_that_were_stored_before_holes_were_looked_for_accept_none() {
        let mut stored = serde_json::to_value(settings()).unwrap();
        stored.as_object_mut().unwrap().remove("accepted_holes");
        assert_eq!(serde_json::from_value::<ApplicationSettings>(stored.clone()).unwrap(), settings());
        stored["accepted_holes"] = serde_json::json!(["ADAUSDT 5m", "ADAUSDT"]);
        let error = serde_json::from_value::<ApplicationSettings>(stored).unwrap_err().to_string();
        assert!(error.contains("\"ADAUSDT\" is no series"), "{error}");
    }

    #[test]
    fn every_problem_is_named() {
        let patch = SettingsPatch { min_confidence: Some(2.0), max_confidence: Some(0.5), ..enable(&["rsj"]) };
        let problems = settings().patched(patch).problems(&["rsi".parse().unwrap()]);
        let named: Vec<_> = problems.iter().map(|problem| problem.parameter).collect();
        assert_eq!(named, ["enabled_strategies", "min_confidence", "min_confidence"]);
        assert_eq!(problems[0].allowed, "registered strategies: rsi");
    }
}
