//! A register in memory, on which the election and its contract are tested without a server.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;

use super::{
    Record, Register, RegisterError, States, Word,
    contract::{Site, Way},
};

type State = Arc<Mutex<Held>>;

#[derive(Default)]
struct Held {
    record: Option<(Word, u64)>,
    versions: u64,
    /// The way of each candidate.
    ways: Vec<Way>,
}

/// The register and the ways to it.
#[derive(Default)]
pub(super) struct Memory(State);

/// The register as one candidate reaches it.
#[derive(Clone)]
pub(super) struct Reached {
    state: State,
    candidate: usize,
}

impl Site for Memory {
    type Register = Reached;

    async fn register(&self) -> Reached {
        let mut held = self.0.lock().unwrap();
        held.ways.push(Way::Open);
        Reached { state: Arc::clone(&self.0), candidate: held.ways.len() - 1 }
    }

    async fn disturb(&self, candidate: usize, way: Way) {
        self.0.lock().unwrap().ways[candidate] = way;
    }

    async fn delete(&self) {
        self.0.lock().unwrap().record = None;
    }
}

fn record((word, version): &(Word, u64)) -> Record<()> {
    Record { word: word.clone(), version: version.to_string(), rest: () }
}

impl Reached {
    async fn reach<T>(&self, limit: Duration, call: impl FnOnce(&mut Held) -> T + Send) -> Result<T, RegisterError> {
        let way = self.state.lock().unwrap().ways[self.candidate];
        match way {
            Way::Open => Ok(call(&mut self.state.lock().unwrap())),
            Way::Stalled => {
                tokio::time::sleep(limit).await;
                Err(RegisterError("no answer".to_owned()))
            }
            Way::Refused => Err(RegisterError("refused".to_owned())),
        }
    }

    async fn write(
        &self,
        over: Option<String>,
        word: &Word,
        limit: Duration,
    ) -> Result<Option<Record<()>>, RegisterError> {
        self.reach(limit, |held| {
            let current = held.record.as_ref().map(|(_, version)| version.to_string());
            if current != over {
                return None;
            }
            held.versions += 1;
            held.record = Some((word.clone(), held.versions));
            held.record.as_ref().map(record)
        })
        .await
    }
}

#[async_trait]
impl Register for Reached {
    type Rest = ();
    const WAY: &'static str = "memory";
    const WHAT: &'static str = "the record";

    fn place(&self) -> String {
        "memory".to_owned()
    }

    async fn read(&self, limit: Duration) -> Result<Option<Record<()>>, RegisterError> {
        self.reach(limit, |held| held.record.as_ref().map(record)).await
    }

    async fn create(&self, word: &Word, limit: Duration) -> Result<Option<Record<()>>, RegisterError> {
        self.write(None, word, limit).await
    }

    async fn replace(
        &self,
        record: &Record<()>,
        word: &Word,
        limit: Duration,
    ) -> Result<Option<Record<()>>, RegisterError> {
        self.write(Some(record.version.clone()), word, limit).await
    }

    async fn watch(&self, _: Duration) -> Result<Option<States<()>>, RegisterError> {
        Ok(None)
    }
}
