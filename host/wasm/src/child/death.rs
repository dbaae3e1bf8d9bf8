//! How a child ended if it did not answer.

use crate::inspect::InspectError;

/// How a child ended if it did not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Death {
    /// It crashed, in this way.
    Crashed(String),
    /// It was stopped because it needed more than this.
    TooCostly(String),
    /// It could not be started, or was ended by somebody else. That says nothing about the module.
    Unanswered(String),
}

impl Death {
    /// A child that answered something else than what it was asked for, which only a child that the bytes have taken
    /// over would do.
    pub(crate) fn no_answer() -> Self {
        Self::Crashed("it did not answer what it was asked".to_owned())
    }
}

impl From<Death> for InspectError {
    fn from(death: Death) -> Self {
        match death {
            Death::Crashed(how) => Self::Crashed(how),
            Death::TooCostly(what) => Self::TooCostly(what),
            Death::Unanswered(reason) => Self::Unanswered(reason),
        }
    }
}
