//! One stored level and its parameters, as JSON and as rows of a table.

use serde::Serialize;
use serde_json::{Map, Value as Json};
use ta_bot_core::SwitchState;
use ta_bot_engine::settings::{
    migration::{LevelPlan, Step},
    parameters::{Judged, JudgedLevel, Meaning},
};

use crate::cli::output::{NOTHING, one_line, or_dash};

/// The level of all symbols, in words.
pub(super) const ALL: &str = "all symbols";

#[derive(Serialize)]
pub(super) struct LevelView {
    pub(super) strategy: String,
    /// Null for all symbols.
    pub(super) symbol: Option<String>,
    version: Option<i64>,
    updated_at: Option<String>,
    /// `runs`, `paused`, `stopped`, `left_out` or `no_module`.
    pub(super) state: &'static str,
    /// Why it is stopped.
    reason: Option<String>,
    parameters: Vec<ParameterView>,
    /// What `apply` does: `nothing`, `write`, `follows` (it runs once the level of all symbols is written) or `decide`
    /// (an operator has to).
    pub(super) step: &'static str,
    /// What `apply` writes.
    writes: Option<Map<String, Json>>,
    /// Why an operator has to decide.
    pub(super) decide: Option<String>,
}

#[derive(Serialize)]
pub(super) struct ParameterView {
    name: String,
    stored: Json,
    /// What would hold without it.
    instead_of: Option<Json>,
    /// `counts`, `same`, `unknown`, `does_not_fit` or `switch`.
    meaning: &'static str,
    /// What is allowed, or what a switch says.
    reason: Option<String>,
}

impl LevelView {
    pub(super) fn new(plan: &LevelPlan) -> Self {
        let LevelPlan { level, is_left_out, step } = plan;
        let stored = level.stored.as_ref();
        let (word, writes, decide) = match step {
            Step::Nothing => ("nothing", None, None),
            Step::Write(parameters) => ("write", Some(parameters.clone()), None),
            Step::Follows => ("follows", None, None),
            Step::Decide(reason) => ("decide", None, Some(reason.clone())),
        };
        Self {
            strategy: level.key.strategy.to_string(),
            symbol: level.key.symbol.as_ref().map(ToString::to_string),
            version: stored.map(|stored| stored.version),
            updated_at: stored.map(|stored| stored.updated_at.to_string()),
            state: state(level, *is_left_out),
            reason: level.stopped.clone(),
            parameters: level.parameters.iter().map(ParameterView::new).collect(),
            step: word,
            writes,
            decide,
        }
    }

    pub(super) fn level(&self) -> &str {
        self.symbol.as_deref().unwrap_or(ALL)
    }

    /// The row of the level.
    pub(super) fn row(&self) -> [String; 9] {
        let count = |meaning: &str| self.parameters.iter().filter(|one| one.meaning == meaning).count().to_string();
        [
            self.strategy.clone(),
            self.level().to_owned(),
            or_dash(self.version, |version| version.to_string()),
            self.state.replace('_', " "),
            count("counts"),
            count("same"),
            count("unknown"),
            count("does_not_fit"),
            self.next(),
        ]
    }

    fn next(&self) -> String {
        match (self.step, &self.writes) {
            ("write", Some(parameters)) => {
                format!("written again, with {} of {}", parameters.len(), self.parameters.len())
            }
            ("follows", _) => format!("runs when {ALL} is written"),
            ("decide", _) => "yours to decide".to_owned(),
            _ => NOTHING.to_owned(),
        }
    }

    /// A row for each parameter.
    pub(super) fn parameter_rows(&self) -> impl Iterator<Item = [String; 6]> {
        self.parameters.iter().map(|parameter| {
            let ParameterView { name, stored, instead_of, .. } = parameter;
            [
                self.strategy.clone(),
                self.level().to_owned(),
                one_line(name),
                one_line(&ta_bot_core::in_short(stored).to_string()),
                or_dash(instead_of.as_ref(), ToString::to_string),
                parameter.words(self.state),
            ]
        })
    }
}

impl ParameterView {
    fn new(judged: &Judged) -> Self {
        let (meaning, reason) = match &judged.meaning {
            Meaning::Counts => ("counts", None),
            Meaning::Same => ("same", None),
            Meaning::Unknown => ("unknown", None),
            Meaning::Unfit(problem) => ("does_not_fit", Some(format!("allowed is {}", problem.allowed))),
            Meaning::Switch(SwitchState::On) => ("switch", Some("the strategy runs".to_owned())),
            Meaning::Switch(SwitchState::Off) => ("switch", Some("the strategy is paused".to_owned())),
            Meaning::Switch(state @ SwitchState::Unreadable(_)) => ("switch", state.problem()),
        };
        let Judged { name, stored, instead_of, .. } = judged;
        Self { name: name.clone(), stored: stored.clone(), instead_of: instead_of.clone(), meaning, reason }
    }

    /// What it means, in words, if the level is in this state.
    fn words(&self, state: &str) -> String {
        let meaning = self.meaning.replace('_', " ");
        match (&self.reason, state) {
            (Some(reason), _) => format!("{meaning}: {}", one_line(reason)),
            (None, "left_out") if self.meaning == "counts" => "left out; would count".to_owned(),
            (None, "left_out") => format!("left out; {meaning}"),
            (None, "no_module") => "not read: there is no module of this strategy".to_owned(),
            (None, _) => meaning,
        }
    }
}

fn state(level: &JudgedLevel, is_left_out: bool) -> &'static str {
    let is_paused = |judged: &Judged| judged.meaning == Meaning::Switch(SwitchState::Off);
    match level {
        JudgedLevel { has_module: false, .. } => "no_module",
        _ if is_left_out => "left_out",
        JudgedLevel { stopped: Some(_), .. } => "stopped",
        JudgedLevel { parameters, .. } if parameters.iter().any(is_paused) => "paused",
        JudgedLevel { .. } => "runs",
    }
}
