//! A leader whose Kubernetes API dies.

use std::{sync::Arc, time::Instant};

use ta_bot_engine::pipeline::election::contract::{LEASE, until};
use ta_bot_test_servers::KubeApi;

use super::cluster::Cluster;

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
