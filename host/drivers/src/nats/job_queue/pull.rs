//! Taking jobs out of the stream.
//!
//! A replica requests several jobs at once while there is work, but only one while there is none, so that a busy
//! replica does not sit on jobs that another one could do. A request waits for one second at most, so at shutdown no
//! job stays on its way for longer than that.

use std::time::Duration;

use async_nats::{
    Message, StatusCode, Subscriber,
    datetime::DateTime,
    jetstream::{
        self, AckKind,
        consumer::{PullConsumer, pull::BatchConfig},
        message::Acker,
    },
};
use async_trait::async_trait;
use futures_util::{FutureExt as _, StreamExt as _};
use ta_bot_core::Timestamp;
use ta_bot_engine::pipeline::job_queue::Receipt;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout},
};

use super::{Body, Delivery};
use crate::nats::connection::{Nats, NatsError, within};

/// How long NATS waits for a job if there is none.
const WAIT: Duration = Duration::from_secs(1);
/// How much longer its answer may take.
const SLACK: Duration = Duration::from_secs(1);
/// How long after one job the next one of the same request may arrive.
const BEHIND: Duration = Duration::from_millis(50);
/// How long an acknowledgement may wait for room in the client.
const ACK: Duration = Duration::from_secs(2);

/// One replica's access to the queue.
pub(super) struct Pull {
    nats: Nats,
    consumer: PullConsumer,
    inbox: Subscriber,
    address: String,
    connections: watch::Receiver<u64>,
    /// Until when an answer to the current request may arrive.
    asked: Option<Instant>,
    /// Whether the last request found no job.
    idle: bool,
    heartbeat: Duration,
}

/// What a message brought.
enum Came {
    Job(Box<Delivery>),
    /// No job for the request, or a message that is not one of our jobs.
    Nothing,
}

impl Pull {
    pub(super) async fn open(nats: Nats, consumer: PullConsumer, ack_wait: Duration) -> Result<Self, NatsError> {
        let address = nats.client().new_inbox();
        let inbox = within(nats.client().subscribe(address.clone())).await?;
        let connections = nats.connections();
        Ok(Self { nats, consumer, inbox, address, connections, asked: None, idle: false, heartbeat: ack_wait / 3 })
    }

    /// Takes up to `most` jobs that arrive within a moment. The future may be dropped at any point: jobs that arrive
    /// later are kept.
    pub(super) async fn take(&mut self, most: usize) -> Result<Vec<Delivery>, NatsError> {
        let mut taken = Vec::new();
        while taken.len() < most && self.collect_one(&mut taken)? {}
        if !taken.is_empty() {
            return Ok(taken);
        }
        let until = match self.asked.filter(|until| *until > Instant::now()) {
            Some(until) => until,
            None => self.ask(most).await?,
        };
        let message = tokio::select! {
            message = self.inbox.next() => message,
            () = sleep_until(until) => None,
            // Requests over the previous connection are forgotten.
            _ = self.connections.changed() => None,
        };
        let Some(message) = message else {
            self.asked = None;
            return Ok(Vec::new());
        };
        // Nothing waits from here on, so no message that has arrived is lost.
        self.read(message, &mut taken)?;
        while taken.len() < most && self.collect_one(&mut taken)? {}
        Ok(taken)
    }

    /// Waits for jobs that may still be on their way, and returns them.
    pub(super) async fn close(mut self) -> Vec<Delivery> {
        let mut left = Vec::new();
        while let Some(until) = self.asked {
            let Ok(Some(message)) = tokio::time::timeout_at(until, self.inbox.next()).await else { break };
            if self.read(message, &mut left).is_err() {
                break;
            }
        }
        // If several jobs were requested at once, the others arrive right behind the first one.
        while let Ok(Some(message)) = timeout(BEHIND, self.inbox.next()).await {
            if self.read(message, &mut left).is_err() {
                break;
            }
        }
        left
    }

