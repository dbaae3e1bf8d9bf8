//! Registers as they look to a process whose clock is wrong, or whose answers get lost.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures_util::StreamExt as _;

use crate::pipeline::election::{Record, Register, RegisterError, States, Word};

/// The register of a process whose clock is off: what it writes is dated by that clock.
#[derive(Clone)]
pub(super) struct OtherClock<R> {
    register: R,
    ahead: i64,
}

impl<R> OtherClock<R> {
    /// `ahead` are microseconds.
    pub(super) const fn by(ahead: i64, register: R) -> Self {
        Self { register, ahead }
    }

    fn written(&self, word: &Word) -> Word {
        shifted(word, self.ahead)
    }
}

fn shifted(word: &Word, by: i64) -> Word {
    let (acquired, renewed) = (word.acquired.map(|at| at + by), word.renewed.map(|at| at + by));
    Word { acquired, renewed, ..word.clone() }
}

fn as_read<Rest>(record: Option<Record<Rest>>, ahead: i64) -> Option<Record<Rest>> {
    record.map(|record| Record { word: shifted(&record.word, -ahead), ..record })
}

#[async_trait]
impl<R: Register> Register for OtherClock<R> {
    type Rest = R::Rest;
    const WAY: &'static str = R::WAY;
    const WHAT: &'static str = R::WHAT;

    fn place(&self) -> String {
        self.register.place()
    }

    async fn read(&self, limit: Duration) -> Result<Option<Record<R::Rest>>, RegisterError> {
        Ok(as_read(self.register.read(limit).await?, self.ahead))
    }

    async fn create(&self, word: &Word, limit: Duration) -> Result<Option<Record<R::Rest>>, RegisterError> {
        Ok(as_read(self.register.create(&self.written(word), limit).await?, self.ahead))
    }

    async fn replace(
        &self,
        record: &Record<R::Rest>,
        word: &Word,
        limit: Duration,
    ) -> Result<Option<Record<R::Rest>>, RegisterError> {
        let over = Record { word: self.written(&record.word), ..record.clone() };
        Ok(as_read(self.register.replace(&over, &self.written(word), limit).await?, self.ahead))
    }

    async fn watch(&self, limit: Duration) -> Result<Option<States<R::Rest>>, RegisterError> {
        let ahead = self.ahead;
        let states = self.register.watch(limit).await?;
        Ok(states.map(|states| states.map(move |state| state.map(|state| as_read(state, ahead))).boxed()))
    }
}

/// A register whose answers to writes get lost while it is told so.
#[derive(Clone)]
pub(super) struct Forgetful<R> {
    register: R,
    forgets: Arc<AtomicBool>,
}

impl<R> Forgetful<R> {
    pub(super) fn new(register: R) -> (Self, Arc<AtomicBool>) {
        let forgets = Arc::new(AtomicBool::new(false));
        (Self { register, forgets: Arc::clone(&forgets) }, forgets)
    }

    fn lost<T>(&self, answer: Result<T, RegisterError>) -> Result<T, RegisterError> {
        if self.forgets.load(Ordering::Acquire) { Err(RegisterError("the answer was lost".to_owned())) } else { answer }
    }
}

#[async_trait]
impl<R: Register> Register for Forgetful<R> {
    type Rest = R::Rest;
    const WAY: &'static str = R::WAY;
    const WHAT: &'static str = R::WHAT;

    fn place(&self) -> String {
        self.register.place()
    }

    async fn read(&self, limit: Duration) -> Result<Option<Record<R::Rest>>, RegisterError> {
        self.register.read(limit).await
    }

    async fn create(&self, word: &Word, limit: Duration) -> Result<Option<Record<R::Rest>>, RegisterError> {
        self.lost(self.register.create(word, limit).await)
    }

    async fn replace(
        &self,
        record: &Record<R::Rest>,
        word: &Word,
        limit: Duration,
    ) -> Result<Option<Record<R::Rest>>, RegisterError> {
        self.lost(self.register.replace(record, word, limit).await)
    }

    async fn watch(&self, limit: Duration) -> Result<Option<States<R::Rest>>, RegisterError> {
        self.register.watch(limit).await
    }
}
