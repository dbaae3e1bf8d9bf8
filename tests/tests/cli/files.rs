//! Files of candles as people have them, in and out.

use std::{fs, path::PathBuf};

use serde_json::{Value as Json, json};
use ta_bot_test_servers::MariaDb;
use ta_bot_tests::{chance::Chance, root};

use crate::run::{Done, Home, sample};

/// 2018-02-01 00:00.
const FEBRUARY: i64 = 1_517_443_200_000;
const HOUR: i64 = 3_600_000;

/// A row of Binance's.
fn binance(open: i64, length: i64, price: f64, scale: i64) -> String {
    let (high, low) = (price + 10.0, price - 10.0);
    let (from, until) = (open * scale, (open + length) * scale - 1);
    format!("{from},{price},{high},{low},{},12.5,{until},117875.0,42,6.25,58937.5,0\n", price + 1.0)
}

fn write(home: &Home, name: &str, text: &str) -> String {
    let path = home.path().join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn closes(home: &Home, symbol: &str, timeframe: &str) -> Vec<f64> {
    let done = home.run(["candles", "export", "--symbol", symbol, "--timeframe", timeframe]).succeeded();
    done.stdout.lines().skip(1).map(|line| line.split(',').nth(4).unwrap().parse().unwrap()).collect()
}

/// Binance's file of February 2018 has 42 rows off the grid, after an outage.
#[test]
fn the_sound_rows_of_february_2018_are_taken_and_the_others_named() {
    let home = Home::new();
    let sound = |from: i64, count: i64| {
        (0..count).map(move |hour| binance(FEBRUARY + (from + hour) * HOUR, HOUR, 9000.0 + hour as f64, 1))
    };
    let odd = (0..42).map(|hour| binance(1_518_168_494_789 + hour * HOUR, HOUR, 8500.0, 1));
    let text: String = sound(0, 168).chain(odd).chain(sound(244, 300)).collect();
    let file = write(&home, "BTCUSDT-1h-2018-02.csv", &text);
    home.run(["candles", "import", &file]).failed(1, &["line 169: the open time is 2018-02-09T09:28:14.789"]);
    assert_eq!(home.json(&["candles", "list"])["series"], json!([]));
    let answer = home.json(&["candles", "import", &file, "--skip-bad"]);
    assert_eq!((&answer["rows"], &answer["new"], &answer["skipped"]), (&468.into(), &468.into(), &42.into()));
    assert_eq!((&answer["symbol"], &answer["timeframe"]), (&"BTCUSDT".into(), &"1h".into()));
    assert_eq!((&answer["missing"], &answer["holes"]), (&76.into(), &1.into()));
    let bad = answer["files"][0]["bad_rows"].as_array().unwrap();
    assert_eq!((bad.len(), &bad[0]["line"], &bad[41]["line"]), (42, &169.into(), &210.into()));
    let text = home.run(["candles", "import", &file, "--skip-bad"]).succeeded().stdout;
    for expected in
        ["bad rows    42, left out", "BTCUSDT-1h-2018-02.csv line 169: ", "and 32 more", "76 from 2018-02-08"]
    {
        assert!(text.contains(expected), "{text}");
    }
}

/// Months and minutes, days and hours are told apart by what the file itself says.
#[test]
fn a_file_of_another_timeframe_is_refused() {
    let home = Home::new();
    let (january, day) = (1_735_689_600_000, 24 * HOUR);
    let month = write(&home, "months.csv", &binance(january, 31 * day, 93_576.0, 1_000));
    let days = write(&home, "days.csv", &binance(january, day, 93_576.0, 1_000));
    let named = write(&home, "BTCUSDT-1mo-2025-01.csv", &binance(january, 31 * day, 93_576.0, 1_000));
    let import = |file: &str, timeframe: &str| {
        home.run(["candles", "import", file, "--symbol", "BTCUSDT", "--timeframe", timeframe])
    };
    import(&month, "1m").failed(1, &["line 1", "that is a month, and --timeframe says 1m"]);
    import(&days, "1h").failed(1, &["that is a candle of 1d, and --timeframe says 1h", "give --timeframe 1d"]);
    import(&named, "1m").failed(1, &["its name says 1mo, and --timeframe says 1m"]);
    import(&named, "1M").failed(2, &["no timeframe"]);
    home.run(["candles", "import", &named]).failed(1, &["its name says 1mo", "there are 1m, 3m"]);
    assert_eq!(home.json(&["candles", "list"])["series"], json!([]));
    import(&days, "1d").succeeded();
}

#[test]
fn many_files_are_imported_at_once_with_the_holes_between_them() {
    let home = Home::new();
    let rows = |from: i64, count: i64, scale: i64| {
        (from..from + count)
            .map(|hour| binance(FEBRUARY + hour * HOUR, HOUR, 9000.0 + hour as f64, scale))
            .collect::<String>()
    };
    let files = [
        write(&home, "BTCUSDT-1h-2018-02-02.csv", &rows(24, 24, 1)),
        write(&home, "BTCUSDT-1h-2018-02-01.csv", &rows(0, 20, 1_000_000)),
        write(&home, "ETHUSDT-1h-2018-02-01.csv", &rows(0, 24, 1_000)),
    ];
    let all = ["candles", "import", &files[0], &files[1], &files[2]];
    let answer = home.json(&all);
    let [bitcoin, ether] = answer["series"].as_array().unwrap().as_slice() else { panic!("{answer}") };
    assert_eq!((&bitcoin["symbol"], &bitcoin["new"], &bitcoin["missing"]), (&"BTCUSDT".into(), &44.into(), &4.into()));
    let between = &bitcoin["holes_at"][0]["between"];
    assert!(between[0] == files[1].as_str() && between[1] == files[0].as_str(), "{between}");
    assert_eq!((&ether["symbol"], &ether["new"]), (&"ETHUSDT".into(), &24.into()));
    let text = home.run(all).succeeded().stdout;
    assert!(text.contains("BTCUSDT 1h: 44 closed candles") && text.contains("ETHUSDT 1h: 24"), "{text}");
    let bad = write(&home, "bad.csv", "hello\n");
    let wrong =
        home.run(["candles", "import", &files[0], &bad, "absent.csv", "--symbol", "SOLUSDT", "--timeframe", "1h"]);
    wrong.failed(1, &["bad.csv: line 1", "absent.csv: there is no such file"]);
    assert_eq!(home.json(&["candles", "list"])["series"].as_array().unwrap().len(), 2);
}

/// Tables of other programs.
#[test]
fn tables_of_tradingview_and_pandas_are_imported() {
    let home = Home::new();
    let seconds = "time,open,high,low,close,Volume\n1517443200,1.5,2,1,1.75,9\n1517446800,1.75,2,1,1.25,9\n";
    let dates = "Date,Open,High,Low,Close,Adj Close,Volume\n2018-02-01 02:00:00+00:00,1.25,2,1,1.5,1.5,9\n";
    for text in [seconds, dates] {
        let file = write(&home, "table.csv", text);
        home.run(["candles", "import", &file, "--symbol", "BTCUSDT", "--timeframe", "1h"]).succeeded();
    }
    assert_eq!(closes(&home, "BTCUSDT", "1h"), [1.75, 1.25, 1.5]);
}

/// Parquet as pandas (snappy, an index) and Polars (zstd, a number, a column more) wrote it: twenty candles of 15
/// minutes from 2026-01-01 on, with tiny prices.
#[test]
fn parquet_of_pandas_and_polars_is_imported() {
    let folder = root().join("tests/tests/cli/candles_of_others");
    for name in ["pandas.parquet", "polars.parquet"] {
        let home = Home::new();
        let file = folder.join(name).display().to_string();
        let read = home.json(&["candles", "import", &file, "--symbol", "PEPEUSDT", "--timeframe", "15m"]);
        assert_eq!((&read["new"], &read["first_open"]), (&20.into(), &"2026-01-01T00:00:00+00:00".into()), "{name}");
        let closes = closes(&home, "PEPEUSDT", "15m");
        assert_eq!(closes[19], 5.524_628_571_428_571e-8, "{name}");
        home.run(["candles", "import", &file, "--symbol", "PEPEUSDT", "--timeframe", "1h"])
            .failed(1, &["line 2", "1h"]);
    }
}

/// A Parquet file that is cut off or damaged anywhere gives an error that names it, or what it says is refused.
#[test]
fn damaged_parquet_is_told() {
    let home = Home::new();
    let whole = fs::read(root().join("tests/tests/cli/candles_of_others/polars.parquet")).unwrap();
    let file = home.path().join("damaged.parquet");
    let named = file.display().to_string();
    let import = ["candles", "import", &named, "--symbol", "PEPEUSDT", "--timeframe", "15m"];
    for end in [4, 8, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(&file, &whole[..end]).unwrap();
        home.run(import).failed(1, &["damaged.parquet", "fetch it again"]);
    }
    let mut chance = Chance::new(16);
    for _ in 0..40 {
        let mut bytes = whole.clone();
        for _ in 0..3 {
            let place = chance.below(bytes.len() as u64) as usize;
            bytes[place] = chance.below(256) as u8;
        }
        fs::write(&file, &bytes).unwrap();
        let done = home.command().args(import).output().unwrap();
        assert!(matches!(done.status.code(), Some(0 | 1)), "{done:?}");
    }
    fs::write(&file, b"PAR1").unwrap();
    home.run(import).failed(1, &["damaged.parquet"]);
}

/// What was exported is imported with the same bytes, for prices from 1e-8 to 1e8.
#[test]
fn an_export_comes_back_bit_for_bit() {
    let home = Home::new();
    let mut state = 11_u64;
    let mut rows = vec!["open_time_ms,open,high,low,close,volume\n".to_owned()];
    for index in 0..680_i64 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let share = 1.0 + (state >> 11) as f64 / (1_u64 << 53) as f64;
        let price = share * 10_f64.powi((index % 17) as i32 - 8);
        let (high, low) = (price * 1.5, price / 3.0);
        let open = FEBRUARY + index * HOUR;
        rows.push(format!("{open},{price},{high},{low},{},{}\n", price * 1.1, price / 7.0));
    }
    let file = write(&home, "all.csv", &rows.concat());
    home.run(["candles", "import", &file, "--symbol", "BTCUSDT", "--timeframe", "1h"]).succeeded();
    let out = home.path().join("out.csv");
    let export = |home: &Home, output: &PathBuf| {
        let output = output.to_str().unwrap();
        home.run(["candles", "export", "--symbol", "BTCUSDT", "--timeframe", "1h", "--output", output])
    };
    let text = export(&home, &out).succeeded().stdout;
    assert!(text.contains("680 candles of BTCUSDT 1h"), "{text}");
    export(&home, &out).failed(1, &["never overwritten"]);
    let other = Home::new();
    let again = other.json(&["candles", "import", out.to_str().unwrap(), "--symbol", "BTCUSDT", "--timeframe", "1h"]);
    assert_eq!((&again["new"], &again["missing"]), (&680.into(), &0.into()));
    let back = home.json(&["candles", "import", out.to_str().unwrap(), "--symbol", "BTCUSDT", "--timeframe", "1h"]);
    assert_eq!((&back["same"], &back["different"]), (&680.into(), &0.into()), "the same bytes");
    let second = other.path().join("second.csv");
    export(&other, &second).succeeded();
    assert_eq!(fs::read(&out).unwrap(), fs::read(&second).unwrap());
    // The same by way of Parquet.
    let parquet = home.path().join("out.parquet");
    export(&home, &parquet).succeeded();
    assert!(fs::read(&parquet).unwrap().starts_with(b"PAR1"));
    let third = Home::new();
    let read =
        third.json(&["candles", "import", parquet.to_str().unwrap(), "--symbol", "BTCUSDT", "--timeframe", "1h"]);
    assert_eq!((&read["new"], &read["missing"]), (&680.into(), &0.into()));
    let of_parquet = third.path().join("third.csv");
    export(&third, &of_parquet).succeeded();
    assert_eq!(fs::read(&out).unwrap(), fs::read(&of_parquet).unwrap());
    let part = [
        "candles",
        "export",
        "--symbol",
        "BTCUSDT",
        "--timeframe",
        "1h",
        "--since",
        "2018-02-01T02:00:00Z",
        "--until",
        "2018-02-01T05:00:00Z",
    ];
    let part = home.run(part).succeeded();
    assert_eq!(part.stdout.lines().count(), 4);
    assert!(part.stderr.contains("3 candles, 0 left out"), "{part:?}");
    home.run(["candles", "export", "--symbol", "ETHUSDT", "--timeframe", "1h"]).failed(1, &["BTCUSDT 1h"]);
    let json = home.json(&["candles", "export", "--symbol", "BTCUSDT", "--timeframe", "1h"]);
    assert_eq!(json["error"]["code"], "usage");
}

