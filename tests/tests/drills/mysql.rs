//! MySQL answers and takes no writes.

use std::time::{Duration, Instant};

use ta_bot_tests::until;

use crate::course::{Course, Expected};

/// The sizes of rows that fill the tables, so that not even a small one fits any more.
const BALLAST: [usize; 4] = [1_000_000, 100_000, 20_000, 7_000];

/// How many megabytes the tables may take afterwards.
const MORE_ROOM: u32 = 256;

/// A server that was made read-only, as after a failover. What is decided is kept, and only its commit is tried again.
pub(crate) async fn takes_no_writes(course: &mut Course) {
    let begun = Instant::now();
    course.fleet.maria.sql("SET GLOBAL read_only = 1").await.unwrap();
    course.minute_passes().await;
    let jobs = course.jobs_of_the_last_minute() as f64;
    let kept = async || course.sum("ta_bot_decisions_kept").await;
    let otherwise = async || format!("{} of {jobs} decisions are kept\n{}", kept().await, course.fleet.logs());
    until(Duration::from_secs(30), otherwise, async || kept().await == jobs).await;
    let missing = [Expected { ability: "commit", error: "read-only", remedy: "end its read-only mode" }];
    course.is_told("MySQL takes no writes", begun, &missing).await;
    assert_eq!(kept().await, jobs, "none is forgotten");
    let mended = Instant::now();
    course.fleet.maria.sql("SET GLOBAL read_only = 0").await.unwrap();
    course.is_well("MySQL takes writes again", mended).await;
    course.is_all_decided().await;
}

/// A server whose disk is full. The candles are written before, while no replica can see them.
pub(crate) async fn has_a_full_disk(course: &mut Course) {
    sqlx::query("CREATE TABLE ballast (id INT AUTO_INCREMENT PRIMARY KEY, weight LONGBLOB)")
        .execute(&course.pool)
        .await
        .unwrap();
    for replica in &course.fleet.replicas {
        replica.signal("STOP").await;
    }
    course.minute_passes().await;
    for size in BALLAST {
        let insert = format!("INSERT INTO ballast (weight) VALUES (REPEAT('x', {size}))");
        while sqlx::query(sqlx::AssertSqlSafe(insert.as_str())).execute(&course.pool).await.is_ok() {}
    }
    let begun = Instant::now();
    for replica in &course.fleet.replicas {
        replica.signal("CONT").await;
    }
    let missing = [Expected { ability: "commit", error: "is full", remedy: "free space on its disk" }];
    course.is_told("MySQL's disk is full", begun, &missing).await;
    let mended = Instant::now();
    course.fleet.maria.restart_with_room(MORE_ROOM).await.unwrap();
    course.is_well("MySQL has room again", mended).await;
    course.is_all_decided().await;
}
