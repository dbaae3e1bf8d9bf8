//! Whole files: layouts, encodings, archives.

use super::*;

#[test]
fn both_layouts_are_read() {
    let rows = |row: &dyn Fn(i64) -> String| (0..4).map(row).collect::<String>();
    let milliseconds = rows(&|index| binance(index, 1));
    let microseconds = rows(&|index| binance(index, 1000));
    let header = "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,\
                  taker_buy_quote_volume,ignore\n";
    let expected = read_bytes(our_file(0..4)).unwrap();
    assert_eq!(expected.candles[0].close, 100.125);
    for file in [
        milliseconds.clone(),
        microseconds.clone(),
        header.to_owned() + &milliseconds,
        header.replace('_', " ").to_uppercase() + &microseconds,
        our_file(0..4).replace("open_time_ms", "Open_Time"),
        our_file(0..4).replace(',', " , "),
        our_file(0..4).replace(',', "\",\"").lines().fold(String::new(), |text, line| text + "\"" + line + "\"\n"),
        // A file across the turn of the year 2025, put together from two files.
        (0..2).map(|index| binance(index, 1)).chain((2..4).map(|index| binance(index, 1000))).collect(),
    ] {
        assert_eq!(read_bytes(&file).unwrap(), expected, "{file}");
    }
}

#[test]
fn what_editors_do_to_files_does_not_matter() {
    let plain = our_file(0..3);
    for file in [
        format!("\u{feff}{plain}"),
        plain.replace('\n', "\r\n"),
        format!("{plain}\n  \n\r\n"),
        plain.replace('\n', "\n\n"),
        plain.trim_end().to_owned(),
    ] {
        assert_eq!(opens(&file), [0, 1, 2], "{file:?}");
    }
}

#[test]
fn files_without_candles_are_told() {
    for nothing in ["", "\n\n", HEADER, "\u{feff}", "\u{feff}\n"] {
        let told = told(nothing);
        assert!(told.contains("no candles") && told.contains("open_time_ms,open"), "{nothing:?}: {told}");
    }
}

#[test]
fn what_is_no_text_is_told() {
    let utf_16: Vec<u8> =
        [0xff, 0xfe].into_iter().chain(our_file(0..3).encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let latin_1 = our_file(0..1).into_bytes().into_iter().chain(*b"\xe4,1,1,1,1,1\n").collect();
    let cases: [(Vec<u8>, &str); 7] = [
        (utf_16, "line 1: this is UTF-16"),
        (latin_1, "line 3: this is no UTF-8 text"),
        (vec![0; 100_000], "line 1: this is no text"),
        ((0..100_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect(), "line 1: this is no"),
        (b"\x1f\x8b\x08\x00rest".to_vec(), "packed with gzip"),
        (b"7z\xbc\xaf\x27\x1crest".to_vec(), "packed with 7-Zip"),
        (format!("{HEADER}{}", "1".repeat(10_000_000)).into_bytes(), "line 2: is longer than 4096 bytes"),
    ];
    for (bytes, expected) in cases {
        let told = told(bytes);
        assert!(told.contains(expected), "{told}");
    }
    let cut_letter = format!("{HEADER}{}", "ä".repeat(3000));
    assert!(told(cut_letter).contains("longer than 4096"));
}

#[test]
fn files_that_can_not_be_read_are_told() {
    let directory = TempDir::new().unwrap();
    let told =
        |path: &std::path::Path| read(path, Timeframe::M15, Timestamp::now(), &mut |_| ()).unwrap_err().to_string();
    let missing = told(&directory.path().join("nowhere.csv"));
    assert!(missing.contains("nowhere.csv: there is no such file"), "{missing}");
    assert!(told(directory.path()).contains("this is a directory"));
    // A system file that anybody may open but nobody can read.
    assert!(told("/proc/self/mem".as_ref()).contains("can't be read"));
}

#[test]
fn a_zip_is_known_by_its_content() {
    let text = our_file(0..3);
    assert_eq!(opens(zipped(&[("BTCUSDT-15m-2026-01.csv", text.as_bytes())])), [0, 1, 2]);
    let from_a_mac = [
        ("data/", &b""[..]),
        ("data/a.csv", text.as_bytes()),
        ("data/.DS_Store", b"x"),
        ("__MACOSX/data/._a.csv", b"x"),
    ];
    assert_eq!(opens(zipped(&from_a_mac)), [0, 1, 2]);
    let bad_row = text + "oops\n";
    assert!(told(zipped(&[("a.csv", bad_row.as_bytes())])).starts_with("line 5: the number of columns is 1"));
}

#[test]
fn archives_that_can_not_be_used_are_told() {
    let text = our_file(0..90);
    let good = zipped(&[("a.csv", text.as_bytes())]);
    let several = zipped(&[("a.csv", text.as_bytes()), ("b.csv", b"x"), ("c.csv", b"y"), ("d.csv", b"z")]);
    // Changes a digit of the last row, which would otherwise pass as another volume.
    let mut damaged = stored("a.csv", text.as_bytes());
    let digit = damaged.windows(5).rposition(|window| window == b",12.5").unwrap() + 4;
    damaged[digit] = b'6';
    let mut locked = good.clone();
    for mark in [b"PK\x03\x04", b"PK\x01\x02"] {
        let start = locked.windows(4).position(|window| window == mark).unwrap();
        // The encryption flag, 6 bytes into the header of the file and 8 bytes into that of the directory.
        locked[start + if mark[2] == 3 { 6 } else { 8 }] |= 1;
    }
    let cases: [(Vec<u8>, &str); 6] = [
        (zipped(&[]), "the zip holds no file"),
        (several, "the zip holds \"a.csv\", \"b.csv\" and 2 more"),
        (good[..good.len() / 2].to_vec(), "the zip is damaged"),
        (b"PK\x03\x04".to_vec(), "the zip is damaged"),
        (damaged, "the zip is damaged (Invalid checksum)"),
        (locked, "locked with a password"),
    ];
    for (bytes, expected) in cases {
        let told = told(bytes);
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn a_bomb_is_refused_by_what_it_says_it_holds() {
    // Sixteen megabytes of blank lines in a few kilobytes.
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("a.csv", zip::write::SimpleFileOptions::default().large_file(true)).unwrap();
    let megabyte = vec![b'\n'; 1 << 20];
    for _ in 0..16 {
        zip.write_all(&megabyte).unwrap();
    }
    let bytes = zip.finish().unwrap().into_inner();
    assert!(bytes.len() < 1 << 16);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&bytes).unwrap();
    let never = |_: &mut dyn std::io::BufRead| -> Result<(), _> { panic!("it is not even opened") };
    let refused = source::with_text(file.path(), 15 << 20, &mut |_| (), never).unwrap_err().to_string();
    assert!(refused.contains("more than 15728640 bytes"), "{refused}");
    assert!(told(&bytes).contains("no candles"), "within the limit it is a file of blank lines");
}
