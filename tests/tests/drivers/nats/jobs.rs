//! The job queue.

use ta_bot::{app::App, environment::Environment};
use ta_bot_core::{Candle, Job};
use ta_bot_engine::pipeline::worker::Pipeline;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;

const JOBS: &str = "ta-bot-jobs";

#[tokio::test]
async fn the_queue_on_nats_keeps_the_contract() {
    let server = Nats::start().await.unwrap();
    jobs_contract::all(async || {
        // The stream of the previous case.
        let _ = jetstream::new(plain(&server.url()).await).delete_stream(JOBS).await;
        let wait = Duration::from_secs(3);
        let (one, two) = (queue_at(&server.url(), wait).await.0, queue_at(&server.url(), wait).await.0);
        until(async || one.depth().await == Ok(0) && two.depth().await == Ok(0)).await;
        (one as _, two as _)
    })
    .await;
}

#[tokio::test]
async fn a_job_under_way_stays_with_its_worker_and_a_silent_one_loses_it() {
    let server = Nats::start().await.unwrap();
    let wait = Duration::from_secs(1);
    let (one, two) = (queue_at(&server.url(), wait).await.0, queue_at(&server.url(), wait).await.0);
    until(async || one.push(job(1).into()).await.is_ok()).await;
    let delivery = soon(one.next(1)).await.pop().unwrap();
    let long = delivery.keep_while(timeout(3 * wait, two.next(1)));
    assert!(long.await.is_err(), "it is under way for three times as long as a worker may be silent");
    let again = soon(two.next(1)).await.pop().unwrap();
    assert_eq!((again.job(), again.attempt), (&job(1), 2), "the first one says nothing any more");
    again.done().await;
    until(async || two.depth().await == Ok(0)).await;
}

