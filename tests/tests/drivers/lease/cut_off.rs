//! Leaders that can't reach the Kubernetes API any more, or get no time to run.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ta_bot_test_servers::{KubeApi, Mode, Proxy, Side};

use super::{
    SLACK,
    cluster::{Cluster, LEASE, RENEW_DEADLINE, until},
    sampler::Sampler,
};

#[tokio::test]
async fn a_term_ends_before_the_lease_s_time_where_the_api_dies_and_goes_on_when_it_is_back() {
    let server = Arc::new(KubeApi::start().await.unwrap());
    let cluster = Cluster::on(server).await;
    let candidate = cluster.candidate("first").await;
    candidate.leads().await;
    let first = candidate.leadership.term();
    let Cluster { server, .. } = cluster;
    let mut server = Arc::into_inner(server).expect("nobody else has the server");
    let killed = Instant::now();
    server.kill().unwrap();
    until("the term ends", || candidate.leadership.term().is_none()).await;
    assert!(killed.elapsed() < LEASE, "it took {:?}", killed.elapsed());
    until("the end is counted", || candidate.events("lost") == 1).await;
    assert!(candidate.failures("update") > 0 && candidate.leadership.leader().is_none());
    let problem = candidate.leadership.problem().unwrap();
    assert!(problem.contains("ta-bot-leader") && problem.contains("onnect"), "{problem}");

    server.restart().await.unwrap();
    candidate.leads().await;
    assert_ne!(candidate.leadership.term(), first, "it is another term");
    until("the problem is over", || candidate.leadership.problem().is_none()).await;
    candidate.stop().await;
}

#[tokio::test]
async fn a_leader_whose_calls_hang_stops_by_itself_before_another_begins() {
    cut_off(Mode::Stall).await;
}

#[tokio::test]
async fn a_leader_whose_connections_are_refused_stops_by_itself_before_another_begins() {
    cut_off(Mode::Refuse).await;
}

async fn cut_off(mode: Mode) {
    let cluster = Cluster::shared().await;
    let proxy = Proxy::start(cluster.server.address()).unwrap();
    let first = cluster.candidate_by(cluster.client_at(proxy.address()).await, "first");
    first.leads().await;
    let second = cluster.candidate("second").await;
    until("the other is known", || second.leadership.leader().is_some()).await;
    let sampler = Sampler::of(&[&first, &second]);
    let cut = Instant::now();
    proxy.set(mode).await.unwrap();
    if mode == Mode::Refuse {
        proxy.reset_all().await.unwrap();
    }
    until("the old term ends", || first.leadership.term().is_none()).await;
    assert!(cut.elapsed() < RENEW_DEADLINE + SLACK, "it took {:?}", cut.elapsed());
    second.leads().await;
    assert!(cut.elapsed() < LEASE + SLACK, "it took {:?}", cut.elapsed());
    proxy.set(Mode::Forward).await.unwrap();
    until("the old leader follows", || first.leadership.leader().as_deref() == Some("second")).await;
    sampler.assert_one_at_a_time();
    assert_eq!((first.events("begun"), first.events("lost")), (1, 1));
    first.stop().await;
    assert!(second.leadership.term().is_some(), "who does not hold the Lease does not give it up");
    second.stop().await;
}

/// As if the process is stopped, or its machine gives it no time: none of its tasks runs, but its term still ends.
#[test]
fn a_leader_that_is_paused_leads_no_longer() {
    let other = tokio::runtime::Runtime::new().unwrap();
    let cluster = other.block_on(Cluster::shared());
    let paused = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = paused.block_on(async {
        let first = cluster.candidate("first").await;
        first.leads().await;
        first
    });
    // Nothing drives the first one's runtime from here on.
    let (second, sampler) = other.block_on(async {
        let second = cluster.candidate("second").await;
        let sampler = Sampler::of(&[&first, &second]);
        second.leads().await;
        (second, sampler)
    });
    assert!(first.leadership.term().is_none() && first.events("lost") == 0, "nobody ended it");
    paused.block_on(until("it sees who leads", || first.leadership.leader().as_deref() == Some("second")));
    sampler.assert_one_at_a_time();
    assert_eq!(first.events("lost"), 1);
    paused.block_on(first.stop());
    other.block_on(second.stop());
}

#[tokio::test]
async fn an_api_that_is_away_at_the_start_is_waited_for() {
    let cluster = Cluster::shared().await;
    let proxy = Proxy::start(cluster.server.address()).unwrap();
    proxy.set(Mode::Refuse).await.unwrap();
    let candidate = cluster.candidate_by(cluster.client_at(proxy.address()).await, "first");
    until("it was tried again", || candidate.failures("get") > 2).await;
    assert!(candidate.leadership.term().is_none() && candidate.leadership.leader().is_none());
    proxy.set(Mode::Forward).await.unwrap();
    let back = Instant::now();
    candidate.leads().await;
    assert!(back.elapsed() < Duration::from_secs(2) + SLACK, "it took {:?}", back.elapsed());
    candidate.stop().await;
}

/// The API accepts the renewal, but its answer does not arrive.
#[tokio::test]
async fn a_renewal_whose_answer_is_lost_is_known_as_the_own_one() {
    let cluster = Cluster::shared().await;
    let proxy = Proxy::start(cluster.server.address()).unwrap();
    let candidate = cluster.candidate_by(cluster.client_at(proxy.address()).await, "first");
    candidate.leads().await;
    let term = candidate.leadership.term();
    let before = cluster.lease().await.unwrap();
    proxy.set(Mode::CutAfter { from: Side::Server, bytes: 0 }).await.unwrap();
    until("an answer is lost", || candidate.failures("update") > 0).await;
    assert_ne!(cluster.lease().await.unwrap().renew_time, before.renew_time, "the API took it");
    proxy.set(Mode::Forward).await.unwrap();
    let back = Instant::now();
    until("it is over", || candidate.leadership.problem().is_none()).await;
    while back.elapsed() < LEASE {
        assert_eq!(candidate.leadership.term(), term, "it goes on leading");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(cluster.lease().await.unwrap().lease_transitions, Some(0));
    assert_eq!(candidate.stop().await, 1);
}
