//! Which symbols have series of their own.
//!
//! Thirty strategies on three timeframes make some four hundred series for each symbol. With a thousand symbols, a
//! scrape would be tens of megabytes, and those who keep the series pay for each of them.

use std::{collections::HashSet, str::FromStr};

use ta_bot_core::{ApplicationSettings, Symbol};

/// How many series the symbols may have together, if nobody says which symbols have some.
const SERIES: usize = 10_000;
/// The series of a symbol and timeframe whatever the strategies are: a histogram of sixteen buckets, a counter, and a
/// gauge.
const FOR_A_PLACE: usize = 21;
/// The series of a strategy on a symbol and timeframe: executions with and without a signal, buys and sells.
const FOR_A_STRATEGY: usize = 4;

/// Which symbols have series of their own: `METRICS_SYMBOLS`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum MetricSymbols {
    /// As many of the first scheduled ones as fit into a fixed number of series.
    #[default]
    Auto,
    /// All that are scheduled.
    All,
    /// None.
    None,
    /// These, if they are scheduled.
    Only(HashSet<Symbol>),
}

impl MetricSymbols {
    /// What a text may be.
    pub const ALLOWED: &str = "auto, all, none, or symbols such as BTCUSDT,ETHUSDT";

    /// The scheduled symbols that have series of their own. Those that had some keep them, since what they counted
    /// would seem to go on elsewhere.
    pub(super) fn chosen(
        &self,
        settings: &ApplicationSettings,
        strategies: usize,
        before: &HashSet<Symbol>,
    ) -> HashSet<Symbol> {
        let scheduled = settings.symbols.iter();
        match self {
            Self::All => scheduled.cloned().collect(),
            Self::None => HashSet::new(),
            Self::Only(named) => scheduled.filter(|symbol| named.contains(symbol)).cloned().collect(),
            Self::Auto => {
                let place = FOR_A_PLACE + FOR_A_STRATEGY * strategies;
                let room = SERIES / (place * settings.timeframes.len().max(1)).max(1);
                let (kept, others): (Vec<_>, Vec<_>) = scheduled.partition(|symbol| before.contains(symbol));
                kept.into_iter().chain(others).take(room).cloned().collect()
            }
        }
    }
}

impl FromStr for MetricSymbols {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = |text: &str| -> Result<HashSet<Symbol>, String> {
            let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
            entries.map(|entry| entry.parse().map_err(|error| format!("{error}"))).collect()
        };
        match text.trim().to_ascii_lowercase().as_str() {
            "auto" => Ok(Self::Auto),
            "all" => Ok(Self::All),
            "none" => Ok(Self::None),
            _ => Ok(Self::Only(named(text)?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use ta_bot_core::{Action, ExecutionStatus, Job, StrategyId, Timestamp};

    use super::*;
    use crate::support::metrics::Metrics;

    fn settings(symbols: usize, timeframes: &[&str]) -> ApplicationSettings {
        ApplicationSettings {
            symbols: (0..symbols).map(|index| format!("S{index}USDT").parse().unwrap()).collect(),
            timeframes: timeframes.iter().map(|timeframe| timeframe.parse().unwrap()).collect(),
            ..crate::testing::settings()
        }
    }

    fn set(symbols: &[&str]) -> HashSet<Symbol> {
        symbols.iter().map(|symbol| symbol.parse().unwrap()).collect()
    }

    #[test]
    fn the_first_symbols_have_series_until_there_are_enough() {
        let few = settings(3, &["5m", "15m", "1h"]);
        assert_eq!(MetricSymbols::Auto.chosen(&few, 30, &HashSet::new()).len(), 3);
        let many = settings(1000, &["5m", "15m", "1h"]);
        let chosen = MetricSymbols::Auto.chosen(&many, 30, &HashSet::new());
        assert_eq!(chosen.len(), SERIES / (3 * (FOR_A_PLACE + 30 * FOR_A_STRATEGY)));
        assert!(chosen.contains(&"S0USDT".parse().unwrap()) && !chosen.contains(&"S999USDT".parse().unwrap()));
    }

    /// Whatever its strategies decide.
    #[test]
    fn a_scrape_of_a_thousand_symbols_fits_the_bill() {
        let metrics = Metrics::new().unwrap();
        let settings = settings(1000, &["5m", "15m", "1h"]);
        let strategies: Vec<StrategyId> = (0..30).map(|index| format!("strategy_{index}").parse().unwrap()).collect();
        metrics.announce(&settings, strategies.iter());
        for (symbol, timeframe) in settings
            .symbols
            .iter()
            .flat_map(|symbol| settings.timeframes.iter().map(move |timeframe| (symbol, timeframe)))
        {
            let job = Job { symbol: symbol.clone(), timeframe: *timeframe, candle_close: Timestamp::from_millis(0) };
            let place = metrics.place(&job, &settings);
            for strategy in &strategies {
                for signal in [None, Some(Action::Buy), Some(Action::Sell)] {
                    metrics.executed(&place, strategy, ExecutionStatus::Success, signal, 1.0);
                }
            }
            metrics.analysed(&place, strategies.len(), 10.0);
        }
        let text: String = metrics.render().unwrap().collect();
        let series = text.lines().filter(|line| !line.starts_with('#')).count();
        assert!(series < 20_000 && text.len() < 3_000_000, "{series} series, {} bytes", text.len());
        let run = text.lines().filter(|line| line.starts_with("ta_bot_strategies_run_total{"));
        let run: f64 = run.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum();
        assert_eq!(run as usize, 1000 * 3 * 30, "the symbols without series of their own are counted too");
        let exported: usize = metrics.families().map(|family| family.get_metric().len()).sum();
        assert!(exported < 20_000, "{exported} points");
    }

    #[test]
    fn who_has_series_keeps_them() {
        let many = settings(1000, &["5m", "15m", "1h"]);
        let chosen = MetricSymbols::Auto.chosen(&many, 30, &set(&["S999USDT", "GONEUSDT"]));
        assert!(chosen.contains(&"S999USDT".parse().unwrap()) && !chosen.contains(&"GONEUSDT".parse().unwrap()));
    }

    #[test]
    fn a_list_names_those_that_matter() {
        let only: MetricSymbols = "S1USDT, OTHERUSDT".parse().unwrap();
        assert_eq!(only.chosen(&settings(3, &["5m"]), 2, &HashSet::new()), set(&["S1USDT"]));
        assert!("none".parse::<MetricSymbols>().unwrap().chosen(&settings(3, &["5m"]), 2, &HashSet::new()).is_empty());
        assert!("BTC/USDT".parse::<MetricSymbols>().unwrap_err().contains("BTC/USDT"));
    }
}
