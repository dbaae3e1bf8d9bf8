//! The tables of a report.

use super::{
    Report,
    escape::escaped,
    histogram::Bar,
    sentences::{by_reason, grouped, moment, money},
};
use crate::{
    money::{Drawdown, EquityCurve, Trade, float},
    statistics::Unit,
};

/// The most trades that are listed.
pub(super) const MOST_LISTED: usize = 500;

/// A cell: its text, and how it is written.
struct Cell(String, &'static str);

fn text(text: impl Into<String>) -> Cell {
    Cell(text.into(), "")
}

fn number(number: impl Into<String>) -> Cell {
    Cell(number.into(), "number")
}

fn gained(amount: f64) -> Cell {
    Cell(money(amount), if amount < 0.0 { "number loss" } else { "number gain" })
}

/// A table in a frame that scrolls, so it can be reached by keyboard.
fn table(caption: &str, head: &[(&str, bool)], rows: impl IntoIterator<Item = Vec<Cell>>) -> String {
    let caption = escaped(caption);
    let mut html =
        format!(r#"<div class="scroll" tabindex="0" role="region" aria-label="{caption}"><table><thead><tr>"#);
    for (name, is_number) in head {
        let class = if *is_number { r#" class="number""# } else { "" };
        html += &[r#"<th scope="col""#, class, ">", &escaped(name), "</th>"].concat();
    }
    html.push_str("</tr></thead><tbody>");
    for row in rows {
        html.push_str("<tr>");
        for Cell(text, class) in row {
            let class = if class.is_empty() { String::new() } else { format!(r#" class="{class}""#) };
            html += &["<td", &class, ">", &escaped(&text), "</td>"].concat();
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody></table></div>");
    html
}

pub(super) fn facts(facts: &[(String, String)]) -> String {
    let rows = facts.iter().map(|(name, value)| vec![text(name), Cell(value.clone(), "wide")]);
    table("What was tried", &[("What", false), ("Value", false)], rows)
}

pub(super) fn figures(report: &Report) -> String {
    let head = [("Measure", false), ("Value", true), ("95 % interval", true), ("From", true), ("What it is", false)];
    let rows = report.statistics.figures.iter().map(|figure| {
        let what = figure.measure.in_words();
        let said = figure.reason.as_ref().map_or_else(|| what.to_owned(), |reason| format!("{what}; {reason}"));
        vec![
            text(figure.measure.name()),
            number(figure.value_in_words()),
            number(figure.interval_in_words()),
            number(figure.sample.in_words()),
            Cell(said, "wide"),
        ]
    });
    table("Statistics", &head, rows)
}

pub(super) fn benchmarks(report: &Report) -> String {
    let share = |value: Option<f64>| number(value.map_or_else(|| "–".to_owned(), |value| Unit::Share.write(value)));
    let ratio = |value: Option<f64>| number(value.map_or_else(|| "–".to_owned(), |value| Unit::Ratio.write(value)));
    let held = report.statistics.buy_and_hold;
    let mut rows = vec![vec![
        text("Buying all symbols and holding them"),
        share(held.and_then(|held| held.total_return)),
        share(held.and_then(|held| held.max_drawdown)),
        ratio(held.and_then(|held| held.sharpe)),
    ]];
    if let Some(random) = report.random_entries {
        let at = |share: f64| {
            let place = (share * random.returns.len().saturating_sub(1) as f64).round() as usize;
            random.returns.get(place).copied()
        };
        for (name, place) in [("worst", 0.0), ("middle", 0.5), ("best", 1.0)] {
            let name = format!("Entries by chance with the same exits, {name} of {}", random.returns.len());
            rows.push(vec![text(name), share(at(place)), number("–"), number("–")]);
        }
    }
    let head = [("Instead", false), ("Return", true), ("Deepest drawdown", true), ("Sharpe ratio a year", true)];
    table("What else would have come of it", &head, rows)
}

/// The equity at the ends of months, or of days if there are few.
pub(super) fn equity(curve: &EquityCurve) -> String {
    let by_day = curve.periods.len() <= 62;
    let period = |at: ta_bot_core::Timestamp| {
        let within = moment(at.plus_millis(-1));
        within.get(..if by_day { 10 } else { 7 }).unwrap_or_default().to_owned()
    };
    let ends = curve
        .periods
        .iter()
        .enumerate()
        .filter(|(place, end)| curve.periods.get(place + 1).is_none_or(|next| period(next.at) != period(end.at)));
    let rows =
        ends.map(|(_, end)| vec![text(period(end.at)), number(money(end.equity)), number(money(end.buy_and_hold))]);
    let head = [("Until the end of", false), ("Equity", true), ("Bought and held", true)];
    table("Equity over time", &head, rows)
}

pub(super) fn drawdowns(curve: &EquityCurve) -> String {
    let named = [("Deepest", curve.deepest), ("Longest", curve.longest)];
    let rows = named.into_iter().filter_map(|(name, drawdown)| {
        let Drawdown { depth, peak, bottom, recovered } = drawdown?;
        let recovered = recovered.map_or_else(|| "not yet".to_owned(), moment);
        let dates = [moment(peak), moment(bottom), recovered].map(text);
        Some([text(name), number(Unit::Share.write(depth))].into_iter().chain(dates).collect())
    });
    let head = [("Drawdown", false), ("Depth", true), ("Peak", false), ("Deepest", false), ("Made up for", false)];
    table("Drawdowns", &head, rows)
}

pub(super) fn distribution(bars: &[Bar]) -> String {
    let rows = bars.iter().map(|bar| {
        let [from, to] = [bar.from, bar.to].map(|share| number(Unit::Share.write(share)));
        vec![from, to, number(grouped(bar.trades))]
    });
    table("Distribution of trades", &[("From", true), ("To below", true), ("Trades", true)], rows)
}

pub(super) fn costs(report: &Report) -> String {
    let costs = report.outcome.costs;
    let total = float(costs.total());
    let named = [("Fees", costs.fees), ("Slippage", costs.slippage), ("Funding", costs.funding)];
    let start = float(report.outcome.assumptions.start_equity);
    let rows = named.into_iter().map(|(name, amount)| (name, float(amount))).chain([("Together", total)]);
    let rows =
        rows.map(|(name, amount)| vec![text(name), number(money(amount)), number(Unit::Share.write(amount / start))]);
    table("Costs", &[("Cost", false), ("Amount", true), ("Of the start's equity", true)], rows)
}

pub(super) fn reasons(report: &Report) -> String {
    let rows = by_reason(report).into_iter().map(|(reason, (trades, net))| {
        vec![text(reason.as_str().replace('_', " ")), number(grouped(trades)), gained(net)]
    });
    table("Why trades ended", &[("Ended by", false), ("Trades", true), ("Brought", true)], rows)
}

pub(super) fn ignored(report: &Report) -> String {
    let rows =
        report.outcome.ignored.iter().map(|(reason, signals)| vec![number(grouped(*signals)), text(reason.in_words())]);
    table("Signals that led to no trade", &[("Signals", true), ("Which", false)], rows)
}

/// The newest trades.
pub(super) fn trades(trades: &[Trade]) -> String {
    let head = [
        ("Nr.", true),
        ("Series", false),
        ("Strategy", false),
        ("Side", false),
        ("Entry", false),
        ("Price", true),
        ("Quantity", true),
        ("Exit", false),
        ("Price", true),
        ("Ended by", false),
        ("Costs", true),
        ("Brought", true),
    ];
    let rows = trades[trades.len().saturating_sub(MOST_LISTED)..].iter().map(|trade| {
        let costs = float(trade.gross) - float(trade.net);
        vec![
            number(trade.number.to_string()),
            text(trade.series.to_string()),
            text(trade.strategy.as_str()),
            text(trade.side.as_str()),
            text(moment(trade.entry.at)),
            number(trade.entry.price.normalize().to_string()),
            number(trade.quantity.normalize().to_string()),
            text(moment(trade.exit.at)),
            number(trade.exit.price.normalize().to_string()),
            text(trade.reason.as_str().replace('_', " ")),
            number(money(costs)),
            gained(float(trade.net)),
        ]
    });
    table("Trades", &head, rows)
}
