//! Every command of `docs/RUNBOOK.md` is run, taken from the document itself, and prints what the document says.
//!
//! The document's fenced blocks of `bash` are run in their order, those of a section in one shell, as an operator types
//! them. What a block has to print stands right after it; `document` says in which form. A block has to end with exit
//! code 0. One that asks nothing but Prometheus is asked again for a while, since Prometheus knows with its next
//! scrape.
//!
//! Three replicas run as processes on real servers: MariaDB, a MongoDB-compatible server, NATS, Prometheus, and a
//! Kubernetes API server with our manifests. There is no cluster, so these commands are the test's own (`bin/`), and
//! each says at its top what it does:
//!
//! | command | what it is here |
//! |---|---|
//! | `curl` | the real one, with `--connect-to`: the names of the cluster lead to local ports, and `Host` stays as it was typed |
//! | `kubectl get`, `apply`, `scale`, `delete`, `rollout`, `auth` | the real one on the real API server; `controller` follows the Deployment with processes, as a controller and nodes would, and `neighbours` those of the servers |
//! | `kubectl exec` | runs the command here, with the environment of that replica |
//! | `kubectl logs` | prints the real log of a replica or a server |
//! | `kubectl port-forward` | opens a local port to a replica or to Prometheus |
//! | `kubectl top` | reads `/proc` of the replicas |
//! | `nc -zv` | connects to the server, and says what OpenBSD's `nc` says |
//! | `mysql` in the pod of MySQL | MariaDB's client |
//! | `gh run list` | an answer in the form of the real one: the only command that nothing here stands for |
//!
//! What the operator finds in the cluster is listed in `cluster`. Some sections are about a fault that is there:
//! `faults` makes it before, and the section's own commands mend it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod cluster;
mod controller;
mod document;
mod faults;
mod market;
mod metrics_script;
mod neighbours;
mod objects;
mod shell;
mod stage;

use std::time::{Duration, Instant};

use cluster::Cluster;
use document::{Block, Section, fits, runbook};
use shell::{Outcome, Shell};

/// How long Prometheus may take to know what a replica knows.
const SCRAPED: Duration = Duration::from_secs(20);
#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_runbook_prints_what_it_says() {
    let begun = Instant::now();
    let (cluster, mut controller) = Box::pin(Cluster::start()).await;
    println!("the cluster is there after {:.1} s", begun.elapsed().as_secs_f64());
    let (problems, count) = tokio::select! {
        () = controller.go_on() => unreachable!("it goes on"),
        () = cluster.neighbours.go_on() => unreachable!("they go on"),
        done = all_sections(&cluster) => done,
    };
    println!("{count} blocks after {:.1} s", begun.elapsed().as_secs_f64());
    assert!(count > 0, "the runbook has no such section");
    assert!(problems.is_empty(), "{} of {count} blocks:\n\n{}", problems.len(), problems.join("\n"));
}

/// Works through the runbook, or through the sections whose heading contains `RUNBOOK_SECTIONS`, and then shows what
/// they print. Returns what differs, and how many blocks were run.
async fn all_sections(cluster: &Cluster) -> (Vec<String>, usize) {
    let wanted = std::env::var("RUNBOOK_SECTIONS").unwrap_or_default();
    let (mut problems, mut count) = (Vec::new(), 0);
    for section in runbook().into_iter().filter(|section| section.heading.contains(&wanted)) {
        let before = Instant::now();
        faults::until_all_is_well(cluster).await;
        faults::before(cluster, &section.heading).await;
        problems.extend(work_through(cluster, &section).await);
        count += section.blocks.len();
        println!("{:5.1} s  {}", before.elapsed().as_secs_f64(), section.heading);
    }
    (problems, count)
}

/// Runs the blocks of a section. Returns what differs.
async fn work_through(cluster: &Cluster, section: &Section) -> Vec<String> {
    let mut shell = Shell::open(&cluster.stage);
    let mut problems = Vec::new();
    for block in &section.blocks {
        let outcome = run(&mut shell, cluster, block).await;
        if std::env::var_os("RUNBOOK_SECTIONS").is_some() {
            println!("--- line {}\n{}", block.line, outcome.printed);
        }
        if outcome.code.is_empty() {
            problems.push(different(section, block, &outcome));
            // The rest of the section rests on this. What is dropped is killed.
            return problems;
        }
        if outcome.code != "0" || !fits(&block.expected, &outcome.printed) {
            problems.push(different(section, block, &outcome));
        }
    }
    shell.close().await;
    problems
}

/// Runs a block, again and again if it may be, until it prints what it should.
async fn run(shell: &mut Shell, cluster: &Cluster, block: &Block) -> Outcome {
    let begun = Instant::now();
    loop {
        let outcome = shell.run(&cluster.stage.blocks(), &block.commands).await;
        let is_done = fits(&block.expected, &outcome.printed) || !asks_prometheus_alone(&block.commands);
        if is_done || begun.elapsed() > SCRAPED {
            return outcome;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Whether a block may be run again, since it only reads what Prometheus knows.
fn asks_prometheus_alone(commands: &str) -> bool {
    let mut requests = commands.lines().filter(|line| line.contains("curl ") || line.contains("kubectl ")).peekable();
    requests.peek().is_some() && requests.all(|line| line.starts_with("curl -sSG http://prometheus:9090/"))
}

fn different(section: &Section, block: &Block, outcome: &Outcome) -> String {
    let Section { heading, .. } = section;
    let Block { line, commands, expected } = block;
    let Outcome { printed, code } = outcome;
    format!(
        "docs/RUNBOOK.md:{line} ({heading})\n{commands}--- expected\n{expected}--- printed (exit code {code})\n{printed}\n"
    )
}

/// A place for whoever changes the runbook: the cluster, until this process is ended. It prints what to type to get the
/// commands of the runbook into a shell.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "it goes on until it is ended"]
async fn a_cluster_to_try_commands_in() {
    let (cluster, mut controller) = Box::pin(Cluster::start()).await;
    for (name, value) in cluster.stage.environment() {
        println!("export {name}='{value}'");
    }
    println!("cd {}", cluster.stage.work().display());
    tokio::join!(controller.go_on(), cluster.neighbours.go_on());
}
