//! The bus of a single process: channels. Signals are kept safe by the outbox that they come from.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;
use tokio::sync::broadcast;

use super::{Bus, BusError, Notice, Outgoing};

/// How many messages a slow reader may fall behind.
const CAPACITY: usize = 4096;

/// An in-process bus.
pub struct LocalBus {
    candle_events: broadcast::Sender<Vec<u8>>,
    signals: broadcast::Sender<Outgoing>,
    notices: broadcast::Sender<Notice>,
    recent: Mutex<Recent>,
}

/// The ids of the newest signals.
#[derive(Default)]
struct Recent {
    ids: HashSet<String>,
    order: VecDeque<String>,
}

impl Recent {
    /// Adds an id. Returns whether it is new.
    fn add(&mut self, id: &str) -> bool {
        if !self.ids.insert(id.to_owned()) {
            return false;
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > CAPACITY
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}

impl LocalBus {
    /// Creates a bus without readers.
    pub fn new() -> Self {
        let candle_events = broadcast::Sender::new(CAPACITY);
        let signals = broadcast::Sender::new(CAPACITY);
        let notices = broadcast::Sender::new(CAPACITY);
        Self { candle_events, signals, notices, recent: Mutex::default() }
    }

    /// Announces candles, as the Data Extractor does on NATS.
    pub fn announce(&self, body: Vec<u8>) {
        // Without a reader the announcement is lost, as on core NATS; the sweep finds the candles.
        let _ = self.candle_events.send(body);
    }

    /// Subscribes to signals.
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
        let new = self.recent.lock().unwrap_or_else(PoisonError::into_inner).add(&message.id);
        if new {
            // A reader is not required: the signal stays in the outbox's table, where it is listed.
            let _ = self.signals.send(message);
        }
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

    async fn probe(&self) -> Result<(), BusError> {
        Ok(())
    }

    async fn tell(&self, _subject: &str, _message: String) -> Result<(), BusError> {
        // Nobody outside of the process can listen.
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::signals::bus::contract::{self, Fixture, Outside};

    /// Nothing outside of the process can reach this bus, so the test takes its place.
    struct Process(Arc<LocalBus>, tokio::sync::Mutex<broadcast::Receiver<Outgoing>>);

    #[async_trait]
    impl Outside for Process {
        async fn announce(&self, body: Vec<u8>) {
            self.0.announce(body);
        }

        async fn next_signal(&self) -> Outgoing {
            self.1.lock().await.recv().await.unwrap()
        }
    }

    #[tokio::test]
    async fn keeps_the_contract() {
        contract::all(async || {
            let bus = Arc::new(LocalBus::new());
            let outside = Process(Arc::clone(&bus), bus.signals().into());
            Fixture { replicas: (Arc::clone(&bus) as _, bus as _), outside: Box::new(outside) }
        })
        .await;
    }

    #[tokio::test]
    async fn nobody_has_to_read() {
        let bus = LocalBus::new();
        bus.announce(b"x".to_vec());
        bus.notify(Notice::ConfigurationChanged).await.unwrap();
        for id in 0..2 * CAPACITY {
            let message = Outgoing { subject: "s".into(), id: id.to_string(), payload: "{}".into() };
            bus.publish(message).await.unwrap();
        }
        let recent = bus.recent.lock().unwrap();
        assert_eq!((recent.ids.len(), recent.order.len()), (CAPACITY, CAPACITY), "memory is bounded");
    }
}
