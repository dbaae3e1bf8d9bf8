//! What a report says in sentences.

use std::collections::BTreeMap;

use ta_bot_core::Timestamp;

use super::{Certificate, Report};
use crate::{
    money::{EquityCurve, ExitReason, float},
    statistics::{Figure, Measure, Unit},
};

/// A number of things, with an `s` if they are several.
pub(super) fn count(number: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// A number with its thousands apart.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// An amount of money with two decimal places and its thousands apart.
pub(super) fn money(amount: f64) -> String {
    let cents = (amount.abs() * 100.0).round();
    let sign = if amount < 0.0 && cents > 0.0 { "-" } else { "" };
    format!("{sign}{}.{:02}", grouped((cents / 100.0) as u64), (cents % 100.0) as u64)
}

/// A moment to the minute.
pub(super) fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    text.get(..16).map_or(text.clone(), |minute| minute.replace('T', " "))
}

fn share(share: f64) -> String {
    Unit::Share.write(share)
}

/// What came of it, first of all.
pub(super) fn headline(report: &Report) -> Vec<String> {
    let outcome = report.outcome;
    let Some(curve) = &outcome.equity else {
        return vec!["There were no candles, so nothing can be said.".to_owned()];
    };
    let time = format!(
        "From {} to {} (UTC), over {}, {} made {}.",
        moment(curve.from),
        moment(curve.to),
        count(outcome.candles, "candle"),
        count(outcome.signals, "signal"),
        count(outcome.trade_count, "trade")
    );
    let mut said = vec![time];
    let value = |measure| report.statistics.get(measure).and_then(|figure| figure.value.map(|_| figure));
    match value(Measure::TotalReturn) {
        None => said.push("Without trades there are no statistics.".to_owned()),
        Some(total) => said.push(returned(report, curve, total)),
    }
    if outcome.is_ruined {
        said.push("The account lost everything, and nothing was traded after that.".to_owned());
    }
    said.extend(value(Measure::Sharpe).map(sharpe));
    said.extend(by_chance(report));
    said
}

fn returned(report: &Report, curve: &EquityCurve, total: &Figure) -> String {
    let outcome = report.outcome;
    let (start, end) = (float(outcome.assumptions.start_equity), float(outcome.end_equity));
    let held = report.statistics.buy_and_hold.and_then(|held| held.total_return);
    let held = held.map(|held| format!("; buying and holding would have come to {}", share(held)));
    let interval = total.interval.map(|_| format!(" (95 %: {})", total.interval_in_words()));
    let depth = curve.deepest.map_or(0.0, |deepest| deepest.depth);
    format!(
        "The account went from {} to {}, a return of {}{}, with a drawdown of up to {}{}.",
        money(start),
        money(end),
        total.value_in_words(),
        interval.unwrap_or_default(),
        share(depth),
        held.unwrap_or_default()
    )
}

fn sharpe(figure: &Figure) -> String {
    let value = figure.value_in_words();
    match figure.interval {
        Some((low, high)) if low <= 0.0 && high >= 0.0 => format!(
            "A Sharpe ratio of {value} a year does not say much: it might as well have been {}, which includes zero.",
            figure.interval_in_words()
        ),
        Some(_) => format!("The Sharpe ratio is {value} a year (95 %: {}).", figure.interval_in_words()),
        None => format!("The Sharpe ratio is {value} a year, from too few days for an interval."),
    }
}

fn by_chance(report: &Report) -> Option<String> {
    let random = report.random_entries?;
    let middle = random.returns.get(random.returns.len() / 2)?;
    Some(format!(
        "Of {} with entries by chance and the same exits, the middle one came to {}; {} were at least as good as this \
         one.",
        count(random.returns.len() as u64, "run"),
        share(*middle),
        share(random.as_good)
    ))
}

