//! The distribution of the trades as a picture: bars of equal width over what a trade brought.

use std::fmt::Write as _;

use super::Report;
use crate::{money::Trade, statistics::Unit};

/// How many bars there are at most.
const BARS: usize = 24;
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 200.0;

/// A bar: from which to which share of the trade's value, and how many trades.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bar {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) trades: u64,
}

/// The bars, from the worst to the best. Zero is the edge of a bar, so that no bar is both gain and loss.
pub(super) fn bars(trades: &[Trade]) -> Vec<Bar> {
    let profits: Vec<f64> = trades.iter().map(Trade::profit).filter(|profit| profit.is_finite()).collect();
    let (low, high) = profits.iter().fold((0.0_f64, 0.0_f64), |(low, high), one| (low.min(*one), high.max(*one)));
    if profits.is_empty() {
        return Vec::new();
    }
    let step = width(high - low);
    let (first, last) = ((low / step).floor(), (high / step).ceil().max(1.0));
    let number = ((last - first) as usize).max(1);
    let mut bars: Vec<Bar> = (0..number)
        .map(|place| Bar { from: (first + place as f64) * step, to: (first + place as f64 + 1.0) * step, trades: 0 })
        .collect();
    for profit in profits {
        let place = ((profit / step).floor() - first).clamp(0.0, (number - 1) as f64) as usize;
        bars[place].trades += 1;
    }
    bars
}

/// A round width with which the range takes no more than `BARS` bars.
fn width(range: f64) -> f64 {
    let least = (range / (BARS - 2) as f64).max(1e-6);
    let power = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|step| *step >= least).unwrap_or(10.0 * power)
}

/// The picture, or nothing if there are no trades.
pub(super) fn svg(report: &Report, label: &str) -> String {
    let bars = bars(report.trades);
    let (Some(first), Some(last)) = (bars.first(), bars.last()) else { return String::new() };
    let most = bars.iter().map(|bar| bar.trades).max().unwrap_or(1).max(1) as f64;
    let each = WIDTH / bars.len() as f64;
    let mut drawn = String::new();
    for (place, bar) in bars.iter().enumerate() {
        let height = bar.trades as f64 / most * HEIGHT;
        let class = if bar.from < 0.0 { "loss" } else { "gain" };
        // Writing into a text does not fail.
        let _ = write!(
            drawn,
            r#"<rect class="{class}" x="{:.1}" y="{:.1}" width="{:.1}" height="{height:.1}"/>"#,
            place as f64 * each + 1.0,
            HEIGHT - height,
            each - 2.0
        );
    }
    let below = HEIGHT + 16.0;
    let total = HEIGHT + 24.0;
    format!(
        r#"<svg role="img" aria-label="{}" viewBox="0 0 {WIDTH} {total}" width="100%">{drawn}<line x1="0" y1="{HEIGHT}" x2="{WIDTH}" y2="{HEIGHT}"/><text x="0" y="{below}">{}</text><text x="{WIDTH}" y="{below}" text-anchor="end">{}</text></svg>"#,
        super::escape::escaped(label),
        Unit::Share.write(first.from),
        Unit::Share.write(last.to)
    )
}
