//! The report in a real Chromium: it draws, loads nothing, logs no error, and axe finds nothing that keeps people from
//! reading it.
//!
//! `UPDATE_SCREENSHOTS=1` writes the pictures of `docs/images`.

use std::{fmt::Write as _, fs, path::Path, process::Stdio, time::Duration};

use serde_json::Value as Json;
use ta_bot_backtest::{
    money::{Assumptions, Instrument, Simulation, TradeSignal},
    report::{Bars, Certificate, Report},
    statistics::Statistics,
};
use ta_bot_core::{Action, Series, Timestamp};
use ta_bot_engine::market::made_up::walk;
use tokio::process::Command;

/// Runs in the page after its own script, and leaves what it saw in the page: how many charts have pictures of more
/// than one colour, and what axe found.
const LOOK: &str = r#"
(async () => {
  const painted = [...document.querySelectorAll(".chart")].filter((chart) =>
    [...chart.querySelectorAll("canvas")].some((canvas) => {
      if (!canvas.width || !canvas.height) return false;
      const pixels = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer);
      return new Set(pixels).size > 8;
    }));
  const found = await axe.run();
  const seen = document.createElement("script");
  seen.type = "application/json";
  seen.id = "seen";
  seen.textContent = JSON.stringify({
    charts: document.querySelectorAll(".chart").length,
    painted: painted.length,
    violations: found.violations.map((one) => `${one.impact} ${one.id}: ${one.nodes.map((node) => node.html.slice(0, 200))}`),
    checked: found.passes.length,
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
    wide: document.documentElement.scrollWidth > document.documentElement.clientWidth,
  }).replaceAll("<", "\\u003c");
  document.body.append(seen);
})();
"#;

/// The report of a strategy that follows a made-up market.
fn page(count: i64) -> String {
    let series: Series = "BTCUSDT 15m".parse().unwrap();
    let mut simulation = Simulation::new(Assumptions::default(), vec![Instrument::any(series.symbol.clone())]).unwrap();
    let mut bars = Bars::new(series.clone());
    let opens = (0..count).map(|index| Timestamp::from_millis(1_767_225_600_000 + index * series.timeframe.millis()));
    let candles: Vec<_> = walk(&series.symbol, opens, 100.0).into_iter().collect();
    for (index, candle) in candles.iter().enumerate() {
        simulation.candle(&series, candle).unwrap();
        bars.push(candle);
        if index >= 20 && index % 7 == 0 {
            let action = if candle.close > candles[index - 20].close { Action::Buy } else { Action::Sell };
            let far = if action == Action::Buy { 1.0 } else { -1.0 };
            let signal = TradeSignal {
                series: series.clone(),
                candle_close: series.timeframe.close_of(candle.open_time),
                action,
                price: candle.close,
                stop_loss: Some(candle.close * (1.0 - 0.01 * far)),
                take_profit: Some(candle.close * (1.0 + 0.02 * far)),
                confidence: 0.7,
                strategy: "follower".parse().unwrap(),
                hold_candles: None,
            };
            simulation.signal(signal).unwrap();
        }
    }
    let outcome = simulation.finish().unwrap();
    assert!(outcome.trades.len() > 20, "{} trades", outcome.trades.len());
    let statistics = Statistics::new(&outcome, &outcome.trades, 1);
    let report = Report {
        title: "follower on BTCUSDT 15m",
        facts: &[("Module".to_owned(), "sha256:".to_owned() + &"ab".repeat(32))],
        outcome: &outcome,
        trades: &outcome.trades,
        statistics: &statistics,
        random_entries: None,
        certificate: Some(Certificate { replayed: 120, equal: 120 }),
        candles: &[bars],
    };
    report.html()
}

