//! `ta-bot outbox verify`: the stream on NATS against what counts as published.

use ta_bot_core::{Job, Signal, Timeframe, Timestamp};
use ta_bot_engine::signals::outbox::{
    FinishedJob,
    contract::{job, signal},
};
use ta_bot_test_servers::Nats;
use ta_bot_tests::{app::open_with, replicas::stream};

use crate::run::{Done, Home};

/// A signal of the candle that closed `index` quarters of an hour before the last one.
fn of_candle(index: i64) -> (Job, Signal) {
    let length = Timeframe::M15.millis();
    let newest = Timeframe::M15.open_of(Timestamp::now());
    let job = Job { candle_close: newest.plus_millis(-index * length), ..job("BTCUSDT", 0) };
    let signal = signal(&job, "rsi", 0);
    (job, signal)
}

fn verify(home: &Home, url: &str, more: &[&str]) -> Done {
    let mut command = home.command();
    // Whether a quarter of an hour ends while the test runs must not matter.
    command.env("NATS_URL", url).env("SIGNAL_MAX_AGE_SECONDS", "3600");
    Done::of(command.args(["outbox", "verify", "--json"]).args(more))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_stream_has_lost_is_listed_and_sent_again_on_request() {
    let (home, server) = (Home::new(), Nats::start().await.unwrap());
    let url = server.url();
    let app = open_with(&home.data_dir(), &[("NATS_URL", url.clone())]).await.unwrap();
    let signals: Vec<(Job, Signal)> = [0, 1, 20].map(of_candle).into();
    let finished =
        |(job, signal): &(Job, Signal)| FinishedJob { job: job.clone(), signals: vec![signal.clone()], revision: 0 };
    app.outbox.commit(&signals.iter().map(finished).collect::<Vec<_>>(), Timestamp::now()).await.unwrap();
    let waiting = app.outbox.unpublished(10).await.unwrap();
    assert_eq!(waiting.len(), 3);
    let subject = "cio.intent.trading".parse().unwrap();
    for signal in &waiting {
        // Until the connection is there.
        while ta_bot_engine::signals::verification::publish_again(&*app.bus, &subject, signal).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
    let ids: Vec<String> = waiting.iter().map(|signal| signal.id.clone()).collect();
    app.outbox.mark_published(&ids, Timestamp::now()).await.unwrap();
    let whole = verify(&home, &url, &[]);
    assert_eq!((whole.code, &whole.json()["published"]), (Some(0), &3.into()), "{whole:?}");
    assert_eq!(whole.json()["missing"], serde_json::json!([]));

    let client = async_nats::connect(&url).await.unwrap();
    let jetstream = async_nats::jetstream::new(client);
    jetstream.get_stream(stream::STREAM).await.unwrap().purge().await.unwrap();
    let lossy = verify(&home, &url, &[]);
    let missing = lossy.json()["missing"].clone();
    let field = |name: &str| missing.as_array().unwrap().iter().map(|one| one[name].clone()).collect::<Vec<_>>();
    assert_eq!(lossy.code, Some(1), "{lossy:?}");
    assert_eq!(field("signal_id"), ids);
    assert_eq!(field("expired"), [false, false, true]);
    assert_eq!(field("republished"), [false, false, false]);

    let sent = verify(&home, &url, &["--republish"]);
    assert_eq!(sent.code, Some(1), "one is too old to be sent: {sent:?}");
    let again = verify(&home, &url, &[]);
    let left = again.json()["missing"].clone();
    assert_eq!((left.as_array().unwrap().len(), &left[0]["signal_id"]), (1, &ids[2].clone().into()), "{again:?}");
}

#[test]
fn without_nats_there_is_no_stream() {
    let home = Home::new();
    home.run(["outbox", "verify"]).failed(1, &["NATS_URL"]);
    home.run(["outbox", "verify", "--hours", "0"]).failed(2, &["168"]);
}
