//! The import of files.

use std::{fs, sync::Arc};

use ta_bot_core::{Candle, Timestamp};
use ta_bot_drivers::sqlite::{Database, candles::SqliteCandles};
use ta_bot_engine::{
    market::{
        candles::{Candles, DEFAULT_PATIENCE},
        import::{ImportError, ImportSummary, import},
    },
    support::metrics::Metrics,
};
use tempfile::TempDir;

use super::{
    cases::{CASES, Case, M15, Says, newest_close},
    read::{COUNT, SLOT, candle},
};

/// An embedded store into which files are imported.
pub(crate) struct Store {
    pub(crate) candles: Candles,
    folder: TempDir,
}

impl Store {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteCandles::new(Database::open(folder.path()).await.unwrap());
        let candles = Candles::new(Arc::new(store), DEFAULT_PATIENCE, Arc::new(Metrics::new().unwrap()));
        Self { candles, folder }
    }

    /// Imports a file with these candles, one to a line.
    pub(crate) async fn import(&self, symbol: &str, candles: &[Candle]) -> Result<ImportSummary, ImportError> {
        let line = |candle: &Candle| {
            let Candle { open_time, open, high, low, close, volume } = candle;
            format!("{},{open},{high},{low},{close},{volume}\n", open_time.millis())
        };
        let path = self.folder.path().join("candles.csv");
        let lines: String = candles.iter().map(line).collect();
        fs::write(&path, format!("open_time_ms,open,high,low,close,volume\n{lines}")).unwrap();
        import(&self.candles, &path, &symbol.parse().unwrap(), M15, |_| ()).await
    }

    /// The stored candles of a symbol.
    pub(crate) async fn stored(&self, symbol: &str, until: Timestamp) -> Vec<Candle> {
        self.candles.newest(&symbol.parse().unwrap(), M15, until, 1_000).await.unwrap().candles
    }
}

#[tokio::test]
async fn a_file_is_refused_in_the_words_of_the_rule() {
    let store = Store::new().await;
    let close = newest_close();
    for case in &CASES {
        if !matches!(case.in_file, Says::NoSuchInput(_)) {
            a_file_with(case, &store, close).await;
        }
    }
}

async fn a_file_with(case: &Case, store: &Store, close: Timestamp) {
    let name = case.name;
    let sound: Vec<Candle> = (0..COUNT).map(|index| candle(close, index)).collect();
    let bad = (case.rows)(sound[SLOT]).into_iter().map(|row| row.candle);
    let file: Vec<Candle> = sound[..SLOT].iter().copied().chain(bad).chain(sound[SLOT + 1..].iter().copied()).collect();
    let (symbol, imported) = (case.symbol(), store.import(case.symbol().as_str(), &file).await);
    let stored = store.stored(symbol.as_str(), close).await;
    match (case.in_file, imported) {
        (Says::Taken, Ok(summary)) => {
            assert_eq!((summary.rows as usize, summary.missing), (sound.len(), 0), "{name}");
            assert_eq!(stored, sound, "{name}");
        }
        (Says::Nothing, Ok(summary)) => {
            assert_eq!((summary.rows as usize, summary.missing), (sound.len() - 1, 1), "{name}");
            assert!(!stored.contains(&sound[SLOT]), "{name}");
        }
        (Says::Refused(_, words), Err(error)) => {
            let told = error.to_string();
            // The header is line 1. Of two rows that contradict each other, the second is named.
            let line = SLOT + 1 + (case.rows)(sound[SLOT]).len();
            assert!(told.contains(&format!(": line {line}: {words}")), "{name}: {told}");
            assert_eq!(stored, [], "{name}");
        }
        (says, imported) => panic!("{name}: {imported:?} is not {says:?}"),
    }
}
