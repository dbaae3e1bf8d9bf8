//! Tests of leadership on a message of NATS.

use std::sync::atomic::{AtomicU32, Ordering};

use async_nats::jetstream;
use ta_bot_drivers::nats::leader::NatsLeader;
use ta_bot_engine::pipeline::election::{
    Register as _,
    contract::{self, RENEW_DEADLINE, Site, Way},
};
use ta_bot_test_servers::{Mode, Nats, Proxy};
use tokio::sync::OnceCell;

use crate::ways::Ways;

async fn server() -> &'static Nats {
    static SERVER: OnceCell<Nats> = OnceCell::const_new();
    SERVER.get_or_init(async || Nats::start().await.unwrap()).await
}

/// A namespace, and the ways to the server.
struct Place {
    namespace: String,
    ways: Ways,
}

impl Place {
    async fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        // The server is started before the cases run side by side.
        server().await;
        Self { namespace: format!("test-{}", MADE.fetch_add(1, Ordering::Relaxed)), ways: Ways::default() }
    }

    async fn jetstream(&self) -> jetstream::Context {
        jetstream::new(async_nats::connect(server().await.url()).await.unwrap())
    }

    fn stream(&self) -> String {
        format!("{}-leader", self.namespace)
    }
}

impl Site for Place {
    type Register = NatsLeader;

    async fn register(&self) -> NatsLeader {
        let server = server().await;
        let way = self.ways.another(server.address());
        NatsLeader::new(server.url_at(way).parse().unwrap(), "test", &self.namespace, None)
    }

    async fn disturb(&self, candidate: usize, way: Way) {
        self.ways.disturb(candidate, way).await;
    }

    async fn delete(&self) {
        let stream = self.jetstream().await.get_stream(self.stream()).await.unwrap();
        stream.purge().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_passes_the_contract() {
    Box::pin(contract::all(Place::new)).await;
}

#[tokio::test]
async fn a_version_does_not_come_again_if_the_stream_is_deleted() {
    let place = Place::new().await;
    let lose = async || {
        place.jetstream().await.delete_stream(place.stream()).await.unwrap();
    };
    Box::pin(contract::a_version_does_not_come_again(&place.register().await, lose)).await;
}

/// After an answer that did not come, a new connection is made, and the next question is asked on that one. Asked on
/// the old one, it would have no answer either, and so on: nobody would lead any more.
#[tokio::test]
async fn the_question_after_a_late_answer_is_asked_on_a_new_connection() {
    let server = server().await;
    let way = Proxy::start(server.address()).unwrap();
    let register = NatsLeader::new(server.url_at(way.address()).parse().unwrap(), "test", "late", None);
    register.read(RENEW_DEADLINE).await.unwrap();
    for _ in 0..3 {
        way.set(Mode::Stall).await.unwrap();
        register.read(RENEW_DEADLINE).await.unwrap_err();
        way.set(Mode::Forward).await.unwrap();
        register.read(RENEW_DEADLINE).await.unwrap();
    }
}

/// Without `JetStream` nobody leads, and the reason is told.
#[tokio::test]
async fn a_server_without_jetstream_is_named() {
    let server = Nats::start_without_jetstream().await.unwrap();
    let register = NatsLeader::new(server.url().parse().unwrap(), "test", "test", None);
    let error = register.read(RENEW_DEADLINE).await.unwrap_err().to_string();
    assert!(error.contains("test-leader") && error.contains("127.0.0.1"), "{error}");
}
