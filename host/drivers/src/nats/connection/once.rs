//! A connection for one look: it is tried once, and says why it failed.

use std::sync::{Arc, Mutex, PoisonError, atomic::AtomicU32};

use async_nats::{ConnectError, ConnectOptions, Event, jetstream::context::ContextBuilder};
use tokio::sync::watch;

use super::{ANSWER, Nats, NatsAddress};

/// What the server complained of, such as a right that is missing. NATS says that beside the answers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Complaints(Arc<Mutex<Vec<String>>>);

impl Complaints {
    /// What it has complained of so far.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn hear(&self, event: &Event) {
        if let Event::ServerError(error) = event {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(error.to_string());
        }
    }
}

impl Nats {
    /// Connects, or says why that fails.
    pub(crate) async fn connect_once(
        address: &NatsAddress,
        namespace: &str,
        complaints: &Complaints,
    ) -> Result<Self, ConnectError> {
        let complaints = complaints.clone();
        let options = address.introduce(ConnectOptions::new()).name("ta-bot doctor").connection_timeout(ANSWER);
        let options = options.request_timeout(Some(ANSWER)).event_callback(move |event| {
            complaints.hear(&event);
            std::future::ready(())
        });
        let client = options.connect(address.servers()).await?;
        let jetstream = ContextBuilder::new().timeout(ANSWER).ack_timeout(ANSWER).build(client.clone());
        let connections = watch::channel(1).1;
        Ok(Self { client, jetstream, namespace: namespace.into(), connections, untried: Arc::new(AtomicU32::new(0)) })
    }
}
