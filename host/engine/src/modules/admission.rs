//! Admission: what the host checks in a module before anybody's money depends on it.
//!
//! Each check asks the module in its sandbox and compares the answers. A check that can't be made is reported as
//! unfinished and admits nothing; a module that takes too long has failed. How much is asked is fixed, so a slow
//! module is spared nothing.
//!
//! A check can show that something is wrong; it can't show that nothing is. A module that behaves on some fifteen
//! hundred windows may misbehave on the next one, and then the sandbox stops it.

use std::{fmt, time::Instant};

use serde::{Deserialize, Serialize};
use ta_bot_core::{ParameterLevels, ResolvedParameters, millis};
use ta_bot_wasm::StrategyModule;
use utoipa::ToSchema;

use crate::evaluation::HOST_VERSION;

mod ask;
mod describes;
mod hostile;
mod recorded;
mod same;
mod survey;
mod warm_up;

pub use recorded::Recorded;

use ask::{Subject, Unfinished};
use survey::Survey;

/// The checks, in the order in which they are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckName {
    /// The module describes itself in the same way each time.
    Description,
    /// It answers on recorded candles, within its limits.
    Answers,
    /// Its lookback is as long as its rule needs.
    WarmUp,
    /// Its decisions can be traded.
    Decisions,
    /// The same candles give the same bytes: asked again, in another order, and on other threads.
    Repeatable,
    /// It keeps nothing from one call to the next.
    NoMemory,
    /// Candles before its lookback change nothing.
    Past,
    /// Its answers do not depend on the clock.
    NoClock,
    /// No market makes it stop in the middle.
    Hostile,
}

impl CheckName {
    /// The name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Description => "description",
            Self::Answers => "answers",
            Self::WarmUp => "warm_up",
            Self::Decisions => "decisions",
            Self::Repeatable => "repeatable",
            Self::NoMemory => "no_memory",
            Self::Past => "past",
            Self::NoClock => "no_clock",
            Self::Hostile => "hostile",
        }
    }
}

impl fmt::Display for CheckName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An example on which a check failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Example {
    /// What it was asked about.
    pub at: String,
    /// What it should have answered, if that is known.
    pub expected: Option<String>,
    /// What it answered.
    pub answered: String,
}

/// The outcome of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum CheckOutcome {
    /// The check holds on everything that was asked.
    Passed {
        /// What was asked, and what is worth knowing about it.
        note: String,
    },
    /// The check does not hold.
    Failed {
        /// What is wrong, and what to do.
        problem: String,
        /// The example on which it failed.
        example: Option<Example>,
    },
    /// There is nothing to check.
    NotApplicable {
        /// Why.
        reason: String,
    },
    /// The host could not make the check. This says nothing about the module, and does not admit it any more than a
    /// failure does.
    Unfinished {
        /// Why.
        reason: String,
    },
}

impl CheckOutcome {
    /// Whether this outcome lets a module be admitted.
    pub const fn admits(&self) -> bool {
        matches!(self, Self::Passed { .. } | Self::NotApplicable { .. })
    }

    fn passed(note: impl Into<String>) -> Self {
        Self::Passed { note: note.into() }
    }

    fn failed(problem: impl Into<String>, example: Example) -> Self {
        Self::Failed { problem: problem.into(), example: Some(example) }
    }
}

/// One check, and what it cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Check {
    /// What was checked.
    pub name: CheckName,
    /// The outcome of the check.
    #[serde(flatten)]
    pub outcome: CheckOutcome,
    /// How many calls of the module it took.
    pub evaluations: u64,
    /// How long it took.
    pub duration_ms: f64,
}

/// What admission found out about a module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Verdict {
    /// Which module.
    pub digest: String,
    /// Its strategy.
    pub strategy: String,
    /// The version of the host that checked.
    pub host_version: String,
    /// The candles on which it was checked.
    pub candles: String,
    /// The result of each check.
    pub checks: Vec<Check>,
}

impl Verdict {
    /// Whether the module may be enabled: every check passed or does not concern it.
    pub fn admitted(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(|check| check.outcome.admits())
    }

    /// Whether every check could be made. If not, checking again may lead to another verdict.
    pub fn finished(&self) -> bool {
        !self.checks.iter().any(|check| matches!(check.outcome, CheckOutcome::Unfinished { .. }))
    }

    /// The first check that keeps the module from being admitted.
    pub fn obstacle(&self) -> Option<&Check> {
        self.checks.iter().find(|check| !check.outcome.admits())
    }

