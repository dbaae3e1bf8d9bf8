//! A replica that does not get the processor.

use std::time::{Duration, Instant};

use ta_bot_tests::until;

use crate::course::Course;

/// The leader stands still. Another one leads, and the candles are decided without it.
pub(crate) async fn does_not_run(course: &mut Course) {
    let leader = leader(course).await;
    let replicas = &course.fleet.replicas;
    let other = &replicas[1 - leader];
    let begun = Instant::now();
    replicas[leader].signal("STOP").await;
    let health = async || other.get("/health").await;
    let leads = async || {
        let health = health().await;
        health["leader_election"]["is_leader"] == true && health["status"] == "healthy"
    };
    until(Duration::from_secs(10), async || format!("{}\n{}", health().await, other.log_tail()), leads).await;
    println!("the leader stands still: another leads after {:.1} s", begun.elapsed().as_secs_f64());
    course.minute_passes().await;
    course.fleet.until_finished(course.jobs()).await;
    let mended = Instant::now();
    let starved = &course.fleet.replicas[leader];
    starved.signal("CONT").await;
    let paused = async || starved.metric("ta_bot_paused_seconds_total", "").await;
    until(Duration::from_secs(10), async || starved.log_tail(), async || paused().await >= 1.0).await;
    assert!(starved.log().contains("give it more CPU"), "{}", starved.log_tail());
    course.is_well("the replica runs again", mended).await;
    course.is_all_decided().await;
}

async fn leader(course: &Course) -> usize {
    for (index, replica) in course.fleet.replicas.iter().enumerate() {
        if replica.get("/health").await["leader_election"]["is_leader"] == true {
            return index;
        }
    }
    panic!("nobody leads\n{}", course.fleet.logs());
}
