//! Nobody leads.

use std::time::Instant;

use crate::course::{Course, Expected};

/// An API server that is away: no replica can renew the Lease.
pub(crate) async fn lets_nobody_lead(course: &mut Course) {
    let begun = Instant::now();
    course.fleet.kube.as_mut().unwrap().kill().unwrap();
    let missing = [Expected { ability: "leader", error: "", remedy: "keeps the replicas from the election" }];
    course.is_told("nobody leads", begun, &missing).await;
    // Nobody makes jobs of these.
    course.minute_passes().await;
    course.fleet.kube.as_mut().unwrap().restart().await.unwrap();
    let mended = Instant::now();
    course.is_well("somebody leads again", mended).await;
    course.is_all_decided().await;
}
