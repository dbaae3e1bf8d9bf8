//! Files as people have them, and files as they should not be.

use std::{
    fs,
    io::Write as _,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use ta_bot_core::{Timeframe, Timestamp};

use crate::{
    market::candles::{Candles, DEFAULT_PATIENCE},
    sqlite::{Database, candles::SqliteCandles},
    support::metrics::Metrics,
};
use tempfile::TempDir;

use super::{CandleFile, ImportError, ImportSummary, Progress, import, read, read_with, source};

mod evidence;
mod files;
mod many;
mod rows;
mod tables;

/// 2024-01-01 00:00.
const START: i64 = 1_704_067_200_000;
const QUARTER: i64 = 15 * 60_000;
const HEADER: &str = "open_time_ms,open,high,low,close,volume\n";

/// The time of the `index`th quarter of an hour.
fn time(index: i64) -> i64 {
    START + index * QUARTER
}

/// A row of our own layout.
fn ours(index: i64) -> String {
    format!("{},100.5,101.0,99.25,{}.125,12.5\n", time(index), 100)
}

/// A row of Binance's layout; `scale` is 1 for milliseconds and 1000 for microseconds.
fn binance(index: i64, scale: i64) -> String {
    let (open, close) = (time(index) * scale, time(index + 1) * scale - 1);
    format!("{open},100.50000000,101.00000000,99.25000000,100.12500000,12.50000000,{close},1256.3,42,6.1,613.0,0\n")
}

/// Our header and the rows.
fn our_file(rows: impl IntoIterator<Item = i64>) -> String {
    HEADER.to_owned() + &rows.into_iter().map(ours).collect::<String>()
}

/// Reads bytes as a file of 15-minute candles, at a moment when 100 of them have closed since the start.
fn read_bytes(bytes: impl AsRef<[u8]>) -> Result<CandleFile, ImportError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes.as_ref()).unwrap();
    read(file.path(), Timeframe::M15, Timestamp::from_millis(time(100)), &mut |_| ())
}

/// The same, with bad rows left out.
fn skipping(bytes: impl AsRef<[u8]>) -> Result<CandleFile, ImportError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes.as_ref()).unwrap();
    read_with(file.path(), Timeframe::M15, Timestamp::from_millis(time(100)), true, &mut |_| ())
}

/// The problem that is reported for bytes that are refused, without the path.
fn told(bytes: impl AsRef<[u8]>) -> String {
    match read_bytes(bytes).unwrap_err() {
        ImportError::File { problem, .. } => problem.to_string(),
        other => panic!("{other}"),
    }
}

/// The open times of bytes that are accepted, in quarters of an hour since the start.
fn opens(bytes: impl AsRef<[u8]>) -> Vec<i64> {
    let file = read_bytes(bytes).unwrap();
    file.candles.iter().map(|candle| (candle.open_time.millis() - START) / QUARTER).collect()
}

/// A zip of the files.
fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A zip of one uncompressed file.
fn stored(name: &str, bytes: &[u8]) -> Vec<u8> {
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file(name, options).unwrap();
    zip.write_all(bytes).unwrap();
    zip.finish().unwrap().into_inner()
}

/// A store and a directory for files.
struct Place {
    directory: TempDir,
    candles: Candles,
}

impl Place {
    async fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let store = SqliteCandles::new(Database::open(&directory.path().join("data")).await.unwrap());
        let metrics = Arc::new(Metrics::new().unwrap());
        Self { directory, candles: Candles::new(Arc::new(store), DEFAULT_PATIENCE, metrics) }
    }

    fn file(&self, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.directory.path().join("candles.csv");
        fs::write(&path, bytes).unwrap();
        path
    }

    async fn import(&self, bytes: impl AsRef<[u8]>) -> Result<ImportSummary, ImportError> {
        let path = self.file(bytes);
        import(&self.candles, &path, &"BTCUSDT".parse().unwrap(), Timeframe::M15, |_| ()).await
    }
}

#[tokio::test]
async fn an_import_is_summed_up() {
    let place = Place::new().await;
    let summary = place.import(our_file([0, 1, 2, 5])).await.unwrap();
    let open = |index| Timestamp::from_millis(time(index));
    let expected = ImportSummary {
        rows: 4,
        new: 4,
        same: 0,
        different: 0,
        first: open(0),
        last: open(5),
        missing: 2,
        still_open: None,
    };
    assert_eq!(summary, expected);
    let changed = our_file([2, 3, 4]) + &ours(5).replace(",12.5", ",13.5");
    let again = place.import(changed).await.unwrap();
    assert_eq!((again.rows, again.new, again.same, again.different, again.missing), (4, 2, 1, 1, 0));
    assert_eq!(place.candles.series().await.unwrap()[0].candles, 6);
}

#[tokio::test]
async fn a_bad_row_keeps_the_whole_file_out() {
    let place = Place::new().await;
    let error = place.import(our_file(0..50) + "oops\n").await.unwrap_err().to_string();
    assert!(error.contains("candles.csv: line 52: the number of columns is 1"), "{error}");
    assert!(error.contains("Nothing was imported"), "{error}");
    assert_eq!(place.candles.series().await.unwrap(), []);
}

#[tokio::test]
async fn progress_goes_from_nothing_to_all() {
    let place = Place::new().await;
    let plain = our_file(0..20_000);
    let symbol = "BTCUSDT".parse().unwrap();
    for bytes in [plain.clone().into_bytes(), zipped(&[("BTCUSDT-15m.csv", plain.as_bytes())])] {
        let path = place.file(bytes);
        let seen = Arc::new(Mutex::new(Vec::<Progress>::new()));
        let recorder = Arc::clone(&seen);
        let record = move |progress| recorder.lock().unwrap().push(progress);
        import(&place.candles, &path, &symbol, Timeframe::M15, record).await.unwrap();
        let seen = seen.lock().unwrap();
        assert!(seen.len() > 1 && seen.is_sorted_by_key(|progress| progress.read));
        assert!(seen.iter().all(|progress| progress.total == plain.len() as u64));
    }
}

#[test]
fn a_text_over_the_limit_is_refused_whatever_the_archive_says() {
    let text = our_file(0..100);
    let zip = zipped(&[("a.csv", text.as_bytes())]);
    for bytes in [text.as_bytes(), &zip] {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let limited = |limit| {
            let read_all = |text: &mut dyn std::io::BufRead| {
                std::io::copy(text, &mut std::io::sink()).map_err(source::read_problem)
            };
            source::with_text(file.path(), limit, &mut |_| (), read_all)
        };
        assert_eq!(limited(text.len() as u64).unwrap(), text.len() as u64);
        let refused = limited(text.len() as u64 - 1).unwrap_err().to_string();
        assert!(refused.contains("split it"), "{refused}");
    }
    // The archive claims that the file has 5 bytes, both in its directory, which is read, and before the file.
    let mut lying = zip.clone();
    let size = (text.len() as u32).to_le_bytes();
    for start in 0..lying.len() - 4 {
        if lying[start..start + 4] == size {
            lying[start..start + 4].copy_from_slice(&5_u32.to_le_bytes());
        }
    }
    assert_ne!(lying, zip);
    assert!(read_bytes(&lying).is_err(), "a size that is wrong is damage");
}
