//! The bus on NATS: candle events and notices on core NATS, which keeps nothing; signals into `JetStream`, which keeps
//! each id once.

use std::sync::Arc;

use async_nats::{HeaderMap, HeaderValue, Subscriber, header::NATS_MESSAGE_ID};
use async_trait::async_trait;
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use ta_bot_engine::{
    signals::bus::{Bus, BusError, Notice, Outgoing},
    support::{log_limit::LogLimit, metrics::Metrics},
};
use tokio::sync::{broadcast, watch};
use tokio_util::task::AbortOnDropHandle;

use crate::nats::connection::{EventSubjects, Nats, NatsError, SignalSubject, pause, subjects, within};

mod stream;

pub use stream::DUPLICATE_WINDOW;
use stream::SignalStream;

/// How many candle events a slow reader may lag behind.
const EVENTS: usize = 1024;
const NOTICES: usize = 64;
/// The longest body of a candle event: a batch of some ten thousand symbols. With `EVENTS` it bounds the memory.
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

/// A notice as it goes over NATS. A word that this version does not know is left alone.
#[derive(Serialize, Deserialize)]
struct Told {
    notice: Notice,
    origin: String,
}

/// Tells the other replicas.
#[derive(Clone)]
struct Teller {
    nats: Nats,
    /// By which this replica knows its own notices.
    origin: String,
    /// What is still to be told, each notice once.
    untold: watch::Sender<Vec<Notice>>,
}

impl NatsBus {
    /// A bus that reads candle events under `events` and takes care that there is a stream for `signals`. Does not wait
    /// for NATS.
    pub async fn start(
        nats: Nats,
        events: &EventSubjects,
        signals: &SignalSubject,
        metrics: Arc<Metrics>,
    ) -> Result<Self, BusError> {
        let (candle_events, notices) = (broadcast::Sender::new(EVENTS), broadcast::Sender::new(NOTICES));
        let teller = Teller::new(nats.clone());
        let stream = Arc::new(SignalStream::new(nats.clone(), signals.pattern()));
        let mut tasks = Vec::new();
        for (index, pattern) in events.patterns().iter().enumerate() {
            let reader = EventReader {
                // What an earlier pattern matches came in there.
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
                // Without a reader it is lost; the sweep finds the candles.
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
            // Its own readers were told before it went out.
            Ok(told) if told.origin == own => {}
            Ok(told) => drop(notices.send(told.notice)),
            Err(_) => tracing::debug!("a notice that this version does not know"),
        }
    }
}

/// Has configuration read again whenever NATS is back, and when it is there first: what was told before was not heard. When
/// it is back the others read again, too: what was told from here last may have been lost with the connection.
async fn remind(teller: Teller, notices: broadcast::Sender<Notice>) {
    let nats = &teller.nats;
    let mut connections = nats.connections();
    while connections.changed().await.is_ok() {
        let count = *connections.borrow_and_update();
        nats.connected().await;
        // Its answer says that the server has the subscriptions: what is told from now on is heard.
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
        let body = serde_json::to_string(&told).map_err(|error| BusError(error.to_string()))?;
        Ok(self.nats.tell(self.nats.subject("notices"), body).await?)
    }

    /// Tells, or keeps it for later.
    async fn tell_or_keep(self, notice: Notice) -> Result<(), BusError> {
        self.tell(notice.clone()).await.inspect_err(|_| self.keep(notice))
    }

    /// Keeps a notice for when it can be told.
    fn keep(&self, notice: Notice) {
        self.untold.send_if_modified(|untold| {
            let is_new = !untold.contains(&notice);
            if is_new {
                untold.push(notice);
            }
            is_new
        });
    }

    /// Tells what was kept, as soon as NATS is there.
    async fn tell_later(self) {
        let (mut kept, limit) = (self.untold.subscribe(), LogLimit::default());
        let mut failures = 0;
        while kept.wait_for(|untold| !untold.is_empty()).await.is_ok() {
            self.nats.connected().await;
            for notice in self.untold.send_replace(Vec::new()) {
                match self.clone().tell_or_keep(notice.clone()).await {
                    Ok(()) => {
                        failures = 0;
                        tracing::info!(?notice, "the other replicas are told now");
                    }
                    Err(error) => {
                        failures += 1;
                        if let Some(withheld) = limit.admit() {
                            tracing::warn!(?notice, %error, withheld, "the other replicas can't be told; it is tried again");
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
                    tracing::warn!(%error, withheld, "the stream of signals can't be made; it is tried again");
                }
                tokio::time::sleep(pause(attempt)).await;
            }
        }
    }
}

/// The headers of a signal: its id, and the trace that its body carries.
fn headers(message: &Outgoing) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(NATS_MESSAGE_ID, message.id.as_str());
    for (name, value) in message.trace_headers() {
        // What is no header value, such as one with a line break, stays in the body only.
        if let Ok(value) = value.parse::<HeaderValue>() {
            headers.insert(name, value);
        }
    }
    headers
}

impl From<NatsError> for BusError {
    fn from(error: NatsError) -> Self {
        Self(error.to_string())
    }
}

#[async_trait]
impl Bus for NatsBus {
    async fn publish(&self, message: Outgoing) -> Result<(), BusError> {
        if !subjects::is_publishable(&message.subject) {
            return Err(BusError(format!("{:?} is no subject that can be published under", message.subject)));
        }
        let stored = self.nats.store(&message.subject, headers(&message), message.payload.clone()).await;
        let stored = match stored {
            // At the very start, or somebody deleted it.
            Err(NatsError::NoStream(_)) => {
                self.stream.ensure().await?;
                self.nats.store(&message.subject, headers(&message), message.payload).await
            }
            stored => stored,
        };
        Ok(stored.map(drop)?)
    }

    fn candle_events(&self) -> broadcast::Receiver<Vec<u8>> {
        self.candle_events.subscribe()
    }

    async fn notify(&self, notice: Notice) -> Result<(), BusError> {
        // Here first: this replica is told also where NATS is away.
        let _ = self.notices.send(notice.clone());
        // By itself, so that it is told or kept also where whoever asked for it goes away.
        let told = tokio::spawn(self.teller.clone().tell_or_keep(notice)).await;
        told.map_err(|error| BusError(error.to_string()))?
    }

    fn notices(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    async fn ping(&self) -> Result<(), BusError> {
        Ok(self.nats.ask().await?)
    }
}