    /// Reads one message that has already arrived. Returns whether there was one.
    fn collect_one(&mut self, taken: &mut Vec<Delivery>) -> Result<bool, NatsError> {
        let Some(Some(message)) = self.inbox.next().now_or_never() else { return Ok(false) };
        self.read(message, taken)?;
        Ok(true)
    }

    /// Requests jobs. Returns until when they may arrive.
    async fn ask(&mut self, most: usize) -> Result<Instant, NatsError> {
        self.nats.require_connection()?;
        let wanted = if self.idle {
            BatchConfig { batch: 1, expires: Some(WAIT), ..BatchConfig::default() }
        } else {
            BatchConfig { batch: most, no_wait: true, expires: None, ..BatchConfig::default() }
        };
        let until = Instant::now() + WAIT + SLACK;
        self.asked = Some(until);
        within(self.consumer.request_batch(wanted, self.address.clone().into())).await?;
        Ok(until)
    }

    fn read(&mut self, message: Message, taken: &mut Vec<Delivery>) -> Result<(), NatsError> {
        match self.came(message)? {
            Came::Job(delivery) => {
                // More jobs may arrive for the same request; they are read when they do.
                (self.asked, self.idle) = (None, false);
                taken.push(*delivery);
            }
            Came::Nothing => (self.asked, self.idle) = (None, true),
        }
        Ok(())
    }

    fn came(&self, message: Message) -> Result<Came, NatsError> {
        match message.status.unwrap_or(StatusCode::OK) {
            StatusCode::OK => {
                Ok(self.delivery(message).map_or(Came::Nothing, |delivery| Came::Job(Box::new(delivery))))
            }
            StatusCode::NOT_FOUND | StatusCode::TIMEOUT | StatusCode::IDLE_HEARTBEAT => Ok(Came::Nothing),
            StatusCode::NO_RESPONDERS => Err(NatsError::NoStream("of jobs".to_owned())),
            status => {
                let description = message.description.unwrap_or_default();
                Err(NatsError::Refused(format!("{status} {description}")))
            }
        }
    }

    fn delivery(&self, message: Message) -> Option<Delivery> {
        let message = jetstream::Message { message, context: self.nats.jetstream().clone() };
        let (attempt, queued_at) = match message.info() {
            Ok(info) => (u32::try_from(info.delivered).unwrap_or(u32::MAX), moment(info.published)),
            Err(_) => (1, Timestamp::now()),
        };
        let (message, acker) = message.split();
        match serde_json::from_slice::<Body>(&message.payload) {
            Ok(body) => {
                let receipt = Box::new(Taken(acker));
                let heartbeat = Some(self.heartbeat);
                Some(Delivery { queued: body.into(), queued_at, attempt, heartbeat, receipt })
            }
            Err(error) => {
                tracing::error!(subject = %message.subject, %error, "removed a message that is not a job");
                tokio::spawn(async move { Taken(acker).tell(AckKind::Term).await });
                None
            }
        }
    }
}

/// A moment of the server's clock.
fn moment(at: DateTime) -> Timestamp {
    Timestamp::from_millis((at.unix_timestamp_nanos() / 1_000_000) as i64)
}

/// A job that was taken.
struct Taken(Acker);

impl Taken {
    async fn tell(&self, kind: AckKind) {
        let told = timeout(ACK, self.0.ack_with(kind)).await;
        if !matches!(told, Ok(Ok(()))) {
            tracing::debug!("can't tell NATS the outcome of a job; NATS will deliver it again");
        }
    }
}

#[async_trait]
impl Receipt for Taken {
    async fn done(self: Box<Self>) {
        self.tell(AckKind::Ack).await;
    }

    async fn give_back(self: Box<Self>, delay: Duration) {
        self.tell(AckKind::Nak(Some(delay).filter(|delay| !delay.is_zero()))).await;
    }

    async fn working(&self) {
        self.tell(AckKind::Progress).await;
    }
}
