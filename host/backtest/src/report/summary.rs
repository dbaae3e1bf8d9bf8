//! The summary for a terminal.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::{
    Report,
    sentences::{self, grouped, money},
};

fn table(numbers: usize, rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.add_rows(rows);
    for column in 1..=numbers {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

pub(super) fn text(report: &Report) -> String {
    let mut parts = vec![report.title.to_owned()];
    let mut said = sentences::headline(report);
    said.push(sentences::certificate(report.certificate));
    parts.push(said.join("\n"));
    let figures = report.statistics.figures.iter().map(|figure| {
        vec![
            figure.measure.name().to_owned(),
            figure.value_in_words(),
            figure.interval_in_words(),
            figure.sample.in_words(),
            figure.reason.clone().filter(|_| figure.value.is_none()).unwrap_or_default(),
        ]
    });
    let head = ["", "value", "95 % interval", "from", ""].map(str::to_owned).to_vec();
    parts.push(table(3, std::iter::once(head).chain(figures)));
    let reasons = sentences::by_reason(report).into_iter();
    let reasons =
        reasons.map(|(reason, (trades, net))| vec![reason.as_str().replace('_', " "), grouped(trades), money(net)]);
    let head = ["trades ended by", "trades", "brought"].map(str::to_owned).to_vec();
    if !report.trades.is_empty() {
        parts.push(table(2, std::iter::once(head).chain(reasons)));
        parts.push(sentences::costs(report));
    }
    let ignored = report.outcome.ignored.iter();
    let ignored: Vec<_> = ignored
        .map(|(reason, signals)| format!("{} {}", sentences::count(*signals, "signal"), reason.in_words()))
        .collect();
    if !ignored.is_empty() {
        parts.push(ignored.join("\n"));
    }
    parts.join("\n\n")
}
