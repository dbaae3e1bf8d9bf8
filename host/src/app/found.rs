//! What is on servers that an older service worked with, beside the settings.

use ta_bot_core::{Timeframe, Timestamp};

/// What was found on the servers that the environment names, beside the settings.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The tables of MySQL; `None` without MySQL.
    pub tables: Option<Tables>,
    /// The stream of signals; `None` without NATS.
    pub stream: Option<Stream>,
}

/// The tables of candles and signals.
#[derive(Debug, Clone)]
pub struct Tables {
    /// Whether the service's own tables are there. Without them nothing was ever deployed.
    pub has_own: bool,
    /// The rows of the older service in `signals`, and the time of the newest; `None` if there is no such table.
    pub signals: Option<(i64, Option<Timestamp>)>,
    /// Whether a start of the service adds columns to `signals`.
    pub adds_columns: bool,
    /// The timeframes whose tables of candles a start of the service makes.
    pub makes_candles: Vec<Timeframe>,
}

/// What a start of the service does to the stream of signals.
#[derive(Debug, Clone)]
pub struct Stream {
    /// Its name.
    pub name: String,
    /// What happens to it.
    pub step: StreamStep,
    /// The subjects that it takes afterwards.
    pub subjects: Vec<String>,
    /// The subject that it passes signals on to.
    pub passes_on_to: Option<String>,
    /// Streams of others that store what readers get, each with the ways in which it may lose that.
    pub copies: Vec<(String, Vec<String>)>,
}

/// What a start of the service does to the stream of signals.
#[derive(Debug, Clone)]
pub enum StreamStep {
    /// Nothing.
    Nothing,
    /// It is made.
    Make,
    /// It is changed in one step.
    Change {
        /// The subjects that it takes now.
        before: Vec<String>,
        /// Those that it gives up.
        given_up: Vec<String>,
    },
    /// It belongs to somebody else and stays as it is.
    OfOthers,
    /// These streams of others take a part of the subject, and no stream takes all of it.
    OnlyPart(Vec<String>),
}
