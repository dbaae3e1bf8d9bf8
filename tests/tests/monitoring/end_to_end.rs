//! Three replicas on real servers, Prometheus, Alertmanager and a webhook: the two alerts of the older service's
//! runbook fire and stop. What the replicas are scraped of then is compared with what alerts, dashboards and docs name.

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

use serde_json::{Value as Json, json};
use ta_bot_test_servers::{Alertmanager, Prometheus, PrometheusSetup, promtool};
use ta_bot_tests::{
    replicas::{Fleet, Market, Replica},
    root, strategies_dir, until,
};

use crate::{dashboards, docs, rules, sink::Sink};

const REPLICAS: usize = 3;
const PATIENCE: Duration = Duration::from_mins(1);
const NO_SIGNALS: &str = "TABotNoSignalsGenerated";
const CONFIG: &str = "/api/v1/strategies/hostile/config";
const HIGH_LATENCY: &str = "TABotHighLatency";
/// What promtool does not like about names that are in the contract, or that say their unit all the same.
const KEPT_NAMES: [&str; 3] = [
    "ta_bot_signal_processing_duration",
    "ta_bot_evaluation_duration_milliseconds",
    "ta_bot_module_compile_duration_milliseconds",
];

/// The two alerts, with hours and minutes that pass in seconds. Nothing else of them is different.
fn hurried() -> String {
    let times = [("[6h]", "[6s]"), ("for: 15m", "for: 1s"), ("[5m]", "[10s]"), ("for: 5m", "for: 1s")];
    let mut text = "groups:\n  - name: hurried\n    rules:\n".to_owned();
    text += &[NO_SIGNALS, HIGH_LATENCY].map(rules::alert).concat();
    for (long, short) in times {
        assert!(text.contains(long), "there is no {long} in {text}");
        text = text.replace(long, short);
    }
    text
}

/// A folder with a strategy that decides each candle, and that hangs if it is told to.
fn strategies(folder: &Path) -> String {
    let folder = folder.join("strategies");
    fs::create_dir(&folder).unwrap();
    for module in [root().join("target/components/hostile.wasm"), strategies_dir().join("rsi.wasm")] {
        fs::copy(&module, folder.join(module.file_name().unwrap()))
            .unwrap_or_else(|error| panic!("{}: {error}", module.display()));
    }
    folder.display().to_string()
}

fn receivers(folder: &Path, sink: &Sink) -> String {
    let file = folder.join("webhooks.json");
    let url = format!("http://{}/", sink.address);
    fs::write(&file, json!([{"name": "desk", "url": url, "allow_private": true, "late": "send"}]).to_string()).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    file.display().to_string()
}

/// The service with everything that alerts look at.
struct Course {
    fleet: Fleet,
    market: Market,
    sink: Sink,
    prometheus: Prometheus,
    _alertmanager: Alertmanager,
    minute: i64,
}

impl Course {
    async fn begin(folder: &Path) -> Self {
        let market = Market::new(1, 5);
        let (sink, mut fleet) = tokio::join!(Sink::start(), Fleet::start(&market, REPLICAS));
        let (strategies, receivers) = (strategies(folder), receivers(folder, &sink));
        for replica in &mut fleet.replicas {
            replica.set("STRATEGIES_DIR", &strategies);
            // A strategy that hangs makes an analysis take longer than the alert's 5 s.
            replica.set("STRATEGY_TIMEOUT_MS", "5500");
            replica.set("STRATEGY_BUDGET_MS_PER_MINUTE", "60000");
            replica.set("WEBHOOKS_FILE", &receivers);
        }
        let webhook = format!("http://{}/", sink.address);
        let ((), alertmanager) = tokio::join!(fleet.start_replicas(), Alertmanager::start(&webhook));
        let alertmanager = alertmanager.unwrap();
        let targets = fleet.replicas.iter().enumerate();
        let setup = PrometheusSetup {
            job: "petrosa-ta-bot-service".to_owned(),
            targets: targets.map(|(index, replica)| (format!("ta-bot-{index}"), address(replica))).collect(),
            rules: hurried(),
            alertmanager: Some(alertmanager.address()),
        };
        let prometheus = Prometheus::start(&setup).await.unwrap();
        Self { fleet, market, sink, prometheus, _alertmanager: alertmanager, minute: 0 }
    }

    /// Candles close.
    async fn minute_passes(&mut self) {
        self.market.write_minute(&self.fleet.pool(), self.minute).await;
        let client = async_nats::connect(self.fleet.nats.url()).await.unwrap();
        self.market.announce(&client, self.minute).await;
        self.minute += 1;
    }

    /// Has the strategy behave like this from the next candle on, whichever replica decides that.
    async fn behave(&self, behaviour: &str) {
        let url = self.fleet.replicas[0].url(CONFIG);
        let set = reqwest::Client::new().put(url).json(&json!({"parameters": {"behaviour": behaviour}}));
        let answer = set.send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
        for replica in &self.fleet.replicas {
            let in_use = async || replica.get(CONFIG).await["data"]["parameters"]["behaviour"].clone();
            until(PATIENCE, async || replica.log_tail(), async || in_use().await == behaviour).await;
        }
    }

    /// Waits until the webhook was told that an alert has come to this.
    async fn is_told(&self, alert: &str, status: &str) -> Json {
        let found = || self.sink.alerts(alert).into_iter().rfind(|told| told["status"] == status);
        let otherwise = async || {
            let now = self.prometheus.get("/api/v1/rules", &[]).await.unwrap();
            format!("{alert} is not {status}: {:?}\n{now}\n{}", self.sink.names(), self.fleet.logs())
        };
        until(PATIENCE, otherwise, async || found().is_some()).await;
        found().unwrap()
    }
}

