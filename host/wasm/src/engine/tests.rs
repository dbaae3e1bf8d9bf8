//! When a guest is stopped, with threads that really sleep and really compute.

use std::sync::atomic::AtomicU32;

use ta_bot_core::{EvaluationError, Timestamp};
use wasmtime::{Caller, Instance, Linker, Module};

use super::*;
use crate::{fault, guest::Seed, module::new_store};

const LIMIT: Duration = Duration::from_millis(400);

/// A guest that computes until it has used so many thousandths of its time, or whose thread is not run for longer than
/// its time.
const GUEST: &str = r#"(module
    (import "host" "compute" (func $compute (param i32)))
    (import "host" "pause" (func $pause))
    ;; The host looks at the time in loops and at the beginning of functions.
    (func $look)
    (func (export "is_paused_early") (result i32) call $pause call $look i32.const 1)
    (func (export "is_paused_midway") (result i32)
        i32.const 300 call $compute call $pause call $look
        i32.const 600 call $compute call $look i32.const 2)
    (func (export "never_ends") (result i32) (loop $again br $again) i32.const 3)
    (func (export "never_ends_after_pauses") (result i32)
        call $pause call $look call $pause call $look (loop $again br $again) i32.const 4)
    (func (export "is_hardly_run") (result i32) (loop $again call $pause br $again) i32.const 5))"#;

/// What became of a guest.
struct Ended {
    answer: Result<i32, EvaluationError>,
    ran: Duration,
    took: Duration,
    pauses: u32,
}

fn run(name: &str) -> Ended {
    let limits = Limits { timeout: LIMIT, ..Limits::default() };
    let sandbox = Sandbox::new(limits, None).unwrap();
    let started = Instant::now();
    let mut store =
        new_store(&sandbox, GuestState::new(&limits, Timestamp::from_millis(0), Seed::Given([0; 32])), &limits);
    let mut linker = Linker::new(&sandbox.engine);
    let compute = |caller: Caller<'_, GuestState>, thousandths: i32| {
        while caller.data().time.ran() < LIMIT * thousandths as u32 / 1000 {
            std::hint::spin_loop();
        }
    };
    let pauses = Arc::new(AtomicU32::new(0));
    let paused = Arc::clone(&pauses);
    let pause = move |caller: Caller<'_, GuestState>| {
        std::thread::sleep(2 * LIMIT);
        // The clock's thread may wait for a core longer than the guest's.
        (0..1000).for_each(|_| caller.engine().increment_epoch());
        paused.fetch_add(1, Ordering::Relaxed);
    };
    linker.func_wrap("host", "compute", compute).unwrap().func_wrap("host", "pause", pause).unwrap();
    let module = Module::new(&sandbox.engine, wat::parse_str(GUEST).unwrap()).unwrap();
    let instance: Instance = linker.instantiate(&mut store, &module).unwrap();
    let guest = instance.get_typed_func::<(), i32>(&mut store, name).unwrap();
    let answer = guest.call(&mut store, ());
    let answer = answer.map_err(|error| fault::classify(&error, store.data(), &limits));
    let ran = store.data().time.ran();
    Ended { answer, ran, took: started.elapsed(), pauses: pauses.load(Ordering::Relaxed) }
}

#[test]
fn a_guest_goes_on_after_a_pause_that_was_longer_than_its_time() {
    for (name, answer) in [("is_paused_early", 1), ("is_paused_midway", 2)] {
        let ended = run(name);
        assert_eq!(ended.answer, Ok(answer), "{name}");
        assert!(ended.took > 2 * LIMIT && ended.ran < LIMIT, "{name}: {:?} of {:?}", ended.ran, ended.took);
    }
}

#[test]
fn a_guest_that_has_had_its_time_is_stopped_whatever_pauses_there_were() {
    for name in ["never_ends", "never_ends_after_pauses"] {
        let ended = run(name);
        assert_eq!(ended.answer, Err(EvaluationError::Timeout { limit_ms: 400, ran_ms: None }), "{name}");
        assert!(ended.ran >= LIMIT, "{name}: {:?}", ended.ran);
    }
}

#[test]
fn a_guest_that_the_machine_does_not_run_is_stopped_in_the_end_and_the_error_says_so() {
    let ended = run("is_hardly_run");
    let Err(error @ EvaluationError::Timeout { limit_ms: 400, ran_ms: Some(ran_ms) }) = &ended.answer else {
        panic!("{:?}", ended.answer);
    };
    assert_eq!(ended.pauses, 4);
    assert!(*ran_ms < 400 && error.is_failure());
    let expected = format!("the machine ran it for {ran_ms} of its 400 ms only: give the service more CPU");
    assert!(error.to_string().contains(&expected), "{error}");
}
