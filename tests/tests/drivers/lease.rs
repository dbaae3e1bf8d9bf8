//! Tests of leadership on a Kubernetes Lease.
//!
//! Candidates run with the rights that `k8s/base` gives the service, and with shorter times than the service's.

mod cluster;
mod cut_off;
mod rights;
mod sampler;
mod tampering;

use std::time::{Duration, Instant};

use cluster::{Candidate, Cluster, LEASE, until};
use sampler::Sampler;

/// Additional time for a machine that is busy with other things.
const SLACK: Duration = Duration::from_millis(1500);

#[tokio::test]
async fn one_leads_and_renews_and_the_other_knows_it() {
    let cluster = Cluster::shared().await;
    let first = cluster.candidate("first").await;
    first.leads().await;
    let second = cluster.candidate("second").await;
    until("the other is known", || second.leadership.leader().as_deref() == Some("first")).await;
    assert_eq!((first.leadership.leader().as_deref(), second.leadership.term()), (Some("first"), None));

    let spec = cluster.lease().await.unwrap();
    assert_eq!((spec.holder_identity.as_deref(), spec.lease_transitions), (Some("first"), Some(0)));
    assert_eq!(spec.lease_duration_seconds, Some(3));
    let term = first.leadership.term();
    let begun = Instant::now();
    let mut renewed = spec.clone();
    while renewed.renew_time == spec.renew_time {
        renewed = cluster.lease().await.unwrap();
    }
    assert!(begun.elapsed() < cluster::RETRY + SLACK);
    assert_eq!((renewed.acquire_time, renewed.lease_transitions), (spec.acquire_time, Some(0)));
    assert_eq!(first.leadership.term(), term, "a renewal is no new term");

    first.leadership.measure(&first.metrics);
    second.leadership.measure(&second.metrics);
    assert_eq!((first.metrics.is_leader.get(), second.metrics.is_leader.get()), (1, 0));
    for candidate in [&first, &second] {
        let age = candidate.metrics.election.renewal_age.get();
        assert!(age < LEASE.as_secs_f64(), "the last renewal is {age} s old");
    }
    assert_eq!((first.events("begun"), first.events("lost"), second.events("begun")), (1, 0, 0));
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn who_stops_gives_the_lease_up_and_the_next_one_leads_within_a_second() {
    let cluster = Cluster::shared().await;
    let first = cluster.candidate("first").await;
    first.leads().await;
    let second = cluster.candidate("second").await;
    until("the other is known", || second.leadership.leader().is_some()).await;
    let sampler = Sampler::of(&[&first, &second]);
    let told = Instant::now();
    let leadership = first.leadership.clone();
    let (events, ()) = tokio::join!(first.stop(), second.leads());
    assert!(told.elapsed() < Duration::from_secs(1), "it took {:?}", told.elapsed());
    sampler.assert_one_at_a_time();
    assert_eq!((events, leadership.term()), (1, None));
    assert_eq!(cluster.lease().await.unwrap().lease_transitions, Some(1));

    assert_eq!(second.stop().await, 1);
    let spec = cluster.lease().await.unwrap();
    assert_eq!((spec.holder_identity.as_deref(), spec.renew_time), (Some(""), None));
    // A candidate that never led has nothing to give up.
    let third = cluster.candidate("third").await;
    third.leads().await;
    let fourth = cluster.candidate("fourth").await;
    until("the other is known", || fourth.leadership.leader().is_some()).await;
    assert_eq!(fourth.stop().await, 0);
    assert!(third.leadership.term().is_some());
    assert_eq!(cluster.lease().await.unwrap().holder_identity.as_deref(), Some("third"));
    third.stop().await;
}

#[tokio::test]
async fn who_dies_silently_is_followed_within_the_lease_s_time() {
    let cluster = Cluster::shared().await;
    let first = cluster.candidate("first").await;
    first.leads().await;
    let second = cluster.candidate("second").await;
    until("the other is known", || second.leadership.leader().is_some()).await;
    let sampler = Sampler::of(&[&first, &second]);
    let died = Instant::now();
    let old = first.die();
    second.leads().await;
    assert!(died.elapsed() < LEASE + SLACK, "it took {:?}", died.elapsed());
    assert_eq!(old.term(), None, "the old term is over first");
    sampler.assert_one_at_a_time();
    assert_eq!(cluster.lease().await.unwrap().lease_transitions, Some(1));
    second.stop().await;
}

/// A container that was killed and started again has its old name, and another one may have the same name.
#[tokio::test]
async fn a_name_is_no_claim() {
    let cluster = Cluster::shared().await;
    let first = cluster.candidate("same").await;
    first.leads().await;
    let second = cluster.candidate("same").await;
    let sampler = Sampler::of(&[&first, &second]);
    let begun = Instant::now();
    while begun.elapsed() < LEASE + SLACK {
        assert!(first.leadership.term().is_some() && second.leadership.term().is_none());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(second.leadership.leader(), None, "its own name would say that it leads");
    first.die();
    second.leads().await;
    sampler.assert_one_at_a_time();
    second.stop().await;
}

/// The leader goes, by turns by dying and in order, and a new candidate comes.
#[tokio::test]
async fn of_many_that_come_and_go_one_leads_at_a_time() {
    let cluster = Cluster::shared().await;
    let mut candidates = Vec::new();
    for index in 0..3 {
        candidates.push(cluster.candidate(&format!("replica-{index}")).await);
    }
    let sampler = Sampler::of(&candidates.iter().collect::<Vec<_>>());
    for round in 0..6 {
        let leads = |candidates: &[Candidate]| candidates.iter().position(|one| one.leadership.term().is_some());
        until("one of them leads", || leads(&candidates).is_some()).await;
        let Some(leader) = leads(&candidates) else { continue };
        let next = cluster.candidate(&format!("replica-{}", round + 3)).await;
        sampler.add(&next);
        let old = std::mem::replace(&mut candidates[leader], next);
        if round % 2 == 0 {
            old.stop().await;
        } else {
            old.die();
        }
    }
    until("one of them leads", || candidates.iter().any(|one| one.leadership.term().is_some())).await;
    sampler.assert_one_at_a_time();
    for candidate in candidates {
        candidate.stop().await;
    }
}
