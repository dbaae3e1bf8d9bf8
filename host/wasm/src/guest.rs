//! What the host keeps for one instance while it lives: its log, its clock, its random numbers, and the watch over it.

use std::fmt;

use sha2::{Digest as _, Sha256};
use ta_bot_core::{Job, ModuleDigest, Timestamp, cut};

use crate::{
    bindings::ta_bot::strategy::log as wit,
    limits::{GuestTime, Limits, Watch},
};

/// How many bytes of a line of a guest's log are kept.
const MOST_LINE: usize = 4 << 10;

/// How important a line of a guest's log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the usual names")]
pub enum LogLevel {
    Debug,
    Info,
    Warn,
    Error,
}

impl LogLevel {
    /// All levels, the least important first.
    pub const ALL: [Self; 4] = [Self::Debug, Self::Info, Self::Warn, Self::Error];

    /// The name in answers and documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// A line of a guest's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// How important it is.
    pub level: LogLevel,
    /// What it says.
    pub message: String,
}

/// The guest logged more than it may.
#[derive(Debug)]
pub(crate) struct LogFlood {
    lines: usize,
    bytes: usize,
}

impl fmt::Display for LogFlood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it logged more than {} lines or {} bytes", self.lines, self.bytes)
    }
}

impl std::error::Error for LogFlood {}

/// The seed of a guest's random numbers.
#[derive(Debug, Clone)]
pub(crate) enum Seed {
    /// These bytes.
    Given([u8; 32]),
    /// What follows from a module and a job. Few strategies ask for random numbers, so it is computed when they do.
    Of(ModuleDigest, Job),
}

impl Seed {
    fn bytes(&mut self) -> [u8; 32] {
        let bytes = match self {
            Self::Given(bytes) => return *bytes,
            Self::Of(module, job) => Sha256::digest(format!("{module}\n{job}")).into(),
        };
        *self = Self::Given(bytes);
        bytes
    }
}

/// The host's side of one instance.
pub(crate) struct GuestState {
    pub(crate) watch: Watch,
    pub(crate) time: GuestTime,
    pub(crate) log: Vec<LogLine>,
    log_bytes: usize,
    most_log_bytes: usize,
    most_log_lines: usize,
    /// The moment that every clock of the guest shows.
    pub(crate) now: Timestamp,
    seed: Seed,
    drawn: u64,
}

impl GuestState {
    pub(crate) fn new(limits: &Limits, now: Timestamp, seed: Seed) -> Self {
        Self {
            watch: Watch::new(limits),
            time: GuestTime::new(limits.timeout),
            log: Vec::new(),
            log_bytes: 0,
            most_log_bytes: limits.log_bytes,
            most_log_lines: limits.log_lines,
            now,
            seed,
            drawn: 0,
        }
    }

    /// Prepares the state for another evaluation, with its own time, log, clock and random numbers.
    pub(crate) fn begin(&mut self, now: Timestamp, seed: Seed) {
        self.time.restart();
        self.log.clear();
        self.log_bytes = 0;
        (self.now, self.seed, self.drawn) = (now, seed, 0);
    }

    /// Adds a line to the log, or fails if the log is full.
    pub(crate) fn log(&mut self, level: LogLevel, message: &str) -> Result<(), LogFlood> {
        self.log_bytes += message.len();
        if self.log_bytes > self.most_log_bytes || self.log.len() >= self.most_log_lines {
            return Err(LogFlood { lines: self.most_log_lines, bytes: self.most_log_bytes });
        }
        self.log.push(LogLine { level, message: cut(message, MOST_LINE).into_owned() });
        Ok(())
    }

    /// How much was logged, in bytes.
    pub(crate) const fn log_bytes(&self) -> usize {
        self.log_bytes
    }

    /// The next 8 bytes of the job's random numbers: SHA-256 over the seed and a counter.
    pub(crate) fn draw(&mut self) -> u64 {
        let block = Sha256::new().chain_update(self.seed.bytes()).chain_update(self.drawn.to_le_bytes()).finalize();
        self.drawn += 1;
        block[..8].iter().fold(0, |number, byte| (number << 8) | u64::from(*byte))
    }
}

impl crate::bindings::ta_bot::strategy::types::Host for GuestState {}

impl wit::Host for GuestState {
    fn write(&mut self, level: wit::Level, message: String) -> wasmtime::Result<()> {
        let level = match level {
            wit::Level::Debug => LogLevel::Debug,
            wit::Level::Info => LogLevel::Info,
            wit::Level::Warn => LogLevel::Warn,
            wit::Level::Error => LogLevel::Error,
        };
        Ok(self.log(level, &message)?)
    }
}
