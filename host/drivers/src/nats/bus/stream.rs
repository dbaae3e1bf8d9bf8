//! The stream that signals go to, and from which plain subscribers get them.
//!
//! A plain subscriber sees what is published, not what is stored: it would see a signal again each time that one is
//! sent again, whether the stream takes it or not. So signals are published under subjects of our own, and the stream
//! passes a signal on to the subject that its readers know when it stores it, which it does once.
//!
//! A stream that has our name is ours and is adjusted. Any other stream belongs to somebody else and stays as it is.

use std::time::Duration;

use async_nats::jetstream::{
    ErrorCode,
    context::CreateStreamErrorKind,
    stream::{Config, DiscardPolicy, Republish, StorageType},
};
use ta_bot_engine::signals::subject::{SignalSubject, SubjectPart};
use tokio::sync::watch;

use super::route::{Delivery, SignalRoute};
use crate::nats::connection::{
    ANSWER, Nats, NatsError,
    room::covering,
    subjects::{covers, overlap},
    within,
};

mod inspect;
mod plan;

pub use plan::{StreamOfOthers, StreamPlan, StreamStep, plan_stream};

pub(crate) use inspect::losses;
use inspect::{inspect, inspect_copy};

/// How long the stream recognises an id that it has seen. This must be longer than a signal may wait between two
/// attempts to publish it, which is the longest time for which the service, its store or NATS is away, a weekend
/// included.
pub const DUPLICATE_WINDOW: Duration = Duration::from_hours(72);
/// How long a signal stays readable, unless another time is set.
const MAX_AGE: Duration = Duration::from_hours(7 * 24);

/// The stream of signals.
pub(super) struct SignalStream {
    nats: Nats,
    route: SignalRoute,
    /// Held while the stream is created, so that many publishers wait for one creation.
    making: tokio::sync::Mutex<()>,
    /// Whether this process has tried to create or adjust the stream.
    was_tried: watch::Sender<bool>,
}

impl SignalStream {
    pub(super) fn new(nats: Nats, route: SignalRoute) -> Self {
        Self { nats, route, making: tokio::sync::Mutex::new(()), was_tried: watch::Sender::new(false) }
    }

    /// The subject under which a signal is published whose readers know it as `public`.
    pub(super) fn subject(&self, public: &str) -> String {
        match self.route.delivery {
            Delivery::Republish => format!("{}.{public}", self.own()),
            Delivery::Direct => public.to_owned(),
        }
    }

    /// The pattern of the subjects under which signals are published.
    pub(super) fn pattern(&self) -> String {
        self.subject(&self.route.subject.pattern())
    }

    /// What our own subjects begin with.
    fn own(&self) -> String {
        self.nats.subject("signals")
    }

    fn name(&self) -> String {
        self.nats.stream_name("signals")
    }

    /// Waits until this process has tried to create or adjust the stream. A stream of an earlier configuration takes a
    /// signal, and passes it on to a subject that nobody reads any more. An account that may not look at streams can
    /// publish all the same, so the success is not waited for.
    pub(super) async fn tried(&self) {
        // The sender lives as long as this.
        let _ = self.was_tried.subscribe().wait_for(|was_tried| *was_tried).await;
    }

    /// Creates the stream if there is none, and adjusts it if it is ours.
    pub(super) async fn ensure(&self) -> Result<(), NatsError> {
        let _making = self.making.lock().await;
        let ensured = self.create_or_adjust().await;
        self.was_tried.send_replace(true);
        ensured
    }

    async fn create_or_adjust(&self) -> Result<(), NatsError> {
        let pattern = self.pattern();
        let there = self.nats.streams_of(&pattern).await?;
        let ours = there.iter().find(|stream| stream.config.name == self.name());
        match (covering(&there, &pattern), ours, there.as_slice()) {
            (Some(stream), _, _) if stream.config.name != self.name() => {
                inspect(&stream.config, self.republish().as_ref());
            }
            (_, Some(stream), _) => self.adjust(&stream.config).await?,
            (_, None, []) => self.make().await?,
            (_, None, parts) => {
                let names: Vec<_> = parts.iter().map(|stream| stream.config.name.as_str()).collect();
                tracing::error!(
                    subject = pattern,
                    streams = names.join(", "),
                    "existing streams take only part of the subject of signals: signals outside it can't be published; \
                     add the subject to one of them"
                );
            }
        }
        if self.route.delivery == Delivery::Republish {
            for copy in self.nats.streams_of(&self.route.subject.pattern()).await? {
                if copy.config.name != self.name() {
                    inspect_copy(&copy.config);
                }
            }
        }
        Ok(())
    }

