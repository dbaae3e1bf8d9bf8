//! The bus on NATS. Candle events and notices use core NATS, which stores nothing; signals go to `JetStream`, which
//! stores each id once and then passes it on to plain subscribers.

use std::{collections::HashSet, sync::Arc};

use async_nats::{HeaderMap, HeaderValue, Subscriber, header::NATS_MESSAGE_ID};
use async_trait::async_trait;
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use ta_bot_core::Timestamp;
use ta_bot_engine::{
    signals::bus::{Bus, BusError, Notice, Outgoing},
    support::{log_limit::LogLimit, metrics::Metrics},
};
use tokio::sync::{broadcast, watch};
use tokio_util::task::AbortOnDropHandle;

use crate::nats::connection::{EventSubjects, Nats, NatsError, pause, subjects, within};

mod kept;
mod measure;
mod route;
mod stream;

pub use route::{Delivery, DeliveryError, SignalRoute};
use stream::SignalStream;
pub(crate) use stream::losses;
pub use stream::{DUPLICATE_WINDOW, StreamOfOthers, StreamPlan, StreamStep, plan_stream};

/// How many candle events a slow reader may lag behind.
const EVENTS: usize = 1024;
const NOTICES: usize = 64;
/// The longest body of a candle event, enough for a batch of some ten thousand symbols. Together with `EVENTS` it
/// bounds the memory.
const LONGEST_EVENT: usize = 256 * 1024;
const LONGEST_NOTICE: usize = 1024;

/// A bus on NATS.
pub struct NatsBus {
    nats: Nats,
    stream: Arc<SignalStream>,
    candle_events: broadcast::Sender<Vec<u8>>,
    notices: broadcast::Sender<Notice>,
    teller: Teller,
    _tasks: Vec<AbortOnDropHandle<()>>,
}

/// A notice as it is sent over NATS. A notice that this version does not know is ignored.
#[derive(Serialize, Deserialize)]
struct Told {
    notice: Notice,
    origin: String,
}

/// Sends notices to the other replicas.
#[derive(Clone)]
struct Teller {
    nats: Nats,
    /// Identifies the notices that this replica sent itself.
    origin: String,
    /// The notices that are still to be sent, each once.
    untold: watch::Sender<Vec<Notice>>,
}

impl NatsBus {
    /// Starts a bus that reads candle events under `events` and makes sure that there is a stream for the signals,
    /// which take the route `signals`. Does not wait for NATS.
    pub async fn start(
        nats: Nats,
        events: &EventSubjects,
        signals: SignalRoute,
        metrics: Arc<Metrics>,
    ) -> Result<Self, BusError> {
        let candle_events = broadcast::Sender::new(EVENTS);
        let notices = broadcast::Sender::new(NOTICES);
        let teller = Teller::new(nats.clone());
        let stream = Arc::new(SignalStream::new(nats.clone(), signals));
        let mut tasks = Vec::new();
        for (index, pattern) in events.patterns().iter().enumerate() {
            let reader = EventReader {
                // Events that an earlier pattern matches arrive on the subscription of that pattern.
                elsewhere: events.patterns()[..index].to_vec(),
                events: candle_events.clone(),
                metrics: Arc::clone(&metrics),
            };
            let subscriber = within(nats.client().subscribe(pattern.clone())).await?;
            tasks.push(spawn(reader.read(subscriber)));
        }
        let subscriber = within(nats.client().subscribe(nats.subject("notices"))).await?;
        tasks.push(spawn(read_notices(subscriber, notices.clone(), teller.origin.clone())));
        tasks.push(spawn(remind(teller.clone(), notices.clone())));
        tasks.push(spawn(teller.clone().tell_later()));
        tasks.push(spawn(make_stream(nats.clone(), Arc::clone(&stream))));
        tasks.push(spawn(measure::keep_measuring(nats.clone(), Arc::clone(&stream), metrics)));
        Ok(Self { nats, stream, candle_events, notices, teller, _tasks: tasks })
    }
}

fn spawn(task: impl Future<Output = ()> + Send + 'static) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(task))
}

