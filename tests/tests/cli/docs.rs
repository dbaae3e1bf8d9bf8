use std::{
    fs,
    path::{Path, PathBuf},
};

use ta_bot_tests::{parity, root, strategies_dir};

use crate::run::{Done, Home, sample};

/// Writes pages into the folder `pages`, with additional `arguments`.
fn docs(home: &Home, arguments: &[&Path]) -> Done {
    let mut command = home.command();
    Done::of(command.args(["strategies", "docs", "--output", "pages"]).args(arguments))
}

fn page(home: &Home, name: &str) -> String {
    fs::read_to_string(home.path().join("pages").join(name)).unwrap()
}

/// The first candles of a sample, under the same name.
fn first_candles(home: &Home, count: usize) -> PathBuf {
    let file = home.path().join("BTCUSDT_15m_first.csv");
    let text = fs::read_to_string(sample("BTCUSDT", "15m")).unwrap();
    fs::write(&file, text.lines().take(count + 1).collect::<Vec<_>>().join("\n")).unwrap();
    file
}

#[test]
fn the_project_s_own_pages_are_current() {
    let Some(folder) = parity::folder() else { return };
    let list = fs::read_to_string(root().join("docs/strategies/candles.txt")).unwrap();
    let home = Home::new();
    let mut command = home.command();
    command.env("STRATEGIES_DIR", strategies_dir());
    command.args(["strategies", "docs", "--check", "--output", "docs/strategies", "--sources", "strategies"]);
    command.current_dir(root()).args(list.lines().map(|name| folder.join("candles").join(name)));
    Done::of(&mut command).succeeded();
}

#[test]
fn a_page_says_what_the_strategy_is_and_shows_a_signal() {
    let home = Home::new();
    let sources = root().join("strategies");
    let candles = sample("BTCUSDT", "15m");
    let done = docs(&home, &["--sources".as_ref(), &sources, &candles]).succeeded();
    assert!(done.stdout.starts_with("pages: 5 files, 5 of them changed"), "{done:?}");
    assert!(!home.data_dir().exists(), "it needs no database");
    let text = page(&home, "rsi.md");
    for words in [
        "# RSI (`rsi`)",
        "## Rule\n\nReversal: what has fallen too far",
        "| `period` | integer | 14 | 2 to 200 | Length of Wilder's average, in candles. |",
        "| `trigger` | text | cross | `cross`, `level` |",
        "* **Lookback:** 250 candles\n* **Columns:** close\n* **Timeframes:** all\n* **Extra inputs:** none",
        "](rsi.svg)",
        "on BTCUSDT 15m, candle closed 2025-",
        "[the host's](../signals.md#stop-loss-and-take-profit)",
        "> RSI(14) came back",
        "| `threshold` | ",
    ] {
        assert!(text.contains(words), "{words:?} is not in {text}");
    }
    assert!(page(&home, "README.md").contains("| [`macd`](macd.md) | "));
    let svg = page(&home, "rsi.svg");
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>") && svg.len() < 40_000, "{svg}");
    for words in ["<title>rsi: ", ">\nlater\n<", "entry ", "stop ", "target ", "fill=\"#FFFFFF\""] {
        assert!(svg.contains(words), "{words:?} is not in {svg}");
    }
}

