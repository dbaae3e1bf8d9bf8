//! `ta-bot replay BUNDLE`: each kind of failure, each verdict, and what is refused.

use std::{fs, path::PathBuf, time::Duration};

use serde_json::json;
use ta_bot_core::{
    ApplicationSettings, Candle, CandleWindow, ModuleDigest, ParameterLevels, ResolvedParameters, Timeframe, Timestamp,
    Value,
};
use ta_bot_drivers::sqlite::{Database, modules::SqliteModules};
use ta_bot_engine::{
    evaluation::{EvaluationReport, Inputs, Origin, Outcome},
    modules::module_store::ModuleStore as _,
    supervision::failure::Failure,
};
use ta_bot_wasm::{Limits, StrategyModule};
use tempfile::TempDir;

use super::{
    replay,
    support::{component, job, load, random_walk, sandbox},
};

const SETTINGS: ApplicationSettings = ApplicationSettings {
    symbols: Vec::new(),
    timeframes: Vec::new(),
    enabled_strategies: None,
    min_confidence: 0.0,
    max_confidence: 1.0,
    accepted_holes: Vec::new(),
};

/// Little time for a guest that never ends, and less memory than usual, so that a replay shows that the bundle's own
/// limit counts.
fn limits() -> Limits {
    Limits { timeout: Duration::from_millis(300), memory_bytes: 16 << 20, ..Limits::default() }
}

/// The failure of the hostile strategy with a behaviour, whether its check or its evaluation fails.
pub(crate) fn failure(module: &StrategyModule, behaviour: &str) -> Failure {
    let mut parameters = ResolvedParameters::resolve(&module.description().schema, &ParameterLevels::default());
    parameters.values.set("behaviour", Value::Text(behaviour.to_owned()));
    parameters.hash = parameters.values.hash();
    let window = random_walk(50, 7);
    let inputs = Inputs {
        module,
        parameters: &parameters,
        job: &job(&window),
        base: window.newest(module.description().lookback as usize),
        extra: &[],
        settings: &SETTINGS,
        origin: Origin::NONE,
    };
    let refused = module.check(&parameters.values).err();
    let answer = refused.map_or_else(|| inputs.evaluate(), EvaluationReport::refused);
    let Outcome::Error(error) = &answer.outcome else { panic!("{behaviour}: {answer:?}") };
    Failure::of(&inputs, error, &answer.log, Timestamp::now())
}

pub(crate) fn hostile() -> StrategyModule {
    load(&sandbox(limits()), "hostile")
}

/// A folder with the component and a bundle.
struct Home {
    folder: TempDir,
    module: String,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let module = folder.path().join("hostile.wasm");
        fs::write(&module, component("hostile")).unwrap();
        Self { module: module.display().to_string(), folder }
    }

    fn write(&self, text: &str) -> String {
        let path: PathBuf = self.folder.path().join("bundle.json");
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// Replays a bundle with the component beside it.
    fn run(&self, text: &str) -> (Option<i32>, serde_json::Value) {
        replay(self.folder.path(), &[&self.write(text), "--module", &self.module], &[])
    }

    fn error(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let (code, answer) = replay(self.folder.path(), arguments, &[]);
        let text = |field: &str| answer["error"][field].as_str().unwrap_or_default().to_owned();
        (code, text("code"), text("message"))
    }
}

#[test]
fn every_kind_of_failure_is_reproduced() {
    let home = Home::new();
    let module = hostile();
    for (behaviour, code) in [
        ("endless_loop", "timeout"),
        ("endless_check", "timeout"),
        ("memory_hog", "limit"),
        ("huge_result", "limit"),
        ("log_flood", "limit"),
        ("endless_recursion", "limit"),
        ("panic", "trap"),
        ("wild_pointer", "trap"),
        ("confidence_seven", "invalid_decision"),
    ] {
        let failure = failure(&module, behaviour);
        assert_eq!(failure.error.code, code, "{behaviour}");
        let (exit, answer) = home.run(&failure.to_json());
        assert_eq!((exit, answer["verdict"].as_str()), (Some(0), Some("equal")), "{behaviour}: {answer}");
        assert_eq!(answer["outcome"]["error"]["code"], code, "{behaviour}");
        // The limits are those of the bundle: the message names them. How long a busy machine ran a guest until it was
        // stopped is another matter each time.
        let message = answer["outcome"]["error"]["message"].as_str().unwrap();
        if code == "timeout" {
            assert!(message.contains("its 300 ms") && failure.error.message.contains("its 300 ms"), "{message}");
        } else {
            assert_eq!(message, failure.error.message, "{behaviour}");
        }
        assert_eq!(answer["outcome"]["log"].as_array().unwrap().len(), failure.log.len(), "{behaviour}");
    }
}