/// Reads the candle events of one subscription.
struct EventReader {
    elsewhere: Vec<String>,
    events: broadcast::Sender<Vec<u8>>,
    metrics: Arc<Metrics>,
}

impl EventReader {
    async fn read(self, mut subscriber: Subscriber) {
        let limit = LogLimit::default();
        while let Some(message) = subscriber.next().await {
            if self.elsewhere.iter().any(|pattern| subjects::covers(pattern, &message.subject)) {
                continue;
            }
            let bytes = message.payload.len();
            if bytes <= LONGEST_EVENT {
                // Without a reader the event is lost; the sweep finds the candles.
                let _ = self.events.send(message.payload.to_vec());
                continue;
            }
            self.metrics.events.with_label_values(&["too_large"]).inc();
            if let Some(withheld) = limit.admit() {
                tracing::warn!(bytes, allowed = LONGEST_EVENT, withheld, "candle event is too large");
            }
        }
    }
}

async fn read_notices(mut subscriber: Subscriber, notices: broadcast::Sender<Notice>, own: String) {
    while let Some(message) = subscriber.next().await {
        if message.payload.len() > LONGEST_NOTICE {
            continue;
        }
        match serde_json::from_slice::<Told>(&message.payload) {
            // This replica's readers were told before the notice was sent.
            Ok(told) if told.origin == own => {}
            Ok(told) => drop(notices.send(told.notice)),
            Err(_) => tracing::debug!("ignored a notice that this version does not know"),
        }
    }
}

/// Has this replica read its configuration again after the first connection to NATS and after each new one, because it
/// did not hear earlier notices. After a reconnection the other replicas read theirs again, too: the last notices that
/// this replica sent may have been lost with the connection.
async fn remind(teller: Teller, notices: broadcast::Sender<Notice>) {
    let nats = &teller.nats;
    let mut connections = nats.connections();
    while connections.changed().await.is_ok() {
        let count = *connections.borrow_and_update();
        nats.connected().await;
        // An answer means that the server has the subscriptions, so notices from now on are heard.
        let _ = nats.ask().await;
        let _ = notices.send(Notice::ConfigurationChanged);
        if count > 1 {
            teller.keep(Notice::ConfigurationChanged);
        }
    }
}

impl Teller {
    fn new(nats: Nats) -> Self {
        let origin = nats.client().new_inbox();
        Self { nats, origin, untold: watch::Sender::default() }
    }

    async fn tell(&self, notice: Notice) -> Result<(), BusError> {
        let told = Told { notice, origin: self.origin.clone() };
        let body = serde_json::to_string(&told).map_err(|error| BusError::Refused(error.to_string()))?;
        Ok(self.nats.tell(self.nats.subject("notices"), body).await?)
    }

    /// Sends a notice, or keeps it for later if that fails.
    async fn tell_or_keep(self, notice: Notice) -> Result<(), BusError> {
        self.tell(notice.clone()).await.inspect_err(|_| self.keep(notice))
    }

    /// Keeps a notice until it can be sent.
    fn keep(&self, notice: Notice) {
        self.untold.send_if_modified(|untold| {
            let is_new = !untold.contains(&notice);
            if is_new {
                untold.push(notice);
            }
            is_new
        });
    }

    /// Sends the kept notices as soon as NATS is connected.
    async fn tell_later(self) {
        let mut kept = self.untold.subscribe();
        let limit = LogLimit::default();
        let mut failures = 0;
        while kept.wait_for(|untold| !untold.is_empty()).await.is_ok() {
            self.nats.connected().await;
            for notice in self.untold.send_replace(Vec::new()) {
                match self.clone().tell_or_keep(notice.clone()).await {
                    Ok(()) => {
                        failures = 0;
                        tracing::info!(?notice, "sent a kept notice to the other replicas");
                    }
                    Err(error) => {
                        failures += 1;
                        if let Some(withheld) = limit.admit() {
                            tracing::warn!(?notice, %error, withheld, "can't tell the other replicas; will retry");
                        }
                    }
                }
            }
            if failures > 0 {
                tokio::time::sleep(pause(failures)).await;
            }
        }
    }
}

