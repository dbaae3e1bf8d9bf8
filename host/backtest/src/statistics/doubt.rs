//! How much of a Sharpe ratio is left if one knows how short the sample was, how its returns are shaped, and how many
//! tries came before: Bailey and López de Prado, "The Sharpe Ratio Efficient Frontier" (2012) and "The Deflated Sharpe
//! Ratio" (2014).
//!
//! All ratios here are those of one period, such as a day; none is that of a year.

use serde::{Deserialize, Serialize};

use super::measures;

/// Euler's constant.
const EULER_MASCHERONI: f64 = 0.577_215_664_901_532_9;

/// The probability that a standard normal number is below `value`.
pub fn normal(value: f64) -> f64 {
    0.5 * libm::erfc(-value / std::f64::consts::SQRT_2)
}

/// The value below which a standard normal number is with this probability, found by halving; infinite at 0 and 1.
pub fn normal_quantile(probability: f64) -> f64 {
    if probability <= 0.0 || probability >= 1.0 {
        return if probability <= 0.0 { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    let (mut low, mut high) = (-40.0_f64, 40.0_f64);
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if normal(middle) < probability { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// What is known of a Sharpe ratio: the ratio, and the sample that it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SharpeSample {
    /// The ratio of one period.
    pub sharpe: f64,
    /// How many periods.
    pub periods: f64,
    /// The skewness of the returns, 0 if they are symmetric.
    pub skewness: f64,
    /// The kurtosis of the returns, 3 if they are normal.
    pub kurtosis: f64,
}

impl SharpeSample {
    /// What returns say; `None` if there are fewer than three, or if they do not differ.
    pub fn of(returns: &[f64]) -> Option<Self> {
        let sharpe = measures::sharpe(returns).filter(|_| returns.len() > 2)?;
        let (skewness, kurtosis) = measures::shape(returns)?;
        Some(Self { sharpe, periods: returns.len() as f64, skewness, kurtosis })
    }

    /// The variance of the ratio, times the number of periods less one; `None` if it is not above zero.
    fn spread(&self) -> Option<f64> {
        let spread = 1.0 - self.skewness * self.sharpe + (self.kurtosis - 1.0) / 4.0 * self.sharpe.powi(2);
        (spread > 0.0).then_some(spread)
    }

    /// The probability that the true ratio is above `threshold`, a ratio of one period.
    pub fn probabilistic(&self, threshold: f64) -> Option<f64> {
        Some(normal((self.sharpe - threshold) * (self.periods - 1.0).sqrt() / self.spread()?.sqrt()))
    }

    /// The probability that the true ratio is above zero, known that it is the best of these trials. It is the
    /// probability that it is above what the best of as many trials without any edge is expected to reach.
    pub fn deflated(&self, trials: &Trials) -> Option<f64> {
        self.probabilistic(trials.expected_best())
    }

    /// How many periods it takes until the ratio is above `threshold` with this confidence, such as 0.95; `None` if it
    /// is not above it at all.
    pub fn minimum_periods(&self, threshold: f64, confidence: f64) -> Option<f64> {
        let above = self.sharpe - threshold;
        let spread = self.spread().filter(|_| above > 0.0)?;
        Some(1.0 + spread * (normal_quantile(confidence) / above).powi(2))
    }
}

/// The trials from which the best was taken.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Trials {
    /// How many there were. Trials that resemble each other count like others, which errs on the side of doubt.
    pub count: f64,
    /// The variance of their Sharpe ratios of one period.
    pub variance: f64,
}

impl Trials {
    /// The trials with these Sharpe ratios of one period. Those without one, such as interrupted ones, count too:
    /// `others` says how many.
    pub fn of(sharpes: &[f64], others: u64) -> Self {
        let variance = measures::deviation(sharpes).map_or(0.0, |deviation| deviation.powi(2));
        Self { count: (sharpes.len() as u64 + others) as f64, variance }
    }

    /// The Sharpe ratio of one period that the best of the trials is expected to have if none of them has an edge.
    pub fn expected_best(&self) -> f64 {
        if self.count <= 1.0 || self.variance <= 0.0 {
            return 0.0;
        }
        let tail = |share: f64| normal_quantile(1.0 - share);
        let best = (1.0 - EULER_MASCHERONI) * tail(1.0 / self.count)
            + EULER_MASCHERONI * tail(1.0 / (self.count * std::f64::consts::E));
        self.variance.sqrt() * best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of "The Deflated Sharpe Ratio": 100 trials whose ratios a year have a variance of a half, 1,250 days
    /// of which a year has 250, a skewness of −3, a kurtosis of 10, and a ratio a year of 2.5.
    #[test]
    fn the_example_of_the_authors_gives_their_numbers() {
        let trials = Trials { count: 100.0, variance: 0.5 / 250.0 };
        assert_eq!(format!("{:.4}", trials.expected_best()), "0.1132");
        let sample = SharpeSample { sharpe: 2.5 / 250_f64.sqrt(), periods: 1250.0, skewness: -3.0, kurtosis: 10.0 };
        assert_eq!(format!("{:.4}", sample.deflated(&trials).unwrap()), "0.9004");
    }

    #[test]
    fn the_normal_distribution_is_that_of_tables() {
        for (value, probability) in [(0.0, 0.5), (1.959_963_984_540_054, 0.975), (-2.326_347_874_040_841, 0.01)] {
            assert!((normal(value) - probability).abs() < 1e-15);
            assert!((normal_quantile(probability) - value).abs() < 1e-12);
        }
        assert_eq!((normal_quantile(0.0), normal_quantile(1.0)), (f64::NEG_INFINITY, f64::INFINITY));
    }

    #[test]
    fn a_track_record_is_long_enough_when_it_convinces() {
        let sample = SharpeSample { sharpe: 0.1, periods: 500.0, skewness: -0.5, kurtosis: 5.0 };
        let needed = sample.minimum_periods(0.02, 0.95).unwrap();
        let just = SharpeSample { periods: needed, ..sample };
        assert!((just.probabilistic(0.02).unwrap() - 0.95).abs() < 1e-12);
        assert_eq!(sample.minimum_periods(0.1, 0.95), None);
        assert_eq!((SharpeSample::of(&[0.1, 0.2]), SharpeSample::of(&[0.1; 9])), (None, None));
    }

    #[test]
    fn without_a_choice_nothing_is_deflated() {
        for trials in [Trials::of(&[0.3], 0), Trials::of(&[0.2, 0.2], 0), Trials::of(&[], 0)] {
            assert_eq!(trials.expected_best(), 0.0);
        }
        let trials = Trials::of(&[0.1, 0.3], 8);
        assert!(trials.count == 10.0 && (trials.variance - 0.02).abs() < 1e-12);
    }
}
