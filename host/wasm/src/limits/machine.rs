//! What the machine gives this process: how much memory, and whether it may be swapped out.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A limit from which on a file of version 1 means none.
const NO_LIMIT: u64 = 1 << 60;

/// How much memory this process's group may have, in bytes; `None` if that is not limited.
pub fn memory_limit() -> Option<u64> {
    Groups::of_this_process().memory_limit()
}

/// How much of that is in use and can't be given back, in bytes; `None` if that can't be known.
pub fn memory_in_use() -> Option<u64> {
    Groups::of_this_process().memory_in_use()
}

/// How many cores' time this process's group may have; `None` if that is not limited.
pub fn processor_limit() -> Option<f64> {
    Groups::of_this_process().processor_limit()
}

/// Whether parts of this process's memory may be swapped out.
pub(crate) fn may_be_swapped() -> bool {
    match fs::read_to_string("/proc/swaps") {
        Ok(swaps) => has_swap(&swaps) && !Groups::of_this_process().forbid_swap(),
        // What can't be known may be.
        Err(_) => true,
    }
}

/// Whether the list of `/proc/swaps` names an area. Its first line is a heading.
fn has_swap(swaps: &str) -> bool {
    swaps.lines().skip(1).any(|line| !line.trim().is_empty())
}

/// The folders of the control groups that a process belongs to, of both versions. The limits of outer groups count as
/// well. In a container, the innermost folder that can be seen is that of the container.
struct Groups {
    unified: Vec<PathBuf>,
    memory: Vec<PathBuf>,
    processor: Vec<PathBuf>,
}

impl Groups {
    fn of_this_process() -> Self {
        Self::of(&fs::read_to_string("/proc/self/cgroup").unwrap_or_default(), Path::new("/sys/fs/cgroup"))
    }

    /// The groups that the lines of `/proc/self/cgroup` name: a number, controllers, and a path.
    fn of(lines: &str, root: &Path) -> Self {
        let path_of = |wanted: &dyn Fn(&str, &str) -> bool| {
            let named = lines.lines().filter_map(|line| {
                let mut parts = line.splitn(3, ':');
                let (number, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
                wanted(number, controllers).then(|| path.trim_start_matches('/').to_owned())
            });
            named.last().unwrap_or_default()
        };
        let unified = path_of(&|number, controllers| number == "0" && controllers.is_empty());
        let memory = path_of(&|_, controllers| controllers.split(',').any(|name| name == "memory"));
        let processor = path_of(&|_, controllers| controllers.split(',').any(|name| name == "cpu"));
        Self {
            unified: up(root, &unified),
            memory: up(&root.join("memory"), &memory),
            processor: up(&root.join("cpu"), &processor),
        }
    }

    fn memory_limit(&self) -> Option<u64> {
        let unified = self.unified.iter().filter_map(|folder| number(&folder.join("memory.max")));
        let memory = self.memory.iter().filter_map(|folder| number(&folder.join("memory.limit_in_bytes")));
        unified.chain(memory).filter(|limit| *limit < NO_LIMIT).min()
    }

    /// The innermost group that tells counts. Files that the system can drop again are not in use.
    fn memory_in_use(&self) -> Option<u64> {
        let told = |folders: &[PathBuf], file: &str, inactive: &str| {
            folders.iter().find_map(|folder| {
                let droppable = entry(&folder.join("memory.stat"), inactive).unwrap_or_default();
                number(&folder.join(file)).map(|used| used.saturating_sub(droppable))
            })
        };
        told(&self.unified, "memory.current", "inactive_file")
            .or_else(|| told(&self.memory, "memory.usage_in_bytes", "total_inactive_file"))
    }

    fn processor_limit(&self) -> Option<f64> {
        let cores = |quota: f64, period: f64| (quota > 0.0 && period > 0.0).then_some(quota / period);
        let unified = self.unified.iter().filter_map(|folder| {
            let text = fs::read_to_string(folder.join("cpu.max")).ok()?;
            let (quota, period) = text.trim().split_once(' ')?;
            cores(quota.parse().ok()?, period.parse().ok()?)
        });
        let first = self.processor.iter().filter_map(|folder| {
            let of = |file: &str| number(&folder.join(file)).map(|number| number as f64);
            cores(of("cpu.cfs_quota_us")?, of("cpu.cfs_period_us")?)
        });
        unified.chain(first).min_by(f64::total_cmp)
    }

    fn forbid_swap(&self) -> bool {
        let unified = self.unified.iter().any(|folder| number(&folder.join("memory.swap.max")) == Some(0));
        // Version 1 limits memory and swap together: if that is no more than memory alone, there is no swap.
        let memory = self.memory.iter().any(|folder| {
            let (memory, both) = ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes");
            let (memory, both) = (number(&folder.join(memory)), number(&folder.join(both)));
            matches!((memory, both), (Some(memory), Some(both)) if memory < NO_LIMIT && both <= memory)
        });
        unified || memory
    }
}

/// A folder beneath `root`, and all folders above it up to `root`.
fn up(root: &Path, path: &str) -> Vec<PathBuf> {
    let innermost = root.join(path);
    innermost.ancestors().take_while(|folder| folder.starts_with(root)).map(Path::to_owned).collect()
}

/// The number in a file; `None` if there is none, such as where it says `max`.
fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// The number beside a name in a file of such lines.
fn entry(file: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, file: &str, text: &str) {
        let path = root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn a_list_of_swap_areas_may_be_empty() {
        let heading = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
        assert!(!has_swap("") && !has_swap(heading));
        assert!(has_swap(&format!("{heading}/dev/sda2    partition\t8388604\t\t0\t\t-2\n")));
    }

    #[test]
    fn the_tightest_limit_of_the_groups_counts() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let groups = || Groups::of("0::/kube/pod\n", root);
        assert!(groups().memory_limit().is_none() && !groups().forbid_swap());
        write(root, "kube/pod/memory.max", "max\n");
        write(root, "kube/memory.max", "1073741824\n");
        write(root, "memory.max", "2147483648\n");
        write(root, "kube/pod/memory.swap.max", "max\n");
        assert_eq!(groups().memory_limit(), Some(1 << 30));
        assert!(!groups().forbid_swap());
        write(root, "kube/memory.swap.max", "0\n");
        assert!(groups().forbid_swap());
        // In a container, the path may name a folder that is only outside.
        assert_eq!(Groups::of("0::/elsewhere\n", root).memory_limit(), Some(2 << 30));
    }

