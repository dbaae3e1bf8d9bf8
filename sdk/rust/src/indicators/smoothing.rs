//! The recursion behind the exponential averages. It takes one value at a time, so that an indicator made of several
//! averages needs no intermediate series.
//!
//! The seed and the running average are two types. A loop over a small value that is copied, rather than referred to,
//! stays in registers, which makes an indicator more than twice as fast.

/// An exponential average from its first value on.
#[derive(Debug)]
pub(super) enum Smoothing {
    /// Not enough values yet.
    Seeding(Seed),
    /// The average has begun.
    Running(Average),
}

impl Smoothing {
    /// An average with the weight `2 / (period + 1)`, seeded with the mean of the first `period` values.
    pub(super) fn exponential(period: usize) -> Self {
        Self::Seeding(Seed::new(period, 2.0 / (period as f64 + 1.0), false))
    }

    /// An average with the weight `1 / period`, seeded with the mean of the first `period` values, counted from the
    /// first one that is not NaN.
    pub(super) fn wilder(period: usize) -> Self {
        Self::Seeding(Seed::new(period, 1.0 / period as f64, true))
    }

    /// Takes the next value and returns the average after it; NaN until the average has begun.
    pub(super) fn push(&mut self, next: f64) -> f64 {
        match self {
            Self::Running(average) => average.step(next),
            Self::Seeding(seed) => seed.push(next).map_or(f64::NAN, |average| {
                *self = Self::Running(average);
                average.value
            }),
        }
    }

    /// The average, or `None` before it has begun. Loops continue with this value.
    pub(super) const fn running(&self) -> Option<Average> {
        match self {
            Self::Running(average) => Some(*average),
            Self::Seeding(_) => None,
        }
    }

    /// The average at each of `len` values; NaN until the average has begun.
    pub(super) fn over(mut self, values: impl Iterator<Item = f64>, len: usize) -> Vec<f64> {
        let mut averages = vec![f64::NAN; len];
        let mut slots = averages.iter_mut().zip(values);
        let running = slots.find_map(|(slot, value)| {
            *slot = self.push(value);
            self.running()
        });
        if let Some(mut average) = running {
            for (slot, value) in slots {
                *slot = average.step(value);
            }
        }
        averages
    }
}

/// The mean of the first values, with which an average begins.
#[derive(Debug)]
pub(super) struct Seed {
    weight: f64,
    skip_leading_nan: bool,
    remaining: usize,
    first: f64,
    constant: bool,
    sum: f64,
    count: usize,
}

impl Seed {
    fn new(period: usize, weight: f64, skip_leading_nan: bool) -> Self {
        // With a period of 0, the average never begins.
        let remaining = if period == 0 { usize::MAX } else { period };
        Self { weight, skip_leading_nan, remaining, first: f64::NAN, constant: true, sum: 0.0, count: 0 }
    }

    /// Takes the next value; returns the average once there are enough values.
    fn push(&mut self, next: f64) -> Option<Average> {
        if next.is_nan() {
            if self.skip_leading_nan && self.count == 0 {
                return None;
            }
        } else {
            if self.count == 0 {
                self.first = next;
            }
            self.constant &= next == self.first;
            self.sum += next;
            self.count += 1;
        }
        self.remaining -= 1;
        if self.remaining > 0 {
            return None;
        }
        let value = if self.constant { self.first } else { self.sum / self.count as f64 };
        // The value is NaN if all values so far were NaN. The next number then replaces it.
        let missed = i32::from(value.is_nan());
        Some(Average { weight: self.weight, keep: 1.0 - self.weight, value, missed })
    }
}

/// An exponential average that has begun: `y ← (1 - a)·y + a·x`.
///
/// A value that equals the average leaves it untouched, bit for bit, so a constant series stays constant. NaN leaves
/// the average as it is, but reduces its weight against the next number: by a factor of `1 - a` for each value missed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Average {
    weight: f64,
    keep: f64,
    value: f64,
    missed: i32,
}

impl Average {
    /// Takes the next value and returns the average after it.
    #[inline]
    pub(super) fn step(&mut self, next: f64) -> f64 {
        if self.missed == 0 && next < f64::INFINITY {
            if next != self.value {
                self.value = self.keep * self.value + self.weight * next;
            }
        } else if next.is_nan() {
            self.missed = self.missed.saturating_add(1);
        } else {
            self.value = after_gap(self.value, next, self.keep, self.weight, self.missed);
            self.missed = 0;
        }
        self.value
    }
}

/// The average after a number that follows NaN, and after infinity. It takes plain numbers, since a reference to the
/// average would force the average into memory.
#[cold]
#[inline(never)]
fn after_gap(value: f64, next: f64, keep: f64, weight: f64, missed: i32) -> f64 {
    if value.is_nan() || next == value {
        return next;
    }
    let keep = keep.powi(missed.saturating_add(1));
    (keep * value + weight * next) / (keep + weight)
}

/// An exponential average of all values so far, adjusted for its beginning: weights `(1 - a)^age` divided by their
/// sum. A value that equals the average leaves it untouched. NaN carries no weight, but the older values keep ageing.
#[derive(Debug)]
pub(super) struct Adjusted {
    keep: f64,
    /// How many numbers are needed before there is an average.
    needed: usize,
    seen: usize,
    value: f64,
    weights: f64,
}

impl Adjusted {
    /// An average with this weight and a value from the `needed`th number on; none with a period of 0.
    pub(super) const fn new(period: usize, weight: f64, needed: usize) -> Self {
        // With a period of 0 the average never begins, and at least one number is always needed.
        let needed = match (period, needed) {
            (0, _) => usize::MAX,
            (_, 0) => 1,
            (_, needed) => needed,
        };
        Self { keep: 1.0 - weight, needed, seen: 0, value: f64::NAN, weights: 0.0 }
    }

    /// Takes the next value and returns the average after it; NaN until it has seen enough.
    #[inline]
    pub(super) fn push(&mut self, next: f64) -> f64 {
        self.weights *= self.keep;
        if !next.is_nan() {
            if self.seen == 0 {
                self.value = next;
            } else if next != self.value {
                self.value = (self.weights * self.value + next) / (self.weights + 1.0);
            }
            self.weights += 1.0;
            self.seen += 1;
        }
        if self.seen >= self.needed { self.value } else { f64::NAN }
    }
}
