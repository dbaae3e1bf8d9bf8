//! The recursion behind the exponential averages, one value at a time, so that an indicator made of several needs no
//! series in between.

/// An exponential average seeded with the mean of its first values: then `y ← (1 - a)·y + a·x`.
///
/// A value that equals the average leaves it untouched, bit for bit, so a constant series stays constant. NaN leaves
/// the average as it is and makes it weigh less against the next number: by `1 - a` for each value missed.
#[derive(Debug)]
pub(super) struct Smoothing {
    weight: f64,
    keep: f64,
    value: f64,
    missed: i32,
    seed: Seed,
}

#[derive(Debug)]
struct Seed {
    remaining: usize,
    skip_leading_nan: bool,
    first: f64,
    constant: bool,
    sum: f64,
    count: usize,
}

impl Smoothing {
    /// The weight `2 / (period + 1)`, seeded with the first `period` values.
    pub(super) fn exponential(period: usize) -> Self {
        Self::new(period, 2.0 / (period as f64 + 1.0), false)
    }

    /// The weight `1 / period`, seeded with the first `period` values from the first number on.
    pub(super) fn wilder(period: usize) -> Self {
        Self::new(period, 1.0 / period as f64, true)
    }

    fn new(period: usize, weight: f64, skip_leading_nan: bool) -> Self {
        // A period of 0 waits for ever.
        let remaining = if period == 0 { usize::MAX } else { period };
        let seed = Seed { remaining, skip_leading_nan, first: f64::NAN, constant: true, sum: 0.0, count: 0 };
        Self { weight, keep: 1.0 - weight, value: f64::NAN, missed: 0, seed }
    }

    /// Takes the next value and returns the average after it; NaN until it is seeded.
    #[inline]
    pub(super) fn push(&mut self, next: f64) -> f64 {
        if self.seed.remaining > 0 {
            return self.push_seed(next);
        }
        if next == self.value {
            self.missed = 0;
        } else if self.missed == 0 && next < f64::INFINITY {
            self.value = self.keep * self.value + self.weight * next;
        } else {
            self.push_unusual(next);
        }
        self.value
    }

    fn push_seed(&mut self, next: f64) -> f64 {
        let seed = &mut self.seed;
        if next.is_nan() {
            if seed.skip_leading_nan && seed.count == 0 {
                return f64::NAN;
            }
        } else {
            if seed.count == 0 {
                seed.first = next;
            }
            seed.constant &= next == seed.first;
            seed.sum += next;
            seed.count += 1;
        }
        seed.remaining -= 1;
        if seed.remaining == 0 {
            self.value = if seed.constant { seed.first } else { seed.sum / seed.count as f64 };
            // Nothing but NaN so far: the next number takes its place.
            self.missed = i32::from(self.value.is_nan());
        }
        self.value
    }

    /// NaN, what follows NaN, and infinity.
    #[cold]
    fn push_unusual(&mut self, next: f64) {
        if next.is_nan() {
            self.missed = self.missed.saturating_add(1);
            return;
        }
        let keep = self.keep.powi(self.missed.saturating_add(1));
        let mixed = (keep * self.value + self.weight * next) / (keep + self.weight);
        self.value = if self.value.is_nan() { next } else { mixed };
        self.missed = 0;
    }
}
