//! The ways to misbehave.

use std::{
    hint, process,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::bindings::ta_bot::strategy::{
    log,
    types::{Action, Signal, Strength, Value},
};

const MIB: usize = 1 << 20;
/// As much text as the usual limit on memory (64 MiB) leaves room for, so that it meets the limit on answers instead.
const HUGE_TEXT: usize = 48 * MIB;
/// The list and its copy in the answer's layout take 54 MiB together, for the same reason.
const HUGE_METADATA: usize = 1_000_000;

/// What to do instead of deciding.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// Returns a normal buy.
    Fine,
    EndlessLoop,
    /// Never returns from `check`; evaluates like `Fine`.
    EndlessCheck,
    /// Calls itself until the host's stack for it is full.
    EndlessRecursion,
    /// Calls itself with large frames until its own stack, in its memory, is full.
    EndlessFrames,
    /// Grows until it is refused, then aborts.
    MemoryHog,
    Panic,
    /// Reads beyond its memory.
    WildPointer,
    LogFlood,
    HugeLogLine,
    HugeResult,
    HugeText,
    /// Returns a text that is not UTF-8.
    BrokenText,
    NanEverywhere,
    ConfidenceSeven,
    InfinitePrice,
    /// A buy with its stop above its price.
    WrongSideStop,
}

impl Behaviour {
    pub(crate) const ALL: [Self; 17] = [
        Self::Fine,
        Self::EndlessLoop,
        Self::EndlessCheck,
        Self::EndlessRecursion,
        Self::EndlessFrames,
        Self::MemoryHog,
        Self::Panic,
        Self::WildPointer,
        Self::LogFlood,
        Self::HugeLogLine,
        Self::HugeResult,
        Self::HugeText,
        Self::BrokenText,
        Self::NanEverywhere,
        Self::ConfidenceSeven,
        Self::InfinitePrice,
        Self::WrongSideStop,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::EndlessLoop => "endless_loop",
            Self::EndlessCheck => "endless_check",
            Self::EndlessRecursion => "endless_recursion",
            Self::EndlessFrames => "endless_frames",
            Self::MemoryHog => "memory_hog",
            Self::Panic => "panic",
            Self::WildPointer => "wild_pointer",
            Self::LogFlood => "log_flood",
            Self::HugeLogLine => "huge_log_line",
            Self::HugeResult => "huge_result",
            Self::HugeText => "huge_text",
            Self::BrokenText => "broken_text",
            Self::NanEverywhere => "nan_everywhere",
            Self::ConfidenceSeven => "confidence_seven",
            Self::InfinitePrice => "infinite_price",
            Self::WrongSideStop => "wrong_side_stop",
        }
    }

    /// Misbehaves. If it returns at all, it returns a buy that is wrong in this way.
    pub(crate) fn act(self, close: f64) -> Signal {
        let signal = buy(close);
        match self {
            Self::Fine | Self::EndlessCheck => signal,
            Self::EndlessLoop => endless_loop(),
            Self::EndlessRecursion => Signal { confidence: recurse() as f64, ..signal },
            Self::EndlessFrames => Signal { confidence: recurse_in_memory(1) as f64, ..signal },
            Self::MemoryHog => memory_hog(),
            Self::Panic => panic(),
            Self::WildPointer => Signal { confidence: wild_read(), ..signal },
            Self::LogFlood => log_flood(),
            Self::HugeLogLine => {
                log::write(log::Level::Info, &"x".repeat(HUGE_TEXT));
                signal
            }
            Self::HugeResult => {
                Signal { metadata: vec![(String::new(), Value::Boolean(true)); HUGE_METADATA], ..signal }
            }
            Self::HugeText => Signal { rationale: Some("x".repeat(HUGE_TEXT)), ..signal },
            Self::BrokenText => Signal { rationale: Some(broken_text()), ..signal },
            Self::NanEverywhere => Signal {
                confidence: f64::NAN,
                price: Some(f64::NAN),
                stop_loss: Some(f64::NAN),
                take_profit: Some(f64::NAN),
                metadata: vec![("reading".to_owned(), Value::Number(f64::NAN))],
                ..signal
            },
            Self::ConfidenceSeven => Signal { confidence: 7.0, ..signal },
            Self::InfinitePrice => Signal { price: Some(f64::INFINITY), ..signal },
            Self::WrongSideStop => Signal { stop_loss: Some(close * 1.1), ..signal },
        }
    }
}

fn buy(close: f64) -> Signal {
    Signal {
        action: Action::Buy,
        confidence: 0.75,
        price: Some(close),
        stop_loss: Some(close * 0.98),
        take_profit: Some(close * 1.04),
        strength: Some(Strength::Medium),
        rationale: Some("It was told to behave.".to_owned()),
        metadata: vec![("reading".to_owned(), Value::Number(close))],
    }
}

pub(crate) fn endless_loop() -> ! {
    loop {
        hint::spin_loop();
    }
}

/// Read at each step, so that the compiler cannot turn the recursion into a loop or leave it out.
static STEPS: AtomicU64 = AtomicU64::new(1);

/// Keeps its state in locals, so that only the stack of the calls themselves grows.
#[allow(unconditional_recursion, reason = "endless recursion is its purpose")]
#[inline(never)]
fn recurse() -> u64 {
    let step = STEPS.load(Ordering::Relaxed);
    recurse().rotate_left(7) ^ step
}

/// Keeps a kilobyte in memory at each step.
#[allow(unconditional_recursion, reason = "endless recursion is its purpose")]
#[inline(never)]
fn recurse_in_memory(depth: u64) -> u64 {
    let frame = hint::black_box([depth; 128]);
    recurse_in_memory(depth + frame[64]) ^ frame[127]
}

fn memory_hog() -> ! {
    loop {
        let mut block = Vec::<u8>::new();
        if block.try_reserve_exact(MIB).is_err() {
            process::abort();
        }
        block.resize(MIB, 1);
        // Without this the compiler would optimise the memory away.
        hint::black_box(block.leak());
    }
}

#[allow(clippy::panic, reason = "panicking is its purpose")]
fn panic() -> ! {
    panic!("the guest panicked on purpose")
}

#[allow(unsafe_code, reason = "only unsafe code can read beyond the memory on purpose")]
fn wild_read() -> f64 {
    // The last address that 32 bits can name: no instance may have so much memory.
    let beyond = hint::black_box(usize::MAX - 7) as *const f64;
    // SAFETY: there is none. The access is beyond the instance's memory and traps.
    unsafe { beyond.read_unaligned() }
}

#[allow(unsafe_code, reason = "only unsafe code can make a text that is not UTF-8")]
fn broken_text() -> String {
    // SAFETY: there is none. The host must notice when it lifts the text.
    unsafe { String::from_utf8_unchecked(vec![b'a', 0xff, 0xfe]) }
}

fn log_flood() -> ! {
    loop {
        log::write(log::Level::Info, "The same line, again and again.");
    }
}
