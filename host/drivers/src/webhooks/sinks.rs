//! A sink for each receiver of the file, which is read again when it changes.
//!
//! A receiver is added, changed or taken away without a restart. A new version of the file that can't be used changes
//! nothing; it is said in the log and in `/health` until it is mended.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustls::ClientConfig;
use ta_bot_engine::signals::{actions::PublishedActions, receivers::Receivers};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{
    receivers::{self, Receiver, ReceiversError},
    sender::Sender,
    sink::{Sink, Sources},
};
use crate::tls::trust;

/// How often the file is looked at.
const PAUSE: Duration = Duration::from_secs(1);

/// The receivers of a file.
pub struct Webhooks {
    path: PathBuf,
    published: PublishedActions,
    trust: ClientConfig,
    board: Arc<Receivers>,
    current: Vec<Arc<Receiver>>,
    sinks: BTreeMap<String, Running>,
}

/// A sink, and what it delivers to.
struct Running {
    receiver: Arc<Receiver>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Webhooks {
    /// Reads the file, which must be sound. A receiver that names no actions gets those that are `published`.
    pub fn open(path: &Path, published: &PublishedActions) -> Result<Self, ReceiversError> {
        let current = shared(receivers::read(path, published)?);
        Ok(Self {
            path: path.to_owned(),
            published: published.clone(),
            trust: trust()?,
            board: Arc::default(),
            current,
            sinks: BTreeMap::new(),
        })
    }

    /// What the receivers have got.
    pub fn receivers(&self) -> Arc<Receivers> {
        Arc::clone(&self.board)
    }

    /// Delivers until `stop`, and finishes what is under way then.
    pub async fn run(mut self, sources: Sources, stop: CancellationToken) {
        self.settle(&sources);
        while stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_some() {
            let (path, published) = (self.path.clone(), self.published.clone());
            // The file may be on a disk that does not answer.
            let read = tokio::task::spawn_blocking(move || receivers::read(&path, &published)).await;
            if let Ok(read) = read {
                self.renew(read);
            } else {
                tracing::error!("reading WEBHOOKS_FILE panicked; it is tried again");
            }
            self.settle(&sources);
        }
        for running in self.sinks.values() {
            running.stop.cancel();
        }
        for (_, running) in self.sinks {
            running.task.await.ok();
        }
    }

    /// Takes over what was read. If it can't be used, the receivers that were read before go on to count.
    fn renew(&mut self, read: Result<Vec<Receiver>, ReceiversError>) {
        match read {
            Ok(receivers) => {
                let receivers = shared(receivers);
                if self.board.note_file(None) || receivers != self.current {
                    tracing::info!(?receivers, "WEBHOOKS_FILE has changed; its receivers count from now on");
                    self.current = receivers;
                }
            }
            Err(error) => {
                let error = error.to_string();
                if self.board.note_file(Some(error.clone())) {
                    let message = "WEBHOOKS_FILE has changed and can't be used: the receivers that were read before \
                                   still count";
                    tracing::error!(error, "{message}");
                }
            }
        }
    }

    /// Starts the sinks that are missing, and ends those that are no more wanted.
    fn settle(&mut self, sources: &Sources) {
        let names: Vec<&str> = self.current.iter().map(|receiver| receiver.name.as_str()).collect();
        let states = self.board.are(&names);
        for running in self.sinks.values().filter(|running| !self.current.contains(&running.receiver)) {
            running.stop.cancel();
        }
        for (receiver, state) in self.current.iter().zip(states) {
            let before = self.sinks.remove(&receiver.name);
            let before = match before {
                Some(running) if !running.stop.is_cancelled() && !running.task.is_finished() => {
                    self.sinks.insert(receiver.name.clone(), running);
                    continue;
                }
                Some(running) => {
                    if !running.stop.is_cancelled() {
                        tracing::error!(?receiver, "a sink of signals ended by itself; it is started again");
                    }
                    Some(running.task)
                }
                None => None,
            };
            let sender = Sender::new(Arc::clone(receiver), self.trust.clone());
            let sink = Sink::new(Arc::clone(receiver), sender, sources.clone(), state);
            let stop = CancellationToken::new();
            let work = after(before, sink.run(stop.clone()));
            let running = Running { receiver: Arc::clone(receiver), stop, task: tokio::spawn(work) };
            self.sinks.insert(receiver.name.clone(), running);
        }
    }
}

fn shared(receivers: Vec<Receiver>) -> Vec<Arc<Receiver>> {
    receivers.into_iter().map(Arc::new).collect()
}

/// Works when the sink before has ended: it finishes what it had under way, and stores how far it came.
async fn after(before: Option<JoinHandle<()>>, work: impl Future<Output = ()>) {
    if let Some(before) = before {
        before.await.ok();
    }
    work.await;
}
