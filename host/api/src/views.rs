//! The JSON views of what the service knows, for the API and the commands.

#![allow(missing_docs, reason = "a field is named as in the JSON, and documented if the name is not enough")]

pub mod cost;
pub mod deployment;
pub mod failure;
pub mod impact;
pub mod module;
pub mod outcome;
pub mod replay;
pub mod revision;
pub mod shadow;
pub mod signal;
pub mod warning;
pub mod window;
