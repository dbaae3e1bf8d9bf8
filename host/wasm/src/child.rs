//! The process that has to do with the bytes of modules: it reads, compiles and tries them.
//!
//! A parser recurses as deep as the bytes tell it to, a compiler takes as long as they make it, and neither can be
//! interrupted. So the service hands the bytes to a child: the same program, called with [`SUBCOMMAND`], with limits of
//! its own that it sets before it reads anything ([`walls`]), and that its parent watches ([`run`]). What the child
//! says is an answer; its death is one as well, a [`Death`]. The two speak by length-bounded messages over the pipes of
//! the child's standard input and output ([`message`]).

use std::{io::Read, path::PathBuf, sync::Arc, thread, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    inspect::{InspectError, Inspection, LARGEST_MODULE},
    limits::{Limits, machine},
};

mod death;
mod desk;
mod message;
mod run;
mod walls;

pub(crate) use death::Death;
pub(crate) use message::{read, write};
pub(crate) use walls::{CANT_BEGIN, Walls};

use desk::Desk;

/// The first argument of a child; the others are its limits.
pub const SUBCOMMAND: &str = "module-child";

/// How many bytes the JSON of a message may have. The largest is that of a verdict, which has some ten kilobytes.
const LARGEST_HEAD: usize = 1 << 20;
const MIB: u64 = 1 << 20;
/// What a child may use of the machine's memory however large its module is.
const MOST_MEMORY: u64 = 1 << 30;

/// What a child is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Task {
    /// What the bytes are.
    Inspect,
    /// The machine code of the bytes, after an inspection.
    Compile,
    /// What becomes of the module if it is tried. It is given as machine code.
    Try,
}

/// A request to a child. The bytes follow it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) task: Task,
    /// The limits of guests, which decide about the code that is made for them.
    pub(crate) limits: Limits,
    pub(crate) counts_fuel: bool,
    /// What the bytes of a module that is tried have told before.
    pub(crate) inspection: Option<Inspection>,
}

/// The answer of a child. Machine code follows it if that was asked for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// Which engine the code is for.
    pub(crate) engine: Option<String>,
    pub(crate) told: Told,
    /// Whether the child is closed in by the system.
    pub(crate) is_walled: bool,
}

/// What a child says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Told {
    /// The module was read, and compiled if that was asked for.
    Read(Box<Inspection>),
    /// The inspection refused it.
    Refused(InspectError),
    /// The compiler refused it, with these words.
    NotCompiled(String),
    /// It was tried, and this became of it.
    Tried(String),
}

/// What a child may use. See docs/security.md, which names the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Allowance {
    /// How long the machine may run it, in seconds.
    cpu_seconds: u64,
    memory_bytes: u64,
    /// How many bytes it may write to a file of the system's memory.
    file_bytes: u64,
    /// How long it may take, also if the machine does not run it.
    wall: Duration,
    /// How much code it may answer with.
    code_bytes: u64,
}

impl Allowance {
    /// What a child may use for a task with so many bytes. Honest modules of the largest kind, interpreters of 20 MB,
    /// need a minute and most of a gigabyte; a small module gets by with a tenth of what it may use.
    fn of(task: Task, bytes: usize, limits: &Limits) -> Self {
        let bytes = bytes as u64;
        let mebibytes = bytes / MIB;
        let (cpu_seconds, memory_bytes) = match task {
            Task::Inspect => (10, 256 * MIB + 4 * bytes),
            Task::Compile => (20 + 4 * mebibytes.saturating_sub(2), 320 * MIB + 40 * bytes),
            Task::Try => (1800, 384 * MIB + 4 * limits.memory_bytes as u64 + 4 * bytes),
        };
        Self {
            cpu_seconds,
            memory_bytes: memory_bytes.min(MOST_MEMORY),
            file_bytes: if task == Task::Try { limits.memory_bytes as u64 + LARGEST_MODULE as u64 } else { 0 },
            wall: Duration::from_secs(60 + 4 * cpu_seconds),
            code_bytes: if task == Task::Compile { 16 * MIB + 8 * bytes } else { 0 },
        }
    }
}