/// What the comparison with live evaluations says.
pub(super) fn certificate(certificate: Option<Certificate>) -> String {
    match certificate {
        None => "It was not compared with live evaluations.".to_owned(),
        Some(Certificate { replayed: 0, .. }) => {
            "No live evaluation is stored for this time, so there was nothing to compare.".to_owned()
        }
        Some(Certificate { replayed, equal }) if replayed == equal => format!(
            "Of the live evaluations that are stored for this time, {} made again, and all were equal to the byte.",
            if replayed == 1 { "1 was".to_owned() } else { format!("{} were", grouped(replayed)) }
        ),
        Some(Certificate { replayed, equal }) => format!(
            "Of the live evaluations that are stored for this time, {} were made again, and {} were not equal: this \
             backtest does not show what happened live.",
            grouped(replayed),
            grouped(replayed.saturating_sub(equal))
        ),
    }
}

/// What the picture of the equity shows.
pub(super) fn equity(curve: &EquityCurve) -> String {
    let (low, high) = (
        curve.points.iter().map(|point| point.low).fold(f64::INFINITY, f64::min),
        curve.points.iter().map(|point| point.high).fold(f64::NEG_INFINITY, f64::max),
    );
    format!(
        "The equity at closes lay between {} and {}. A position was open for {} of the time.",
        money(low),
        money(high),
        share(curve.time_invested)
    )
}

/// What the picture of the drawdowns shows.
pub(super) fn drawdown(curve: &EquityCurve) -> String {
    let Some((deepest, longest)) = curve.deepest.zip(curve.longest) else {
        return "The equity never fell below an earlier close.".to_owned();
    };
    let until = |recovered: Option<Timestamp>| match recovered {
        Some(at) => format!("was made up for on {}", moment(at)),
        None => "was not made up for".to_owned(),
    };
    format!(
        "The deepest drawdown of {} began on {}, was deepest on {} and {}. The longest began on {} and {}.",
        share(deepest.depth),
        moment(deepest.peak),
        moment(deepest.bottom),
        until(deepest.recovered),
        moment(longest.peak),
        until(longest.recovered)
    )
}

/// What the distribution of the trades shows.
pub(super) fn distribution(report: &Report) -> String {
    let mut profits: Vec<f64> = report.trades.iter().map(crate::money::Trade::profit).collect();
    profits.sort_by(f64::total_cmp);
    let [Some(worst), Some(middle), Some(best)] = [profits.first(), profits.get(profits.len() / 2), profits.last()]
    else {
        return "There were no trades.".to_owned();
    };
    format!(
        "After costs the worst trade brought {} of its value, the middle one {}, the best one {}.",
        share(*worst),
        share(*middle),
        share(*best)
    )
}

/// What the costs were.
pub(super) fn costs(report: &Report) -> String {
    let costs = report.outcome.costs;
    let total = float(costs.total());
    let gross: f64 = float(report.outcome.end_equity) - float(report.outcome.assumptions.start_equity) + total;
    format!(
        "Before costs the trades brought {}; {} went to fees, {} to slippage and {} to funding.",
        money(gross),
        money(float(costs.fees)),
        money(float(costs.slippage)),
        money(float(costs.funding))
    )
}

/// How many trades each rule ended, with what they brought.
pub(super) fn by_reason(report: &Report) -> BTreeMap<ExitReason, (u64, f64)> {
    let mut reasons = BTreeMap::new();
    for trade in report.trades {
        let (number, net): &mut (u64, f64) = reasons.entry(trade.reason).or_default();
        *number += 1;
        *net += float(trade.net);
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::{Measure, Sample};

    /// What is said of a Sharpe ratio depends on whether its interval includes zero, on both sides.
    #[test]
    fn only_an_interval_around_zero_includes_it() {
        let of = |interval: Option<(f64, f64)>| {
            let (measure, sample) = (Measure::Sharpe, Sample::Days(100));
            sharpe(&Figure { measure, value: Some(1.0), interval, sample, reason: None })
        };
        assert!(of(Some((-1.0, 3.0))).contains("includes zero") && of(Some((0.0, 2.0))).contains("includes zero"));
        for clear in [(0.5, 2.0), (-3.0, -0.5)] {
            assert!(!of(Some(clear)).contains("includes zero"), "{clear:?}");
        }
        assert!(of(None).contains("too few days"));
    }
}
