//! Mutations of sound inputs.

use std::{
    env,
    time::{Duration, Instant},
};

use ta_bot_tests::chance::Chance;

/// How many inputs one door gets, if it is not for how long.
const ROUNDS: u64 = 400;
/// How long one input may take: the machine may be busy.
const LONGEST: Duration = Duration::from_secs(30);
/// What readers stumble over.
const WORDS: [&[u8]; 24] = [
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\r\n",
    b"\"",
    b"'",
    b",",
    b":",
    b"{",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    b"}",
    b"-",
    b"NaN",
    b"1e999",
    b"-0",
    b"18446744073709551616",
    b"0.1",
    b"null",
    b"\\ud800",
    b"\xe2\x80\xae",
    b"../../etc/passwd",
    b"9999-12-31",
    b"1969-12-31T23:59:59Z",
    b"$gt",
];

/// A stream of mutated inputs for one door.
pub(crate) struct Inputs {
    seeds: Vec<Vec<u8>>,
    chance: Chance,
    round: u64,
    until: Option<Instant>,
}

impl Inputs {
    /// Mutations of `seeds`, and the seeds themselves first. `door` makes them others than those of other doors.
    pub(crate) fn of(door: u64, seeds: Vec<Vec<u8>>) -> Self {
        let seconds = env::var("FUZZ_SECONDS").ok().map(|text| text.parse().expect("FUZZ_SECONDS is a number"));
        let until = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
        // A longer run looks at others than the short one.
        let seed = if until.is_some() { u64::from(std::process::id()) } else { 1 };
        println!("door {door}: seed {seed}");
        Self { seeds, chance: Chance::new(seed << 8 | door), round: 0, until }
    }

    fn below(&mut self, end: usize) -> usize {
        self.chance.below(end.max(1) as u64) as usize
    }

    fn mutated(&mut self) -> Vec<u8> {
        let place = self.below(self.seeds.len());
        let mut bytes = self.seeds[place].clone();
        for _ in 0..=self.below(4) {
            self.mutate(&mut bytes);
        }
        bytes
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len() + 1);
        let length = self.below(64).min(bytes.len() - at);
        match self.below(8) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..at + length)),
            2 => bytes.splice(at..at, WORDS[self.below(WORDS.len())].iter().copied()).for_each(drop),
            3 => {
                let piece = bytes[at..at + length].to_vec();
                let times = 1 + self.below(200);
                bytes.splice(at..at, piece.repeat(times)).for_each(drop);
            }
            4 => {
                let other = self.below(self.seeds.len());
                let other = self.seeds[other].clone();
                let from = self.below(other.len());
                bytes.splice(at.., other[from..].iter().copied()).for_each(drop);
            }
            5 => {
                let word = WORDS[self.below(WORDS.len())];
                let end = (at + word.len()).min(bytes.len());
                bytes.splice(at..end, word.iter().copied()).for_each(drop);
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << self.chance.below(8);
                }
            }
        }
    }
}

impl Iterator for Inputs {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let is_over = self.until.map_or(self.round >= ROUNDS, |until| Instant::now() >= until);
        if is_over {
            println!("{} inputs", self.round);
            return None;
        }
        self.round += 1;
        let sound = self.seeds.get(self.round as usize - 1).cloned();
        Some(sound.unwrap_or_else(|| self.mutated()))
    }
}

/// Gives each input to `read`, which must end in time and, if it fails, with words of a bounded length.
pub(crate) fn try_all(inputs: Inputs, mut read: impl FnMut(&[u8]) -> Result<(), String>) {
    let mut taken = 0;
    for bytes in inputs {
        let begun = Instant::now();
        let answer = read(&bytes);
        assert!(begun.elapsed() < LONGEST, "{:?} for {:?}", begun.elapsed(), String::from_utf8_lossy(&bytes));
        match answer {
            Ok(()) => taken += 1,
            Err(words) => assert!((5..20_000).contains(&words.len()), "{words:?}"),
        }
    }
    assert!(taken > 0, "not even the sound inputs are taken");
}