    /// The outcome of a check.
    pub fn outcome(&self, name: CheckName) -> Option<&CheckOutcome> {
        self.checks.iter().find(|check| check.name == name).map(|check| &check.outcome)
    }
}

/// Checks a module with its own defaults on recorded candles. This takes a second for most modules and minutes for the
/// slowest, on the calling thread and two more: keep it off paths that others wait for.
pub fn admit(module: &StrategyModule, recorded: &Recorded) -> Verdict {
    let description = module.description();
    let parameters = ResolvedParameters::resolve(&description.schema, &ParameterLevels::default());
    let subject = Subject::new(module, &parameters);
    let mut survey = None;
    let mut checks = vec![
        made(CheckName::Description, &subject, || describes::check(&subject)),
        made(CheckName::Answers, &subject, || {
            let (outcome, found) = Survey::make(&subject, recorded)?;
            survey = Some(found);
            Ok(outcome)
        }),
    ];
    let survey = survey.as_ref();
    // Without the survey's answers there is nothing to compare.
    let surveyed = |check: &dyn Fn(&Survey<'_>) -> Result<CheckOutcome, Unfinished>| match survey {
        Some(survey) => check(survey),
        None => Err(Unfinished("there are no answers to compare".to_owned())),
    };
    checks.extend([
        made(CheckName::WarmUp, &subject, || surveyed(&|survey| warm_up::check(&subject, recorded, survey))),
        made(CheckName::Decisions, &subject, || surveyed(&|survey| Ok(survey.decisions()))),
        made(CheckName::Repeatable, &subject, || surveyed(&|survey| same::repeatable(&subject, survey))),
        made(CheckName::NoMemory, &subject, || surveyed(&|survey| same::no_memory(&subject, survey))),
        made(CheckName::Past, &subject, || surveyed(&|survey| same::past(&subject, recorded, survey))),
        made(CheckName::NoClock, &subject, || surveyed(&|survey| same::no_clock(&subject, survey))),
        made(CheckName::Hostile, &subject, || hostile::check(&subject, recorded)),
    ]);
    Verdict {
        digest: module.digest().to_string(),
        strategy: description.id.to_string(),
        host_version: HOST_VERSION.to_owned(),
        candles: recorded.origin().to_owned(),
        checks,
    }
}

/// Makes a check and measures what it cost.
fn made(name: CheckName, subject: &Subject<'_>, check: impl FnOnce() -> Result<CheckOutcome, Unfinished>) -> Check {
    let begun = Instant::now();
    let before = subject.calls();
    let outcome = check().unwrap_or_else(|Unfinished(reason)| CheckOutcome::Unfinished { reason });
    Check { name, outcome, evaluations: subject.calls() - before, duration_ms: millis(begun.elapsed()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(outcomes: Vec<CheckOutcome>) -> Verdict {
        let check = |outcome| Check { name: CheckName::Answers, outcome, evaluations: 1, duration_ms: 0.5 };
        Verdict {
            digest: "d".to_owned(),
            strategy: "s".to_owned(),
            host_version: "1".to_owned(),
            candles: "some".to_owned(),
            checks: outcomes.into_iter().map(check).collect(),
        }
    }

    fn passed() -> CheckOutcome {
        CheckOutcome::passed("all")
    }

    #[test]
    fn nothing_but_what_passed_or_does_not_concern_it_admits() {
        assert!(verdict(vec![passed(), CheckOutcome::NotApplicable { reason: String::new() }]).admitted());
        assert!(!verdict(Vec::new()).admitted(), "a verdict without checks shows nothing");
        let failed = CheckOutcome::Failed { problem: "it is slow".to_owned(), example: None };
        assert!(!verdict(vec![passed(), failed.clone()]).admitted());
        let unfinished = CheckOutcome::Unfinished { reason: "no room".to_owned() };
        let verdict = verdict(vec![passed(), unfinished.clone(), failed]);
        assert!(!verdict.admitted() && !verdict.finished());
        assert_eq!(verdict.obstacle().unwrap().outcome, unfinished);
    }

    #[test]
    fn a_verdict_comes_back_from_json_as_it_went_in() {
        let example =
            Example { at: "BTCUSDT 1h".to_owned(), expected: Some("none".to_owned()), answered: "buy".to_owned() };
        let verdict = verdict(vec![passed(), CheckOutcome::failed("it changes", example)]);
        let json = serde_json::to_value(&verdict).unwrap();
        assert_eq!((&json["checks"][1]["outcome"], &json["checks"][1]["name"]), (&"failed".into(), &"answers".into()));
        assert_eq!(serde_json::from_value::<Verdict>(json).unwrap(), verdict);
    }
}
