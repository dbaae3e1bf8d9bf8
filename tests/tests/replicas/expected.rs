//! What an undisturbed run gives: every candle after the history, looked at once by every strategy, on the embedded store in
//! this process.

use std::collections::BTreeSet;

use ta_bot_core::{Job, Timestamp};
use ta_bot_tests::app::app;

use crate::market::{Market, SHORT};

/// The ids of all signals.
pub(crate) async fn signals(market: &Market) -> BTreeSet<String> {
    let data = tempfile::tempdir().unwrap();
    let app = app(data.path()).await.unwrap();
    for (symbol, timeframe, candles) in market.series(Timestamp::now()) {
        app.candles.insert(symbol, timeframe, candles).await.unwrap();
    }
    let mut ids = BTreeSet::new();
    for minute in 0..market.minutes() {
        let candle_close = market.start.plus_millis((minute + 1) * SHORT.millis());
        for (symbol, timeframe, _) in market.closing(minute) {
            let job = Job { symbol: symbol.clone(), timeframe, candle_close };
            let analysis = app.analyst.analyse(&job, None).await.unwrap();
            ids.extend(analysis.signals().map(|signal| signal.id.as_str().to_owned()));
        }
    }
    ids
}