async fn make_stream(nats: Nats, stream: Arc<SignalStream>) {
    let limit = LogLimit::default();
    for attempt in 1.. {
        nats.connected().await;
        match stream.ensure().await {
            Ok(()) => return,
            Err(error) => {
                if let Some(withheld) = limit.admit() {
                    tracing::warn!(
                        %error,
                        subject = stream.pattern(),
                        withheld,
                        "can't create or adjust the stream of signals; will retry. If this account may not do that, have it \
                         made as docs/operating.md shows, or set NATS_SIGNAL_DELIVERY=direct"
                    );
                }
                tokio::time::sleep(pause(attempt)).await;
            }
        }
    }
}

/// The headers of a signal: its id, and the trace headers that its body carries.
fn headers(message: &Outgoing) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(NATS_MESSAGE_ID, message.id.as_str());
    for (name, value) in message.trace_headers() {
        // A value that can't be a header, such as one with a line break, stays in the body only.
        if let Ok(value) = value.parse::<HeaderValue>() {
            headers.insert(name, value);
        }
    }
    headers
}

impl From<NatsError> for BusError {
    fn from(error: NatsError) -> Self {
        match error {
            NatsError::NotConnected => Self::Away(error.to_string()),
            _ => Self::Refused(error.to_string()),
        }
    }
}

impl NatsBus {
    /// Stores a signal in the stream, which is created if there is none.
    async fn store(&self, message: Outgoing, headers: HeaderMap) -> Result<(), BusError> {
        if !subjects::is_publishable(&message.subject) {
            let problem = format!("{:?} is no subject that can be published under", message.subject);
            return Err(BusError::Refused(problem));
        }
        self.nats.require_connection()?;
        self.stream.tried().await;
        let subject = self.stream.subject(&message.subject);
        let stored = match self.nats.store(&subject, headers.clone(), message.payload.clone()).await {
            // The stream was not created yet, or somebody deleted it.
            Err(NatsError::NoStream(_)) => {
                self.stream.ensure().await?;
                self.nats.store(&subject, headers, message.payload).await
            }
            stored => stored,
        };
        Ok(stored.map(drop)?)
    }
}

#[async_trait]
impl Bus for NatsBus {
    async fn publish(&self, message: Outgoing) -> Result<(), BusError> {
        let headers = headers(&message);
        self.store(message, headers).await
    }

    async fn kept_since(&self, since: Timestamp) -> Result<Option<HashSet<String>>, BusError> {
        Ok(Some(kept::ids(&self.nats, &self.stream.pattern(), since).await?))
    }

    async fn publish_again(&self, message: Outgoing) -> Result<(), BusError> {
        let mut headers = headers(&message);
        headers.insert(NATS_MESSAGE_ID, kept::again(&message.id));
        self.store(message, headers).await
    }

    fn candle_events(&self) -> broadcast::Receiver<Vec<u8>> {
        self.candle_events.subscribe()
    }

    async fn notify(&self, notice: Notice) -> Result<(), BusError> {
        // Local readers first: this replica is told even if NATS is away.
        let _ = self.notices.send(notice.clone());
        // In a task of its own, so that the notice is sent or kept even if the caller goes away.
        let told = tokio::spawn(self.teller.clone().tell_or_keep(notice)).await;
        told.map_err(|error| BusError::Refused(error.to_string()))?
    }

    fn notices(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    async fn ping(&self) -> Result<(), BusError> {
        Ok(self.nats.ask().await?)
    }

    async fn probe(&self) -> Result<(), BusError> {
        let pattern = self.stream.pattern();
        let room = match self.nats.room(&pattern).await {
            Err(NatsError::NoStream(_)) => {
                self.stream.ensure().await?;
                self.nats.room(&pattern).await
            }
            room => room,
        };
        Ok(room?)
    }

    async fn tell(&self, subject: &str, message: String) -> Result<(), BusError> {
        Ok(self.nats.tell(subject.to_owned(), message).await?)
    }
}
