//! The kinds of what grows while the service runs, and how long each is kept.

use std::fmt;

use ta_bot_core::Timestamp;

const DAY_MS: i64 = 86_400_000;

/// The most days that can be set.
pub const MOST_DAYS: u32 = 36_500;
/// Signals are kept for at least as long as the stream of signals may hold them, and as `outbox verify` looks back.
pub const FEWEST_DAYS_OF_SIGNALS: u32 = 7;

/// What grows while the service runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Signals that wait no more.
    Signals,
    /// Jobs that were decided.
    FinishedJobs,
    /// Jobs that were given up.
    DeadJobs,
    /// What evaluations cost.
    Costs,
    /// Bundles of evaluations that failed.
    Failures,
    /// Candles on which shadows were compared with the modules that decided.
    Shadows,
    /// The histories of parameters and settings.
    Audits,
    /// Uploaded modules that nothing names any more.
    Modules,
    /// Compiled modules on the disk of this replica that nothing uses any more.
    Compiled,
    /// Runs of backtests in the data folder.
    Backtests,
}

/// How long each kind is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keep([u32; Kind::ALL.len()]);

impl Kind {
    /// All of them, in the order in which a round looks at them.
    pub const ALL: [Self; 10] = [
        Self::Signals,
        Self::FinishedJobs,
        Self::DeadJobs,
        Self::Costs,
        Self::Failures,
        Self::Shadows,
        Self::Audits,
        Self::Modules,
        Self::Compiled,
        Self::Backtests,
    ];

    /// A stable word for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signals => "signals",
            Self::FinishedJobs => "finished_jobs",
            Self::DeadJobs => "dead_jobs",
            Self::Costs => "costs",
            Self::Failures => "failures",
            Self::Shadows => "shadows",
            Self::Audits => "audits",
            Self::Modules => "modules",
            Self::Compiled => "compiled",
            Self::Backtests => "backtests",
        }
    }

    /// The environment variable that says for how many days it is kept.
    pub const fn variable(self) -> &'static str {
        match self {
            Self::Signals => "RETENTION_SIGNALS_DAYS",
            Self::FinishedJobs => "RETENTION_FINISHED_JOBS_DAYS",
            Self::DeadJobs => "RETENTION_DEAD_JOBS_DAYS",
            Self::Costs => "RETENTION_COSTS_DAYS",
            Self::Failures => "RETENTION_FAILURES_DAYS",
            Self::Shadows => "RETENTION_SHADOWS_DAYS",
            Self::Audits => "RETENTION_AUDITS_DAYS",
            Self::Modules => "RETENTION_MODULES_DAYS",
            Self::Compiled => "RETENTION_COMPILED_DAYS",
            Self::Backtests => "RETENTION_BACKTESTS_DAYS",
        }
    }

    /// For how many days it is kept unless something else is set. docs/operating.md gives the reasons.
    pub const fn default_days(self) -> u32 {
        match self {
            Self::Signals => 365,
            Self::FinishedJobs => 14,
            Self::DeadJobs | Self::Costs | Self::Failures | Self::Shadows | Self::Backtests => 90,
            Self::Audits => 1095,
            Self::Modules => 180,
            Self::Compiled => 30,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Default for Keep {
    fn default() -> Self {
        Self(Kind::ALL.map(Kind::default_days))
    }
}

impl Keep {
    /// Keeps a kind for this many days; 0 means for ever.
    #[must_use]
    pub fn with(mut self, kind: Kind, days: u32) -> Self {
        self.0[kind as usize] = days;
        self
    }

    /// For how many days a kind is kept; `None` means for ever.
    pub fn days(&self, kind: Kind) -> Option<u32> {
        Some(self.0[kind as usize]).filter(|days| *days > 0)
    }

    /// What is older than this moment goes, as of `now`; `None` means that nothing goes.
    pub fn before(&self, kind: Kind, now: Timestamp) -> Option<Timestamp> {
        self.days(kind).map(|days| now.plus_millis(-DAY_MS * i64::from(days)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_a_place_of_its_own() {
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index);
            assert!(kind.variable().starts_with("RETENTION_") && kind.variable().ends_with("_DAYS"));
            let keep = Keep::default().with(kind, 3);
            let others = Kind::ALL.into_iter().filter(|other| *other != kind);
            assert_eq!(keep.days(kind), Some(3));
            assert!(others.into_iter().all(|other| keep.days(other) == Some(other.default_days())));
        }
    }

    #[test]
    fn zero_days_are_for_ever() {
        let now = Timestamp::from_millis(10 * DAY_MS);
        let keep = Keep::default().with(Kind::Signals, 0).with(Kind::Costs, 3);
        assert_eq!((keep.days(Kind::Signals), keep.before(Kind::Signals, now)), (None, None));
        assert_eq!(keep.before(Kind::Costs, now), Some(Timestamp::from_millis(7 * DAY_MS)));
    }
}
