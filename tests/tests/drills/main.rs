//! Drills: an operator's outages on real servers, one after the other, on the same replicas.
//!
//! Each drill makes a fault while candles close, and asks every replica what it says: within ten seconds `/health`
//! names what can't be done, with what to do about it, the metrics and the log say the same, and `/ready` keeps the
//! replica reachable. When the fault is over, everything is decided that closed meanwhile, no candle was evaluated
//! twice, and the stream holds every signal once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod course;
mod kubernetes;
mod mongodb;
mod mysql;
mod nats;
mod starved;
mod verdicts;

use course::Course;

#[tokio::test(flavor = "multi_thread")]
async fn every_outage_is_told_with_its_remedy_and_costs_no_signal_and_no_second_evaluation() {
    let mut course = Course::begin().await;
    mysql::takes_no_writes(&mut course).await;
    mysql::has_a_full_disk(&mut course).await;
    nats::has_no_room(&mut course).await;
    nats::has_no_jetstream(&mut course).await;
    kubernetes::lets_nobody_lead(&mut course).await;
    starved::does_not_run(&mut course).await;
    mongodb::is_away(&mut course).await;
    course.end().await;
    mongodb::is_away_at_a_start(&mut course).await;
}
