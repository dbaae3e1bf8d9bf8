//! The service and modules that are made to take it down: it refuses or admits each of them, within what a module may
//! use, and goes on.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::Value as Json;
use ta_bot_core::ModuleDigest;
use ta_bot_tests::{processor_seconds_of_children, root};

use crate::{
    bombs::{self, Bomb},
    service::{Home, Service, Taken, children, size_kb},
};

/// What a small module may use: 20 s of a processor, and a gigabyte with a little for the time between two looks.
const MOST_SECONDS: f64 = 21.0;
const MOST_CHILD_KB: u64 = 1_150_000;
/// By how much the service itself may grow, also if it refuses a bomb of 59 MB: what is uploaded is in a file until it
/// is found to be worth storing.
const MOST_GROWTH_KB: u64 = 50_000;

/// The most memory that any child of a process has had.
struct Peak {
    most: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Peak {
    fn of_children(pid: u32) -> Self {
        let (most, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (peak, stopped) = (Arc::clone(&most), Arc::clone(&stop));
        let look = move || {
            while !stopped.load(Ordering::Relaxed) {
                let sizes = children(pid).into_iter().filter_map(|child| size_kb(child, "VmHWM"));
                peak.fetch_max(sizes.max().unwrap_or_default(), Ordering::Relaxed);
                thread::sleep(Duration::from_millis(5));
            }
        };
        Self { most, stop, thread: Some(thread::spawn(look)) }
    }

    fn kb(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
        self.most.load(Ordering::Relaxed)
    }
}

/// What the service says of a bomb in the end: a word, and words.
async fn verdict(service: &Service, bytes: &[u8]) -> (String, String) {
    let Taken { status, body } = service.upload(bytes).await.unwrap();
    if status.is_success() {
        let module = service.judged(ModuleDigest::of(bytes)).await;
        let of = |name: &str| module[name].as_str().unwrap_or_default().to_owned();
        return (if of("code").is_empty() { of("state") } else { of("code") }, of("reason"));
    }
    let of = |name: &str| body["error"][name].as_str().unwrap_or_default().to_owned();
    (of("code"), of("message"))
}

async fn ready(service: &Service) {
    while service.get("/ready").await["ready"] != true {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn more_than_a_hundred_bombs_cost_what_a_module_may_and_the_service_goes_on() {
    let home = Home::new();
    let mut service = home.start();
    ready(&service).await;
    let all = bombs::all();
    assert!(all.len() > 100, "{}", all.len());
    let small = ("small".to_owned(), size_kb(service.pid(), "VmRSS").unwrap());
    let peak = Peak::of_children(service.pid());
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut dearest = (0.0, String::new());
    for Bomb { name, bytes } in &all {
        let before = processor_seconds_of_children(service.pid());
        let begun = Instant::now();
        let (word, words) = verdict(&service, bytes).await;
        let seconds = processor_seconds_of_children(service.pid()) - before;
        println!(
            "{name}: {} bytes, {word}, {seconds:.1} s in {:.1} s: {}",
            bytes.len(),
            begun.elapsed().as_secs_f64(),
            words.chars().take(100).collect::<String>()
        );
        assert!(seconds < MOST_SECONDS || word == "admitted", "{name} took {seconds} s");
        assert!(!word.is_empty() && words.len() <= 2100, "{name}: {word}: {words}");
        assert!(service.is_running(), "{name} ended the service");
        if seconds > dearest.0 {
            dearest = (seconds, name.clone());
        }
        *counts.entry(word).or_default() += 1;
    }
    let child_kb = peak.kb();
    let grown = size_kb(service.pid(), "VmHWM").unwrap().saturating_sub(small.1);
    println!(
        "{} bombs: {counts:?}; the dearest {dearest:?}; a child had {child_kb} kB, the service grew by {grown} kB",
        all.len()
    );
    assert!(child_kb < MOST_CHILD_KB, "a child had {child_kb} kB");
    assert!(grown < MOST_GROWTH_KB, "the service grew by {grown} kB");
    // None of them was admitted but the harmless ones, and each kind of end was met.
    for word in ["crashed_the_inspection", "too_costly", "too_complex", "not_a_component", "wrong_exports"] {
        assert!(counts.contains_key(word), "no bomb ended as {word}: {counts:?}");
    }
    // The service still does its work.
    let rsi = ta_bot_tests::built_in::bytes("inside_bar_breakout").unwrap();
    assert_eq!(verdict(&service, &rsi).await.0, "admitted");
    let health = service.get("/health").await;
    assert_ne!(health["status"], "unhealthy", "{health}");
}

/// A module that was accepted by a service without these walls is in the store, and its check crashes.
#[tokio::test]
async fn a_module_that_crashes_its_check_stops_neither_the_queue_nor_the_next_start_and_can_be_removed() {
    let home = Home::new();
    // What ends as a crash after the inspection has let it pass differs with the build, so all depths are tried.
    let poison = [500, 1125, 3000].map(bombs::nested_in_a_strategy);
    home.keep_as_uploaded(&poison).await;
    let sound = ta_bot_tests::built_in::bytes("doji_reversal").unwrap();
    for round in 0..2 {
        let mut service = home.start();
        for bytes in &poison {
            let module = service.judged(ModuleDigest::of(bytes)).await;
            println!("round {round}: {} {}", module["state"], module["reason"]);
            assert!(["refused", "admitted"].contains(&module["state"].as_str().unwrap()), "{module}");
        }
        assert_eq!(verdict(&service, &sound).await.0, "admitted", "those behind it are checked");
        assert!(service.is_running());
    }
    let service = home.start();
    let digest = ModuleDigest::of(&poison[2]);
    let removed = service.delete(digest).await;
    assert_eq!(removed.status, 200, "{}", removed.body);
    assert_eq!(removed.body["data"]["digest"], digest.to_string());
    assert_eq!(service.delete(digest).await.status, 404);
    assert_eq!(service.get(&format!("/api/v1/modules/{digest}")).await["error"]["code"], "unknown_module");
    let audit = service.get("/api/v1/modules/removed").await;
    assert_eq!(audit["data"][0]["removed_by"], "operator", "{audit}");
}

/// The rows of attacks that were found: what each of them says now.
#[tokio::test]
async fn what_once_took_the_service_down_is_refused() {
    let home = Home::new();
    let mut service = home.start();
    ready(&service).await;
    let small = size_kb(service.pid(), "VmRSS").unwrap();
    let guest = |name: &str| std::fs::read(root().join(format!("target/components/{name}.wasm"))).unwrap();
    let cases: [(&str, Vec<u8>, &[&str]); 6] = [
        ("types nested 3000 deep", bombs::nested_in_a_strategy(3000), &["crashed_the_inspection"]),
        ("loops nested 1000 deep", bombs::nested_loops(1000, 500), &["too_costly"]),
        ("19,000 diamonds", bombs::diamonds(5000, 19_000), &["too_costly", "wrong_exports"]),
        ("59 MB of types", bombs::wide_types(33, 600_000), &["too_complex"]),
        ("answers of a megabyte", guest("faulty_long_answers"), &["refused"]),
        ("a name of a megabyte", guest("faulty_long_name"), &["invalid_description"]),
    ];
    for (name, bytes, expected) in cases {
        let (word, words) = verdict(&service, &bytes).await;
        println!("{name}: {word}: {words}");
        assert!(expected.contains(&word.as_str()), "{name}: {word}: {words}");
        assert!(words.len() <= 2100, "{name}: a reason of {} bytes", words.len());
        assert!(service.is_running(), "{name} ended the service");
    }
    let grown = size_kb(service.pid(), "VmHWM").unwrap().saturating_sub(small);
    println!("the service grew by {grown} kB");
    assert!(grown < MOST_GROWTH_KB, "the service grew by {grown} kB");
    let list = service.get("/api/v1/modules").await;
    assert!(list.to_string().len() < 200_000, "{} bytes of list", list.to_string().len());
    assert_eq!(list["metadata"]["next"], Json::Null);
}

/// What the system says of a process.
fn of_process(pid: u32, file: &str) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default()
}

#[tokio::test]
async fn a_child_has_its_limits_and_reaches_nothing() {
    let home = Home::new();
    let service = home.start();
    ready(&service).await;
    let bytes = bombs::nested_loops(1000, 500);
    assert!(service.upload(&bytes).await.unwrap().status.is_success());
    // The child that compiles it runs until its time is up.
    let child = async {
        loop {
            let walled = |child: &u32| of_process(*child, "status").contains("Seccomp:\t2");
            if let Some(child) = children(service.pid()).into_iter().find(walled) {
                return child;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let child = tokio::time::timeout(Duration::from_secs(20), child).await.expect("no child is closed in");
    assert!(of_process(child, "status").contains("NoNewPrivs:\t1"));
    assert_eq!(of_process(child, "environ"), "", "it has no variables");
    assert_eq!(of_process(child, "oom_score_adj").trim(), "1000");
    let limits = of_process(child, "limits");
    let limit = |name: &str| {
        let line =
            limits.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name}: {limits}"));
        line.split_whitespace().next().unwrap().to_owned()
    };
    assert_eq!((limit("Max cpu time"), limit("Max core file size")), ("20".to_owned(), "0".to_owned()));
    assert_eq!((limit("Max file size"), limit("Max open files")), ("0".to_owned(), "256".to_owned()));
    assert!(limit("Max data size").parse::<u64>().unwrap() < 1 << 30, "{limits}");
    // It ends with the service, whose end it can't see otherwise while it compiles.
    service.kill();
    let gone = async {
        while of_process(child, "comm").starts_with("exe") || of_process(child, "comm").contains("ta-bot") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone).await.expect("the child outlives the service");
}
