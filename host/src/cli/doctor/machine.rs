//! What this machine, or container, gives the process: memory, processor, limits, and the time of day.

use ta_bot_core::Timestamp;
use ta_bot_engine::support::checkup::{Checkup, Finding};
use ta_bot_wasm::{PageScan, memory_in_use, memory_limit, processor_limit};

const CLOCK: &str = "clock";
const MEMORY: &str = "memory";
const SWAP: &str = "swap";
const PROCESSOR: &str = "processor";
const OPEN_FILES: &str = "open_files";
const ADDRESS_SPACE: &str = "address_space";

/// The names of the checks, in order.
pub(super) const CHECKS: [&str; 6] = [CLOCK, MEMORY, SWAP, PROCESSOR, OPEN_FILES, ADDRESS_SPACE];

const MIB: u64 = 1 << 20;
/// Half of the memory is for the processes that compile modules. The smallest module needs this much.
const LEAST_MEMORY: u64 = 256 * MIB;
/// From here on Python modules can be compiled, which need some 360 MB.
const GOOD_MEMORY: u64 = 768 * MIB;
/// From how much of its memory in use on there is a warning, in percent.
const CROWDED: u64 = 90;
const LEAST_FILES: u64 = 256;
const GOOD_FILES: u64 = 1024;
/// 2024-01-01, before which no version was made.
const EARLIEST: i64 = 1_704_067_200_000;

#[allow(clippy::unused_async, reason = "looking at other subjects is asynchronous")]
pub(super) async fn look() -> Vec<Finding> {
    let mut checkup = Checkup::new(&CHECKS);
    clock(Timestamp::now(), &mut checkup);
    memory(memory_limit(), memory_in_use(), &mut checkup);
    swap(PageScan::of_this_process(), &mut checkup);
    processor(processor_limit(), &mut checkup);
    let limit = |what| rustix::process::getrlimit(what).current;
    open_files(limit(rustix::process::Resource::Nofile), &mut checkup);
    address_space(limit(rustix::process::Resource::As), &mut checkup);
    checkup.finish()
}

fn clock(now: Timestamp, checkup: &mut Checkup) {
    if now.millis() < EARLIEST {
        let fix = "set the clock by NTP (timedatectl), and start again";
        checkup.wrong(CLOCK, format!("this machine's clock says {now}, when there was no TA Bot"), fix);
    } else {
        checkup.ok(CLOCK, format!("it is {now}"));
    }
}

fn memory(limit: Option<u64>, in_use: Option<u64>, checkup: &mut Checkup) {
    const GIVE_MORE: &str = "give the container 1 GiB (resources.limits.memory)";
    let Some(limit) = limit else { return checkup.ok(MEMORY, "there is no limit") };
    let found = format!("the limit is {} MiB", limit / MIB);
    match (limit, in_use) {
        (..LEAST_MEMORY, _) => {
            checkup.wrong(MEMORY, format!("{found}: no module can be compiled with that"), GIVE_MORE);
        }
        (LEAST_MEMORY..GOOD_MEMORY, _) => {
            checkup.warning(MEMORY, format!("{found}: large modules can't be compiled"), GIVE_MORE);
        }
        (_, Some(used)) if used.saturating_mul(100) >= limit.saturating_mul(CROWDED) => {
            checkup.warning(MEMORY, format!("{found}, and {} MiB are in use", used / MIB), "give the container more");
        }
        _ => checkup.ok(MEMORY, found),
    }
}

fn swap(scan: PageScan, checkup: &mut Checkup) {
    match scan {
        PageScan::OffForSwap => checkup.warning(
            SWAP,
            "this process may be swapped out, so each evaluation takes longer: instances are reset the slow way",
            "turn swap off (swapoff -a), or set the container's memory.swap.max to 0, and restart the service",
        ),
        PageScan::NotSupported => checkup.ok(SWAP, "whatever it is, this kernel resets instances the slow way"),
        PageScan::On | PageScan::Off => checkup.ok(SWAP, "this process can't be swapped out"),
    }
}

