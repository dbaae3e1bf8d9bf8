//! What the service knows in the words of JSON, for the API and for the commands.
pub mod cost;
pub mod deployment;
pub mod failure;
pub mod impact;
pub mod module;
pub mod outcome;
pub mod replay;
pub mod rerun;
pub mod shadow;
