//! The bus of a single process: channels. What keeps signals safe is the outbox that they come from.

use async_trait::async_trait;
use tokio::sync::broadcast;

use super::{Bus, BusError, Notice, Outgoing};

/// How many messages a slow reader may lag behind.
const CAPACITY: usize = 4096;

/// An in-process bus.
pub struct LocalBus {
    candle_events: broadcast::Sender<Vec<u8>>,
    signals: broadcast::Sender<Outgoing>,
    notices: broadcast::Sender<Notice>,
}

impl LocalBus {
    /// A bus without readers.
    pub fn new() -> Self {
        let (candle_events, signals, notices) =
            (broadcast::Sender::new(CAPACITY), broadcast::Sender::new(CAPACITY), broadcast::Sender::new(CAPACITY));
        Self { candle_events, signals, notices }
    }

    /// Announces candles, as the Data Extractor does on NATS.
    pub fn announce(&self, body: Vec<u8>) {
        // Without a reader the announcement is lost, as on core NATS; the sweep finds the candles.
        let _ = self.candle_events.send(body);
    }

    /// The signals, from now on.
    pub fn signals(&self) -> broadcast::Receiver<Outgoing> {
        self.signals.subscribe()
    }
}

impl Default for LocalBus {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Bus for LocalBus {
    async fn publish(&self, message: Outgoing) -> Result<(), BusError> {
        // Nobody has to listen: the signal stays in the outbox's table, where it is listed.
        let _ = self.signals.send(message);
        Ok(())
    }

    fn candle_events(&self) -> broadcast::Receiver<Vec<u8>> {
        self.candle_events.subscribe()
    }

    async fn notify(&self, notice: Notice) -> Result<(), BusError> {
        let _ = self.notices.send(notice);
        Ok(())
    }

    fn notices(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    async fn ping(&self) -> Result<(), BusError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn readers_get_what_is_sent_and_nobody_has_to_read() {
        let bus = LocalBus::new();
        let message = Outgoing { subject: "s".into(), id: "1".into(), payload: "{}".into() };
        bus.publish(message.clone()).await.unwrap();
        let (mut signals, mut events, mut notices) = (bus.signals(), bus.candle_events(), bus.notices());
        bus.publish(message.clone()).await.unwrap();
        bus.announce(b"x".to_vec());
        bus.notify(Notice::ConfigurationChanged).await.unwrap();
        assert_eq!(signals.recv().await.unwrap(), message);
        assert_eq!(events.recv().await.unwrap(), b"x");
        assert_eq!(notices.recv().await.unwrap(), Notice::ConfigurationChanged);
    }
}
