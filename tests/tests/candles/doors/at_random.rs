//! Numbers that are spoilt at random: files, SQLite and MySQL agree with the one rule on each candle.

use std::{iter::zip, sync::Arc};

use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, TestRunner},
};
use ta_bot_core::{Candle, CandleError, RowProblem, Symbol, Timestamp};
use ta_bot_drivers::{
    mysql::{Mysql, candles::MysqlCandles},
    sqlite::{Database, candles::SqliteCandles},
};
use ta_bot_engine::{
    market::{
        candle_store::CandleStore,
        candles::{Candles, DEFAULT_PATIENCE},
    },
    support::metrics::Metrics,
};

use super::{
    cases::{M15, Row, newest_close},
    imported::Store,
    tables::Tables,
};

const COUNT: usize = 150;

fn symbol() -> Symbol {
    "BTCUSDT".parse().unwrap()
}

/// Numbers that every store can hold as they are. Most of them make a candle.
fn numbers() -> impl Strategy<Value = [f64; 5]> {
    let price = |sound: f64| {
        let bad = prop::sample::select(vec![-1e11, -1.0, -1e-8, 0.0, 1e-8, 9.5, 10.5, 123_456.789_012_34]);
        prop_oneof![6 => Just(sound), 1 => bad]
    };
    [price(10.0), price(12.0), price(9.0), price(11.0), price(5.0)]
}

/// Candles that follow each other up to `close`, of which some are a few seconds off the grid.
fn candles(close: Timestamp) -> Vec<Candle> {
    let shift = prop_oneof![8 => Just(0_i64), 1 => 1_i64..900];
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    let drawn = prop::collection::vec((numbers(), shift), COUNT).new_tree(&mut runner).unwrap().current();
    let place = |(([open, high, low, close_price, volume], shift), back): (([f64; 5], i64), i64)| {
        let open_time = close.plus_millis(1_000 * shift - back * M15.millis());
        Candle { open_time, open, high, low, close: close_price, volume }
    };
    // The last candle is over even if it is shifted.
    zip(drawn, (2..COUNT as i64 + 2).rev()).map(place).collect()
}

/// What the rule says of each candle.
fn by_rule(candles: &[Candle]) -> (Vec<Candle>, Vec<(Timestamp, CandleError)>) {
    let sound = candles.iter().filter(|candle| candle.check(M15).is_ok()).copied().collect();
    let bad = candles.iter().filter_map(|candle| Some((candle.open_time, candle.check(M15).err()?))).collect();
    (sound, bad)
}

async fn a_store_agrees(store: Arc<dyn CandleStore>, candles: &[Candle], until: Timestamp) {
    let metrics = Arc::new(Metrics::new().unwrap());
    let read =
        Candles::new(store, DEFAULT_PATIENCE, metrics).newest(&symbol(), M15, until, COUNT as u32).await.unwrap();
    let (sound, bad) = by_rule(candles);
    assert_eq!(read.candles, sound);
    let refused: Vec<_> = read.refused.into_iter().map(|refused| (refused.open_time, refused.problem)).collect();
    let bad: Vec<_> = bad.into_iter().map(|(open_time, error)| (open_time, RowProblem::Unsound(error))).collect();
    assert_eq!(refused, bad);
}

#[tokio::test]
async fn files_and_stores_agree_with_the_one_rule() {
    let close = newest_close();
    let candles = candles(close);
    let (sound, bad) = by_rule(&candles);
    assert!(sound.len() > 10 && bad.len() > 10, "{} sound and {} bad candles prove little", sound.len(), bad.len());

    let files = Store::new().await;
    for (index, candle) in candles.iter().enumerate() {
        let imported = files.import(&format!("N{index}USDT"), &[*candle]).await;
        match (candle.check(M15), imported) {
            (Ok(()), Ok(summary)) => assert_eq!(summary.new, 1, "{candle:?}"),
            (Err(error), Err(told)) => {
                assert!(told.to_string().contains(&format!(": line 2: {error}.")), "{candle:?}: {told}");
            }
            (rule, imported) => panic!("{candle:?}: {imported:?} is not {rule:?}"),
        }
    }

    let folder = tempfile::tempdir().unwrap();
    let sqlite = Arc::new(SqliteCandles::new(Database::open(folder.path()).await.unwrap()));
    sqlite.insert(&symbol(), M15, &candles).await.unwrap();
    a_store_agrees(sqlite, &candles, close).await;

    let tables = Tables::start().await;
    let mysql = Arc::new(MysqlCandles::new(Mysql::open(&tables.uri.parse().unwrap())));
    mysql.ping().await.unwrap();
    tables.insert(candles.iter().map(|candle| (symbol(), Row { candle: *candle, written: 7 }))).await;
    a_store_agrees(mysql, &candles, close).await;
}
