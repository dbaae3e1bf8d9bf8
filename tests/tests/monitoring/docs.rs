//! What the docs say of metrics and alerts.

use std::{collections::BTreeSet, fs};

use ta_bot_tests::root;

use crate::rules;

const RUNBOOK: &str = "https://github.com/PetroSa2/petrosa-bot-ta-analysis/blob/main/docs/RUNBOOK.md#";

fn read(name: &str) -> String {
    let path = root().join("docs").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The page on metrics.
pub(crate) fn metrics_page() -> String {
    read("metrics.md")
}

/// The metrics of which the page says that a scrape may have none of their series.
pub(crate) fn not_always_there(page: &str) -> BTreeSet<String> {
    let (_, section) = page.split_once("\n### Series that are not always there\n").expect("the page has the section");
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.flat_map(rules::metrics).map(str::to_owned).collect()
}

#[test]
fn every_alert_has_its_heading_in_the_runbook() {
    let runbook = read("RUNBOOK.md");
    let headings: BTreeSet<&str> = runbook
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches('#').trim().trim_matches('`'))
        .collect();
    let missing: Vec<String> = rules::alerts().into_iter().filter(|alert| !headings.contains(alert.as_str())).collect();
    assert!(missing.is_empty(), "docs/RUNBOOK.md has no heading for {missing:?}");
}

#[test]
fn every_alert_says_where_its_heading_is_and_how_urgent_it_is() {
    for alert in rules::alerts() {
        let text = rules::alert(&alert);
        assert!(text.contains(&format!("runbook_url: {RUNBOOK}{}\n", alert.to_lowercase())), "{text}");
        assert!(
            ["critical", "warning"].iter().any(|severity| text.contains(&format!("{{severity: {severity}}}"))),
            "{text}"
        );
        assert!(text.contains("summary: ") && text.contains("description: "), "{text}");
    }
}

/// The reason for a threshold is the comment above it.
#[test]
fn every_alert_says_why() {
    let groups = rules::groups();
    let lines: Vec<&str> = groups.lines().map(str::trim).collect();
    for pair in lines.windows(2).filter(|pair| pair[1].starts_with("- alert: ")) {
        assert!(pair[0].starts_with("# "), "{} has no reason above it", pair[1]);
    }
}

#[test]
fn every_metric_of_alerts_and_dashboards_is_on_the_page() {
    let page = metrics_page();
    let described = rules::metrics(&page);
    let groups = rules::groups();
    let dashboards = super::dashboards::all();
    let expressions: Vec<String> =
        dashboards.iter().flat_map(|(_, dashboard)| super::dashboards::expressions(dashboard)).collect();
    let named = rules::metrics(&groups).into_iter().chain(expressions.iter().flat_map(|text| rules::metrics(text)));
    let missing: BTreeSet<&str> = named.filter(|name| !described.contains(name)).collect();
    assert!(missing.is_empty(), "docs/metrics.md lacks {missing:?}");
}
