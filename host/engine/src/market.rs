//! Candles: where they come from, and what a strategy is given of them.
pub mod cache;
pub mod candle_store;
pub mod history;
pub mod import;
pub mod made_up;
