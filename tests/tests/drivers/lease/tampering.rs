//! What people and other programs do to the Lease.

use std::time::{Duration, Instant};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::MicroTime, jiff::Timestamp};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use ta_bot_drivers::kubernetes::lease::NAME;
use ta_bot_engine::pipeline::election::contract::{Candidate, LEASE, Sampler, until};

use super::cluster::Cluster;

async fn edit(cluster: &Cluster, change: Value) {
    let patch = Patch::Merge(change);
    cluster.leases().patch(NAME, &PatchParams::default(), &patch).await.unwrap();
}

/// Two candidates, of which the first leads.
async fn two(cluster: &Cluster) -> (Candidate, Candidate, Sampler) {
    let first = cluster.candidate("first").await;
    first.leads().await;
    let second = cluster.candidate("second").await;
    until("the other is known", || second.leadership.leader().is_some()).await;
    let sampler = Sampler::of(&[&first, &second]);
    (first, second, sampler)
}

/// Checks that after a change by hand nobody leads for the Lease's time, and then one of the two does.
async fn assert_nobody_leads_for_a_lease(changed: Instant, first: &Candidate, second: &Candidate) {
    until("the term ends", || first.leadership.term().is_none()).await;
    until("one leads again", || first.leadership.term().or(second.leadership.term()).is_some()).await;
    let took = changed.elapsed();
    assert!(took >= LEASE, "it took {took:?}");
}

#[tokio::test]
async fn who_is_written_into_the_lease_by_hand_is_waited_for() {
    let cluster = Cluster::shared().await;
    let (first, second, sampler) = two(&cluster).await;
    let changed = Instant::now();
    let renewed = MicroTime(Timestamp::now());
    edit(&cluster, json!({"spec": {"holderIdentity": "intruder", "renewTime": renewed}})).await;
    until("both know it", || {
        [&first, &second].iter().all(|one| one.leadership.leader().as_deref() == Some("intruder"))
    })
    .await;
    assert_nobody_leads_for_a_lease(changed, &first, &second).await;
    sampler.assert_one_at_a_time();
    assert_eq!(cluster.lease().await.unwrap().lease_transitions, Some(1));
    first.stop().await;
    second.stop().await;
}

/// The candidate's own name without its claim counts as another's.
#[tokio::test]
async fn the_second_s_name_written_by_hand_makes_it_no_leader_beside_the_first() {
    let cluster = Cluster::shared().await;
    let (first, second, sampler) = two(&cluster).await;
    let changed = Instant::now();
    edit(&cluster, json!({"spec": {"holderIdentity": "second"}})).await;
    assert_nobody_leads_for_a_lease(changed, &first, &second).await;
    sampler.assert_one_at_a_time();
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn a_holder_that_was_emptied_by_hand_may_not_know_it() {
    let cluster = Cluster::shared().await;
    let (first, second, sampler) = two(&cluster).await;
    let changed = Instant::now();
    edit(&cluster, json!({"spec": {"holderIdentity": ""}})).await;
    assert_nobody_leads_for_a_lease(changed, &first, &second).await;
    sampler.assert_one_at_a_time();
    first.stop().await;
    second.stop().await;
}

/// A label changes the version that a renewal is written over, but ends nobody's term.
#[tokio::test]
async fn a_label_takes_nobody_s_lead() {
    let cluster = Cluster::shared().await;
    let (first, second, sampler) = two(&cluster).await;
    let term = first.leadership.term();
    for round in 0..20 {
        edit(&cluster, json!({"metadata": {"labels": {"round": round.to_string()}}})).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(first.leadership.term(), term);
    }
    let labels = cluster.leases().get(NAME).await.unwrap().metadata.labels.unwrap();
    assert_eq!(labels["round"], "19", "it stays");
    sampler.assert_one_at_a_time();
    assert_eq!((first.events("begun"), second.events("begun")), (1, 0));
    first.stop().await;
    second.stop().await;
}
