//! NATS is connected and stores nothing.

use std::time::Instant;

use async_nats::jetstream::{self, stream::Config};

use crate::course::{Course, Expected};

/// The sizes of messages that fill the storage.
const BALLAST: [usize; 4] = [900_000, 100_000, 10_000, 500];
const QUEUE: &str = "make room for the stream of jobs";
const PUBLISH: &str = "make room for the stream of signals";

/// A server that holds as much as it may.
pub(crate) async fn has_no_room(course: &mut Course) {
    let jetstream = jetstream::new(course.client.clone());
    let config = Config { name: "ballast".to_owned(), subjects: vec!["ballast".to_owned()], ..Config::default() };
    jetstream.create_stream(config).await.unwrap();
    for size in BALLAST {
        while jetstream.publish("ballast", vec![b'x'; size].into()).await.unwrap().await.is_ok() {}
    }
    let begun = Instant::now();
    course.minute_passes().await;
    let missing = [
        Expected { ability: "queue", error: "resources", remedy: QUEUE },
        Expected { ability: "publish", error: "resources", remedy: PUBLISH },
    ];
    course.is_told("JetStream is full", begun, &missing).await;
    let mended = Instant::now();
    jetstream.delete_stream("ballast").await.unwrap();
    course.is_well("JetStream has room again", mended).await;
    course.is_all_decided().await;
}

/// A server that came back without its storage.
pub(crate) async fn has_no_jetstream(course: &mut Course) {
    let begun = Instant::now();
    course.fleet.nats.restart_with_jetstream(false).await.unwrap();
    course.minute_passes().await;
    let missing = [
        Expected { ability: "queue", error: "JetStream", remedy: QUEUE },
        Expected { ability: "publish", error: "JetStream", remedy: PUBLISH },
    ];
    course.is_told("NATS has no JetStream", begun, &missing).await;
    let mended = Instant::now();
    course.fleet.nats.restart_with_jetstream(true).await.unwrap();
    course.is_well("NATS has JetStream again", mended).await;
    course.is_all_decided().await;
}