/// The children of this process: how to start one, and how many there may be. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Children {
    program: PathBuf,
    desk: Arc<Desk>,
    /// Whether it was said that children are not closed in here.
    told_of_gap: Arc<std::sync::Once>,
}

impl Children {
    /// Children that run the program of this process, also if its file has been replaced since it was started.
    pub fn of_this_program() -> Self {
        Self::of(PathBuf::from("/proc/self/exe"))
    }

    /// Children that run this program, which must be of the same build.
    pub fn of(program: PathBuf) -> Self {
        let at_once = thread::available_parallelism().map_or(1, usize::from);
        // Half of what the container has is for the service itself: a child must not be the reason that it ends.
        let memory = machine::memory_limit().map_or(u64::MAX, |limit| limit / 2);
        Self {
            program,
            desk: Arc::new(Desk::new(at_once.max(2), memory)),
            told_of_gap: Arc::new(std::sync::Once::new()),
        }
    }

    /// What the bytes are, or why they are no module. It takes a few milliseconds for most modules.
    pub fn inspect(&self, bytes: &mut (impl Read + Send), length: u64) -> Result<Inspection, InspectError> {
        if length > LARGEST_MODULE as u64 {
            return Err(InspectError::TooLarge);
        }
        // An inspection is the same whatever the limits are.
        let request = Request { task: Task::Inspect, limits: Limits::default(), counts_fuel: false, inspection: None };
        match self.ask(&request, bytes, length)?.0.told {
            Told::Read(inspection) => Ok(*inspection),
            Told::Refused(refusal) => Err(refusal),
            Told::NotCompiled(_) | Told::Tried(_) => Err(Death::no_answer().into()),
        }
    }

    /// How much memory a child may use that compiles so many bytes.
    pub(crate) fn memory_to_compile(&self, bytes: usize, limits: &Limits) -> u64 {
        self.allowance(Task::Compile, bytes, limits).memory_bytes
    }

    fn allowance(&self, task: Task, bytes: usize, limits: &Limits) -> Allowance {
        let allowance = Allowance::of(task, bytes, limits);
        Allowance { memory_bytes: allowance.memory_bytes.min(self.desk.memory()), ..allowance }
    }

    /// Asks a child, and waits for its answer and the code that comes with it.
    pub(crate) fn ask(
        &self,
        request: &Request,
        bytes: &mut (impl Read + Send),
        length: u64,
    ) -> Result<(Answer, Vec<u8>), Death> {
        let allowance = self.allowance(request.task, length as usize, &request.limits);
        let _place = self.desk.take(allowance.memory_bytes);
        let (answer, code) = run::run(run::command(&self.program, allowance), request, (bytes, length), allowance)?;
        if !answer.is_walled {
            self.told_of_gap.call_once(|| {
                tracing::warn!(
                    "the system does not let the processes that compile modules be closed in (seccomp): they are limited, \
                     but could reach files and the network if the compiler had a fault"
                );
            });
        }
        Ok((answer, code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_larger_module_may_use_more_and_none_more_than_a_gigabyte() {
        let limits = Limits::default();
        let small = Allowance::of(Task::Compile, 70_000, &limits);
        assert_eq!((small.cpu_seconds, small.memory_bytes / MIB), (20, 322));
        let python = Allowance::of(Task::Compile, 18 << 20, &limits);
        assert_eq!((python.cpu_seconds, python.memory_bytes), (84, MOST_MEMORY));
        let largest = Allowance::of(Task::Inspect, LARGEST_MODULE, &limits);
        assert_eq!((largest.cpu_seconds, largest.memory_bytes / MIB), (10, 512));
        assert_eq!(Allowance::of(Task::Try, LARGEST_MODULE, &limits).memory_bytes / MIB, 896);
    }
}
