//! Who schedules. Never what keeps the data correct: that is what the unique keys are for.

use ta_bot_core::Timestamp;
use tokio::sync::watch;

/// A time of leading: it begins, and it may end at any moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// When it began.
    pub since: Timestamp,
}

/// Whether this process leads, to be read again at each effect.
#[derive(Clone)]
pub struct Leadership {
    /// Whether there is an election at all.
    pub elected: bool,
    /// This process's name.
    pub identity: String,
    term: watch::Receiver<Option<Term>>,
}

impl Leadership {
    /// The leadership of a process that is alone: it leads from the start to the end.
    pub fn single_node(identity: String) -> Self {
        // The receiver keeps the last value when the sender is gone.
        let (_, term) = watch::channel(Some(Term { since: Timestamp::now() }));
        Self { elected: false, identity, term }
    }

    /// The term under way, if this process leads.
    pub fn term(&self) -> Option<Term> {
        self.term.borrow().clone()
    }
}
