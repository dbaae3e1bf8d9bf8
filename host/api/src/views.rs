//! What the service knows in the words of JSON, for the API and for the commands.

#![allow(missing_docs, reason = "a field has the name of the JSON, and words if the name does not say all")]

pub mod cost;
pub mod deployment;
pub mod failure;
pub mod impact;
pub mod module;
pub mod outcome;
pub mod replay;
pub mod rerun;
pub mod shadow;
