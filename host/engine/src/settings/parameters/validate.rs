//! Checks whether parameters are accepted: by the schema, and by the strategy itself.

use std::sync::Arc;

use serde_json::{Map, Value as Json};
use ta_bot_core::{
    EvaluationError, ParameterLevels, ParameterProblem, Parameters, RequestedLevels, ResolvedParameters,
    StrategyDescription,
};
use ta_bot_wasm::StrategyModule;

use super::{ParameterBook, ParameterError, levels::Levels};
use crate::{settings::config_store::ConfigKey, support::store_error::StoreError};

impl ParameterBook {
    /// Checks a level (`None`: its removal) as it would count: alone by the schema, and with what it inherits by the
    /// strategy itself. A global level must also fit under every symbol's override.
    pub(super) async fn validate(
        &self,
        module: &Arc<StrategyModule>,
        key: &ConfigKey,
        wanted: Option<&Map<String, Json>>,
    ) -> Result<(), ParameterError> {
        let schema = &module.description().schema;
        let wanted = wanted.map(|wanted| schema.read(wanted)).transpose().map_err(ParameterError::Invalid)?;
        let snapshot = self.book.current();
        let log = self.registry.log();
        let log = log.newest_levels(&key.strategy);
        let levels = Levels::new(&snapshot.stored, &key.strategy, &log);
        let mut symbols = vec![key.symbol.as_ref()];
        if key.symbol.is_none() {
            symbols.extend(levels.symbols().into_iter().flatten().map(Some));
        }
        let counts = |symbol| with_level(levels.fitting(schema, symbol), key, wanted.as_ref());
        let cases = symbols.into_iter().map(counts).collect();
        self.ask(module, cases).await
    }

    /// Checks that a module accepts everything that is stored for its strategy, with what is requested in place of some
    /// levels, so that it can replace another module. A problem in a symbol's level names the symbol before the
    /// parameter.
    pub async fn fits(&self, module: &Arc<StrategyModule>, requested: &RequestedLevels) -> Result<(), ParameterError> {
        let StrategyDescription { id, schema, .. } = module.description();
        let snapshot = self.book.current();
        let log = self.registry.log();
        let log = log.newest_levels(id).with(requested);
        let levels = Levels::new(&snapshot.stored, id, &log);
        let mut misfits = Vec::new();
        for symbol in levels.symbols() {
            if let Some(problem) = levels.unreadable(symbol) {
                return Err(StoreError::Corrupt { store: self.store_name(), reason: problem.to_owned() }.into());
            }
            let problems = levels.get(symbol).and_then(|(parameters, _)| schema.read(parameters).err());
            misfits.extend(problems.into_iter().flatten().map(|problem| match symbol {
                Some(symbol) => ParameterProblem { parameter: format!("{symbol} {}", problem.parameter), ..problem },
                None => problem,
            }));
        }
        if !misfits.is_empty() {
            return Err(ParameterError::Invalid(misfits));
        }
        let symbols = levels.symbols().into_iter().chain([None]);
        let cases = symbols.map(|symbol| levels.fitting(schema, symbol)).collect();
        self.ask(module, cases).await
    }

    /// Asks the strategy whether it accepts parameters as they would count.
    async fn ask(&self, module: &Arc<StrategyModule>, cases: Vec<ParameterLevels>) -> Result<(), ParameterError> {
        let schema = &module.description().schema;
        let resolved: Vec<Parameters> =
            cases.iter().map(|levels| ResolvedParameters::resolve(schema, levels).values).collect();
        let module = Arc::clone(module);
        // One at a time: each check takes an instance from the pool that evaluations need.
        let _turn = self.checking.lock().await;
        let checked = tokio::task::spawn_blocking(move || resolved.iter().try_for_each(|values| module.check(values)));
        match checked.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(EvaluationError::InvalidParameters(reason))) => Err(ParameterError::Refused(reason)),
            Ok(Err(error)) => Err(ParameterError::Unchecked(error)),
            Err(error) => Err(ParameterError::Unchecked(EvaluationError::Failed(error.to_string()))),
        }
    }
}

/// `levels` with the level of `key` replaced.
fn with_level(mut levels: ParameterLevels, key: &ConfigKey, wanted: Option<&Parameters>) -> ParameterLevels {
    let level = if key.symbol.is_some() { &mut levels.symbol } else { &mut levels.global };
    *level = wanted.map(|wanted| (wanted.clone(), 0));
    levels
}
