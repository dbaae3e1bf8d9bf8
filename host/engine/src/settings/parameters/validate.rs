//! Checks whether parameters are accepted: by the schema, and by the strategy itself.

use std::sync::Arc;

use serde_json::{Map, Value as Json};
use ta_bot_core::{EvaluationError, ParameterLevels, ParameterProblem, Parameters, ResolvedParameters};
use ta_bot_wasm::StrategyModule;

use super::{ParameterBook, ParameterError};
use crate::settings::config_store::ConfigKey;

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
        let mut cases =
            vec![with_level(snapshot.levels(schema, &key.strategy, key.symbol.as_ref()), key, wanted.as_ref())];
        if key.symbol.is_none() {
            let (_, symbols) = self.stored_levels(&key.strategy);
            let under = symbols.iter().map(|symbol| snapshot.levels(schema, &key.strategy, Some(symbol)));
            cases.extend(under.map(|levels| with_level(levels, key, wanted.as_ref())));
        }
        self.ask(module, cases).await
    }

    /// Checks that a module accepts everything that is stored for its strategy, so that it can replace another module.
    /// A problem in a symbol's level names the symbol before the parameter.
    pub async fn fits(&self, module: &Arc<StrategyModule>) -> Result<(), ParameterError> {
        let id = &module.description().id;
        let schema = &module.description().schema;
        let snapshot = self.book.current();
        let mut stored: Vec<_> = snapshot.stored.readable.iter().filter(|(key, _)| key.strategy == *id).collect();
        stored.sort_by_key(|(key, _)| *key);
        let misfits = stored.iter().flat_map(|(key, level)| {
            let problems = schema.read(&level.parameters).err().unwrap_or_default();
            problems.into_iter().map(|problem| match &key.symbol {
                Some(symbol) => ParameterProblem { parameter: format!("{symbol} {}", problem.parameter), ..problem },
                None => problem,
            })
        });
        let misfits: Vec<ParameterProblem> = misfits.collect();
        if !misfits.is_empty() {
            return Err(ParameterError::Invalid(misfits));
        }
        let symbols = stored.iter().map(|(key, _)| key.symbol.as_ref()).chain([None]);
        let cases = symbols.map(|symbol| snapshot.levels(schema, id, symbol)).collect();
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
