//! The JSON views of what to know of parameters that are taken, and of stored ones that do not fit.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value as Json};
use ta_bot_core::{ENABLED, SeedLeft, StrategyDescription, SwitchState, Switches, Symbol};
use ta_bot_engine::settings::parameters::Misfit;
use utoipa::ToSchema;

/// How many symbols a warning names.
const MOST_NAMED: usize = 10;

/// What to know of a value that is taken all the same.
#[derive(Debug, Serialize, ToSchema)]
pub struct WarningView {
    parameter: String,
    /// A stable code for programs: `seed_left` for the length of an average of which much is still its seed at the end
    /// of the strategy's window, `still_runs` for a pause that does not reach all symbols, `unknown_symbol` for a
    /// symbol that is neither scheduled nor has candles, `not_judged` for parameters of a strategy that is not one of
    /// this service.
    code: &'static str,
    message: String,
}

/// Parameters that are stored and do not fit the module. The strategy is not evaluated where they count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct MisfitView {
    strategy: String,
    /// The symbol; null for all symbols.
    symbol: Option<String>,
    /// What does not fit, and what to do.
    reason: String,
}

impl From<Misfit> for MisfitView {
    fn from(misfit: Misfit) -> Self {
        Self {
            strategy: misfit.key.strategy.to_string(),
            symbol: misfit.key.symbol.as_ref().map(Symbol::to_string),
            reason: misfit.to_string(),
        }
    }
}

impl MisfitView {
    /// Whether the parameters count for all symbols.
    pub const fn is_global(&self) -> bool {
        self.symbol.is_none()
    }
}

impl fmt::Display for MisfitView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl WarningView {
    /// The warnings for the values of a level.
    pub fn list(description: &StrategyDescription, level: &Map<String, Json>) -> Vec<Self> {
        let view = |left: SeedLeft| Self { message: left.to_string(), code: "seed_left", parameter: left.parameter };
        SeedLeft::of(description, level).into_iter().map(view).collect()
    }

    /// The warning that a strategy goes on with symbols whose own level says so, although it is paused for all. `None`
    /// if there are no such symbols.
    pub fn still_runs(switches: &Switches) -> Option<Self> {
        let runs = switches.symbols.iter().filter(|(_, state)| **state == SwitchState::On);
        let symbols: Vec<&str> = runs.map(|(symbol, _)| symbol.as_str()).collect();
        if symbols.is_empty() {
            return None;
        }
        let named = symbols.iter().take(MOST_NAMED).copied().collect::<Vec<_>>().join(", ");
        let more = match symbols.len().saturating_sub(MOST_NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let message = format!(
            "the strategy goes on with {named}{more}, whose own level has {ENABLED} set to true: set it to false there, or \
             to null by PATCH, to pause it there too"
        );
        Some(Self { parameter: ENABLED.to_owned(), code: "still_runs", message })
    }

    /// The warning that nothing evaluates a symbol.
    pub fn unknown_symbol(symbol: &Symbol) -> Self {
        let message = format!(
            "{symbol} is not scheduled, and there are no candles of it: nothing evaluates it. GET \
             /api/v1/config/application lists the symbols that are scheduled"
        );
        Self { parameter: "*".to_owned(), code: "unknown_symbol", message }
    }

    /// The warning that nothing is known of parameters. `strategy` is the strategy that was named, if one was.
    pub fn not_judged(strategy: Option<&str>) -> Self {
        let message = match strategy {
            Some(strategy) => format!("not judged here: {strategy} is no strategy of this service"),
            None => "not judged here: no strategy_id was given".to_owned(),
        };
        Self { parameter: "*".to_owned(), code: "not_judged", message }
    }
}

impl fmt::Display for WarningView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.parameter, self.message)
    }
}
