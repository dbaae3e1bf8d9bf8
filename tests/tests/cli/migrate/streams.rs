//! What the plan says of the stream of signals is what a start of the service does.

use std::{collections::HashMap, time::Duration};

use async_nats::jetstream::{self, stream::Config};
use futures_util::StreamExt as _;
use serde_json::{Value as Json, json};
use ta_bot_test_servers::Nats;
use ta_bot_tests::{app, replicas::stream::STREAM, until};

use crate::run::{Done, Home};

const PATIENCE: Duration = Duration::from_mins(1);
const BASE: &str = "cio.intent.trading";

/// What the plan says of the stream.
fn planned(home: &Home, url: &str, more: &[(&str, &str)]) -> Json {
    let mut command = home.command();
    command.env("NATS_URL", url).envs(more.iter().copied()).args(["migrate", "--json"]);
    Done::of(&mut command).succeeded().json()["stream"].clone()
}

async fn config_of(url: &str) -> Config {
    let jetstream = jetstream::new(async_nats::connect(url).await.unwrap());
    jetstream.get_stream(STREAM).await.unwrap().cached_info().config.clone()
}

/// A start of the service, as far as the stream goes. Returns when the stream is no longer as it was.
async fn starts(home: &Home, url: &str, more: &[(&'static str, &str)], before: &Config) -> Config {
    let variables: HashMap<_, _> = more.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    let variables: Vec<_> = variables.into_iter().chain([("NATS_URL", url.to_owned())]).collect();
    let _app = Box::pin(app::open_with(&home.data_dir(), &variables)).await.unwrap();
    until(PATIENCE, async || format!("{:?}", config_of(url).await), async || config_of(url).await != *before).await;
    config_of(url).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_of_an_earlier_version_is_moved_as_the_plan_says() {
    let (home, server) = (Home::new(), Nats::start().await.unwrap());
    let url = server.url();
    let subject = format!("{BASE}.{{strategy}}");
    let jetstream = jetstream::new(async_nats::connect(&url).await.unwrap());
    let old = Config { name: STREAM.to_owned(), subjects: vec![format!("{BASE}.*")], ..Config::default() };
    jetstream.create_stream(old).await.unwrap();
    jetstream.publish(format!("{BASE}.rsi"), "before".into()).await.unwrap().await.unwrap();
    let before = config_of(&url).await;

    // While both run, this one can publish as the earlier one does.
    let directly = [("NATS_TOPIC_INTENTS", subject.as_str()), ("NATS_SIGNAL_DELIVERY", "direct")];
    let plan = planned(&home, &url, &directly);
    assert_eq!(
        (&plan["step"], &plan["given_up"]),
        (&json!("change"), &json!([])),
        "it refuses when it is full: {plan}"
    );
    let topic = [("NATS_TOPIC_INTENTS", subject.as_str())];
    let plan = planned(&home, &url, &topic);
    assert_eq!((&plan["step"], &plan["given_up"]), (&json!("change"), &json!([format!("{BASE}.*")])), "{plan}");
    assert_eq!(config_of(&url).await, before, "a plan changes nothing");

    let after = starts(&home, &url, &topic, &before).await;
    assert_eq!(json!(after.subjects), plan["subjects"]);
    assert_eq!(json!(after.republish.map(|republish| republish.destination)), plan["passes_on_to"]);
    assert_eq!(planned(&home, &url, &topic)["step"], "nothing");
    let kept = jetstream.get_stream(STREAM).await.unwrap().cached_info().state.messages;
    assert_eq!(kept, 1, "what it held stays");
}

/// The Python service publishes without a stream, under the subject that readers know.
#[tokio::test(flavor = "multi_thread")]
async fn both_services_are_kept_apart_by_a_subject_of_the_trial() {
    let (home, server) = (Home::new(), Nats::start().await.unwrap());
    let url = server.url();
    let client = async_nats::connect(&url).await.unwrap();
    let mut reader = client.subscribe(format!("{BASE}.>")).await.unwrap();
    client.flush().await.unwrap();
    let trial = [("NATS_TOPIC_INTENTS", "trial.intents")];
    let plan = planned(&home, &url, &trial);
    assert_eq!((&plan["step"], &plan["passes_on_to"]), (&json!("make"), &json!("trial.intents.{{wildcard(1)}}")));
    let variables = [("NATS_URL", url.clone()), ("NATS_TOPIC_INTENTS", "trial.intents".to_owned())];
    let app = Box::pin(app::open_with(&home.data_dir(), &variables)).await.unwrap();
    publishes(&app, "trial.intents.rsi", "of the trial").await;
    client.publish(format!("{BASE}.rsi"), "of the older service".into()).await.unwrap();
    assert_eq!(soon(reader.next()).await.unwrap().payload, "of the older service", "readers hear that one alone");
    drop(app);

    let before = config_of(&url).await;
    let plan = planned(&home, &url, &[]);
    assert_eq!((&plan["step"], &plan["given_up"]), (&json!("change"), &json!([])), "{plan}");
    let after = starts(&home, &url, &[], &before).await;
    assert_eq!(json!(after.republish.map(|republish| republish.destination)), plan["passes_on_to"]);
    let app = Box::pin(app::open_with(&home.data_dir(), &[("NATS_URL", url.clone())])).await.unwrap();
    publishes(&app, &format!("{BASE}.rsi"), "of this one").await;
    assert_eq!(soon(reader.next()).await.unwrap().payload, "of this one");
}

/// Publishes as the relay does, once the connection is there.
async fn publishes(app: &ta_bot::app::App, subject: &str, text: &str) {
    let message = || ta_bot_engine::signals::bus::Outgoing {
        id: text.to_owned(),
        subject: subject.to_owned(),
        payload: text.to_owned(),
    };
    until(PATIENCE, async || format!("{text} was not taken"), async || app.bus.publish(message()).await.is_ok()).await;
}

async fn soon<T>(awaited: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, awaited).await.expect("nothing arrived")
}
