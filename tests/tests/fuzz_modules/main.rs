//! Bytes that are made to break the loading of a module. Loading must never panic, must always return a reason or a
//! module that answers, and must use up neither the time nor the memory of the host.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod bombs;
mod generated;
mod kills;
mod largest;
mod service;
mod walls;

use std::{
    fs,
    time::{Duration, Instant},
};

use ta_bot_fuzz::{sandbox, takes};
use ta_bot_tests::{app, built_in};
use ta_bot_wasm::{LARGEST_MODULE, Sandbox};

/// The most memory that the process may have used at any time, in kB.
const MOST_MEMORY_KB: u64 = 3_000_000;

/// Pseudo-random numbers from a seed.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

/// The sandbox as the service has it: its children read and compile.
fn apart() -> Sandbox {
    sandbox().with_children(app::children())
}

/// The most memory that this process has ever used, in kB.
fn peak_memory_kb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_strategy_cut_off_anywhere_is_refused() {
    let sandbox = apart();
    let rsi = built_in::bytes("rsi").unwrap();
    let step = rsi.len() / 300;
    for length in (0..rsi.len()).step_by(step).chain(rsi.len() - 20..rsi.len()) {
        assert!(!takes(&sandbox, &format!("the first {length} bytes"), &rsi[..length]));
    }
    assert!(takes(&sandbox, "all bytes", &rsi));
}

#[test]
fn a_strategy_with_flipped_bits_is_refused_or_answers() {
    let sandbox = apart();
    let rsi = built_in::bytes("rsi").unwrap();
    let mut chance = Chance(3);
    let mut taken = 0;
    for index in 0..150 {
        let mut bytes = rsi.clone();
        for _ in 0..=chance.below(3) {
            let bit = chance.below(8 * bytes.len());
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        taken += usize::from(takes(&sandbox, &format!("flips {index}"), &bytes));
    }
    // Some bits are in texts and numbers, and nothing shows that those were different.
    assert!((1..150).contains(&taken), "{taken} were taken");
}

#[test]
fn a_strategy_with_its_parts_moved_is_refused_or_answers() {
    let sandbox = apart();
    let rsi = built_in::bytes("rsi").unwrap();
    let mut chance = Chance(4);
    for index in 0..150 {
        let mut bytes = rsi.clone();
        let from = chance.below(bytes.len());
        let until = (from + 1 + chance.below(2000)).min(bytes.len());
        match chance.below(3) {
            0 => drop(bytes.drain(from..until)),
            1 => {
                let part = bytes[from..until].to_vec();
                let to = chance.below(bytes.len());
                bytes.splice(to..to, part);
            }
            _ => {
                let other = chance.bytes(until - from);
                bytes.splice(from..until, other);
            }
        }
        takes(&sandbox, &format!("parts {index}"), &bytes);
    }
}

#[test]
fn sections_that_claim_more_than_there_is_are_refused_at_once() {
    let sandbox = apart();
    let huge = [0xff, 0xff, 0xff, 0xff, 0x0f];
    for header in [b"\0asm\x0d\0\x01\0".as_slice(), b"\0asm\x01\0\0\0"] {
        for section in 0..=13_u8 {
            // Sections with four billion entries: one claims to be short, one claims to be huge, and one is full of
            // zeroes.
            let short = [header, &[section, 5], &huge].concat();
            let long = [header, &[section], &huge, &huge].concat();
            let full = [header, &[section], &[0x85, 0x80, 0x80, 0x08], &huge, &vec![0; 16 << 20]].concat();
            for (kind, bytes) in [("short", short), ("long", long), ("full", full)] {
                let begun = Instant::now();
                assert!(!takes(&sandbox, &format!("{kind} section {section}"), &bytes));
                assert!(
                    begun.elapsed() < Duration::from_secs(5),
                    "{kind} section {section} took {:?}",
                    begun.elapsed()
                );
            }
        }
    }
    assert!(peak_memory_kb() < MOST_MEMORY_KB, "{} kB", peak_memory_kb());
}

#[test]
fn a_hundred_megabytes_of_zeroes_cost_nothing() {
    let sandbox = apart();
    let begun = Instant::now();
    assert!(!takes(&sandbox, "100 MB of zeroes", &vec![0; 100_000_000]));
    assert!(!takes(&sandbox, "as many zeroes as a module may have", &vec![0; LARGEST_MODULE]));
    let mut component = b"\0asm\x0d\0\x01\0".to_vec();
    component.resize(LARGEST_MODULE, 0);
    assert!(!takes(&sandbox, "a component of zeroes", &component));
    component.resize(LARGEST_MODULE + 1, 0);
    assert!(!takes(&sandbox, "a component that is too large", &component));
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}