/// Opens a file in a Chromium that reaches nothing. Returns the page as it is then, and what was logged.
async fn open(page: &Path, more: &[&str]) -> (String, String) {
    let profile = tempfile::tempdir().unwrap();
    let mut command = Command::new("chromium");
    // Its own sandbox can't be made as root; it shows nothing but this page.
    command.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage"]);
    command.arg(format!("--user-data-dir={}", profile.path().display()));
    command.args(["--host-resolver-rules=MAP * ~NOTFOUND", "--hide-scrollbars", "--enable-logging=stderr"]);
    command.args(["--virtual-time-budget=20000"]).args(more);
    command.arg(format!("file://{}", page.display()));
    let shown = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let shown = tokio::time::timeout(Duration::from_mins(3), shown).await.expect("Chromium does not end");
    let shown = shown.expect("there is no chromium: make test-setup");
    let [page, log] = [shown.stdout, shown.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    (page, log)
}

/// What the script saw in the page.
fn seen(page: &str) -> Json {
    let seen = page.split(r#"id="seen">"#).nth(1).unwrap_or_else(|| panic!("the script did not end:\n{page:.2000}"));
    serde_json::from_str(seen.split("</script>").next().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_report_is_drawn_and_can_be_read_by_everybody() {
    let axe = Path::new(env!("CARGO_MANIFEST_DIR")).join("axe/node_modules/axe-core/axe.min.js");
    let axe = fs::read_to_string(axe).expect("there is no axe: make test-setup");
    let folder = tempfile::tempdir().unwrap();
    for count in [1_000, 100_000] {
        let html = page(count);
        assert!(html.len() < 3 << 20, "{} bytes at {count} candles", html.len());
        // Nothing in the page can be fetched: what names an address is a link, or words of a licence.
        for attribute in ["src=", "srcset=", "<link", "<iframe", "@import", "url("] {
            let own = html.replace(
                include_str!(concat!(
                    env!("CARGO_MANIFEST_DIR"),
                    "/../host/backtest/assets/lightweight-charts/lightweight-charts.standalone.production.js"
                )),
                "",
            );
            assert!(!own.contains(attribute), "{attribute}");
        }
        let file = folder.path().join("report.html");
        let mut looked = html.replace("</body>", "");
        write!(looked, "<script>{axe}</script><script>{LOOK}</script></body>").unwrap();
        fs::write(&file, looked).unwrap();
        for (mode, more) in
            [("light", "--blink-settings=preferredColorScheme=1"), ("dark", "--blink-settings=preferredColorScheme=0")]
        {
            let (shown, log) = open(&file, &[more, "--dump-dom", "--window-size=1200,900"]).await;
            let errors: Vec<_> = log.lines().filter(|line| line.contains("CONSOLE")).collect();
            assert!(errors.is_empty(), "{mode}, {count} candles: {errors:#?}");
            let seen = seen(&shown);
            assert_eq!(seen["violations"], serde_json::json!([]), "{mode}, {count} candles");
            assert!(seen["checked"].as_u64().unwrap() > 10, "{seen}");
            assert_eq!((seen["charts"].as_u64(), &seen["painted"]), (Some(3), &seen["charts"]), "{mode}, {count}");
            assert_eq!(seen["dark"], mode == "dark", "{seen}");
            assert_eq!(seen["wide"], false, "the page is wider than its window");
        }
        fs::write(&file, &html).unwrap();
        photograph(&file, count, folder.path()).await;
    }
}

/// Makes a picture of the page, as `docs/images` has them.
async fn photograph(file: &Path, count: i64, folder: &Path) {
    let picture = folder.join("report.png");
    let target = format!("--screenshot={}", picture.display());
    for (mode, more) in
        [("light", "--blink-settings=preferredColorScheme=1"), ("dark", "--blink-settings=preferredColorScheme=0")]
    {
        let (_, log) = open(file, &[more, &target, "--window-size=1200,2400"]).await;
        let bytes = fs::read(&picture).unwrap_or_else(|error| panic!("{error}\n{log}"));
        assert!(bytes.starts_with(b"\x89PNG") && bytes.len() > 20_000, "{} bytes", bytes.len());
        if std::env::var_os("UPDATE_SCREENSHOTS").is_some() {
            let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/images");
            fs::create_dir_all(&images).unwrap();
            fs::copy(&picture, images.join(format!("backtest-{mode}-{count}.png"))).unwrap();
        }
        fs::remove_file(&picture).unwrap();
    }
}