/// A monthly archive had a wrong row; the daily one is right.
#[test]
fn a_corrected_archive_replaces_what_was_wrong() {
    let home = Home::new();
    let right = fs::read_to_string(sample("BTCUSDT", "15m")).unwrap();
    let mut lines: Vec<String> = right.lines().map(str::to_owned).collect();
    let cells: Vec<String> = lines[53].split(',').map(str::to_owned).collect();
    let low: f64 = cells[3].parse().unwrap();
    lines[53] = format!("{},{},{},{},{},{}", cells[0], cells[1], cells[2], low * 0.97, low * 0.97, cells[5]);
    let series = ["--symbol", "BTCUSDT", "--timeframe", "15m"];
    let wrong = write(&home, "monthly.csv", &(lines.join("\n") + "\n"));
    let right = write(&home, "daily.csv", &right);
    let run = |command: &str, file: &str, more: &[&str]| -> Done {
        home.run([["candles", command, file].as_slice(), &series, more].concat())
    };
    run("import", &wrong, &[]).succeeded();
    let told = run("import", &right, &[]).succeeded().stdout;
    assert!(
        told.contains("different   1") && told.contains("ta-bot candles replace FILE... --symbol BTCUSDT"),
        "{told}"
    );
    let opened = told.lines().find(|line| line.trim().starts_with("opened ")).unwrap();
    let preview = run("replace", &right, &[]).succeeded().stdout;
    assert!(
        preview.contains("changed     1") && preview.contains("Nothing was changed. Do it with --yes"),
        "{preview}"
    );
    assert!(preview.contains(opened.trim().trim_start_matches("opened ")), "{preview}");
    let old: f64 = low * 0.97;
    assert_eq!(closes(&home, "BTCUSDT", "15m")[52], old);
    let answer = run("replace", &right, &["--yes", "--json", "--by", "ann", "--reason", "a new archive"]).json();
    assert_eq!((&answer["applied"], &answer["changed"], &answer["same"]), (&true.into(), &1.into(), &299.into()));
    let number = answer["repair"].clone();
    assert_eq!(closes(&home, "BTCUSDT", "15m")[52], cells[4].parse::<f64>().unwrap());
    let log = home.json(&["candles", "repairs"]);
    let entry = &log["repairs"][0];
    assert_eq!((&entry["repair"], &entry["kind"], &entry["changed_by"]), (&number, &"replace".into(), &"ann".into()));
    assert_eq!(run("replace", &right, &["--yes", "--json"]).json()["repair"], Json::Null, "nothing is left to change");
    let text = home.run(["candles", "repairs"]).succeeded().stdout;
    assert!(text.contains("ann: a new archive"), "{text}");
    let number = number.to_string();
    let none = home.run(["candles", "redecisions", &number]).succeeded().stdout;
    assert!(none.contains("ta-bot candles redecide"), "{none}");
    let later = home.json(&["candles", "redecide", &number]);
    assert_eq!((&later["redecided"]["jobs"], &later["changed"]), (&0.into(), &1.into()), "no job was finished");
    home.run(["candles", "redecide", "99"]).failed(1, &["there is no repair 99"]);
    home.run(["candles", "redecisions", "99"]).failed(1, &["there is no repair 99"]);
}

