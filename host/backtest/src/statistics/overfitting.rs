//! The probability of backtest overfitting by combinatorially symmetric cross-validation: Bailey, Borwein, López de
//! Prado and Zhu (2015). The time is cut into blocks; of each way to take half of them, the trial that is best on one
//! half is looked up on the other.

use serde::{Deserialize, Serialize};

use super::measures;

/// The most blocks: 12,870 ways to take half of them.
const MOST_BLOCKS: usize = 16;
const FEWEST_BLOCKS: usize = 4;
/// The fewest periods in a block.
const FEWEST_PERIODS: usize = 4;

/// How likely the choice of the best trial was overfitting.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Overfitting {
    /// The share of the ways in which the trial that was best on one half was in the lower half on the other, from 0
    /// to 1. Half of them is what chance does.
    pub probability: f64,
    /// The share of the ways in which it lost on the other half, from 0 to 1.
    pub loss: f64,
    /// In how many ways the time was divided.
    pub ways: u64,
    /// Into how many blocks it was cut.
    pub blocks: u32,
}

/// Sums over a block, from which a Sharpe ratio follows.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    count: f64,
    sum: f64,
    squares: f64,
}

impl Sums {
    fn of(returns: &[f64], center: f64) -> Self {
        let centered = returns.iter().map(|value| value - center);
        Self {
            count: returns.len() as f64,
            sum: centered.clone().sum(),
            squares: centered.map(|value| value * value).sum(),
        }
    }

    fn with(self, other: Self) -> Self {
        Self { count: self.count + other.count, sum: self.sum + other.sum, squares: self.squares + other.squares }
    }

    /// The Sharpe ratio and the average; a ratio of 0 if the returns do not differ, as if nothing had been traded.
    fn sharpe(self, center: f64) -> (f64, f64) {
        let mean = self.sum / self.count;
        let variance = (self.squares - self.sum * mean) / (self.count - 1.0);
        let average = mean + center;
        let ratio = if variance > 1e-24 { average / variance.sqrt() } else { 0.0 };
        (ratio, average)
    }
}

/// Looks how the best of these trials on one part of the time did on the rest. `trials` are the returns of each trial,
/// over the same periods. `None` if there are fewer than two trials, or too few periods.
pub fn overfitting(trials: &[Vec<f64>]) -> Option<Overfitting> {
    let periods = trials.first()?.len();
    let blocks = (periods / FEWEST_PERIODS).min(MOST_BLOCKS) / 2 * 2;
    if trials.len() < 2 || blocks < FEWEST_BLOCKS || trials.iter().any(|trial| trial.len() != periods) {
        return None;
    }
    // What is left over at the start is left out, so that all blocks are as long.
    let each = periods / blocks;
    let start = periods - each * blocks;
    let centers: Vec<f64> = trials.iter().map(|trial| measures::mean(trial).unwrap_or(0.0)).collect();
    let cut = |(trial, center): (&Vec<f64>, &f64)| -> Vec<Sums> {
        trial[start..].chunks_exact(each).map(|block| Sums::of(block, *center)).collect()
    };
    let sums: Vec<Vec<Sums>> = trials.iter().zip(&centers).map(cut).collect();
    let (mut ways, mut low, mut lost) = (0_u64, 0_u64, 0_u64);
    for chosen in (0_u32..1 << blocks).filter(|chosen| chosen.count_ones() as usize == blocks / 2) {
        let side = |trial: usize, is_in: bool| {
            let own = sums[trial].iter().enumerate().filter(|(block, _)| (((chosen >> block) & 1) == 1) == is_in);
            own.fold(Sums::default(), |all, (_, block)| all.with(*block)).sharpe(centers[trial])
        };
        let best = (0..trials.len()).map(|trial| (side(trial, true).0, trial)).max_by(|a, b| a.0.total_cmp(&b.0));
        let Some((_, best)) = best else { continue };
        let (outside, average) = side(best, false);
        let below = (0..trials.len()).filter(|trial| *trial != best).map(|trial| side(trial, false).0);
        // Those that are as good count by half.
        let rank: f64 = below
            .map(|other| {
                if other < outside {
                    1.0
                } else if other == outside {
                    0.5
                } else {
                    0.0
                }
            })
            .sum();
        ways += 1;
        low += u64::from(rank <= (trials.len() - 1) as f64 / 2.0);
        lost += u64::from(average < 0.0);
    }
    let share = |number: u64| number as f64 / ways as f64;
    Some(Overfitting { probability: share(low), loss: share(lost), ways, blocks: blocks as u32 })
}

#[cfg(test)]
mod tests {
    use super::{super::bootstrap::Chance, *};

    fn by_chance(chance: &mut Chance, trials: usize, periods: usize) -> Vec<Vec<f64>> {
        let mut step = || (0..12).map(|_| chance.share()).sum::<f64>() - 6.0;
        (0..trials).map(|_| (0..periods).map(|_| step()).collect()).collect()
    }

    #[test]
    fn chance_is_found_and_an_edge_is_not_doubted() {
        let mut chance = Chance::new(3);
        let mut probabilities = Vec::new();
        for _ in 0..10 {
            probabilities.push(overfitting(&by_chance(&mut chance, 20, 128)).unwrap().probability);
        }
        let mean = measures::mean(&probabilities).unwrap();
        assert!((0.35..0.65).contains(&mean), "the best by chance is as likely low as high: {probabilities:?}");
        let mut trials = by_chance(&mut chance, 20, 128);
        trials[7].iter_mut().for_each(|value| *value += 0.6);
        let found = overfitting(&trials).unwrap();
        assert!(found.probability < 0.01 && found.loss < 0.01, "{found:?}");
        assert_eq!((found.ways, found.blocks), (12_870, 16));
    }

    #[test]
    fn ways_are_counted_and_too_little_is_told() {
        let trials = [[1.0, 2.0, 1.0, 2.0, -1.0, -2.0, -1.0, -2.0].repeat(2), [0.1, -0.1].repeat(8)];
        let found = overfitting(&trials).unwrap();
        assert_eq!((found.ways, found.blocks), (6, 4));
        assert!(overfitting(&trials[..1]).is_none() && overfitting(&[vec![1.0; 15], vec![1.0; 14]]).is_none());
        assert!(overfitting(&[vec![1.0; 15], vec![2.0; 15]]).is_none(), "too few periods");
    }
}
