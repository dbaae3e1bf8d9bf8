//! What `/health` says of receivers over HTTP. It needs no token, so it names them and nothing else of theirs.

use serde::Serialize;
use ta_bot_core::Timestamp;
use ta_bot_engine::signals::receivers::{Receiver, Receivers};
use utoipa::ToSchema;

/// The receivers of `WEBHOOKS_FILE`, and whether they are those of the file as it is now.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct WebhooksReport {
    /// Whether the file has changed and can't be used, so that the receivers that were read before still count.
    pub stale: bool,
    /// Since when; null if it is not so.
    pub since: Option<String>,
    /// What is wrong with the file; null if nothing is.
    pub error: Option<String>,
    /// The receivers, in the order of the file.
    pub receivers: Vec<ReceiverReport>,
}

/// A receiver. Only the process that leads delivers; the others say that nothing waits.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ReceiverReport {
    /// Its name in the file.
    pub name: String,
    /// How old the oldest signal is that waits for it; 0 if none does.
    pub lag_seconds: f64,
    /// Why it takes no signals at the moment: `timeout`, `connection`, `name` (it can't be resolved), `address` (it may
    /// not be reached), `redirect`, `busy` (408 or 429), `status` or `answer`; null if it does.
    pub trouble: Option<&'static str>,
}

impl WebhooksReport {
    /// Whether somebody has to look after something.
    pub(super) fn is_limited(&self) -> bool {
        self.stale || self.receivers.iter().any(|receiver| receiver.trouble.is_some())
    }
}

impl From<&Receivers> for WebhooksReport {
    fn from(receivers: &Receivers) -> Self {
        let (problem, now) = (receivers.problem(), Timestamp::now());
        let report = |receiver: &Receiver| ReceiverReport {
            name: receiver.name.clone(),
            lag_seconds: receiver.lag(now),
            trouble: receiver.trouble(),
        };
        Self {
            stale: problem.is_some(),
            since: problem.as_ref().map(|problem| problem.since.to_string()),
            error: problem.map(|problem| problem.error),
            receivers: receivers.all().iter().map(|receiver| report(receiver)).collect(),
        }
    }
}