#[tokio::test]
async fn jobs_survive_the_server_and_are_held_once() {
    let mut server = Nats::start().await.unwrap();
    server.kill().unwrap();
    // Long enough that a busy machine does not let it pass while a job is held.
    let wait = Duration::from_secs(10);
    let ((one, metrics), (two, _)) = (queue_at(&server.url(), wait).await, queue_at(&server.url(), wait).await);
    let waiting = tokio::spawn(async move { (two.next(1).await.pop().unwrap(), two) });
    let refused = one.push(job(0).into()).await.unwrap_err().to_string();
    assert!(refused.contains("not connected"), "{refused}");
    server.restart().await.unwrap();
    until(async || one.push(job(0).into()).await.is_ok()).await;
    let (delivery, two) = soon(waiting).await.unwrap();
    delivery.done().await;
    let (mut done, mut before_the_kill) = (BTreeSet::new(), BTreeSet::new());
    for round in 0..3_i64 {
        for index in 1 + 20 * round..=20 * (round + 1) {
            until(async || one.push(job(index).into()).await.is_ok()).await;
        }
        server.kill().unwrap();
        server.restart().await.unwrap();
        // The sweep pushes all of them again, and none is in the queue twice.
        for index in 1 + 20 * round..=20 * (round + 1) {
            let mut new = None;
            until(async || {
                new = one.push(job(index).into()).await.ok();
                new.is_some()
            })
            .await;
            assert_eq!(new, Some(false), "job {index} is held already");
        }
        while done.len() < 20 * usize::try_from(round + 1).unwrap() {
            for delivery in soon(two.next(8)).await {
                let job = delivery.job().clone();
                // NATS writes that a job is done a moment later: a server that is killed before that may hand it out
                // again.
                let again = before_the_kill.contains(&job);
                assert!(done.insert(job) || again, "{} came twice in round {round}", delivery.job());
                delivery.done().await;
            }
        }
        before_the_kill.clone_from(&done);
    }
    until(async || one.depth().await == Ok(0)).await;
    assert_eq!(metrics.jobs_queued.get(), 0);
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_job() {
    let server = Nats::start().await.unwrap();
    let proxy = Proxy::start(server.address()).unwrap();
    let one = queue_at(&server.url_at(proxy.address()), ACK_WAIT).await.0;
    let two = queue_at(&server.url(), ACK_WAIT).await.0;
    until(async || one.push(job(0).into()).await.is_ok()).await;
    for index in 1..5 {
        proxy.set(Mode::CutAfter { from: Side::Server, bytes: 0 }).await.unwrap();
        assert!(one.push(job(index).into()).await.is_err());
        proxy.set(Mode::Forward).await.unwrap();
        until(async || one.push(job(index).into()).await == Ok(false)).await;
    }
    assert_eq!(two.depth().await, Ok(5));
}

#[tokio::test]
async fn what_is_no_job_is_removed() {
    let server = Nats::start().await.unwrap();
    let queue = queue_at(&server.url(), ACK_WAIT).await.0;
    until(async || queue.push(job(0).into()).await.is_ok()).await;
    let jetstream = jetstream::new(plain(&server.url()).await);
    let odd = ["{", "null", r#"{"symbol": "BTCUSDT"}"#, r#"{"symbol": "/", "timeframe": "15m", "candle_close": 1}"#];
    for (index, body) in odd.into_iter().enumerate() {
        jetstream.publish(format!("ta-bot.jobs.odd.{index}"), body.into()).await.unwrap().await.unwrap();
    }
    until(async || queue.push(job(1).into()).await.is_ok()).await;
    for index in 0..2 {
        let delivery = soon(queue.next(1)).await.pop().unwrap();
        assert_eq!(delivery.job(), &job(index));
        delivery.done().await;
    }
    until(async || queue.depth().await == Ok(0)).await;
}

#[tokio::test]
async fn stream_and_consumer_that_were_deleted_are_made_again() {
    let server = Nats::start().await.unwrap();
    let queue = queue_at(&server.url(), ACK_WAIT).await.0;
    until(async || queue.push(job(0).into()).await.is_ok()).await;
    let taking = tokio::spawn({
        let queue = Arc::clone(&queue);
        async move {
            let first = queue.next(1).await.pop().unwrap();
            first.done().await;
            queue.next(1).await.pop().unwrap().job().clone()
        }
    });
    until(async || queue.depth().await == Ok(0)).await;
    jetstream::new(plain(&server.url()).await).delete_stream(JOBS).await.unwrap();
    // The id of a job does not prevent a new push, because it was lost with the stream.
    until(async || queue.push(job(0).into()).await == Ok(true)).await;
    assert_eq!(soon(taking).await.unwrap(), job(0));
}

#[tokio::test]
async fn a_stream_that_would_lose_or_double_jobs_is_refused() {
    let server = Nats::start().await.unwrap();
    let jetstream = jetstream::new(plain(&server.url()).await);
    let other = Config { name: JOBS.to_owned(), subjects: vec!["ta-bot.jobs.>".to_owned()], ..Config::default() };
    jetstream.create_stream(&other).await.unwrap();
    let queue = queue_at(&server.url(), ACK_WAIT).await.0;
    assert!(timeout(Duration::from_secs(1), queue.next(1)).await.is_err(), "nothing is taken from it");
    jetstream.delete_stream(JOBS).await.unwrap();
    until(async || queue.push(job(0).into()).await.is_ok()).await;
    assert_eq!(soon(queue.next(1)).await[0].job(), &job(0));
}

/// A replica: its own connection to the queue, and the store that all share.
async fn replica(server: &Nats, app: &App) -> (CancellationToken, JoinHandle<()>) {
    let queue = queue_at(&server.url(), Duration::from_secs(5)).await.0;
    let analyst = Arc::clone(&app.analyst);
    let outbox = Arc::clone(&app.outbox);
    let stop = CancellationToken::new();
    let pipeline = Pipeline::new(analyst, outbox, queue, Arc::default(), 2, None, None);
    let running = tokio::spawn(pipeline.run(stop.clone()));
    (stop, running)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_finish_every_job_while_they_come_and_go_and_the_server_dies() {
    let mut server = Nats::start().await.unwrap();
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().display().to_string();
    let environment = Environment::read(|name| (name == "DATA_DIR").then(|| folder.clone())).unwrap();
    let app = App::open(environment, ta_bot_tests::app::children()).await.unwrap();
    let jobs: Vec<_> = (0..300).map(job).collect();
    let candle = |job: &Job| {
        let open_time = job.timeframe.open_of(job.candle_close.plus_millis(-1));
        Candle { open_time, open: 100.0, high: 101.0, low: 99.0, close: 100.5, volume: 1.0 }
    };
    app.candles.insert(&jobs[0].symbol, jobs[0].timeframe, &jobs.iter().map(candle).collect::<Vec<_>>()).await.unwrap();
    let pusher = queue_at(&server.url(), ACK_WAIT).await.0;
    let mut replicas = vec![replica(&server, &app).await, replica(&server, &app).await];
    for (index, job) in jobs.iter().enumerate() {
        until(async || pusher.push(job.clone().into()).await.is_ok()).await;
        match index {
            // A replica ends in order: the jobs that it has taken go back at once.
            100 => {
                let (stop, running) = replicas.remove(0);
                stop.cancel();
                soon(running).await.unwrap();
                replicas.push(replica(&server, &app).await);
            }
            // A replica is suddenly gone: the jobs that it has taken come again after the wait.
            150 => {
                let (_, running) = replicas.remove(0);
                running.abort();
                replicas.push(replica(&server, &app).await);
            }
            200 => {
                server.kill().unwrap();
                server.restart().await.unwrap();
            }
            _ => {}
        }
    }
    let closes: Vec<_> = jobs.iter().map(|job| (job.symbol.clone(), job.candle_close)).collect();
    until(async || app.outbox.finished(jobs[0].timeframe, &closes).await.unwrap().len() == jobs.len()).await;
    until(async || pusher.depth().await == Ok(0)).await;
    for (stop, running) in replicas {
        stop.cancel();
        soon(running).await.unwrap();
    }
}
