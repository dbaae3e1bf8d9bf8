//! Many files at once.

use std::path::Path;

use super::*;
use crate::market::import::{FileHole, Files, Gathered, gather};

/// A folder of files, by name and content.
fn folder(files: &[(&str, String)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn all(folder: &Path, names: &[&str], skip_bad: bool) -> Result<Vec<Gathered>, ImportError> {
    let paths = names.iter().map(|name| folder.join(name)).collect();
    let files = Files { paths, skip_bad, ..Files::default() };
    gather(&files, Timestamp::from_millis(time(100)), &mut |_, _| ())
}

fn rows(indices: impl IntoIterator<Item = i64>) -> String {
    indices.into_iter().map(|index| binance(index, 1)).collect()
}

#[test]
fn files_of_one_series_are_put_together_in_their_order() {
    let names = ["BTCUSDT-15m-2024-01-02.csv", "BTCUSDT-15m-2024-01-01.csv", "BTCUSDT-15m-2024-01.csv"];
    let folder = folder(&[(names[0], rows(20..30)), (names[1], rows(0..10)), (names[2], rows(8..15))]);
    let [gathered] = &all(folder.path(), &names, false).unwrap()[..] else { panic!("one series") };
    assert_eq!((gathered.symbol.as_str(), gathered.timeframe), ("BTCUSDT", Timeframe::M15));
    let opens: Vec<i64> = gathered.candles.iter().map(|candle| (candle.open_time.millis() - START) / QUARTER).collect();
    assert_eq!(opens, (0..15).chain(20..30).collect::<Vec<_>>());
    let [FileHole { hole, between: Some((before, after)) }] = &gathered.holes[..] else { panic!("{gathered:?}") };
    assert_eq!((hole.missing, gathered.missing, gathered.hole_count), (5, 5, 1));
    assert_eq!((hole.from.millis(), hole.until.millis()), (time(15), time(20)));
    assert!(before.ends_with(names[2]) && after.ends_with(names[0]));
    assert_eq!(gathered.files.iter().map(|file| file.rows).collect::<Vec<_>>(), [10, 7, 10]);
}

#[test]
fn files_of_several_series_are_told_apart() {
    let names = ["ETHUSDT-15m-2024-01.csv", "BTCUSDT-15m-2024-01.csv"];
    let folder = folder(&[(names[0], rows(0..9)), (names[1], rows(0..5))]);
    let gathered = all(folder.path(), &names, false).unwrap();
    let found: Vec<_> = gathered.iter().map(|one| (one.symbol.as_str(), one.candles.len())).collect();
    assert_eq!(found, [("BTCUSDT", 5), ("ETHUSDT", 9)]);
}

#[test]
fn every_wrong_file_is_named() {
    let names = ["a.csv", "BTCUSDT-15m-2024-01.csv", "BTCUSDT-15m-2024-02.csv", "BTCUSDT-1h-2024-02.csv"];
    let bad = rows(0..3) + "oops\n" + &rows(4..6);
    let folder = folder(&[(names[0], rows(0..3)), (names[1], rows(0..3)), (names[2], bad), (names[3], rows(0..3))]);
    let error = all(folder.path(), &names, false).unwrap_err().to_string();
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(lines.len(), 3, "{error}");
    assert!(lines[0].contains("a.csv: give --symbol and --timeframe"), "{error}");
    assert!(lines[1].contains("2024-02.csv: line 4: the number of columns is 1"), "{error}");
    assert!(lines[2].contains("1h-2024-02.csv: line 1: the file itself says"), "{error}");
    let [gathered] = &all(folder.path(), &names[1..3], true).unwrap()[..] else { panic!("one series") };
    assert_eq!((gathered.candles.len(), gathered.files[1].skipped.count), (5, 1));
}

#[test]
fn files_that_contradict_each_other_are_refused() {
    let names = ["BTCUSDT-15m-2024-01.csv", "BTCUSDT-15m-2024-01-01.csv"];
    let other: String = (3..6).map(|index| binance(index, 1).replacen("12.5", "13.5", 1)).collect();
    let folder = folder(&[(names[0], rows(0..9)), (names[1], other)]);
    for skip_bad in [false, true] {
        let error = all(folder.path(), &names, skip_bad).unwrap_err().to_string();
        assert!(error.contains("other numbers of the 15m candle that opened 2024-01-01T00:45"), "{error}");
        assert!(error.contains("and of 2 more") && error.contains(names[1]), "{error}");
    }
}

#[test]
fn a_remark_is_made_if_a_name_says_another_symbol() {
    let folder = folder(&[("MATICUSDT-15m-2024-01.csv", rows(0..3))]);
    let files = Files {
        paths: vec![folder.path().join("MATICUSDT-15m-2024-01.csv")],
        symbol: Some("POLUSDT".parse().unwrap()),
        ..Files::default()
    };
    let gathered = gather(&files, Timestamp::from_millis(time(100)), &mut |_, _| ()).unwrap();
    assert_eq!(gathered[0].symbol.as_str(), "POLUSDT");
    assert!(gathered[0].files[0].remark.as_deref().unwrap().contains("MATICUSDT"));
}
