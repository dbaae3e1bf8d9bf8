//! The modules of a backtest, with the parameters of each for every symbol.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use serde_json::{Map, Value as Json};
use ta_bot_backtest::run::Subject;
use ta_bot_core::{ModuleDigest, ParameterLevels, ResolvedParameters, StrategyId, Symbol};
use ta_bot_engine::{deployments::rollout::RolloutError, settings::parameters::Resolution};
use ta_bot_wasm::StrategyModule;

use super::market::Market;
use crate::{
    app::App,
    cli::{
        Session,
        args::{BacktestWanted, Digits, Setting},
        error::CliError,
        module_file,
        modules::named::find,
    },
};

/// Finds the modules.
pub(super) async fn subjects(
    session: &Session,
    app: &App,
    market: &Market,
    wanted: &BacktestWanted,
) -> Result<Vec<Subject>, CliError> {
    let mut subjects: Vec<Subject> = Vec::with_capacity(wanted.what.len());
    for what in &wanted.what {
        let module = module(session, app, what).await?;
        if subjects.iter().any(|subject| subject.module.digest() == module.digest()) {
            return Err(CliError::Usage(format!("{what} names a module that was named before: name each once")));
        }
        let symbols = market.series.iter().map(|series| &series.symbol);
        let parameters = symbols.map(|symbol| Ok((symbol.clone(), parameters(app, &module, symbol, &wanted.set)?)));
        let parameters = parameters.collect::<Result<BTreeMap<Symbol, Resolution>, CliError>>()?;
        subjects.push(Subject { module, parameters });
    }
    Ok(subjects)
}

/// The module that is named: by a file, a strategy's id, or a digest.
async fn module(session: &Session, app: &App, what: &str) -> Result<Arc<StrategyModule>, CliError> {
    let path = Path::new(what);
    if path.extension().is_some_and(|extension| extension == "wasm") {
        let bytes = module_file::read(path)?;
        let loaded = StrategyModule::load(app.sandbox(), &bytes);
        return loaded.map(Arc::new).map_err(|error| module_file::unfit(path, &error));
    }
    if app.registry.strategies().is_empty() {
        let problems = session.load_strategies(app).await?;
        session.note_problems(&problems);
    }
    if let Some(module) = what.parse::<StrategyId>().ok().and_then(|id| app.registry.get(&id)) {
        return Ok(module);
    }
    if let Ok(digits) = what.parse::<Digits>() {
        return by_digest(app, &digits).await;
    }
    let known = app.registry.strategies().keys().cloned().collect();
    match what.parse::<StrategyId>() {
        Ok(id) => Err(CliError::UnknownStrategy { id, known }),
        Err(error) => {
            Err(CliError::Usage(format!("{what} is no strategy, no digest of a module and no file: {error}")))
        }
    }
}

async fn by_digest(app: &App, digits: &Digits) -> Result<Arc<StrategyModule>, CliError> {
    let bundled = app.registry.bundled_digests();
    let begins = |digest: &&ModuleDigest| digest.to_string().starts_with(&digits.0);
    let digest = match bundled.iter().find(begins) {
        Some(digest) => *digest,
        None => find(app, digits).await?.digest,
    };
    app.analyst.rollout.install(digest).await.map_err(|error| CliError::from(RolloutError::from(error)))?;
    app.registry.module(digest).ok_or_else(|| CliError::UnknownModule(digits.0.clone()))
}

/// The parameters of a symbol as they are configured, with those of the command line in their place.
fn parameters(app: &App, module: &StrategyModule, symbol: &Symbol, set: &[Setting]) -> Result<Resolution, CliError> {
    let description = module.description();
    let log = app.registry.log();
    let configured = app.analyst.parameters.resolve(module, symbol, &log.newest_levels(&description.id));
    if set.is_empty() {
        return Ok(configured);
    }
    let given: Map<String, Json> = set.iter().map(|setting| (setting.name.clone(), setting.value.clone())).collect();
    let (read, problems) = description.schema.read_what_fits(&given);
    if !problems.is_empty() {
        let told = problems.iter().map(|problem| {
            format!("{}: {} is given, and allowed is {}", problem.parameter, problem.given, problem.allowed)
        });
        let told: Vec<String> = told.collect();
        return Err(CliError::Usage(format!(
            "{} does not take these parameters:\n{}",
            description.id,
            told.join("\n")
        )));
    }
    let configured = &configured.parameters;
    let levels = ParameterLevels {
        global: Some((configured.values.clone(), configured.version)),
        symbol: Some((read, configured.version)),
    };
    let parameters = ResolvedParameters::resolve(&description.schema, &levels);
    let refused = module.check(&parameters.values).err();
    Ok(Resolution { parameters: Arc::new(parameters), refused })
}
