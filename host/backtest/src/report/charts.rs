//! The data of the pictures, as the page's script reads it.

use serde::Serialize;

use super::{
    Report,
    bars::{Bars, Columns, seconds},
};
use crate::money::{EquityCurve, Side, Trade, float};

/// The most trades that are marked in one picture. With two thousand nothing else could be seen.
pub(super) const MOST_MARKED: usize = 400;

#[derive(Serialize)]
struct Data {
    equity: Equity,
    days: Days,
    series: Vec<Prices>,
}

/// The curve, in seconds, amounts and percent.
#[derive(Serialize, Default)]
struct Equity {
    time: Vec<i64>,
    #[serde(rename = "equity")]
    value: Vec<f64>,
    drawdown: Vec<f64>,
}

#[derive(Serialize, Default)]
struct Days {
    time: Vec<i64>,
    hold: Vec<f64>,
}

#[derive(Serialize)]
struct Prices {
    #[serde(flatten)]
    columns: Columns,
    /// How many decimal places a price has.
    places: u32,
    /// Time, what it is, and whether the trade won.
    marks: Vec<(i64, &'static str, bool)>,
}

/// The data as JSON, in which nothing ends the element that it stands in.
pub(super) fn json(report: &Report) -> String {
    let curve = report.outcome.equity.as_ref();
    let start = float(report.outcome.assumptions.start_equity);
    let data = Data {
        equity: curve.map(|curve| equity(curve, start)).unwrap_or_default(),
        days: curve.map(|curve| days(curve, start)).unwrap_or_default(),
        series: report.candles.iter().map(|bars| prices(bars, report.trades)).collect(),
    };
    serde_json::to_string(&data).unwrap_or_default().replace('<', "\\u003c")
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// A column that begins with what there was at first.
fn column<T, N>(first: N, rest: &[T], of: impl Fn(&T) -> N) -> Vec<N> {
    std::iter::once(first).chain(rest.iter().map(of)).collect()
}

fn equity(curve: &EquityCurve, start: f64) -> Equity {
    let EquityCurve { points, from, .. } = curve;
    Equity {
        time: column(seconds(*from), points, |point| seconds(point.at)),
        value: column(rounded(start), points, |point| rounded(point.equity)),
        drawdown: column(0.0, points, |point| -rounded(point.drawdown * 100.0)),
    }
}

fn days(curve: &EquityCurve, start: f64) -> Days {
    let EquityCurve { periods, from, .. } = curve;
    Days {
        time: column(seconds(*from), periods, |end| seconds(end.at)),
        hold: column(rounded(start), periods, |end| rounded(end.buy_and_hold)),
    }
}

/// The trades of a series that are marked: the newest.
pub(super) fn marked<'a>(bars: &Bars, trades: &'a [Trade]) -> Vec<&'a Trade> {
    let own: Vec<_> = trades.iter().filter(|trade| trade.series == bars.series).collect();
    own[own.len().saturating_sub(MOST_MARKED)..].to_vec()
}

fn prices(bars: &Bars, trades: &[Trade]) -> Prices {
    let mut marks = Vec::new();
    for trade in marked(bars, trades) {
        let won = float(trade.net) > 0.0;
        let exit = if trade.side == Side::Long { "exit of long" } else { "exit of short" };
        marks.extend(bars.time_of(trade.entry.at).map(|time| (time, trade.side.as_str(), won)));
        // A fill within a candle bears the time of its close, at which the next one opens.
        let at = trade.exit.at.plus_millis(-i64::from(trade.exit.moment != crate::money::Moment::Open));
        marks.extend(bars.time_of(at).map(|time| (time, exit, won)));
    }
    marks.sort_by_key(|(time, _, _)| *time);
    Prices { columns: bars.columns(), places: bars.places(), marks }
}
