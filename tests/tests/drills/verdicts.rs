//! The verdicts on the service, as a neighbour hears them.

use std::time::Duration;

use async_nats::{Client, Subscriber};
use futures_util::StreamExt as _;
use serde_json::Value as Json;
use ta_bot_engine::pipeline::verdict::SUBJECT;

pub(crate) struct Verdicts(Subscriber);

impl Verdicts {
    pub(crate) async fn hear(client: &Client) -> Self {
        let subscriber = client.subscribe(SUBJECT).await.unwrap();
        client.flush().await.unwrap();
        Self(subscriber)
    }

    /// Checks what was heard, until a sample says that the service is healthy.
    pub(crate) async fn are_sound(&mut self) {
        loop {
            let message = tokio::time::timeout(Duration::from_mins(2), self.0.next()).await;
            let message = message.expect("the service is healthy at last").unwrap();
            let verdict: Json = serde_json::from_slice(&message.payload).unwrap();
            assert!(message.reply.is_none(), "{verdict}");
            assert_eq!(verdict["subsystem"], "bot-ta-analysis", "{verdict}");
            assert!(verdict["reason"].as_str().is_some_and(|reason| reason.chars().count() <= 200), "{verdict}");
            if verdict["hysteresis"]["current_run_value"] == "healthy" {
                return;
            }
        }
    }
}
