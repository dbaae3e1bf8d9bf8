//! Candles: where they come from, and which of them a strategy is given.

pub mod cache;
pub mod candle_store;
pub mod candles;
pub mod clock;
pub mod export;
pub mod feeds;
pub mod history;
pub mod import;
pub mod made_up;
pub mod revision_store;
pub mod revisions;
