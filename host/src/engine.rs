//! What happens to a candle, a module and a parameter.
pub mod deployments;
pub mod evaluation;
pub mod market;
pub mod modules;
pub mod pipeline;
pub mod settings;
pub mod signals;
pub mod supervision;
pub mod support;
