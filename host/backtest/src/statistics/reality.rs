//! Whether the best of many trials is better than a benchmark, known that it is the best of many: White's reality check
//! (2000) and Hansen's test for superior predictive ability (2005), by the stationary bootstrap.

use serde::{Deserialize, Serialize};

use super::bootstrap::Resampling;
use super::measures;

/// How often the periods are drawn anew.
const DRAWS: u32 = 1_000;

/// How likely it is that no trial is better than the benchmark, given what the best of them reached.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RealityCheck {
    /// White's p-value. Trials that are much worse than the benchmark make it larger than it need be.
    pub white: f64,
    /// Hansen's consistent p-value, which leaves out trials that are much worse than the benchmark.
    pub hansen: f64,
    /// How many trials there were.
    pub trials: u64,
}

/// The state of one trial: how it did, and how much that may vary.
struct Trial {
    mean: f64,
    /// The deviation of the mean, times the root of the number of periods.
    deviation: f64,
}

/// Compares the returns of trials, less those of the benchmark in the same periods. `None` if there are no trials,
/// fewer than ten periods, or if they do not cover the same ones.
pub fn reality_check(excess: &[Vec<f64>], seed: u64) -> Option<RealityCheck> {
    let periods = excess.first()?.len();
    if periods < 10 || excess.iter().any(|trial| trial.len() != periods) {
        return None;
    }
    let root = (periods as f64).sqrt();
    let mut resampling = Resampling::new(periods, seed);
    let mut places = Vec::new();
    // The means of each draw, by trial.
    let mut drawn: Vec<Vec<f64>> = vec![Vec::with_capacity(DRAWS as usize); excess.len()];
    for _ in 0..DRAWS {
        resampling.draw(&mut places);
        for (trial, means) in excess.iter().zip(&mut drawn) {
            means.push(places.iter().map(|place| trial[*place]).sum::<f64>() / periods as f64);
        }
    }
    let state = |(trial, means): (&Vec<f64>, &Vec<f64>)| Trial {
        mean: measures::mean(trial).unwrap_or(0.0),
        deviation: measures::deviation(means).unwrap_or(0.0) * root,
    };
    let trials: Vec<Trial> = excess.iter().zip(&drawn).map(state).collect();
    let best = trials.iter().map(|trial| trial.mean * root).fold(f64::NEG_INFINITY, f64::max);
    let varies = |trial: &Trial| trial.deviation > 0.0;
    let scaled = |trial: &Trial, mean: f64| mean * root / trial.deviation;
    let best_scaled =
        trials.iter().filter(|trial| varies(trial)).map(|trial| scaled(trial, trial.mean)).fold(0.0, f64::max);
    // What lies this far below the benchmark is not taken for one that might be as good.
    let far = (2.0 * (periods as f64).ln().ln()).sqrt();
    let (mut white, mut hansen) = (0_u32, 0_u32);
    for draw in 0..DRAWS as usize {
        let centered = trials.iter().zip(&drawn).map(|(trial, means)| (trial, means[draw] - trial.mean));
        let most = centered.clone().map(|(_, mean)| mean * root).fold(f64::NEG_INFINITY, f64::max);
        white += u32::from(most >= best);
        let near = centered.filter(|(trial, _)| varies(trial)).map(|(trial, mean)| {
            let is_far = scaled(trial, trial.mean) <= -far;
            scaled(trial, if is_far { mean + trial.mean } else { mean })
        });
        hansen += u32::from(near.fold(0.0, f64::max) >= best_scaled);
    }
    let share = |number: u32| f64::from(number) / f64::from(DRAWS);
    Some(RealityCheck { white: share(white), hansen: share(hansen), trials: excess.len() as u64 })
}

#[cfg(test)]
mod tests {
    use super::{super::bootstrap::Chance, *};

    fn by_chance(chance: &mut Chance, trials: usize, drift: f64) -> Vec<Vec<f64>> {
        let mut step = || (0..12).map(|_| chance.share()).sum::<f64>() - 6.0 + drift;
        (0..trials).map(|_| (0..120).map(|_| step()).collect()).collect()
    }

    /// Of a hundred searches among trials without an edge, about ten are called good at a level of ten percent.
    #[test]
    fn false_alarms_are_what_the_level_promises() {
        let mut chance = Chance::new(11);
        let mut alarms = (0, 0);
        for seed in 0..100 {
            let found = reality_check(&by_chance(&mut chance, 20, 0.0), seed).unwrap();
            alarms.0 += u32::from(found.white <= 0.1);
            alarms.1 += u32::from(found.hansen <= 0.1);
        }
        assert!((2..=20).contains(&alarms.0) && (2..=20).contains(&alarms.1), "{alarms:?}");
    }

    #[test]
    fn an_edge_is_found_among_many_and_bad_company_does_not_hide_it() {
        let mut chance = Chance::new(12);
        let mut trials = by_chance(&mut chance, 50, 0.0);
        trials[3].iter_mut().for_each(|value| *value += 0.5);
        let found = reality_check(&trials, 1).unwrap();
        assert!(found.white < 0.01 && found.hansen < 0.01, "{found:?}");
        assert_eq!(found, reality_check(&trials, 1).unwrap());
        // Wild trials that lose much raise the bar of White's check, and not that of Hansen's.
        for mut bad in by_chance(&mut chance, 30, -0.9) {
            for value in &mut bad {
                *value *= 5.0;
            }
            trials.push(bad);
        }
        let found = reality_check(&trials, 1).unwrap();
        assert!(found.white > 0.2 && found.hansen < 0.05, "{found:?}");
        assert!(reality_check(&[], 1).is_none() && reality_check(&[vec![0.1; 9]], 1).is_none());
    }
}
