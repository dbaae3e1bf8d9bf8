//! The verdicts on the service, as a neighbour hears them.

use std::collections::BTreeSet;

use async_nats::{Client, Subscriber};
use futures_util::{FutureExt as _, StreamExt as _};
use serde_json::Value as Json;
use ta_bot_engine::pipeline::verdict::SUBJECT;

pub(crate) struct Verdicts(Subscriber);

impl Verdicts {
    pub(crate) async fn hear(client: &Client) -> Self {
        let subscriber = client.subscribe(SUBJECT).await.unwrap();
        client.flush().await.unwrap();
        Self(subscriber)
    }

    /// Checks what was heard so far.
    pub(crate) async fn are_sound(&mut self) {
        let mut samples = BTreeSet::new();
        while let Some(Some(message)) = self.0.next().now_or_never() {
            let verdict: Json = serde_json::from_slice(&message.payload).unwrap();
            assert!(message.reply.is_none(), "{verdict}");
            assert_eq!(verdict["subsystem"], "bot-ta-analysis", "{verdict}");
            assert!(verdict["reason"].as_str().is_some_and(|reason| reason.chars().count() <= 200), "{verdict}");
            samples.insert(verdict["hysteresis"]["current_run_value"].as_str().unwrap().to_owned());
        }
        assert!(samples.contains("healthy"), "{samples:?}");
    }
}
