//! Single rows: what they may hold, and how they follow each other.

use super::*;

#[test]
fn a_bad_row_is_named_by_its_line_and_says_what_is_allowed() {
    let row = |from: &str, to: &str| our_file([0]) + &ours(1).replacen(from, to, 1);
    let time_of_1 = time(1).to_string();
    let cases = [
        (row(",12.5", ""), "columns is 5: it must be 6"),
        (row(",12.5", ",12.5,1"), "columns is 7: it must be 6"),
        (row("100.5", "1oo.5"), "open is \"1oo.5\": give a number"),
        (row("100.5", ""), "open is \"\": give a number"),
        (row("100.5", "1.000,5"), "columns is 7"),
        (row("100.5", "NaN"), "open is NaN: give a finite number"),
        (row(",12.5", ",inf"), "volume is inf"),
        (row(",12.5", ",-1"), "volume is -1"),
        (row("99.25", "0"), "low is 0: a price is above zero"),
        (row("101.0", "99.5"), "do not enclose"),
        (row(&time_of_1, "2024-01-01 00:15"), "the open time is \"2024-01-01 00:15\": give whole milliseconds"),
        (row(&time_of_1, "1704068100"), "give milliseconds since 1970, not seconds"),
        (row(&time_of_1, "-5"), "give milliseconds"),
        (row(&time_of_1, "99999999999999999999"), "give whole milliseconds"),
        (
            row(&time_of_1, &(time(1) + 60_000).to_string()),
            "a candle of 15m opens at 2024-01-01T00:15:00+00:00 and then at 2024-01-01T00:30",
        ),
        (our_file([0]) + &ours(0).replacen("12.5", "13.5", 1), "there are 2 rows with other numbers of this candle"),
        (row(&time_of_1, &time(-1).to_string()), "order the file by time, oldest first"),
        (row(&time_of_1, &time(101).to_string()), "check the clock"),
        (row(&time_of_1, &(time(1) * 1000).to_string()), "in milliseconds, and check the clock"),
        (row(&ours(1), HEADER), "the open time is \"open_time_ms\""),
    ];
    for (file, expected) in cases {
        let told = told(&file);
        assert!(told.starts_with("line 3: ") && told.contains(expected), "{told}\n{file}");
    }
    let odd = binance(0, 1) + &binance(1, 1000).replacen("000,", "001,", 1);
    assert!(told(odd).starts_with("line 2: the open time is \"1704068100000001 (in microseconds)\""));
}

#[test]
fn lines_are_counted_as_an_editor_counts_them() {
    let file = HEADER.to_owned() + "\n\r\n" + &ours(0) + "\n" + &ours(-1);
    assert!(told(file).starts_with("line 6: "));
}

#[test]
fn a_row_that_comes_twice_counts_once() {
    assert_eq!(opens(our_file([0, 0, 1, 3, 3])), [0, 1, 3]);
    assert_eq!(read_bytes(our_file([0, 0, 1, 3, 3])).unwrap().missing, 1);
    assert_eq!(read_bytes(our_file([99, 100, 100])).unwrap().still_open, Some(Timestamp::from_millis(time(100))));
}

#[test]
fn a_first_line_of_another_kind_is_shown() {
    for first in [
        "hello",
        "a,b,c,d,e,f",
        "open_time_ms,close,high,low,open,volume",
        "timestamp;open;high;low;close;volume",
        ours(0).trim(),
        "<html>",
    ] {
        let told = told(format!("{first}\n{}", ours(1)));
        assert!(told.starts_with("line 1: ") && told.contains("open_time_ms,open,high,low,close,volume"), "{told}");
    }
    assert!(told("x".repeat(500)).len() < 400);
}

#[test]
fn a_candle_that_is_still_open_is_left_out_and_told() {
    let file = read_bytes(our_file([97, 98, 99, 100])).unwrap();
    assert_eq!(file.candles.len(), 3);
    assert_eq!(file.still_open, Some(Timestamp::from_millis(time(100))));
    assert_eq!(read_bytes(our_file([98, 99])).unwrap().still_open, None, "it closes at this very moment");
    assert!(told(our_file([100])).contains("still open"));
    let twice = our_file([99, 100]) + &ours(100).replacen("12.5", "13.5", 1);
    assert!(told(twice).starts_with("line 4: there are 2 rows with other numbers"));
    assert!(told(our_file([99, 100, 101])).starts_with("line 4: the candle opens"));
    assert!(told(our_file([99, 100, 98])).contains("oldest first"));
}

#[test]
fn gaps_are_counted() {
    assert_eq!(read_bytes(our_file([0, 1, 3, 4, 9])).unwrap().missing, 5);
    assert_eq!(read_bytes(our_file([0, 5])).unwrap().missing, 4);
}

#[test]
fn candles_of_a_longer_timeframe_are_not_taken_for_shorter_ones() {
    let told = told(our_file([0, 4, 8, 16]));
    assert!(told.contains("the nearest are 60 minutes apart") && told.contains("--timeframe"), "{told}");
}
