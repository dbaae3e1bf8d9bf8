//! Stored parameters that a strategy can't be evaluated with: they can't be read, the module does not know them, or it
//! refuses them together. Wrong parameters are worse than none, so nothing is left out and no default takes their
//! place.

use std::fmt;

use ta_bot_core::{ENABLED, EvaluationError, ParameterProblem, ParameterSchema, Symbol};
use ta_bot_wasm::StrategyModule;

use super::{ParameterBook, levels::Levels};
use crate::settings::config_store::ConfigKey;

/// How many of the parameters that do not fit are named in one sentence.
const MOST_NAMED: usize = 5;

/// What is wrong at one level of a strategy.
#[derive(Debug, Clone, PartialEq)]
pub struct Misfit {
    /// The level's strategy and symbol.
    pub key: ConfigKey,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key: ConfigKey { strategy, symbol }, reason } = self;
        let level = symbol.as_ref().map_or("all symbols", Symbol::as_str);
        write!(
            f,
            "the parameters stored for {level} do not fit: {reason}. Change or delete them (the configuration of \
             {strategy}), or deploy a version of the strategy together with parameters that fit it"
        )
    }
}

impl Levels<'_> {
    /// What does not fit of the parameters that count at a level: its own, or those that it inherits from.
    pub(super) fn misfit(&self, schema: &ParameterSchema, symbol: Option<&Symbol>) -> Option<Misfit> {
        [symbol, None].into_iter().find_map(|symbol| self.misfit_of(schema, symbol))
    }

    /// What does not fit of what one level itself holds.
    fn misfit_of(&self, schema: &ParameterSchema, symbol: Option<&Symbol>) -> Option<Misfit> {
        let reason = match (self.unreadable(symbol), self.get(symbol)) {
            (Some(problem), _) => format!("they can't be read: {problem}"),
            (None, Some((parameters, _))) => {
                let mut problems = schema.read(parameters).err()?;
                // Whether the strategy is paused is inherited by itself, and may be said by a nearer level.
                problems.retain(|problem| problem.parameter != ENABLED);
                if problems.is_empty() {
                    return None;
                }
                named(&problems)
            }
            (None, None) => return None,
        };
        Some(Misfit { key: self.key(symbol), reason })
    }
}

impl ParameterBook {
    /// The levels of a strategy that its module can't be evaluated with, the one of all symbols first. What the module
    /// refuses only together is known once it has been asked.
    pub fn misfits(&self, module: &StrategyModule) -> Vec<Misfit> {
        let description = module.description();
        let snapshot = self.book.current();
        let log = self.registry.log();
        let log = log.newest_levels(&description.id);
        let levels = Levels::new(&snapshot.stored, &description.id, &log);
        let symbols = levels.symbols().into_iter();
        let mut misfits: Vec<Misfit> =
            symbols.filter_map(|symbol| levels.misfit_of(&description.schema, symbol)).collect();
        if let Ok(resolved) = snapshot.resolved.read() {
            let of_module =
                resolved.iter().filter(|((digest, _, span), _)| (*digest, *span) == (module.digest(), log.span()));
            let refused = of_module.filter_map(|((_, key, _), resolution)| match &resolution.refused {
                Some(EvaluationError::InvalidParameters(reason)) => Some((key, reason)),
                _ => None,
            });
            let only_together =
                refused.filter(|(key, _)| levels.misfit(&description.schema, key.symbol.as_ref()).is_none());
            misfits.extend(only_together.map(|(key, reason)| Misfit { key: key.clone(), reason: reason.clone() }));
        }
        misfits.sort_by(|one, other| one.key.cmp(&other.key));
        misfits
    }
}

/// The problems in one sentence.
fn named(problems: &[ParameterProblem]) -> String {
    let mut named: Vec<String> = problems.iter().take(MOST_NAMED).map(ToString::to_string).collect();
    if problems.len() > MOST_NAMED {
        named.push(format!("and {} more", problems.len() - MOST_NAMED));
    }
    named.join("; ")
}
