//! What the service that ran before left among the settings: how it counts here, and what makes a level run that does
//! not fit.
//!
//! Nothing is judged here that evaluations would judge in another way: the [`ParameterBook`] says what a stored
//! parameter means, whether its strategy runs, and whether a level may be written.

use serde_json::{Map, Value as Json};

use crate::settings::{
    config_store::{AuditEntry, Author, ConfigStore},
    parameters::{Change, JudgedLevel, Merge, ParameterBook, ParameterError},
};

mod application;

pub use application::{SettingMeaning, SettingPlan, judge_settings};

/// What is stored at one level, and what can be done about it.
#[derive(Debug, Clone, PartialEq)]
pub struct LevelPlan {
    /// The level.
    pub level: JudgedLevel,
    /// Whether it is a default that the older service stored by itself, which counts as not stored.
    pub is_left_out: bool,
    /// What [`apply`] does.
    pub step: Step,
}

/// What is to be done about a level.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Nothing.
    Nothing,
    /// The level is written again, with these parameters.
    Write(Map<String, Json>),
    /// The strategy runs there once the level of all symbols is written.
    Follows,
    /// An operator has to decide, for this reason.
    Decide(String),
}

/// Every stored level, in order, then the defaults that the older service stored by itself. With `take_defaults` those
/// of them are written that would change anything.
///
/// This asks strategies, so it may run guests.
pub async fn plan(
    parameters: &ParameterBook,
    store: &dyn ConfigStore,
    take_defaults: bool,
) -> Result<Vec<LevelPlan>, ParameterError> {
    parameters.refresh().await?;
    let mut plans = Vec::new();
    for level in parameters.judge_all() {
        let step = match &level.stopped {
            Some(reason) => step(parameters, &level, reason).await?,
            None => Step::Nothing,
        };
        plans.push(LevelPlan { level, is_left_out: false, step });
    }
    for (key, stored) in store.leftovers().await?.defaults {
        let level = parameters.judge_instead(&key, stored);
        let step = if take_defaults && level.counts() {
            refusal(parameters, &level).await?.map_or_else(|| Step::Write(level.fitting()), Step::Decide)
        } else {
            Step::Nothing
        };
        plans.push(LevelPlan { level, is_left_out: true, step });
    }
    Ok(plans)
}

/// What makes a level run that its strategy is stopped at.
async fn step(parameters: &ParameterBook, level: &JudgedLevel, reason: &str) -> Result<Step, ParameterError> {
    let Some(stored) = &level.stored else { return Ok(Step::Decide(reason.to_owned())) };
    let switch = parameters.switch(&level.key).state.problem();
    Ok(match (switch.or(refusal(parameters, level).await?), level.has_misfits()) {
        (Some(refusal), _) => Step::Decide(refusal),
        (None, true) => Step::Write(level.fitting()),
        (None, false) if level.key.symbol.is_some() => Step::Follows,
        // The strategy takes what is stored when it is asked now, and could not be asked before.
        (None, false) => Step::Decide(format!("{reason} (version {})", stored.version)),
    })
}

/// Why a level would be refused that holds only what fits, if so.
async fn refusal(parameters: &ParameterBook, level: &JudgedLevel) -> Result<Option<String>, ParameterError> {
    if !level.has_module {
        return Ok(None);
    }
    let author =
        Author { changed_by: String::new(), claimed_by: None, reason: None, at: ta_bot_core::Timestamp::now() };
    match parameters.change(Change { validate_only: true, ..change(level, level.fitting(), author) }).await {
        Ok(_) => Ok(None),
        Err(ParameterError::Refused(reason)) => Ok(Some(format!("the strategy refuses them together: {reason}"))),
        Err(error) => Err(error),
    }
}

/// Writes the levels that have to be written, each in one transaction and only if it is still what was judged. Returns
/// what was done.
pub async fn apply(
    parameters: &ParameterBook,
    plans: &[LevelPlan],
    author: &Author,
) -> Result<Vec<AuditEntry>, ParameterError> {
    let mut done = Vec::new();
    for LevelPlan { level, step, .. } in plans {
        let Step::Write(wanted) = step else { continue };
        done.extend(parameters.change(change(level, wanted.clone(), author.clone())).await?);
    }
    Ok(done)
}

/// The change that makes a level hold these parameters. Whether the strategy is paused stays as it is stored.
fn change(level: &JudgedLevel, parameters: Map<String, Json>, author: Author) -> Change {
    let expected = Some(level.stored.as_ref().map_or(0, |stored| stored.version));
    Change { key: level.key.clone(), parameters, merge: Merge::Replace, expected, validate_only: false, author }
}

#[cfg(test)]
mod tests;
