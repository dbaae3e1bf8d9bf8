//! Tables of other programs: TradingView's and pandas'.

use super::*;

/// What `rows` says, with the times in each way that a program writes them.
fn in_every_way(header: &str, row: impl Fn(&str) -> String) {
    let seconds = |index: i64| (time(index) / 1_000).to_string();
    let date = |index: i64| Timestamp::from_millis(time(index)).to_string();
    let ways: [Box<dyn Fn(i64) -> String>; 9] = [
        Box::new(seconds),
        Box::new(|index| time(index).to_string()),
        Box::new(|index| (time(index) * 1_000).to_string()),
        Box::new(|index| (time(index) * 1_000_000).to_string()),
        Box::new(|index| format!("{}.0", time(index) / 1_000)),
        Box::new(date),
        Box::new(move |index| date(index).replace('T', " ")),
        Box::new(move |index| date(index).replace("+00:00", "Z")),
        Box::new(move |index| date(index).replace("+00:00", "").replace('T', " ")),
    ];
    let expected = read_bytes(our_file(0..4)).unwrap();
    for way in ways {
        let text: String = (0..4).map(|index| row(&way(index))).collect();
        let text = format!("{header}\n{text}");
        assert_eq!(read_bytes(&text).unwrap(), expected, "{text}");
    }
}

#[test]
fn tradingviews_tables_are_read() {
    in_every_way("time,open,high,low,close,Volume", |time| format!("{time},100.5,101.0,99.25,100.125,12.5\n"));
    in_every_way("time,open,high,low,close,Volume,Volume MA,RSI", |time| {
        format!("{time},100.5,101.0,99.25,100.125,12.5,NaN,\n")
    });
    let without = told("time,open,high,low,close\n1704067200,1,1,1,1\n");
    assert!(without.starts_with("line 1: ") && without.contains("volume"), "{without}");
    let no_trades = told("time,open,high,low,close,Volume\n1704067200,1,1,1,1,NaN\n");
    assert!(no_trades.contains("volume is NaN"), "{no_trades}");
}

#[test]
fn pandas_tables_are_read() {
    let row = |time: &str| format!("{time},100.5,101.0,99.25,100.125,12.5\n");
    for header in
        ["timestamp,open,high,low,close,volume", "date,Open,High,Low,Close,Volume", ",open,high,low,close,volume"]
    {
        in_every_way(header, row);
    }
    in_every_way("Datetime,Open,High,Low,Close,Adj Close,Volume", |time| {
        format!("{time},100.5,101.0,99.25,100.125,100.125,12.5\n")
    });
    // A number that pandas made up is the first column, and the time is the second one.
    in_every_way(",timestamp,open,high,low,close,volume", |time| format!("7,{time},100.5,101.0,99.25,100.125,12.5\n"));
}

#[test]
fn a_date_alone_is_midnight() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"Date,Open,High,Low,Close,Volume\n2024-01-01,1,1,1,1,1\n2024-01-02,1,1,1,1,1\n").unwrap();
    let read = read(file.path(), Timeframe::D1, Timestamp::from_millis(time(999)), &mut |_| ()).unwrap();
    assert_eq!(read.candles[1].open_time.to_string(), "2024-01-02T00:00:00+00:00");
}

#[test]
fn a_time_that_is_none_is_told() {
    let table = |time: &str| format!("time,open,high,low,close,volume\n{time},1,1,1,1,1\n");
    for (time, expected) in [
        ("yesterday", "the time is \"yesterday\""),
        ("01/02/2024", "the time is \"01/02/2024\""),
        ("", "the time is \"\""),
        ("17040672", "in the year 1973 or before"),
        ("1704067200.5", "the time is \"1704067200.5\""),
        ("1704067200000001", "(in microseconds)"),
        ("1704067200000000001", "(in nanoseconds)"),
        ("2024-01-01 00:01:00", "a candle of 15m opens at"),
    ] {
        let told = told(table(time));
        assert!(told.starts_with("line 2: ") && told.contains(expected), "{told}");
    }
    assert!(told("time,open,high,low,close,volume,volume\n").contains("is no header"), "which volume is meant?");
    assert!(told("time,high,open,low,close,volume\n").contains("is no header"));
}
