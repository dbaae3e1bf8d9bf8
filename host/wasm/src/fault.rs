//! What a failed call into a guest means.

use ta_bot_core::EvaluationError;
use wasmtime::{PoolConcurrencyLimitError, Trap};

use crate::{
    guest::{GuestState, LogFlood, LogLevel},
    limits::Limits,
    virtual_wasi::GuestExit,
};

/// Wasmtime's message if a guest passes more to the host than it may, in an answer or in a log line. The type of this
/// error is private.
const TOO_LARGE: &str = "fuel allocated for hostcalls has been exhausted";
/// How many characters of a guest's last words are repeated.
const LAST_WORDS: usize = 500;

/// Distinguishes timeouts, limits and traps. What the guest was denied counts for more than the trap that it ran into
/// later.
pub(crate) fn classify(error: &wasmtime::Error, state: &GuestState, limits: &Limits) -> EvaluationError {
    if let Some(flood) = error.downcast_ref::<LogFlood>() {
        return EvaluationError::Limit(flood.to_string());
    }
    if let Some(exit) = error.downcast_ref::<GuestExit>() {
        return EvaluationError::Trap(exit.to_string());
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return EvaluationError::NoRoom(error.to_string());
    }
    let trap = error.downcast_ref::<Trap>().copied();
    if trap == Some(Trap::Interrupt) {
        let limit_ms = limits.timeout.as_millis() as u64;
        let ran = state.time.ran();
        let ran_ms = (ran < limits.timeout).then_some(ran.as_millis() as u64);
        return EvaluationError::Timeout { limit_ms, ran_ms };
    }
    if let Some(denied) = &state.watch.denied {
        return EvaluationError::Limit(denied.clone());
    }
    if trap == Some(Trap::StackOverflow) {
        return EvaluationError::Limit(format!(
            "its calls went deeper than {} bytes of stack",
            crate::limits::STACK_BYTES
        ));
    }
    let text = format!("{error:#}");
    if text.contains(TOO_LARGE) {
        return EvaluationError::Limit(format!(
            "its answer or a line of its log takes more than {} bytes",
            limits.result_bytes
        ));
    }
    let what = match trap {
        Some(Trap::MemoryOutOfBounds) => "out of bounds memory access (running out of stack looks the same)".to_owned(),
        Some(trap) => trap.to_string(),
        // The rest is a backtrace of numbered functions, which helps nobody.
        None => error.root_cause().to_string(),
    };
    EvaluationError::Trap(with_last_words(what, state))
}

/// Adds the guest's last log line of level error: a panic writes its reason there.
fn with_last_words(what: String, state: &GuestState) -> String {
    match state.log.iter().rev().find(|line| line.level == LogLevel::Error) {
        Some(line) => {
            let words: String = line.message.trim().chars().take(LAST_WORDS).collect();
            format!("{what}; its last words: {words}")
        }
        None => what,
    }
}
