//! The judgement on a module: whether it can be run at all, and what admission finds.
//!
//! It is made in children of the service, one that compiles the module and one that tries it. So [`child`] is here as
//! well: what the program does that a child runs.

use std::{ffi::OsString, process::ExitCode};

use serde::{Deserialize, Serialize};
use ta_bot_core::{Timestamp, cut};
use ta_bot_wasm::{LoadError, Sandbox, StrategyModule, WIT_VERSION, attempt, load_and_attempt, serve_child};
use thiserror::Error;

use crate::{
    evaluation::HOST_VERSION,
    modules::{
        admission::{Recorded, admit},
        module_store::{Judgement, MOST_REASON},
    },
};

/// Why there is no judgement. This says nothing about the module.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum NotJudged {
    /// There is no room for the instances that the checks need: others use it, or the machine has too little.
    #[error("there was no room for its instances")]
    NoRoom,
    /// The child that had to compile or try it gave no answer.
    #[error("{0}")]
    Unanswered(String),
    /// The child answered what this program does not understand.
    #[error("the process that tried it answered what this one does not understand: {0}")]
    Unreadable(String),
}

/// Has a module compiled and tried.
pub fn judge(sandbox: &Sandbox, bytes: &[u8]) -> Result<Judgement, NotJudged> {
    read(attempt(sandbox, bytes, told))
}

/// Loads a module, and has it tried as well.
pub fn load_and_judge(
    sandbox: &Sandbox,
    bytes: &[u8],
) -> Result<(StrategyModule, Result<Judgement, NotJudged>), LoadError> {
    let (module, attempted) = load_and_attempt(sandbox, bytes, told)?;
    Ok((module, read(attempted)))
}

/// What became of a try.
fn read(attempted: Result<String, LoadError>) -> Result<Judgement, NotJudged> {
    match attempted {
        Ok(told) => serde_json::from_str::<Result<Judgement, NotJudged>>(&told)
            .unwrap_or_else(|error| Err(NotJudged::Unreadable(error.to_string()))),
        Err(error) => refused(&error),
    }
}

/// What a child does, with the arguments after [`SUBCOMMAND`](ta_bot_wasm::SUBCOMMAND).
pub fn child(arguments: &[OsString]) -> ExitCode {
    serve_child(arguments, told)
}

/// A judgement as text, in which it comes from a child.
fn told(loaded: Result<StrategyModule, LoadError>) -> String {
    let judged = loaded.map_or_else(|error| refused(&error), |module| of_module(&module));
    // A judgement consists of texts and numbers, which JSON can hold.
    serde_json::to_string(&judged).unwrap_or_default()
}

/// Makes the checks of admission.
fn of_module(module: &StrategyModule) -> Result<Judgement, NotJudged> {
    let recorded = match Recorded::made_up(module.description()) {
        Ok(recorded) => recorded,
        Err(error) => return Ok(unusable("invalid_description", &error.to_string())),
    };
    let verdict = admit(module, &recorded);
    if !verdict.finished() {
        return Err(NotJudged::NoRoom);
    }
    let version = module.description().version.clone();
    Ok(Judgement::Checked { at: Timestamp::now(), version, wit_version: WIT_VERSION.to_owned(), verdict })
}

fn refused(error: &LoadError) -> Result<Judgement, NotJudged> {
    match error {
        LoadError::NoRoom(_) => Err(NotJudged::NoRoom),
        error if error.is_passing() => Err(NotJudged::Unanswered(error.to_string())),
        error => Ok(unusable(error.code(), &error.to_string())),
    }
}

/// The judgement on a module that can't be run at all.
pub(super) fn unusable(code: &str, reason: &str) -> Judgement {
    Judgement::Unusable {
        at: Timestamp::now(),
        host_version: HOST_VERSION.to_owned(),
        code: code.to_owned(),
        reason: cut(reason, MOST_REASON).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use ta_bot_wasm::Limits;

    use super::*;
    use crate::testing::strategy;

    #[test]
    fn a_judgement_comes_back_from_the_text_of_a_child() {
        let sandbox = Sandbox::new(Limits::default(), None).unwrap();
        let admitted = judge(&sandbox, &strategy("rsi")).unwrap();
        assert!(admitted.admits(), "{admitted:?}");
        let Ok(Judgement::Unusable { code, .. }) = judge(&sandbox, b"no module") else { panic!("it was judged") };
        assert_eq!(code, "not_a_component");
    }

    #[test]
    fn a_reason_that_is_stored_is_short() {
        let Judgement::Unusable { reason, .. } = unusable("invalid_description", &"ä".repeat(1 << 20)) else {
            panic!("it can be used");
        };
        assert!(reason.len() <= MOST_REASON && reason.ends_with('…'));
    }
}
