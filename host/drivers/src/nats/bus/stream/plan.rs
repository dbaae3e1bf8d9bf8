//! What a start of the service does to the stream of signals, found out without doing it.

use std::time::Duration;

use async_nats::jetstream::stream::Config;
use futures_util::TryStreamExt as _;

use super::{Delivery, Nats, NatsError, SignalRoute, SignalStream, covering, inspect::losses, within};

/// What a start does to the stream of signals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamPlan {
    /// The stream that signals go to.
    pub stream: String,
    /// What happens to it.
    pub step: StreamStep,
    /// The subjects that it takes afterwards.
    pub subjects: Vec<String>,
    /// The subject that it passes signals on to; `None` if it passes nothing on.
    pub passes_on_to: Option<String>,
    /// Streams of others that store what readers get.
    pub copies: Vec<StreamOfOthers>,
}

/// What happens to the stream of signals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamStep {
    /// It is as it has to be.
    Nothing,
    /// It is made.
    Make,
    /// It is changed in one step. What it holds stays, and so do the ids that it knows.
    Adjust {
        /// The subjects that it takes now.
        before: Vec<String>,
        /// Those of them that it does not take any more: whoever publishes there is refused, or heard by plain
        /// subscribers alone.
        given_up: Vec<String>,
    },
    /// It belongs to somebody else, and stays as it is.
    OfOthers,
    /// Streams of others take only a part of the subject: signals can't be published outside it.
    OnlyPart(Vec<String>),
}

/// A stream of somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamOfOthers {
    /// Its name.
    pub name: String,
    /// How it may lose what it has acknowledged, each with what to do.
    pub losses: Vec<String>,
}

impl SignalStream {
    /// What [`ensure`](Self::ensure) would do now. Changes nothing.
    async fn plan(&self) -> Result<StreamPlan, NatsError> {
        let pattern = self.pattern();
        let there = self.nats.streams_of(&pattern).await?;
        let of_our_name = self.of_our_name().await?;
        let passes_on_to = self.republish().map(|republish| republish.destination);
        let mut plan =
            StreamPlan { stream: self.name(), step: StreamStep::Make, subjects: vec![], passes_on_to, copies: vec![] };
        match (covering(&there, &pattern), of_our_name) {
            (Some(stream), _) if stream.config.name != self.name() => {
                plan.stream.clone_from(&stream.config.name);
                plan.step = StreamStep::OfOthers;
                plan.subjects = stream.config.subjects.clone();
                plan.passes_on_to = stream.config.republish.clone().map(|republish| republish.destination);
            }
            (_, Some(config)) => {
                let wanted = self.adjusted(&config);
                if wanted == config {
                    plan.step = StreamStep::Nothing;
                } else {
                    let before = config.subjects;
                    let given_up = before.iter().filter(|subject| !wanted.subjects.contains(subject));
                    plan.step = StreamStep::Adjust { given_up: given_up.cloned().collect(), before };
                }
                plan.subjects = wanted.subjects;
            }
            (_, None) if there.is_empty() => plan.subjects = self.new_one().subjects,
            (_, None) => {
                plan.step = StreamStep::OnlyPart(there.iter().map(|stream| stream.config.name.clone()).collect());
            }
        }
        if self.route.delivery == Delivery::Republish {
            let copies = self.nats.streams_of(&self.route.subject.pattern()).await?.into_iter();
            let copies = copies.filter(|copy| copy.config.name != self.name());
            plan.copies =
                copies.map(|copy| StreamOfOthers { losses: losses(&copy.config), name: copy.config.name }).collect();
        }
        Ok(plan)
    }

    /// The configuration of the stream that has our name, whatever subjects it takes.
    async fn of_our_name(&self) -> Result<Option<Config>, NatsError> {
        let names: Vec<String> = within(self.nats.jetstream().stream_names().try_collect()).await?;
        if !names.contains(&self.name()) {
            return Ok(None);
        }
        let stream = within(self.nats.jetstream().get_stream(self.name())).await?;
        Ok(Some(stream.cached_info().config.clone()))
    }
}

/// Finds out what a start of the service would do to the stream of signals, and waits for the connection at most for
/// `patience`.
pub async fn plan_stream(nats: Nats, route: SignalRoute, patience: Duration) -> Result<StreamPlan, NatsError> {
    tokio::time::timeout(patience, nats.connected()).await.map_err(|_| NatsError::NotConnected)?;
    SignalStream::new(nats, route).plan().await
}
