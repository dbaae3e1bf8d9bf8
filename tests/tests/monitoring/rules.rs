//! The rules as Prometheus reads them.

use std::{collections::BTreeSet, fs};

use ta_bot_test_servers::promtool;
use ta_bot_tests::root;

/// The groups of the `PrometheusRule`, as the operator hands them to Prometheus. The `spec` is the end of the manifest,
/// and nothing in it depends on how far it is indented.
pub(crate) fn groups() -> String {
    let manifest = fs::read_to_string(root().join("k8s/monitoring/prometheusrule.yaml")).unwrap();
    let (_, spec) = manifest.split_once("\nspec:\n").expect("the manifest has a spec");
    spec.to_owned()
}

/// The names of all alerts, in their order.
pub(crate) fn alerts() -> Vec<String> {
    let groups = groups();
    let names = groups.lines().filter_map(|line| line.trim_start().strip_prefix("- alert: "));
    names.map(str::to_owned).collect()
}

/// The text of one alert: from its name to the next rule, comment or group.
pub(crate) fn alert(name: &str) -> String {
    let groups = groups();
    let mut lines = groups.lines().skip_while(|line| line.trim_start() != format!("- alert: {name}"));
    let first = lines.next().unwrap_or_else(|| panic!("there is no alert {name}"));
    let indent = first.len() - first.trim_start().len();
    let rest = lines.take_while(|line| line.len() - line.trim_start().len() > indent);
    std::iter::once(first).chain(rest).flat_map(|line| [line, "\n"]).collect()
}

/// The names of our metrics in some text, without the ends that a histogram's series have.
pub(crate) fn metrics(text: &str) -> BTreeSet<&str> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    // An unfinished name, such as in `ta_bot_*`, names several.
    words.filter(|word| word.starts_with("ta_bot_") && !word.ends_with('_')).map(family).collect()
}

/// The metric that a series belongs to. No other metric of ours has one of these ends.
fn family(series: &str) -> &str {
    let end = ["_bucket", "_sum", "_count"].into_iter().find_map(|end| series.strip_suffix(end));
    end.unwrap_or(series)
}

/// Has promtool read some rules.
pub(crate) async fn check(rules: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.yml");
    fs::write(&file, rules).unwrap();
    promtool(&["check", "rules", "--lint-fatal", file.to_str().unwrap()], "").await.unwrap();
}

#[tokio::test]
async fn prometheus_can_read_them() {
    check(&groups()).await;
    assert_eq!(alerts().len(), alerts().iter().collect::<BTreeSet<_>>().len(), "each alert has a name of its own");
}
