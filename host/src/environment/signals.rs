//! The variables of signals on their way out: which are sent, where to, what they say, and what NATS keeps.

use ta_bot_core::SignalTimestamp;
use ta_bot_engine::signals::{actions::PublishedActions, subject::SignalSubject};
#[cfg(feature = "nats")]
use {
    super::NatsSettings,
    std::{fmt::Display, str::FromStr, time::Duration},
    ta_bot_drivers::nats::{
        Bounds, NAMESPACE,
        bus::{DUPLICATE_WINDOW, Delivery, SignalRoute},
    },
    ta_bot_engine::signals::subject::{SubjectError, SubjectPart},
};

use super::Reader;

const SUBJECT: &str = "NATS_TOPIC_INTENTS";
/// The older service's name for the same variable.
const OLD_SUBJECT: &str = "NATS_PUBLISHER_TOPIC";

impl<Get: Fn(&str) -> Option<String>> Reader<Get> {
    /// The variable that says where signals go.
    fn subject_name(&self) -> &'static str {
        let is_old = self.given(SUBJECT).is_none() && self.given(OLD_SUBJECT).is_some();
        if is_old { OLD_SUBJECT } else { SUBJECT }
    }

    pub(super) fn subject(&mut self) -> SignalSubject {
        self.parsed(self.subject_name(), "cio.intent.trading", "a subject")
    }

    pub(super) fn published_actions(&mut self) -> PublishedActions {
        let default = PublishedActions::default().to_string();
        self.parsed("NATS_PUBLISH_ACTIONS", &default, "a list of actions")
    }

    pub(super) fn signal_timestamp(&mut self) -> SignalTimestamp {
        self.parsed("SIGNAL_TIMESTAMP", "candle_close", "what the timestamp of a signal says")
    }

    /// The value of a variable that has no default.
    #[cfg(feature = "nats")]
    fn in_range_if_given<T: FromStr + PartialOrd + Display + Copy>(
        &mut self,
        name: &'static str,
        min: T,
        max: T,
    ) -> Option<T>
    where
        T::Err: Display,
    {
        self.given(name)?;
        Some(self.in_range(name, &min.to_string(), min, max))
    }

    #[cfg(feature = "nats")]
    pub(super) fn nats(&mut self, subject: &SignalSubject) -> Option<NatsSettings> {
        let delivery: Delivery = self.parsed("NATS_SIGNAL_DELIVERY", "republish", "a way to plain subscribers");
        // NATS keeps a stream on five servers at most.
        let replicas = self.in_range_if_given("NATS_REPLICAS", 1, 5);
        let (of_signals, of_jobs) = (self.bounds_of_signals(replicas), self.bounds_of_jobs(replicas));
        let url = self.given("NATS_URL")?;
        let address =
            url.parse().map_err(|error: ta_bot_drivers::nats::AddressError| self.refuse("NATS_URL", error.to_string()));
        let events = self.text("NATS_SUBJECT_PREFIX", "binance.extraction").parse();
        let events = events.map_err(|error: SubjectError| self.refuse("NATS_SUBJECT_PREFIX", error.to_string()));
        if subject.parts().next() == Some(SubjectPart::Fixed(NAMESPACE)) {
            let name = self.subject_name();
            self.refuse(name, format!("subjects that begin with {NAMESPACE} are TA Bot's own: give another one"));
        }
        let signals = SignalRoute { subject: subject.clone(), delivery, bounds: of_signals };
        Some(NatsSettings { address: address.ok()?, events: events.ok()?, signals, jobs: of_jobs })
    }

    #[cfg(feature = "nats")]
    fn bounds_of_signals(&mut self, replicas: Option<usize>) -> Bounds {
        // A stream can't recognise ids for longer than it keeps messages.
        let least = DUPLICATE_WINDOW.as_secs() / 3600;
        Bounds {
            max_bytes: self.bytes("NATS_SIGNALS_MAX_BYTES"),
            max_age: self.in_range_if_given("NATS_SIGNALS_MAX_AGE_HOURS", least, 87_600).map(Duration::from_hours),
            replicas,
        }
    }

    #[cfg(feature = "nats")]
    fn bounds_of_jobs(&mut self, replicas: Option<usize>) -> Bounds {
        Bounds {
            max_bytes: self.bytes("NATS_JOBS_MAX_BYTES"),
            max_age: self.in_range_if_given("NATS_JOBS_MAX_AGE_HOURS", 1, 87_600).map(Duration::from_hours),
            replicas,
        }
    }

    #[cfg(feature = "nats")]
    fn bytes(&mut self, name: &'static str) -> Option<i64> {
        self.in_range_if_given(name, 1 << 16, 1 << 50)
    }
}
