//! Statistics beside `quantstats`, `skfolio` and `holdout-backtest`.

use serde_json::{Value as Json, json};
use ta_bot_backtest::statistics::{SharpeSample, Trials, measures, overfitting, reality_check};
use ta_bot_tests::chance::Chance;

use crate::oracle::{ask, is_near, number};

/// Daily returns by chance, of several lengths: bell-shaped, with a tail and a drift.
fn samples() -> Vec<Vec<f64>> {
    let mut chance = Chance::new(21);
    let mut uniform = move || chance.below(1 << 40) as f64 / (1_u64 << 40) as f64;
    let mut step = move || {
        let bell = (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
        let tail = if uniform() < 0.03 { -3.0 * uniform() } else { 0.0 };
        0.0015 + 0.02 * (bell + tail)
    };
    [40, 365, 1_250].into_iter().map(|days| (0..days).map(|_| step()).collect()).collect()
}

#[test]
fn others_compute_the_same() {
    let samples = samples();
    let answers = ask("statistics_oracle.py", &json!(samples));
    for (returns, answer) in samples.iter().zip(answers.as_array().unwrap()) {
        let years = returns.len() as f64 / 365.0;
        let total = measures::total_return(returns).unwrap();
        let annual = measures::annual_return(total, years).unwrap();
        let depth = measures::drawdown(returns).unwrap().0;
        let (skewness, kurtosis) = measures::shape(returns).unwrap();
        let sharpe = measures::sharpe(returns).unwrap();
        let check = |other: &str, name: &str, ours: f64| {
            let theirs: &Json = &answer[other][name];
            assert!(is_near(ours, number(theirs)), "{} days: {name} is {ours}, of {other} {theirs}", returns.len());
        };
        check("quantstats", "total_return", total);
        check("quantstats", "annual_return", annual);
        check("quantstats", "sharpe_a_year", sharpe * 365.0_f64.sqrt());
        check("quantstats", "sortino_a_year", measures::sortino(returns).unwrap() * 365.0_f64.sqrt());
        check("quantstats", "max_drawdown", depth);
        check("quantstats", "calmar", annual / depth);
        check("quantstats", "profit_factor", measures::profit_factor(returns).unwrap());
        check("quantstats", "win_rate", measures::win_rate(returns).unwrap());
        check("skfolio", "mean", measures::mean(returns).unwrap());
        check("skfolio", "deviation", measures::deviation(returns).unwrap());
        check("skfolio", "sharpe", sharpe);
        check("skfolio", "max_drawdown", depth);
        check("skfolio", "skewness", skewness);
        check("skfolio", "kurtosis", kurtosis);
    }
}

/// Searches among trials by chance: none has an edge, one has, one has among bad company.
fn searches() -> Vec<Vec<Vec<f64>>> {
    let mut chance = Chance::new(22);
    let mut uniform = move || chance.below(1 << 40) as f64 / (1_u64 << 40) as f64;
    let mut trial = move |drift: f64, wild: f64| -> Vec<f64> {
        (0..320).map(|_| drift + wild * 0.01 * ((0..12).map(|_| uniform()).sum::<f64>() - 6.0)).collect()
    };
    let mut none: Vec<_> = (0..30).map(|_| trial(0.0002, 1.0)).collect();
    let mut edge = none.clone();
    edge.push(trial(0.0025, 1.0));
    let company: Vec<_> = edge.iter().cloned().chain((0..20).map(|_| trial(-0.02, 3.0))).collect();
    none.truncate(25);
    vec![none, edge, company]
}

#[test]
fn others_doubt_the_best_of_a_search_as_much() {
    let searches = searches();
    let answers = ask("search_oracle.py", &json!(searches));
    for (trials, answer) in searches.iter().zip(answers.as_array().unwrap()) {
        let ratios: Vec<f64> = trials.iter().map(|trial| measures::sharpe(trial).unwrap()).collect();
        let best = (0..trials.len()).max_by(|a, b| ratios[*a].total_cmp(&ratios[*b])).unwrap();
        let sample = SharpeSample::of(&trials[best]).unwrap();
        let tried = Trials::of(&ratios, 0);
        let check = |other: &str, name: &str, ours: f64, within: f64| {
            let theirs = number(&answer[other][name]);
            assert!((ours - theirs).abs() <= within, "{} trials: {name} is {ours}, of {other} {theirs}", trials.len());
        };
        check("skfolio", "probabilistic", sample.probabilistic(0.02).unwrap(), 1e-9);
        check("skfolio", "expected_best", tried.expected_best(), 1e-9);
        check("skfolio", "deflated", sample.deflated(&tried).unwrap(), 1e-9);
        check("holdout", "deflated", sample.deflated(&tried).unwrap(), 1e-9);
        let needed = sample.minimum_periods(0.02, 0.95).unwrap();
        check("holdout", "minimum_periods", needed, 1e-6 * needed);
        check("holdout", "overfitting", overfitting(trials).unwrap().probability, 1e-12);
        // Each draws by its own lot.
        let drawn = reality_check(trials, 1).unwrap();
        check("holdout", "white", drawn.white, 0.06);
        check("holdout", "hansen", drawn.hansen, 0.06);
    }
}
