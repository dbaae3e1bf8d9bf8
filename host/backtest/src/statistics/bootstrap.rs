//! The stationary bootstrap of Politis and Romano (1994): what a measure might have been, had the same market dealt its
//! returns in another order. Returns are drawn in blocks of random lengths, so that what hangs together stays together.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore as _, SeedableRng as _},
};

/// How often a sample is drawn anew, if it is not very large.
const DRAWS: usize = 2_000;
/// How many values are drawn in all, at most, though a sample is always drawn `FEWEST_DRAWS` times.
const MOST_VALUES: usize = 20_000_000;
const FEWEST_DRAWS: usize = 200;
/// The share of the draws that lie within an interval.
pub(super) const CONFIDENCE: f64 = 0.95;
/// The share of the draws in which a measure has to be defined for an interval of it.
const DEFINED: f64 = 0.9;

/// Random numbers that are the same on every machine, from a seed.
#[derive(Debug, Clone)]
pub(crate) struct Chance(ChaCha8Rng);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A number from 0 to below 1.
    pub(crate) fn share(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number below `count`, which is above 0.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        ((u128::from(self.0.next_u64()) * count as u128) >> 64) as usize
    }
}

/// Places in samples of one size, drawn in blocks.
#[derive(Debug)]
pub(super) struct Resampling {
    chance: Chance,
    size: usize,
    /// How often a block ends.
    ends: f64,
}

impl Resampling {
    /// Of samples of this size, above 0. The blocks are as long as the third root of the size, on average.
    pub(super) fn new(size: usize, seed: u64) -> Self {
        Self { chance: Chance::new(seed), size, ends: 1.0 / (size as f64).cbrt().max(1.0) }
    }

    /// How often to draw.
    pub(super) fn draws(&self) -> usize {
        (MOST_VALUES / self.size.max(1)).clamp(FEWEST_DRAWS, DRAWS)
    }

    /// Draws the places of a sample.
    pub(super) fn draw(&mut self, places: &mut Vec<usize>) {
        places.clear();
        let mut place = self.chance.below(self.size);
        for _ in 0..self.size {
            places.push(place);
            place =
                if self.chance.share() < self.ends { self.chance.below(self.size) } else { (place + 1) % self.size };
        }
    }
}

/// The intervals of several measures of one sample, at 95 %. An interval is `None` if the measure is not defined in
/// more than a tenth of the draws.
pub(super) fn intervals<const N: usize>(
    sample: &[f64],
    seed: u64,
    measures: impl Fn(&[f64]) -> [Option<f64>; N],
) -> [Option<(f64, f64)>; N] {
    if sample.is_empty() {
        return [None; N];
    }
    let mut resampling = Resampling::new(sample.len(), seed);
    let (mut places, mut drawn) = (Vec::new(), Vec::new());
    let mut values: [Vec<f64>; N] = std::array::from_fn(|_| Vec::new());
    let draws = resampling.draws();
    for _ in 0..draws {
        resampling.draw(&mut places);
        drawn.clear();
        drawn.extend(places.iter().map(|place| sample[*place]));
        for (values, value) in values.iter_mut().zip(measures(&drawn)) {
            values.extend(value.filter(|value| value.is_finite()));
        }
    }
    values.map(|mut values| {
        if (values.len() as f64) < DEFINED * draws as f64 {
            return None;
        }
        values.sort_by(f64::total_cmp);
        let at = |share: f64| values[(share * (values.len() - 1) as f64).round() as usize];
        let outside = (1.0 - CONFIDENCE) / 2.0;
        Some((at(outside), at(1.0 - outside)))
    })
}

#[cfg(test)]
mod tests {
    use super::{super::measures, *};

    #[test]
    fn draws_are_the_same_from_the_same_seed_and_in_blocks() {
        let draw = |seed| {
            let mut places = Vec::new();
            Resampling::new(1000, seed).draw(&mut places);
            places
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        let places = draw(1);
        let followers = places.windows(2).filter(|pair| pair[1] == (pair[0] + 1) % 1000).count();
        assert!((850..950).contains(&followers), "a block of ten has nine followers: {followers}");
    }

    /// Of two hundred samples of known average, the intervals of about 95 % hold it.
    #[test]
    fn intervals_hold_the_truth_as_often_as_they_say() {
        let mut chance = Chance::new(7);
        let mut held = 0;
        for seed in 0..200 {
            let normal = |chance: &mut Chance| (0..12).map(|_| chance.share()).sum::<f64>() - 6.0;
            let sample: Vec<f64> = (0..150).map(|_| 0.3 + normal(&mut chance)).collect();
            let [interval] = intervals(&sample, seed, |drawn| [measures::mean(drawn)]);
            let (low, high) = interval.unwrap();
            held += u32::from(low <= 0.3 && 0.3 <= high);
        }
        assert!((176..=199).contains(&held), "{held} of 200");
    }

    #[test]
    fn a_measure_that_is_rarely_defined_has_no_interval() {
        let sample: Vec<f64> = (0..40).map(|place| if place == 0 { -1.0 } else { 1.0 }).collect();
        let [mean, factor] = intervals(&sample, 1, |drawn| [measures::mean(drawn), measures::profit_factor(drawn)]);
        assert!(mean.is_some() && factor.is_none());
        assert_eq!(intervals(&[], 1, |drawn| [measures::mean(drawn)]), [None]);
    }
}