fn processor(limit: Option<f64>, checkup: &mut Checkup) {
    match limit {
        None => checkup.ok(PROCESSOR, "there is no limit"),
        Some(cores) if cores < 1.0 => checkup.warning(
            PROCESSOR,
            format!("this process may use {cores:.2} of a core: while it is throttled, evaluations time out"),
            "take the limit away (resources.limits.cpu), or give one core at least",
        ),
        Some(cores) => checkup.ok(PROCESSOR, format!("the limit is {cores:.2} cores")),
    }
}

fn open_files(limit: Option<u64>, checkup: &mut Checkup) {
    let fix = format!("let the process have {GOOD_FILES} open files at least (ulimit -n, LimitNOFILE of systemd)");
    match limit {
        None => checkup.ok(OPEN_FILES, "there is no limit"),
        Some(most @ ..LEAST_FILES) => checkup.wrong(OPEN_FILES, format!("the limit is {most}, too few"), fix),
        Some(most @ LEAST_FILES..GOOD_FILES) => {
            checkup.warning(OPEN_FILES, format!("the limit is {most}, too few for many connections"), fix);
        }
        Some(most) => checkup.ok(OPEN_FILES, format!("the limit is {most}")),
    }
}

fn address_space(limit: Option<u64>, checkup: &mut Checkup) {
    match limit {
        None => checkup.ok(ADDRESS_SPACE, "there is no limit"),
        Some(most) => checkup.wrong(
            ADDRESS_SPACE,
            format!(
                "the limit is {} MiB, and the sandbox reserves 1 TiB of addresses, which take no memory",
                most / MIB
            ),
            "unset it (ulimit -v unlimited): limit the memory of the container instead",
        ),
    }
}

#[cfg(test)]
mod tests {
    use ta_bot_engine::support::checkup::Verdict;

    use super::*;

    fn verdict(look: impl FnOnce(&mut Checkup)) -> Verdict {
        let mut checkup = Checkup::new(&CHECKS);
        look(&mut checkup);
        let found = checkup.finish().into_iter().find(|finding| finding.verdict != Verdict::NotChecked).unwrap();
        assert_eq!(found.fix.is_some(), found.verdict != Verdict::Ok, "{found:?}");
        found.verdict
    }

    #[test]
    fn memory_has_to_be_enough_and_not_used_up() {
        let of = |limit: Option<u64>, used: Option<u64>| {
            verdict(|checkup| memory(limit.map(|limit| limit * MIB), used.map(|used| used * MIB), checkup))
        };
        assert_eq!(of(None, Some(100_000)), Verdict::Ok);
        assert_eq!(of(Some(1024), Some(500)), Verdict::Ok);
        assert_eq!(of(Some(1024), None), Verdict::Ok);
        assert_eq!(of(Some(1024), Some(1000)), Verdict::Warning);
        assert_eq!(of(Some(512), Some(1)), Verdict::Warning);
        assert_eq!(of(Some(128), None), Verdict::Wrong);
    }

    #[test]
    fn limits_have_a_fix() {
        assert_eq!(verdict(|checkup| processor(Some(0.5), checkup)), Verdict::Warning);
        assert_eq!(verdict(|checkup| processor(Some(1.0), checkup)), Verdict::Ok);
        assert_eq!(verdict(|checkup| open_files(Some(512), checkup)), Verdict::Warning);
        assert_eq!(verdict(|checkup| open_files(Some(64), checkup)), Verdict::Wrong);
        assert_eq!(verdict(|checkup| open_files(None, checkup)), Verdict::Ok);
        assert_eq!(verdict(|checkup| address_space(Some(1 << 32), checkup)), Verdict::Wrong);
        assert_eq!(verdict(|checkup| swap(PageScan::OffForSwap, checkup)), Verdict::Warning);
        assert_eq!(verdict(|checkup| swap(PageScan::NotSupported, checkup)), Verdict::Ok);
        assert_eq!(verdict(|checkup| clock(Timestamp::from_millis(0), checkup)), Verdict::Wrong);
    }
}
