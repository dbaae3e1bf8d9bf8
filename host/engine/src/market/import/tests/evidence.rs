//! What a file says of itself, compared with what the caller says of it.

use super::*;

/// A row of Binance's of another length than a quarter of an hour.
fn of_length(index: i64, scale: i64, close: i64) -> String {
    let open = time(index) * scale;
    format!("{open},100.5,101.0,99.25,100.125,12.5,{close},1256.3,42,6.1,613.0,0\n")
}

#[test]
fn a_close_time_that_is_another_timeframes_is_refused() {
    let quarter = |index: i64| time(index + 1) - 1;
    let hour = |index: i64| time(index + 4) - 1;
    for scale in [1, 1_000, 1_000_000] {
        let last = |close: i64| (close + 1) * scale - 1;
        assert_eq!(opens(of_length(0, scale, last(quarter(0)))), [0]);
        let told = told(of_length(0, scale, last(hour(0))));
        assert!(told.contains("that is a candle of 1h, and --timeframe says 15m"), "{told}");
        assert!(told.starts_with("line 1: ") && told.contains("give --timeframe 1h"), "{told}");
    }
    let month = told(of_length(0, 1000, 1_706_745_599_999_999));
    assert!(month.contains("that is a month"), "{month}");
    let odd = told(of_length(0, 1, time(0) + 100_000));
    assert!(odd.contains("0.001 days"), "{odd}");
    for close in [time(1), time(1) - 1_000, time(1) - 1] {
        assert_eq!(opens(of_length(0, 1, close)), [0], "writers round it");
    }
    assert!(told(of_length(0, 1, 5)).contains("the close time is \"5\""));
}

#[test]
fn a_close_time_counts_by_its_name_as_well() {
    let file = |close: &str| {
        format!("timestamp,open,high,low,close,volume,close_time\n2024-01-01 00:00:00,1,1,1,1,1,{close}\n")
    };
    assert_eq!(opens(file("2024-01-01 00:14:59")), [0]);
    assert_eq!(opens(file("2024-01-01T00:15:00Z")), [0]);
    assert!(told(file("2024-01-01 00:59:59.999")).contains("a candle of 1h"));
    assert!(told(file("soon")).contains("the close time is \"soon\""));
}

/// The row of candle 3 is of an hour; the others are sound.
#[test]
fn a_bad_row_among_sound_ones_can_be_left_out() {
    let rows = |index: i64| if index == 3 { of_length(3, 1, time(7) - 1) } else { binance(index, 1) };
    let text: String = (0..8).map(rows).collect();
    assert!(told(&text).starts_with("line 4: the file itself says"));
    let file = skipping(&text).unwrap();
    assert_eq!((file.candles.len(), file.missing, file.skipped.count), (7, 1, 1));
    assert_eq!(file.skipped.named[0].line, 4);
}

#[test]
fn rows_off_the_grid_are_left_out_and_named() {
    let odd = |index: i64| ours(index).replacen(&time(index).to_string(), &(time(index) + 134_789).to_string(), 1);
    let rows = |index: i64| if (10..14).contains(&index) { odd(index) } else { ours(index) };
    let text = HEADER.to_owned() + &(0..20).map(rows).collect::<String>();
    assert!(told(&text).contains("line 12: the open time is"));
    let file = skipping(&text).unwrap();
    assert_eq!((file.candles.len(), file.missing), (16, 4));
    assert_eq!(file.skipped.named.iter().map(|row| row.line).collect::<Vec<_>>(), [12, 13, 14, 15]);
    assert!(file.skipped.named[0].problem.to_string().contains("a candle of 15m opens at"));
}

#[test]
fn every_kind_of_bad_row_can_be_left_out() {
    let bad = [
        "oops\n".to_owned(),
        ours(50).replacen("100.5", "x", 1),
        ours(50).replacen("12.5", "-1", 1),
        ours(1),
        ours(150),
        "a".repeat(10_000) + "\n",
        HEADER.to_owned(),
    ];
    for bad in bad {
        let text = our_file(0..5) + &bad + &(5..9).map(ours).collect::<String>();
        let file = skipping(&text).unwrap();
        assert_eq!((file.candles.len(), file.skipped.count, file.skipped.named[0].line), (9, 1, 7), "{bad}");
    }
    let latin_1 = [our_file(0..5).as_bytes(), b"\xe4,1,1,1,1,1\n", ours(5).as_bytes()].concat();
    assert_eq!(skipping(latin_1).unwrap().candles.len(), 6);
}

/// Of two rows nobody can know which one is right, so neither is taken.
#[test]
fn rows_that_contradict_each_other_are_both_left_out() {
    let other = |index: i64| ours(index).replacen("12.5", "13.5", 1);
    let text = our_file(0..5) + &other(4) + &ours(4) + &(5..9).map(ours).collect::<String>();
    let file = skipping(&text).unwrap();
    let lines: Vec<u64> = file.skipped.named.iter().map(|row| row.line).collect();
    assert_eq!((file.candles.len(), file.missing, lines), (8, 1, vec![6, 7, 8]));
}

#[test]
fn a_file_that_is_mostly_bad_is_refused_whatever_is_asked() {
    let months: String = (0..5).map(|index| of_length(index, 1, time(index + 2_976) - 1)).collect();
    let error = skipping(&months).unwrap_err().to_string();
    assert!(error.contains("5 rows are bad and 0 are sound") && error.contains("a month"), "{error}");
    let backwards = HEADER.to_owned() + &(0..9).rev().map(ours).collect::<String>();
    let error = skipping(&backwards).unwrap_err().to_string();
    assert!(error.contains("8 rows are bad and 1 are sound") && error.contains("oldest first"), "{error}");
    assert!(skipping("hello\n").is_err(), "a file of another kind has no rows");
}