#[test]
fn a_stretch_is_deleted_if_that_is_confirmed() {
    let home = Home::with_candles();
    let delete = |more: &[&str]| {
        let all = ["candles", "delete", "--symbol", "BTCUSDT", "--timeframe", "1h", "--since", "2025-12-31"];
        home.run([all.as_slice(), &["--until", "2025-12-31T12:00:00Z"], more].concat())
    };
    let preview = delete(&["--json"]).json();
    assert_eq!((&preview["applied"], &preview["removed"]), (&false.into(), &12.into()), "{preview}");
    assert_eq!(closes(&home, "BTCUSDT", "1h").len(), 300);
    let text = delete(&["--yes", "--redecide"]).succeeded().stdout;
    assert!(text.contains("removed     12") && text.contains("redecided   0 jobs"), "{text}");
    assert_eq!(closes(&home, "BTCUSDT", "1h").len(), 288);
    let list = home.json(&["candles", "list"]);
    assert!(list["series"].as_array().unwrap().iter().any(|series| series["missing"] == 12), "{list}");
    delete(&["--redecide"]).failed(2, &["--yes"]);
    let turned =
        ["candles", "delete", "--symbol", "BTCUSDT", "--timeframe", "1h", "--since", "2026", "--until", "2025"];
    home.run(turned).failed(2, &["2026"]);
    let turned = [
        "candles",
        "delete",
        "--symbol",
        "BTCUSDT",
        "--timeframe",
        "1h",
        "--since",
        "2025-12-31",
        "--until",
        "2025-12-30",
    ];
    home.run(turned).failed(2, &["is not after"]);
}

