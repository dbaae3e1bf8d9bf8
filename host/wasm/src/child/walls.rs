//! What a child may do, which it gives up before it reads anything: limits of the system for its time, its memory and
//! its files, and a filter that leaves it only the calls of the system that it needs to compute (seccomp).
//!
//! After that it can't open a file or a socket, start a process, or send a signal to another one. A call that it does
//! not need fails as one that the system does not know, so a library that tries something goes on without it.

use std::{collections::BTreeMap, ffi::OsString, fs, str::FromStr};

use rustix::process::{Resource, Rlimit, Signal, getpid, set_parent_process_death_signal, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter,
};

/// The exit code of a child that could not begin, which says nothing about the module.
pub(crate) const CANT_BEGIN: u8 = 64;

/// How many descriptors a child may have: those of its pipes, and one for each memory image of a module that it tries.
const DESCRIPTORS: u64 = 256;
/// How much address space a child may have for writing beyond what it may use: the pool of its sandbox and the stacks
/// of its threads are reserved and hardly touched.
const RESERVED: u64 = 512 << 20;
/// How long after the signal that ends a child for its time the system kills it.
const CPU_MARGIN: u64 = 5;
/// The name of a thread, and of a region of memory: all that a child may ask `prctl` for.
const PR_SET_VMA: u64 = 0x5356_4d41;

/// The limits of a child, which are the arguments that it is called with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Walls {
    pub(crate) cpu_seconds: u64,
    pub(crate) memory_bytes: u64,
    pub(crate) file_bytes: u64,
}

impl Walls {
    /// The arguments of a child with these limits.
    pub(super) fn arguments(self) -> [String; 3] {
        [self.cpu_seconds, self.memory_bytes, self.file_bytes].map(|number| number.to_string())
    }

    /// The limits that the arguments name.
    pub(crate) fn of(arguments: &[OsString]) -> Option<Self> {
        let number = |text: &OsString| u64::from_str(text.to_str()?).ok();
        let [cpu_seconds, memory_bytes, file_bytes] = arguments else { return None };
        Some(Self {
            cpu_seconds: number(cpu_seconds)?,
            memory_bytes: number(memory_bytes)?,
            file_bytes: number(file_bytes)?,
        })
    }

    /// Raises the walls around this process, for good. Returns whether the system closed it in; the limits hold in any
    /// case. It has to have one thread only.
    pub(crate) fn raise(self) -> Result<bool, String> {
        // If memory runs out, the system is to end this process and not the service. Without the file it may choose.
        fs::write("/proc/self/oom_score_adj", "1000").ok();
        set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| format!("the parent's death: {error}"))?;
        let limits = [
            (Resource::Core, 0, 0),
            (Resource::Cpu, self.cpu_seconds, self.cpu_seconds + CPU_MARGIN),
            (Resource::Fsize, self.file_bytes, self.file_bytes),
            (Resource::Nofile, DESCRIPTORS, DESCRIPTORS),
            (Resource::Data, self.memory_bytes + RESERVED, self.memory_bytes + RESERVED),
        ];
        for (resource, current, maximum) in limits {
            let limit = Rlimit { current: Some(current), maximum: Some(maximum) };
            setrlimit(resource, limit).map_err(|error| format!("the limit of {resource:?}: {error}"))?;
        }
        let filter = filter().map_err(|error| error.to_string())?;
        Ok(apply_filter(&filter).is_ok())
    }
}

/// The calls that are allowed, whatever their arguments are.
const ALLOWED: [i64; 40] = [
    // Its pipes.
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_lseek,
    libc::SYS_ppoll,
    // Its memory. Files of memory have no name; they are the images from which instances are made.
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_mincore,
    libc::SYS_brk,
    libc::SYS_memfd_create,
    libc::SYS_ftruncate,
    libc::SYS_membarrier,
    // Its threads.
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_set_robust_list,
    libc::SYS_get_robust_list,
    libc::SYS_rseq,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // Its own signals: guests' traps are signals first.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    // Clocks and chance.
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_gettimeofday,
];

/// The filter: everything else fails.
fn filter() -> Result<BpfProgram, seccompiler::BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = ALLOWED.into_iter().map(|call| (call, Vec::new())).collect();
    let equal = |argument, value| only(argument, SeccompCmpOp::Eq, value);
    // Threads, and no processes. Without `clone3`, whose arguments a filter can't see, `clone` is used.
    let thread = libc::CLONE_THREAD as u64;
    rules.insert(libc::SYS_clone, vec![only(0, SeccompCmpOp::MaskedEq(thread), thread)?]);
    // Signals to itself, and limits of its own.
    rules.insert(libc::SYS_tgkill, vec![equal(0, getpid().as_raw_nonzero().get() as u64)?]);
    rules.insert(libc::SYS_prlimit64, vec![equal(0, 0)?]);
    rules.insert(libc::SYS_prctl, vec![equal(0, libc::PR_SET_NAME as u64)?, equal(0, PR_SET_VMA)?]);
    let flags = [libc::F_GETFD, libc::F_SETFD, libc::F_GETFL, libc::F_ADD_SEALS, libc::F_DUPFD_CLOEXEC];
    let flags = flags.into_iter().map(|flag| equal(1, flag as u64)).collect::<Result<_, _>>()?;
    rules.insert(libc::SYS_fcntl, flags);
    let refused = SeccompAction::Errno(libc::ENOSYS as u32);
    let filter = SeccompFilter::new(rules, refused, SeccompAction::Allow, std::env::consts::ARCH.try_into()?)?;
    filter.try_into()
}

/// A rule that an argument fulfils one condition.
fn only(argument: u8, operator: SeccompCmpOp, value: u64) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_given_as_arguments() {
        let walls = Walls { cpu_seconds: 20, memory_bytes: 1 << 30, file_bytes: 0 };
        let arguments = walls.arguments().map(OsString::from);
        assert_eq!(Walls::of(&arguments), Some(walls));
        assert_eq!(Walls::of(&arguments[..2]), None);
        assert_eq!(Walls::of(&["20", "-1", "0"].map(OsString::from)), None);
    }

    #[test]
    fn the_filter_fits_this_machine() {
        assert!(filter().is_ok_and(|filter| !filter.is_empty()));
    }
}
