//! A child at work, and the watch over it.
//!
//! The thread that starts a child waits for its end: the system ends a child with the *thread* that started it.

use std::{
    fs,
    io::{self, Read},
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread::{self, ScopedJoinHandle},
    time::{Duration, Instant},
};

use super::{Allowance, Answer, CANT_BEGIN, Death, MIB, Request, SUBCOMMAND, Walls, read, write};

/// How often the watch looks at a child.
const LOOK: Duration = Duration::from_millis(10);
/// How much of what a child wrote on standard error is looked at.
const MOST_WORDS: u64 = 4096;
/// The signal for a process that has had its time.
const SIGXCPU: i32 = 24;
const SIGKILL: i32 = 9;
/// How Rust begins its last words if there is no memory.
const NO_MEMORY: &str = "memory allocation of";

/// A child that is ended with this value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// What the watch saw.
enum Seen {
    /// The child has answered, or never will.
    Done,
    /// It needed more than it may.
    Over(Death),
}

/// Runs a child until it has answered, and ends it.
pub(super) fn run(
    mut command: Command,
    request: &Request,
    (bytes, length): (&mut (impl Read + Send), u64),
    allowance: Allowance,
) -> Result<(Answer, Vec<u8>), Death> {
    let unanswered = |error: io::Error| Death::Unanswered(format!("it can't be run: {error}"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running(command.spawn().map_err(unanswered)?);
    let child = &mut running.0;
    let (Some(mut stdin), Some(mut stdout), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(unanswered(io::Error::other("it has no pipes")));
    };
    thread::scope(|scope| {
        let named = || thread::Builder::new().name("module-child".to_owned());
        // Whether all of it was taken shows in the answer.
        let send = move || drop(write(&mut stdin, request, bytes, length));
        named().spawn_scoped(scope, send).map_err(unanswered)?;
        let words = named().spawn_scoped(scope, move || last_words(stderr)).map_err(unanswered)?;
        let (done, is_done) = mpsc::channel();
        let receive = move || {
            let answer = read::<Answer>(&mut stdout, allowance.code_bytes);
            // Nobody waits any more if the child was ended.
            done.send(()).ok();
            answer
        };
        let answer = named().spawn_scoped(scope, receive).map_err(unanswered)?;
        let seen = watch(&running, &is_done, allowance);
        if let Seen::Over(death) = seen {
            // The pipes close with the child, and so the other threads end.
            drop(running);
            return Err(death);
        }
        match answer.join() {
            Ok(Ok(answered)) => {
                drop(running);
                Ok(answered)
            }
            Ok(Err(problem)) => Err(end_of(running, allowance, words, &problem)),
            Err(_) => Err(Death::Unanswered("the thread that reads its answer panicked".to_owned())),
        }
    })
}

/// The command that runs a program as a child.
pub(super) fn command(program: &Path, allowance: Allowance) -> Command {
    let Allowance { cpu_seconds, memory_bytes, file_bytes, .. } = allowance;
    let mut command = Command::new(program);
    command.arg(SUBCOMMAND).args(Walls { cpu_seconds, memory_bytes, file_bytes }.arguments());
    // The environment holds the passwords of servers.
    command.env_clear().current_dir("/");
    command
}

/// Waits for the answer, for as long as the child stays within its limits.
fn watch(running: &Running, is_done: &Receiver<()>, allowance: Allowance) -> Seen {
    let begun = Instant::now();
    let pid = running.0.id();
    loop {
        match is_done.recv_timeout(LOOK) {
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return Seen::Done,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if resident(pid).is_some_and(|resident| resident > allowance.memory_bytes) {
            return Seen::Over(Death::TooCostly(memory(allowance)));
        }
        if begun.elapsed() > allowance.wall {
            // The machine did not run it for as long as it may run: that is not the module's fault.
            let waited = allowance.wall.as_secs();
            return Seen::Over(Death::Unanswered(format!("it did not end within {waited} s")));
        }
    }
}

/// How much memory of the machine a process has, in bytes.
fn resident(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(resident.split_whitespace().next()?.parse::<u64>().ok()? << 10)
}

fn memory(allowance: Allowance) -> String {
    format!("{} MiB of memory", allowance.memory_bytes / MIB)
}

/// What the end of a child that did not answer means.
fn end_of(
    mut running: Running,
    allowance: Allowance,
    words: ScopedJoinHandle<'_, String>,
    problem: &io::Error,
) -> Death {
    // An answer that is too long or makes no sense comes from a child that still runs.
    if problem.kind() != io::ErrorKind::UnexpectedEof {
        return Death::no_answer();
    }
    let status = match ended(&mut running) {
        Ok(status) => status,
        Err(death) => return death,
    };
    drop(running);
    let words = words.join().unwrap_or_default();
    tracing::debug!(%status, words, "a child that was given a module ended without an answer");
    death_of(status, &words, allowance)
}

/// Waits a moment for a child that has closed its output.
fn ended(running: &mut Running) -> Result<ExitStatus, Death> {
    let begun = Instant::now();
    loop {
        match running.0.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if begun.elapsed() < Duration::from_secs(10) => thread::sleep(Duration::from_millis(1)),
            Ok(None) => return Err(Death::no_answer()),
            Err(error) => return Err(Death::Unanswered(format!("its end can't be seen: {error}"))),
        }
    }
}

fn death_of(status: ExitStatus, words: &str, allowance: Allowance) -> Death {
    match (status.signal(), status.code()) {
        (Some(SIGXCPU), _) => Death::TooCostly(format!("{} s of a processor", allowance.cpu_seconds)),
        (Some(SIGKILL), _) => Death::Unanswered("somebody ended it, or the machine has no memory left".to_owned()),
        (_, Some(code)) if code == i32::from(CANT_BEGIN) => {
            Death::Unanswered(format!("it can't set its limits: {}", words.trim()))
        }
        _ if words.contains(NO_MEMORY) => Death::TooCostly(memory(allowance)),
        (Some(signal), _) => Death::Crashed(format!("signal {signal}")),
        (None, code) => Death::Crashed(format!("exit code {}", code.unwrap_or(-1))),
    }
}

/// The beginning of what a child writes on standard error.
fn last_words(mut stderr: ChildStderr) -> String {
    let mut words = Vec::new();
    // What can't be read is not missed. The rest is read as well, so that the child does not wait.
    io::Read::by_ref(&mut stderr).take(MOST_WORDS).read_to_end(&mut words).ok();
    io::copy(&mut stderr, &mut io::sink()).ok();
    String::from_utf8_lossy(&words).into_owned()
}

#[cfg(test)]
mod tests;
