//! The measures themselves, as functions of returns. Each of them is `None` if it is not defined: there is nothing to
//! divide by, or too little to average.

/// The average; `None` of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The standard deviation of a sample, dividing by one less than its size.
pub fn deviation(values: &[f64]) -> Option<f64> {
    let mean = mean(values).filter(|_| values.len() > 1)?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / (values.len() - 1) as f64).sqrt())
}

/// A quotient; `None` if the divisor is zero, or so small against `scale` that only rounding is left of it.
fn over(value: f64, divisor: f64, scale: f64) -> Option<f64> {
    (divisor > scale.abs() * 1e-12 && divisor > 0.0).then(|| value / divisor).filter(|quotient| quotient.is_finite())
}

/// The Sharpe ratio of one period's return: the average over the deviation. No risk-free return is taken off.
pub fn sharpe(returns: &[f64]) -> Option<f64> {
    let mean = mean(returns)?;
    over(mean, deviation(returns)?, mean)
}

/// The Sortino ratio of one period's return: the average over the root of the mean square of what is below zero.
pub fn sortino(returns: &[f64]) -> Option<f64> {
    let mean = mean(returns)?;
    let below: f64 = returns.iter().map(|value| value.min(0.0).powi(2)).sum();
    over(mean, (below / returns.len() as f64).sqrt(), mean)
}

/// What these returns come to, one after the other; −1 at the least.
pub fn total_return(returns: &[f64]) -> Option<f64> {
    let grown = returns.iter().try_fold(1.0, |grown, value| (grown > 0.0).then_some(grown * (1.0 + value)));
    (!returns.is_empty()).then(|| grown.map_or(-1.0, |grown| (grown - 1.0).max(-1.0)))
}

/// A total return as one of a year, if `years` brought it.
pub fn annual_return(total: f64, years: f64) -> Option<f64> {
    let annual = (1.0 + total).max(0.0).powf(1.0 / years) - 1.0;
    (years > 0.0 && annual.is_finite()).then_some(annual)
}

/// The deepest drawdown of these returns, as a share of the peak, from 0 to 1, and the longest, in periods from a peak
/// until it is reached again or the returns end.
pub fn drawdown(returns: &[f64]) -> Option<(f64, f64)> {
    let (mut value, mut peak, mut deepest) = (1.0_f64, 1.0_f64, 0.0_f64);
    let (mut since, mut longest) = (0_usize, 0_usize);
    for step in returns {
        value = (value * (1.0 + step)).max(0.0);
        since += 1;
        // The period in which the peak is reached again still belongs to the drawdown.
        longest = if value < peak || since > 1 { longest.max(since) } else { longest };
        if value >= peak {
            (peak, since) = (value, 0);
        } else {
            deepest = deepest.max(1.0 - value / peak);
        }
    }
    (!returns.is_empty()).then_some((deepest, longest as f64))
}

/// What winning trades brought over what losing ones took; `None` if none lost.
pub fn profit_factor(profits: &[f64]) -> Option<f64> {
    let part = |sign: f64| profits.iter().map(|profit| (profit * sign).max(0.0)).sum::<f64>();
    over(part(1.0), part(-1.0), 0.0)
}

/// The share of trades that won, from 0 to 1.
pub fn win_rate(profits: &[f64]) -> Option<f64> {
    let won = profits.iter().filter(|profit| **profit > 0.0).count();
    (!profits.is_empty()).then(|| won as f64 / profits.len() as f64)
}

/// The skewness and the kurtosis, which is 3 for a normal distribution: third and fourth moments about the average, by
/// the deviation of the whole.
pub fn shape(values: &[f64]) -> Option<(f64, f64)> {
    let mean = mean(values)?;
    let moment = |power: i32| values.iter().map(|value| (value - mean).powi(power)).sum::<f64>() / values.len() as f64;
    let variance = moment(2);
    let skewness = over(moment(3), variance.powf(1.5), 0.0)?;
    Some((skewness, over(moment(4), variance.powi(2), 0.0)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_are_those_of_the_hand() {
        let returns = [0.1, -0.05, 0.02, -0.01];
        let near = |a: Option<f64>, b: f64| assert!((a.unwrap() - b).abs() < 1e-12, "{a:?} {b}");
        near(mean(&returns), 0.015);
        near(deviation(&returns), (0.0121_f64 / 3.0).sqrt());
        near(sharpe(&returns), 0.015 / (0.0121_f64 / 3.0).sqrt());
        near(sortino(&returns), 0.015 / (0.0026_f64 / 4.0).sqrt());
        near(total_return(&returns), 1.1 * 0.95 * 1.02 * 0.99 - 1.0);
        near(annual_return(0.21, 2.0), 0.1);
        near(profit_factor(&[3.0, -1.0, 1.0, -1.0]), 2.0);
        near(win_rate(&[3.0, -1.0, 0.0, -1.0]), 0.25);
        let (skewness, kurtosis) = shape(&[1.0, 2.0, 3.0, 10.0]).unwrap();
        near(Some(skewness), 45.0 / 12.5_f64.powf(1.5));
        near(Some(kurtosis), 348.5 / 156.25);
    }

    #[test]
    fn drawdowns_are_those_of_the_hand() {
        let (depth, length) = drawdown(&[0.1, -0.1, -0.1, 0.3, 0.1, -0.05]).unwrap();
        assert!((depth - 0.19).abs() < 1e-12);
        assert_eq!(length, 3.0, "two down and one up");
        assert_eq!(drawdown(&[0.1, 0.0, 0.1]), Some((0.0, 0.0)));
        assert_eq!(drawdown(&[-0.1, 0.01]).unwrap().1, 2.0, "one that is not over lasts until the end");
        assert_eq!(drawdown(&[-2.0, 0.5]).unwrap().0, 1.0);
    }

    #[test]
    fn what_is_not_defined_is_none() {
        for none in [mean(&[]), sharpe(&[0.1]), sharpe(&[0.1, 0.1]), sortino(&[0.1, 0.2]), profit_factor(&[1.0])] {
            assert_eq!(none, None);
        }
        assert_eq!((win_rate(&[]), drawdown(&[]), shape(&[1.0, 1.0]), total_return(&[])), (None, None, None, None));
        assert_eq!(total_return(&[-1.5, -1.5]), Some(-1.0), "what is lost does not come back");
    }
}