    #[test]
    fn groups_of_the_first_version_are_read_as_well() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let groups = || Groups::of("9:name=systemd:/\n4:memory:/box\n0::/\n", root);
        write(root, "memory/memory.limit_in_bytes", "9223372036854771712\n");
        assert!(groups().memory_limit().is_none());
        write(root, "memory/box/memory.limit_in_bytes", "536870912\n");
        write(root, "memory/box/memory.memsw.limit_in_bytes", "1073741824\n");
        assert_eq!(groups().memory_limit(), Some(512 << 20));
        assert!(!groups().forbid_swap());
        write(root, "memory/box/memory.memsw.limit_in_bytes", "536870912\n");
        assert!(groups().forbid_swap());
    }

    #[test]
    fn what_is_in_use_is_without_what_can_be_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let groups = || Groups::of("4:memory:/box\n0::/pod\n", root);
        assert_eq!(groups().memory_in_use(), None);
        write(root, "memory/box/memory.usage_in_bytes", "500\n");
        write(root, "memory/box/memory.stat", "inactive_file 1\ntotal_inactive_file 200\n");
        assert_eq!(groups().memory_in_use(), Some(300));
        write(root, "pod/memory.current", "1000\n");
        write(root, "pod/memory.stat", "anon 100\ninactive_file 400\n");
        assert_eq!(groups().memory_in_use(), Some(600));
    }

    #[test]
    fn a_processor_is_limited_by_a_share_of_each_period() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let groups = || Groups::of("1:cpu,cpuacct:/box\n0::/pod\n", root);
        assert_eq!(groups().processor_limit(), None);
        write(root, "cpu/box/cpu.cfs_quota_us", "-1\n");
        write(root, "cpu/box/cpu.cfs_period_us", "100000\n");
        assert_eq!(groups().processor_limit(), None);
        write(root, "cpu/box/cpu.cfs_quota_us", "150000\n");
        write(root, "pod/cpu.max", "max 100000\n");
        assert_eq!(groups().processor_limit(), Some(1.5));
        write(root, "pod/cpu.max", "50000 100000\n");
        assert_eq!(groups().processor_limit(), Some(0.5));
    }
}
