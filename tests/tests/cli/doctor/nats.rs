//! NATS as the only server.

use std::time::Duration;

use async_nats::jetstream::{
    self,
    stream::{Config, DiscardPolicy, RetentionPolicy},
};
use ta_bot_test_servers::{Mode, Nats, Proxy};
use ta_bot_tests::replicas::stream::STREAM;

use super::{Line, SECRET, Told, at_once, command_of, sound_home};
use crate::run::Home;

const DAYS: Duration = Duration::from_hours(24);

fn told(home: &Home, url: &str) -> Told {
    Told::beside_the_machine(command_of(home).env("NATS_URL", url))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_nats_is_found_and_nothing_else() {
    let home = sound_home();
    let (server, without) = tokio::try_join!(Nats::start(), Nats::start_without_jetstream()).unwrap();
    let url = server.url();
    told(&home, &url).is_sound();
    let proxy = Proxy::start(server.address()).unwrap();
    proxy.set(Mode::Stall).await.unwrap();
    let cases = [
        (without.url(), ("nats", "jetstream", "wrong", "run NATS with JetStream")),
        ("nats://127.0.0.1:1".to_owned(), ("nats", "answer", "wrong", "start NATS")),
        (server.url_at(proxy.address()), ("nats", "answer", "wrong", "start NATS")),
    ];
    at_once(&cases, |(url, expected)| told(&home, url).finds(&[*expected]));
    streams(&home, &url).await;
    users(&home).await;
}

/// The streams as a start of the service makes them, and then as they must not be.
async fn streams(home: &Home, url: &str) {
    let jetstream = jetstream::new(async_nats::connect(url).await.unwrap());
    assert_eq!(names(&jetstream).await, [""; 0], "no stream is made");
    let signals = made_by_a_start(home, url, &jetstream).await;
    told(home, url).is_sound();
    let wrong = |words: &'static str| [("nats", "signals", "wrong", words)];
    let discards = Config { discard: DiscardPolicy::Old, max_bytes: 1 << 20, ..signals.clone() };
    let forgets = Config { max_age: DAYS, duplicate_window: DAYS, ..signals.clone() };
    let small = Config { max_bytes: 600, ..signals.clone() };
    with(home, url, &jetstream, &discards, &wrong("discard new")).await;
    let ids = ("nats", "signals", "warning", "dupe-window 72h");
    with(home, url, &jetstream, &forgets, &[wrong("stream edit")[0], ids]).await;
    jetstream.publish("ta-bot.signals.cio.intent.trading.rsi", "x".repeat(550).into()).await.unwrap().await.unwrap();
    with(home, url, &jetstream, &small, &wrong("NATS_SIGNALS_MAX_BYTES")).await;
    let elsewhere = Config { republish: None, ..signals.clone() };
    with(home, url, &jetstream, &elsewhere, &[("nats", "signals", "warning", "restart TA Bot")]).await;
    jetstream.update_stream(&signals).await.unwrap();

    let jobs = jetstream.get_stream("ta-bot-jobs").await.unwrap().cached_info().config.clone();
    jetstream.delete_stream("ta-bot-jobs").await.unwrap();
    let other = Config { retention: RetentionPolicy::Limits, discard_new_per_subject: false, ..jobs.clone() };
    jetstream.create_stream(other).await.unwrap();
    told(home, url).finds(&[("nats", "jobs", "wrong", "nats stream rm ta-bot-jobs")]);
    jetstream.delete_stream("ta-bot-jobs").await.unwrap();
    jetstream.create_stream(jobs).await.unwrap();

    let copy = Config {
        name: "copy".to_owned(),
        subjects: vec!["cio.intent.trading.>".to_owned()],
        max_messages: 5,
        ..Config::default()
    };
    jetstream.create_stream(copy).await.unwrap();
    told(home, url).finds(&[("nats", "copies", "warning", "nats stream edit copy")]);
}

/// What is found while the stream of signals is like this.
async fn with(home: &Home, url: &str, jetstream: &jetstream::Context, config: &Config, expected: &[Line<'_>]) {
    jetstream.update_stream(config).await.unwrap();
    told(home, url).finds(expected);
}

async fn names(jetstream: &jetstream::Context) -> Vec<String> {
    use futures_util::TryStreamExt as _;
    jetstream.stream_names().try_collect().await.unwrap()
}

/// Starts the service until it has made its streams. Returns that of signals.
async fn made_by_a_start(home: &Home, url: &str, jetstream: &jetstream::Context) -> Config {
    let mut command = tokio::process::Command::from(command_of(home));
    command.env("NATS_URL", url).env("LOG_LEVEL", "off").arg("serve").kill_on_drop(true);
    let mut service = command.spawn().unwrap();
    let otherwise = async || format!("{:?}", names(jetstream).await);
    let wanted = async || names(jetstream).await.len() == 3;
    ta_bot_tests::until(Duration::from_mins(1), otherwise, wanted).await;
    service.kill().await.unwrap();
    jetstream.get_stream(STREAM).await.unwrap().cached_info().config.clone()
}

async fn users(home: &Home) {
    let allowed = |publish: &str| {
        format!(
            "publish: [{publish}, \"$JS.API.>\", \"$JS.ACK.>\", \"_INBOX.>\"], subscribe: [\"binance.extraction.>\", \
             \"ta-bot.notices\", \"_INBOX.>\"]"
        )
    };
    let user = |name: &str, allowed: &str| format!("{{user: {name}, password: {SECRET}, permissions: {{{allowed}}}}}");
    let (all, few) = (user("bot", &allowed("\"ta-bot.>\"")), user("few", &allowed("\"other\"")));
    let deaf = user("deaf", &allowed("\"ta-bot.>\"").replace("binance.extraction.>", "other"));
    let no_api = user("no_api", &allowed("\"ta-bot.>\"").replace("$JS.API.>", "other"));
    let authorization = format!("authorization {{users: [{all}, {few}, {deaf}, {no_api}]}}\n");
    let server = Nats::start_with_users(&authorization).await.unwrap();
    let of = |user: &str, password: &str| format!("nats://{user}:{password}@{}", server.address());
    told(home, &of("bot", SECRET)).is_sound();
    let rights = ("nats", "rights", "wrong", "ta-bot.>");
    let cases = [
        (of("bot", "another"), ("nats", "answer", "wrong", "user and password")),
        (of("few", SECRET), rights),
        (of("deaf", SECRET), rights),
        (of("no_api", SECRET), rights),
    ];
    at_once(&cases, |(url, expected)| told(home, url).finds(&[*expected]));
}