#[test]
fn a_check_names_each_file_that_differs_and_writing_mends_it() {
    let home = Home::new();
    let candles = sample("BTCUSDT", "15m");
    let check = |home: &Home| docs(home, &["--check".as_ref(), &candles]);
    check(&home).failed(1, &["rsi.md: is missing", "README.md: is missing", "without --check"]);
    assert!(!home.path().join("pages").exists(), "a check writes nothing");
    docs(&home, &[&candles]).succeeded();
    assert!(check(&home).succeeded().stdout.contains("all current"));
    let pages = home.path().join("pages");
    fs::write(pages.join("rsi.md"), page(&home, "rsi.md").replace("14", "15")).unwrap();
    fs::write(pages.join("gone.md"), page(&home, "macd.md")).unwrap();
    fs::write(pages.join("notes.md"), "Written by hand.").unwrap();
    fs::remove_file(pages.join("macd.svg")).unwrap();
    let words = ["rsi.md: differs", "macd.svg: is missing", "gone.md: belongs to no strategy", "notes.md", "make docs"];
    check(&home).failed(1, &words);
    let error = docs(&home, &["--check".as_ref(), "--json".as_ref(), &candles]).json();
    assert_eq!(error["error"]["code"], "outdated");
    assert_eq!(error["error"]["details"][0], serde_json::json!({"file": "macd.svg", "problem": "is missing"}));
    let done = docs(&home, &["--json".as_ref(), &candles]).succeeded().json();
    assert_eq!(done["changed"], serde_json::json!(["macd.svg", "rsi.md"]));
    assert_eq!((&done["removed"][0], &done["foreign"][0]), (&"gone.md".into(), &"notes.md".into()));
    fs::remove_file(pages.join("notes.md")).unwrap();
    check(&home).succeeded();
}

#[test]
fn candles_without_a_signal_are_said() {
    let home = Home::new();
    docs(&home, &[&first_candles(&home, 200)]).succeeded();
    let text = page(&home, "rsi.md");
    assert!(text.contains("fills the windows that it asks for") && !text.contains("## Rule"), "{text}");
    docs(&home, &[&first_candles(&home, 251)]).succeeded();
    let text = page(&home, "rsi.md");
    assert!(text.contains("None was found on 2 of"), "{text}");
    assert!(!home.path().join("pages/rsi.svg").exists());
}

#[test]
fn wrong_candles_are_said_with_what_to_do() {
    let home = Home::new();
    let candles = sample("BTCUSDT", "15m");
    docs(&home, &[]).failed(2, &["CANDLES"]);
    docs(&home, &["absent_15m.csv".as_ref()]).failed(1, &["absent_15m.csv", "no such file"]);
    let copy = |name: &str| {
        let path = home.path().join(name);
        fs::copy(&candles, &path).unwrap();
        path
    };
    docs(&home, &[&copy("BTCUSDT.csv")]).failed(1, &["BTCUSDT.csv", "underscore", "SYMBOL_TIMEFRAME.csv"]);
    docs(&home, &[&copy("BTCUSDT_16m.csv")]).failed(1, &["BTCUSDT_16m.csv", "15m, 30m"]);
    docs(&home, &[&copy("BTCUSDT_1h.csv")]).failed(1, &["BTCUSDT_1h.csv", "line 3", "in the file's name"]);
    docs(&home, &[&candles, &copy("BTCUSDT_15m_again.csv")]).failed(1, &["BTCUSDT 15m", "_again.csv", "one file"]);
}

#[test]
fn wrong_folders_are_said_with_what_to_do() {
    let home = Home::new();
    let candles = sample("BTCUSDT", "15m");
    let sources = home.path().join("sources");
    let with_sources = |home: &Home| docs(home, &["--sources".as_ref(), &sources, &candles]);
    with_sources(&home).failed(1, &["macd/src/lib.rs", "--sources"]);
    fs::create_dir_all(sources.join("macd/src")).unwrap();
    fs::write(sources.join("macd/src/lib.rs"), "pub struct Macd;\n").unwrap();
    with_sources(&home).failed(1, &["macd/src/lib.rs", "lines of //!"]);
    fs::write(home.path().join("pages"), "").unwrap();
    docs(&home, &[&candles]).failed(1, &["pages", "--output"]);
    let modules = home.path().join("modules");
    fs::create_dir_all(&modules).unwrap();
    fs::write(modules.join("broken.wasm"), "text").unwrap();
    let with_modules = |folder: &Path| docs(&home, &["--strategies-dir".as_ref(), folder, &candles]);
    with_modules(&modules).failed(1, &["broken.wasm", "mend them"]);
    with_modules("absent".as_ref()).failed(1, &["absent", "make strategies"]);
}