fn address(replica: &Replica) -> std::net::SocketAddr {
    replica.url("").trim_start_matches("http://").parse().unwrap()
}

async fn scrape(replica: &Replica) -> String {
    reqwest::get(replica.url("/metrics")).await.unwrap().text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_two_alerts_of_the_runbook_reach_a_webhook_and_everything_named_is_scraped() {
    let folder = tempfile::tempdir().unwrap();
    let mut course = Course::begin(folder.path()).await;

    counters_begin_at_zero(&course).await;
    let told = course.is_told(NO_SIGNALS, "firing").await;
    assert_eq!(told["annotations"]["summary"], "No signal was stored for six hours", "{told}");
    let runbook = told["annotations"]["runbook_url"].as_str().unwrap();
    assert!(runbook.ends_with("#tabotnosignalsgenerated"), "{told}");
    course.minute_passes().await;
    course.is_told(NO_SIGNALS, "resolved").await;

    course.behave("endless_loop").await;
    course.minute_passes().await;
    let told = course.is_told(HIGH_LATENCY, "firing").await;
    let description = told["annotations"]["description"].as_str().unwrap();
    assert!(description.starts_with("p99 is ") && !description.contains("{{"), "{told}");
    course.behave("fine").await;
    course.minute_passes().await;
    course.is_told(HIGH_LATENCY, "resolved").await;

    everything_named_is_scraped(&course).await;
    the_signals_were_measured(&course).await;
}

/// An increase is only seen of a series that was there before: each series whose increase an alert looks at begins at
/// zero, on every replica.
async fn counters_begin_at_zero(course: &Course) {
    let groups = rules::groups();
    let increases: BTreeSet<&str> =
        groups.split("increase(").skip(1).filter_map(|rest| rest.split(['[', ')']).next()).collect();
    assert!(increases.len() > 10, "{increases:?}");
    for replica in &course.fleet.replicas {
        let text = scrape(replica).await;
        for series in &increases {
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            // One begins without its series, and the alert says how it sees the first event. The other is made only
            // with OpenTelemetry.
            if ["ta_bot_strategy_executions_total", "ta_bot_otel_dropped_total"].contains(&name) {
                continue;
            }
            let wanted = labels.trim_end_matches('}');
            let wanted = if wanted.contains(['~', '!']) { "" } else { wanted };
            let is_it = |line: &&str| {
                line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']) && rest.contains(wanted))
            };
            let of_it: Vec<&str> = text.lines().filter(is_it).collect();
            assert!(!of_it.is_empty() && of_it.iter().all(|line| line.ends_with(" 0")), "{series}: {of_it:?}");
        }
    }
}

/// Each name of an alert, a panel or the page on metrics is in a scrape, or the page says that it need not be.
async fn everything_named_is_scraped(course: &Course) {
    let mut text = String::new();
    for replica in &course.fleet.replicas {
        text += &scrape(replica).await;
    }
    let there: BTreeSet<&str> =
        text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split(['{', ' ']).next()).collect();
    let there = there.into_iter().flat_map(rules::metrics).collect::<BTreeSet<_>>();
    let page = docs::metrics_page();
    let may_be_missing = docs::not_always_there(&page);
    let described = rules::metrics(&page);
    let undescribed: Vec<_> = there.difference(&described).collect();
    assert!(undescribed.is_empty(), "docs/metrics.md does not describe {undescribed:?}");
    let groups = rules::groups();
    let dashboards = dashboards::all();
    let expressions: Vec<String> =
        dashboards.iter().flat_map(|(_, dashboard)| dashboards::expressions(dashboard)).collect();
    let named =
        expressions.iter().flat_map(|text| rules::metrics(text)).chain(rules::metrics(&groups)).chain(described);
    let missing: BTreeSet<_> = named.filter(|name| !there.contains(name) && !may_be_missing.contains(*name)).collect();
    assert!(missing.is_empty(), "no replica has {missing:?}");

    let one = scrape(&course.fleet.replicas[0]).await;
    let complaints = match promtool(&["check", "metrics"], &one).await {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    let complaints: Vec<&str> = complaints.lines().skip(1).filter(|line| !line.is_empty()).collect();
    let is_known = |line: &&&str| KEPT_NAMES.iter().any(|name| line.starts_with(name));
    assert_eq!(complaints.iter().filter(|line| !is_known(line)).collect::<Vec<_>>(), [&""; 0]);
}

/// Every published signal has its time from the queued job to the acknowledgement, once, whichever replica did what.
async fn the_signals_were_measured(course: &Course) {
    let sum = async |name: &str| {
        let mut sum = 0.0;
        for replica in &course.fleet.replicas {
            sum += replica.metric(name, "").await;
        }
        sum
    };
    let counted = sql_count(course).await;
    let measured = async || sum("ta_bot_publish_latency_seconds_count").await;
    let otherwise = async || format!("{} of {counted} signals\n{}", measured().await, course.fleet.logs());
    until(PATIENCE, otherwise, async || (measured().await - counted).abs() < 0.5).await;
}

async fn sql_count(course: &Course) -> f64 {
    let query = "SELECT COUNT(*) FROM signals WHERE published_at IS NOT NULL";
    let count: i64 = sqlx::query_scalar(query).fetch_one(&course.fleet.pool()).await.unwrap();
    assert!(count > 0, "signals were published");
    count as f64
}
