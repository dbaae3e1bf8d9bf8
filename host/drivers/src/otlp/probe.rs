//! Asks a collector that took nothing whether it takes something again, since nothing else is sent to it meanwhile.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use super::{
    collector::{Batch, Collector},
    room::Room,
};

/// How often it is asked.
const EVERY: Duration = Duration::from_secs(5);

/// What is asked of the collector of one kind of telemetry.
pub(super) struct Probe {
    collector: Arc<Collector>,
    /// A batch without entries: the protocol has a collector take it.
    nothing: Batch,
    room: Arc<Room>,
}

impl Probe {
    pub(super) const fn new(collector: Arc<Collector>, nothing: Batch, room: Arc<Room>) -> Self {
        Self { collector, nothing, room }
    }

    async fn ask(&self) {
        if self.room.is_failing() {
            self.room.answered(0, self.collector.send(self.nothing.clone()).await);
        }
    }
}

/// Asks from time to time, until `stop` is cancelled.
pub(super) async fn run(probes: &[Probe], stop: CancellationToken) {
    let asking = async {
        loop {
            tokio::time::sleep(EVERY).await;
            join_all(probes.iter().map(Probe::ask)).await;
        }
    };
    stop.run_until_cancelled(asking).await;
}
