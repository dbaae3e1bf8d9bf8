//! Children that are shell scripts: how each of them ends, and what that means.

use super::*;
use crate::{child::Task, limits::Limits};

const ALLOWANCE: Allowance =
    Allowance { cpu_seconds: 20, memory_bytes: 64 << 20, file_bytes: 0, wall: Duration::from_mins(1), code_bytes: 100 };

fn request() -> Request {
    Request { task: Task::Inspect, limits: Limits::default(), counts_fuel: false, inspection: None }
}

fn run_script(script: &str, allowance: Allowance) -> Result<(Answer, Vec<u8>), Death> {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(script);
    run(shell, &request(), (&mut io::repeat(7), 1 << 20), allowance)
}

fn death(script: &str, allowance: Allowance) -> Death {
    run_script(script, allowance).unwrap_err()
}

/// A file with bytes, which a shell gives out.
fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), bytes).unwrap();
    file
}

fn message(body: &[u8]) -> Vec<u8> {
    let told = crate::child::Told::Tried("well".to_owned());
    let mut bytes = Vec::new();
    write(&mut bytes, &Answer { engine: None, told, is_walled: true }, &mut &*body, body.len() as u64).unwrap();
    bytes
}

#[test]
fn an_answer_counts_however_the_child_ends_after_it() {
    let answer = file(&message(b"abc"));
    for end in ["", "; exit 3", "; exec sleep 1000"] {
        let begun = Instant::now();
        let script = format!("cat >/dev/null; cat {}{end}", answer.path().display());
        let (answer, code) = run_script(&script, ALLOWANCE).unwrap();
        assert!(matches!(&answer.told, crate::child::Told::Tried(told) if told == "well"), "{answer:?}");
        assert_eq!(code, b"abc");
        assert!(begun.elapsed() < Duration::from_secs(30), "a child that has answered is not waited for");
    }
}

#[test]
fn a_child_that_dies_has_crashed() {
    let crashed = |how: &str| Death::Crashed(how.to_owned());
    assert_eq!(death("kill -SEGV $$", ALLOWANCE), crashed("signal 11"));
    assert_eq!(death("cat >/dev/null; kill -ABRT $$", ALLOWANCE), crashed("signal 6"));
    assert_eq!(death("exit 101", ALLOWANCE), crashed("exit code 101"));
    // It ends well, and says nothing.
    assert_eq!(death("cat >/dev/null", ALLOWANCE), crashed("exit code 0"));
    // Half an answer is none.
    assert_eq!(death("printf 'abc'", ALLOWANCE), crashed("exit code 0"));
}

#[test]
fn an_answer_that_is_too_long_or_makes_no_sense_is_none() {
    let long = file(&message(&[7; 101]));
    let foreign = file(&[&3_u32.to_le_bytes()[..], b"{]}", &0_u64.to_le_bytes()].concat());
    let cat = |file: &tempfile::NamedTempFile| format!("cat {}", file.path().display());
    // The shell becomes the last program, as a child that is closed in has no children of its own.
    for script in ["exec yes".to_owned(), "exec cat /dev/zero".to_owned(), cat(&long), cat(&foreign)] {
        let script = format!("{script}; exec sleep 1000");
        assert_eq!(death(&script, ALLOWANCE), Death::no_answer(), "{script}");
    }
}

#[test]
fn a_child_that_needs_too_much_is_too_costly() {
    let costly = |what: &str| Death::TooCostly(what.to_owned());
    assert_eq!(death("kill -XCPU $$", ALLOWANCE), costly("20 s of a processor"));
    let grows = "a=$(printf '%01000000d' 0); while :; do b=$b$a; done";
    assert_eq!(death(grows, ALLOWANCE), costly("64 MiB of memory"));
    let words = "echo 'memory allocation of 4096 bytes failed' >&2; kill -ABRT $$";
    assert_eq!(death(words, ALLOWANCE), costly("64 MiB of memory"));
}

#[test]
fn what_is_not_the_modules_doing_is_no_verdict() {
    let unanswered = |death: Death| matches!(death, Death::Unanswered(_));
    assert!(unanswered(death("kill -KILL $$", ALLOWANCE)));
    assert!(unanswered(death("echo 'no such limit' >&2; exit 64", ALLOWANCE)));
    assert!(unanswered(death("exec sleep 1000", Allowance { wall: Duration::from_millis(50), ..ALLOWANCE })));
    let absent = Command::new("/no/such/program");
    assert!(unanswered(run(absent, &request(), (&mut io::empty(), 0), ALLOWANCE).unwrap_err()));
}