    /// The configuration of a new stream.
    fn new_one(&self) -> Config {
        self.adjusted(&Config {
            name: self.name(),
            description: Some("Signals of TA Bot".to_owned()),
            storage: StorageType::File,
            max_age: MAX_AGE,
            duplicate_window: DUPLICATE_WINDOW,
            ..Config::default()
        })
    }

    async fn make(&self) -> Result<(), NatsError> {
        let created = tokio::time::timeout(ANSWER, self.nats.jetstream().create_stream(self.new_one())).await;
        match created {
            Ok(Ok(_)) => {
                tracing::info!(stream = self.name(), subject = self.pattern(), "created the stream of signals");
                Ok(())
            }
            Ok(Err(error)) => match error.kind() {
                // It takes other subjects: those of an earlier version, or of an earlier configuration.
                CreateStreamErrorKind::JetStream(refused) if refused.error_code() == ErrorCode::STREAM_NAME_EXIST => {
                    let stream = within(self.nats.jetstream().get_stream(self.name())).await?;
                    self.adjust(&stream.cached_info().config).await
                }
                _ => Err(NatsError::Refused(error.to_string())),
            },
            Err(_) => Err(NatsError::Away("no answer to the making of a stream".to_owned())),
        }
    }

    /// Changes our stream, in one step, if it is not as it has to be. What it holds stays in it, and it goes on to
    /// recognise the ids that it has seen.
    async fn adjust(&self, config: &Config) -> Result<(), NatsError> {
        let wanted = self.adjusted(config);
        if wanted != *config {
            within(self.nats.jetstream().update_stream(&wanted)).await?;
            let republish = wanted.republish.as_ref();
            tracing::info!(
                stream = wanted.name,
                before = config.subjects.join(", "),
                now = wanted.subjects.join(", "),
                passes_on_to = republish.map(|republish| republish.destination.as_str()),
                "adjusted the stream of signals"
            );
        }
        inspect(&wanted, self.republish().as_ref());
        Ok(())
    }

    /// The configuration that our stream has to have, given the one that it has.
    fn adjusted(&self, config: &Config) -> Config {
        let mut config = config.clone();
        let public = self.route.subject.pattern();
        match self.route.delivery {
            Delivery::Republish => {
                let own = format!("{}.>", self.own());
                // A subject that readers know would bring back what is passed on to it, which NATS refuses. Subjects of
                // earlier configurations stay: an older replica may still publish under them.
                config.subjects.retain(|subject| !overlap(subject, &public) && !overlap(subject, &own));
                config.subjects.push(own);
                config.republish = self.republish();
            }
            Delivery::Direct => {
                if !config.subjects.iter().any(|subject| covers(subject, &public)) {
                    config.subjects.retain(|subject| !overlap(subject, &public));
                    config.subjects.push(public);
                }
                let own = format!("{}.>", self.own());
                config.republish.take_if(|republish| covers(&own, &republish.source));
            }
        }
        // A full stream refuses, so that nothing that counts as published is thrown away before its time.
        config.discard = DiscardPolicy::New;
        self.route.bounds.apply(&mut config);
        config
    }

    /// From which subjects to which the stream passes signals on.
    fn republish(&self) -> Option<Republish> {
        match self.route.delivery {
            Delivery::Republish => Some(Republish {
                source: self.pattern(),
                destination: destination(&self.route.subject),
                headers_only: false,
            }),
            Delivery::Direct => None,
        }
    }
}

/// The subject that readers know, in the language of NATS: each part that varies is the next wildcard of the source.
fn destination(subject: &SignalSubject) -> String {
    let mut wildcards = 0;
    let parts = subject.parts().map(|part| match part {
        SubjectPart::Fixed(part) => part.to_owned(),
        SubjectPart::Varies => {
            wildcards += 1;
            format!("{{{{wildcard({wildcards})}}}}")
        }
    });
    parts.collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_that_varies_is_the_next_wildcard() {
        let to = |text: &str| destination(&text.parse().unwrap());
        assert_eq!(to("cio.intent.trading"), "cio.intent.trading.{{wildcard(1)}}");
        assert_eq!(to("a.{strategy}.{symbol}-{timeframe}.x"), "a.{{wildcard(1)}}.{{wildcard(2)}}.x");
    }
}
