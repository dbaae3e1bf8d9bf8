//! A running pipeline in the test's own process, whose queue the test fills.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::sync::Arc;

use ta_bot::app::App;
use ta_bot_core::{Job, Symbol, Timeframe, Timestamp};
use ta_bot_engine::pipeline::{
    job_queue::{JobQueue, local::LocalQueue},
    worker::Pipeline,
};
use tokio::{sync::Notify, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// An app whose pipeline works on one job at a time.
#[allow(missing_docs, reason = "the types are self-explanatory")]
pub struct Working {
    pub app: App,
    pub queue: Arc<dyn JobQueue>,
    pub stop: CancellationToken,
    pub running: JoinHandle<()>,
}

impl Working {
    /// Starts the pipeline of an app.
    pub fn start(app: App) -> Self {
        let queue: Arc<dyn JobQueue> = Arc::new(LocalQueue::new(Arc::clone(&app.analyst.metrics)));
        let (analyst, outbox) = (Arc::clone(&app.analyst), Arc::clone(&app.outbox));
        let pipeline = Pipeline::new(analyst, outbox, Arc::clone(&queue), Arc::new(Notify::new()), 1, None, None);
        let stop = CancellationToken::new();
        let running = tokio::spawn(pipeline.run(stop.clone()));
        Self { app, queue, stop, running }
    }

    /// Adds the job of a candle.
    ///
    /// # Panics
    ///
    /// If the queue does not take it.
    pub async fn push(&self, symbol: &Symbol, timeframe: Timeframe, candle_close: Timestamp) {
        let job = Job { symbol: symbol.clone(), timeframe, candle_close };
        assert!(self.queue.push(job.into()).await.unwrap());
    }

    /// Whether the job of a candle is finished or given up.
    ///
    /// # Panics
    ///
    /// If the store fails.
    pub async fn is_over(&self, symbol: &Symbol, timeframe: Timeframe, candle_close: Timestamp) -> bool {
        !self.app.outbox.finished(timeframe, &[(symbol.clone(), candle_close)]).await.unwrap().is_empty()
    }

    /// Ends the pipeline.
    ///
    /// # Panics
    ///
    /// If it panicked.
    pub async fn end(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }
}
