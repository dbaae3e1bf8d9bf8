//! What a guest may use, and the watch that enforces it; `time` knows when its time is up, `machine` what this process
//! has itself.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wasmtime::ResourceLimiter;

pub(crate) mod machine;
mod time;

pub use machine::{memory_in_use, memory_limit, processor_limit};
pub(crate) use time::GuestTime;

/// What one evaluation may use. The time includes making the instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// How long the machine may run an evaluation.
    pub timeout: Duration,
    /// How large an instance's memories may grow in total, in bytes.
    pub memory_bytes: usize,
    /// How much text an evaluation may log, in bytes.
    pub log_bytes: usize,
    /// How many lines an evaluation may log.
    pub log_lines: usize,
    /// How large an answer may be once it is in the host, in bytes.
    pub result_bytes: usize,
}

/// How long `describe` may take. It runs once for each module, in the background, perhaps on a busy machine.
pub(crate) const DESCRIBE_TIMEOUT: Duration = Duration::from_secs(5);
/// How deep a guest's calls may go, in bytes of stack.
pub(crate) const STACK_BYTES: usize = 512 << 10;
/// How many entries a table may have. `CPython` needs about 10,000.
pub(crate) const TABLE_ELEMENTS: usize = 100_000;
/// How many core instances a component may consist of. A linked Python component has about 20.
pub(crate) const CORE_INSTANCES: u32 = 64;
/// How many tables a component may have.
pub(crate) const TABLES: u32 = 16;
/// How many memories a component may have. `QuickJS` components have three.
pub(crate) const MEMORIES: u32 = 4;

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_millis(250),
            memory_bytes: 64 << 20,
            log_bytes: 64 << 10,
            log_lines: 200,
            result_bytes: 1 << 20,
        }
    }
}

/// Watches what one instance asks for, and remembers the first request that was denied: a guest that is denied memory
/// usually traps somewhere else, and the cause is more useful than the place.
#[derive(Debug)]
pub(crate) struct Watch {
    memory_bytes: usize,
    /// The total size of the instance's memories, in bytes.
    granted_bytes: usize,
    pub(crate) denied: Option<String>,
}

impl Watch {
    pub(crate) const fn new(limits: &Limits) -> Self {
        Self { memory_bytes: limits.memory_bytes, granted_bytes: 0, denied: None }
    }

    /// The total size of the instance's memories, in bytes.
    pub(crate) const fn granted_bytes(&self) -> usize {
        self.granted_bytes
    }

    fn allow(&mut self, what: &str, desired: usize, most: usize) -> bool {
        let allowed = desired <= most;
        if !allowed {
            self.denied.get_or_insert_with(|| format!("it asked for {desired} {what}, {most} are allowed"));
        }
        allowed
    }
}

impl ResourceLimiter for Watch {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let together = self.granted_bytes.saturating_add(desired.saturating_sub(current));
        let allowed = self.allow("bytes of memory", together, self.memory_bytes);
        if allowed {
            self.granted_bytes = together;
        }
        Ok(allowed)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.allow("table entries", desired, TABLE_ELEMENTS))
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES as usize
    }

    fn tables(&self) -> usize {
        TABLES as usize
    }

    fn memories(&self) -> usize {
        MEMORIES as usize
    }
}