/// Prices that a DECIMAL(20,8) would change are refused as a whole; the remedy is named. In MySQL's tables, which are
/// another service's, nothing is changed by hand unless that is said.
#[tokio::test(flavor = "multi_thread")]
async fn mysql_takes_what_it_can_hold() {
    let home = Home::new();
    let maria = MariaDb::start().await.unwrap();
    let uri = maria.create_database("market").await.unwrap();
    let tiny = (0..30).map(|index| {
        let price = 1.5e-8 + f64::from(index) * 1e-12;
        format!("{},{price},{price},{price},{price},20.5\n", FEBRUARY + i64::from(index) * HOUR)
    });
    let text = "open_time_ms,open,high,low,close,volume\n".to_owned() + &tiny.collect::<String>();
    let file = write(&home, "tiny.csv", &text);
    let run = |arguments: &[&str]| {
        let series = ["--symbol", "TINYUSDT", "--timeframe", "1h"];
        Done::of(home.command().env("MYSQL_URI", &uri).args([arguments, &series].concat()))
    };
    let refused = run(&["candles", "import", &file]);
    // The first price is refused by its second digit.
    refused.failed(
        1,
        &["0.000000015 for the column open_price of klines_h1", "decimal(20,8)", "ALTER TABLE", "MYSQL_URI"],
    );
    assert_eq!(maria.sql("SELECT COUNT(*) FROM market.klines_h1").await.unwrap(), "0\n");
    let plain = |index: i64| format!("{},1,2,0.5,1.5,20.5\n", FEBRUARY + index * HOUR);
    let same = "open_time_ms,open,high,low,close,volume\n".to_owned() + &(0..30).map(plain).collect::<String>();
    let file = write(&home, "plain.csv", &same);
    run(&["candles", "import", &file]).succeeded();
    let other = write(&home, "other.csv", &same.replacen("1.5,20.5", "1.75,20.5", 3));
    let preview = run(&["candles", "replace", &other]).succeeded().stdout;
    assert!(preview.contains("written by the Data Extractor") && preview.contains("changed     3"), "{preview}");
    let told = run(&["candles", "replace", &other, "--yes"]);
    told.failed(1, &["written by the Data Extractor", "--in-foreign-tables"]);
    let closes = "SELECT COUNT(*) FROM market.klines_h1 WHERE close_price = 1.75";
    assert_eq!(maria.sql(closes).await.unwrap(), "0\n");
    run(&["candles", "replace", &other, "--yes", "--in-foreign-tables"]).succeeded();
    assert_eq!(maria.sql(closes).await.unwrap(), "3\n");
}
