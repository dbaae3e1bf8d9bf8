//! The page of a report.

use super::{Report, charts, escape::escaped, histogram, sentences, tables};

const STYLE: &str = include_str!("../../assets/report.css");
const SCRIPT: &str = include_str!("../../assets/report.js");
const CHARTS: &str = include_str!("../../assets/lightweight-charts/lightweight-charts.standalone.production.js");
const NOTICE: &str = include_str!("../../assets/lightweight-charts/NOTICE");
/// The page loads nothing, whatever stands in it.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:";

fn paragraph(text: &str) -> String {
    format!("<p>{}</p>\n", escaped(text))
}

fn section(title: &str, content: &str) -> String {
    format!("<section><h2>{}</h2>\n{content}</section>\n", escaped(title))
}

fn list(sentences: &[String]) -> String {
    let mut html = String::from("<ul>\n");
    for sentence in sentences {
        html += &["<li>", &escaped(sentence), "</li>\n"].concat();
    }
    html + "</ul>\n"
}

/// A picture with the sentence and the table that say the same.
fn figure(picture: &str, sentence: &str, table: &str) -> String {
    let said = escaped(sentence);
    let folded = format!("<details><summary>The same as a table</summary>{table}</details>");
    format!("<figure>{picture}<figcaption>{said}</figcaption>{folded}</figure>\n")
}

/// A place that the script draws into.
fn chart(id: &str, class: &str, label: &str) -> String {
    format!(r#"<div class="{class}" id="{id}" role="img" aria-label="{}"></div>"#, escaped(label))
}

pub(super) fn html(report: &Report) -> String {
    let title = escaped(report.title);
    let body = body(report);
    let data = charts::json(report);
    let script = if report.outcome.equity.is_some() {
        format!(
            "<script type=\"application/json\" id=\"data\">{data}</script>\n<script>{CHARTS}</script>\n\
             <script>{SCRIPT}</script>\n"
        )
    } else {
        String::new()
    };
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <main>\n<h1>{title}</h1>\n{body}</main>\n{}{script}</body>\n</html>\n",
        footer()
    )
}

fn footer() -> String {
    let notice = escaped(NOTICE.trim()).replace(
        "https://www.tradingview.com/",
        r#"<a href="https://www.tradingview.com/">https://www.tradingview.com/</a>"#,
    );
    format!(
        "<footer><p>Charts: {notice}. Licensed under the Apache License, Version 2.0. What was true of the past need not \
         be true of the future.</p></footer>\n"
    )
}

fn body(report: &Report) -> String {
    let mut body: String = sentences::headline(report).iter().map(|said| paragraph(said)).collect();
    body.push_str(&paragraph(&sentences::certificate(report.certificate)));
    if let Some(curve) = &report.outcome.equity {
        let said = sentences::equity(curve);
        let key =
            "<p class=\"key\"><span class=\"equity\">equity</span><span class=\"other\">bought and held</span></p>";
        let equity = figure(&format!("{key}{}", chart("equity", "chart", &said)), &said, &tables::equity(curve));
        body.push_str(&section("Equity", &equity));
        let said = sentences::drawdown(curve);
        let drawdown = figure(&chart("drawdown", "chart low", &said), &said, &tables::drawdowns(curve));
        body.push_str(&section("Drawdown, in percent of the highest close before", &drawdown));
    }
    body.push_str(&section("Statistics", &tables::figures(report)));
    body.push_str(&section("What else would have come of it", &tables::benchmarks(report)));
    body.push_str(&trades(report));
    let said = sentences::costs(report);
    body.push_str(&section("Costs", &format!("{}{}", paragraph(&said), tables::costs(report))));
    body.push_str(&section("What is assumed", &list(&report.outcome.assumptions.in_words())));
    if !report.facts.is_empty() {
        body.push_str(&section("What was tried", &tables::facts(report.facts)));
    }
    body
}

fn trades(report: &Report) -> String {
    let mut html = String::new();
    for (place, bars) in report.candles.iter().enumerate() {
        let own = report.trades.iter().filter(|trade| trade.series == bars.series).count();
        let drawn = charts::marked(bars, report.trades).len();
        let each = match bars.each() {
            1 => "each bar is a candle".to_owned(),
            each => format!("each bar is made of {each} candles"),
        };
        let shown = if drawn < own { format!("the newest {drawn} of {own} trades") } else { format!("{own} trades") };
        let said = format!(
            "{}: {each}; {shown}. Arrows are entries; circles are exits, with a gain or with a loss.",
            bars.series
        );
        let picture = chart(&format!("candles-{place}"), "chart", &said);
        // The table of all trades stands below.
        let caption = escaped(&said);
        html += &["<figure>", &picture, "<figcaption>", &caption, "</figcaption></figure>\n"].concat();
    }
    let said = sentences::distribution(report);
    let bars = histogram::bars(report.trades);
    html.push_str(&figure(&histogram::svg(report, &said), &said, &tables::distribution(&bars)));
    html.push_str(&tables::reasons(report));
    if !report.outcome.ignored.is_empty() {
        html.push_str(&paragraph("These signals led to no trade:"));
        html.push_str(&tables::ignored(report));
    }
    let left_out = report.trades.len().saturating_sub(tables::MOST_LISTED);
    let listed = match left_out {
        0 => format!("All {}:", sentences::count(report.trades.len() as u64, "trade")),
        _ => {
            format!("The newest {} of {}:", tables::MOST_LISTED, sentences::count(report.trades.len() as u64, "trade"))
        }
    };
    html.push_str(&paragraph(&listed));
    html.push_str(&tables::trades(report.trades));
    section("Trades", &html)
}