#[test]
fn the_verdict_is_the_exit_code() {
    let home = Home::new();
    let module = hostile();
    let trapped = failure(&module, "panic");
    let mut other = trapped.clone();
    "limit".clone_into(&mut other.error.code);
    let (exit, answer) = home.run(&other.to_json());
    assert_eq!((exit, &answer["verdict"]), (Some(3), &json!("different")), "{answer}");

    // If it runs longer here, nobody can say whether it would have trapped.
    let mut slow = failure(&module, "endless_loop");
    "trap".clone_into(&mut slow.error.code);
    let (exit, answer) = home.run(&slow.to_json());
    assert_eq!((exit, &answer["cause"]["code"]), (Some(4), &json!("timeout")), "{answer}");

    let path = home.write(&trapped.to_json());
    let (exit, answer) = replay(home.folder.path(), &[&path], &[]);
    assert_eq!((exit, &answer["cause"]["code"]), (Some(4), &json!("unknown_module")), "{answer}");
    let told = answer["cause"]["message"].as_str().unwrap();
    assert!(told.contains("--module") && told.contains(&format!("/api/v1/modules/{}/wasm", trapped.module)), "{told}");

    let mut windows = trapped.clone();
    windows.windows.push(windows.windows[0].clone());
    let (exit, answer) = home.run(&windows.to_json());
    assert_eq!((exit, &answer["cause"]["code"]), (Some(4), &json!("other_windows")), "{answer}");
}

#[test]
fn a_bundle_may_come_from_stdin_and_be_read_by_people() {
    let home = Home::new();
    let module = hostile();
    let mut trapped = failure(&module, "panic");
    let text = trapped.to_json();
    let (exit, answer) = replay(home.folder.path(), &["-", "--module", &home.module], text.as_bytes());
    assert_eq!((exit, &answer["verdict"]), (Some(0), &json!("equal")), "{answer}");

    "a\u{1b}[31m\nb".clone_into(&mut trapped.error.message);
    let run = std::process::Command::new(ta_bot_tests::binary::ta_bot())
        .env_clear()
        .args(["replay", &home.write(&trapped.to_json()), "--module", &home.module])
        .output()
        .unwrap();
    let text = String::from_utf8(run.stdout).unwrap();
    assert!(run.status.success() && text.contains("EQUAL") && text.contains("BTCUSDT 15m, 2 candles"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
}

#[tokio::test]
async fn the_module_is_looked_for_where_strategies_are() {
    let home = Home::new();
    let module = hostile();
    let bundle = home.write(&failure(&module, "panic").to_json());
    let run = |data: &str, strategies: &str| {
        let mut command = std::process::Command::new(ta_bot_tests::binary::ta_bot());
        command.env_clear().env("DATA_DIR", home.folder.path().join(data));
        command.env("STRATEGIES_DIR", home.folder.path().join(strategies));
        command.args(["replay", &bundle]).output().unwrap().status.code()
    };
    assert_eq!(run("none", "none"), Some(4));
    assert_eq!(run("none", "."), Some(0), "it is in this folder");
    let kept = SqliteModules::new(Database::open(&home.folder.path().join("data")).await.unwrap());
    assert_eq!(run("data", "none"), Some(4));
    kept.put(&component("hostile")).await.unwrap();
    assert_eq!(run("data", "none"), Some(0));
    assert!(!home.folder.path().join("none").exists());
}

#[test]
fn what_is_no_bundle_or_not_its_module_is_refused() {
    let home = Home::new();
    let module = hostile();
    let trapped = failure(&module, "panic");
    let bundle = home.write(&trapped.to_json());
    let other = home.folder.path().join("other.wasm");
    fs::write(&other, [component("hostile"), vec![0, 5, 4, b't', b'e', b's', b't']].concat()).unwrap();
    let other = other.display().to_string();
    let (exit, code, told) = home.error(&[&bundle, "--module", &other]);
    assert_eq!((exit, code.as_str()), (Some(1), "other_module"));
    assert!(told.contains(&trapped.module.to_string()), "{told}");
    let (exit, code, _) = home.error(&[&bundle, "--module", "/none.wasm"]);
    assert_eq!((exit, code.as_str()), (Some(1), "unreadable_file"));
    let (exit, code, told) = home.error(&["/none.json"]);
    assert_eq!((exit, code.as_str()), (Some(1), "unreadable_file"));
    assert!(told.contains("signal_id of 64 hex digits") && told.contains("/api/v1/failures/"), "{told}");
    let (exit, code, _) = home.error(&[&"ab".repeat(32), "--module", &home.module]);
    assert_eq!((exit, code.as_str()), (Some(2), "usage"));

    let mut changed: serde_json::Value = serde_json::from_str(&trapped.to_json()).unwrap();
    changed["windows"]["series"][0]["close"][0] = json!(1.0);
    for text in [changed.to_string(), String::new(), "{}".to_owned(), trapped.to_json()[1..].to_owned()] {
        let (exit, code, told) = home.error(&[&home.write(&text), "--module", &home.module]);
        assert_eq!((exit, code.as_str()), (Some(1), "bad_bundle"), "{told}");
    }
    // A file that is no module, but has the digest that the bundle names.
    let none = home.folder.path().join("none.wasm");
    fs::write(&none, b"no component").unwrap();
    let mut unusable = trapped;
    unusable.module = ModuleDigest::of(b"no component");
    let (exit, answer) =
        replay(home.folder.path(), &[&home.write(&unusable.to_json()), "--module", &none.display().to_string()], &[]);
    assert_eq!((exit, &answer["cause"]["code"]), (Some(4), &json!("unusable_module")), "{answer}");
}

/// A window of as many candles as a strategy may ask for.
pub(crate) fn long_window() -> CandleWindow {
    let candle = |index: i64| Candle {
        open_time: Timestamp::from_millis(index * Timeframe::M15.millis()),
        open: 10.0,
        high: 12.0,
        low: 9.0,
        close: 11.0,
        volume: index as f64,
    };
    CandleWindow::new((0..10_000).map(candle)).unwrap()
}
