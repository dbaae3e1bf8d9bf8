//! The component of a project, ready to be asked as a service would ask it.

use std::fs;

use serde_json::{Map, Value as Json};
use ta_bot_core::{ApplicationSettings, ParameterLevels, ParameterProblem, ResolvedParameters, Timestamp};
use ta_bot_engine::market::history::History;
use ta_bot_wasm::{Children, Sandbox, StrategyModule};

use super::{
    Project, ProjectError,
    signals::{self, Answers},
};
use crate::{
    cli::{error::CliError, module_file, strategies::docs::default_settings},
    environment::Environment,
};

/// Within the project, where compiled components are kept.
const COMPILED: &str = "build/compiled";

/// A component, with the settings that a service comes with.
pub(in crate::cli) struct Component {
    module: StrategyModule,
    settings: ApplicationSettings,
    gap_window: u32,
}

impl Component {
    /// Loads what the project has built. The same component is compiled once.
    pub(in crate::cli) fn load(project: &Project, environment: &Environment) -> Result<Self, CliError> {
        let path = project.component();
        let bytes = fs::read(&path).map_err(|reason| ProjectError::unreadable(&path, reason))?;
        let compiled = project.path(COMPILED);
        fs::create_dir_all(&compiled).map_err(|reason| ProjectError::Unwritten { path: compiled.clone(), reason })?;
        let sandbox = Sandbox::new(environment.limits, Some(compiled))?.with_children(Children::of_this_program());
        let module = StrategyModule::load(&sandbox, &bytes).map_err(|error| module_file::unfit(&path, &error))?;
        // With each change of the source there is another one. If one stays, it only takes room.
        sandbox.forget_compiled(&[module.digest()].into(), Timestamp::now(), usize::MAX).ok();
        let (found, named) = (module.description().id.clone(), project.recipe.name.clone());
        if found != named {
            return Err(ProjectError::OtherName { found, named }.into());
        }
        Ok(Self { module, settings: default_settings()?, gap_window: environment.gap_window })
    }

    /// These parameters, and the defaults of the others; or what is wrong with them, which the strategy itself may say.
    pub(in crate::cli) fn parameters(&self, given: &Map<String, Json>) -> Result<ResolvedParameters, String> {
        let schema = &self.module.description().schema;
        let given = schema.read(given).map_err(|problems| in_words(&problems))?;
        let levels = ParameterLevels { global: (!given.is_empty()).then_some((given, 1)), symbol: None };
        let resolved = ResolvedParameters::resolve(schema, &levels);
        let refused = |error: ta_bot_core::EvaluationError| format!("the strategy does not take them: {error}");
        self.module.check(&resolved.values).map_err(refused)?;
        Ok(resolved)
    }

    /// What it says on candles.
    pub(in crate::cli) fn ask(&self, parameters: &ResolvedParameters, history: &History) -> Answers {
        signals::ask(&self.module, parameters, history, (&self.settings, self.gap_window))
    }
}

fn in_words(problems: &[ParameterProblem]) -> String {
    let told = |problem: &ParameterProblem| {
        let ParameterProblem { parameter, given, allowed, .. } = problem;
        format!("{parameter} = {given} is given, and allowed is {allowed}")
    };
    problems.iter().map(told).collect::<Vec<_>>().join("; ")
}
