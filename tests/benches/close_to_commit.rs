//! The time from the close of a candle to its committed and published signals, for 100 symbols at once. The whole
//! service runs in this process, with the embedded database on this machine's disk and two strategies.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark may fail loudly; criterion's macro is undocumented")]

use std::{
    collections::HashMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::json;
use ta_bot::{app::App, environment::Environment};
use ta_bot_core::{Candle, Symbol, Timeframe, Timestamp};
use ta_bot_engine::{
    market::{candles::Candles, made_up::simulated},
    signals::{bus::local::LocalBus, outbox::Outbox},
};
use ta_bot_tests::two_strategies_dir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

const SYMBOLS: usize = 100;
const HISTORY: i64 = 300;
const TIMEFRAME: Timeframe = Timeframe::M5;

/// The running service and its market.
struct Market {
    candles: Arc<Candles>,
    outbox: Arc<dyn Outbox>,
    bus: Arc<LocalBus>,
    symbols: Vec<Symbol>,
    prices: Vec<f64>,
    next_open: Timestamp,
}

fn symbols() -> Vec<Symbol> {
    (0..SYMBOLS).map(|i| format!("SYM{i:03}USDT").parse().unwrap()).collect()
}

async fn start(data_dir: &Path) -> Market {
    let names = symbols().iter().map(Symbol::to_string).collect::<Vec<_>>().join(",");
    let variables = HashMap::from([
        ("HTTP_ADDR", "127.0.0.1:0".to_owned()),
        // The candles are old ones.
        ("SIGNAL_MAX_AGE_SECONDS", "0".to_owned()),
        ("DATA_DIR", data_dir.display().to_string()),
        ("STRATEGIES_DIR", two_strategies_dir().display().to_string()),
        ("SUPPORTED_SYMBOLS", names),
        ("SUPPORTED_TIMEFRAMES", TIMEFRAME.to_string()),
    ]);
    let app = App::open(Environment::read(|name| variables.get(name).cloned()).unwrap(), ta_bot_tests::app::children())
        .await
        .unwrap();
    let mut market = Market {
        candles: Arc::clone(&app.candles),
        outbox: Arc::clone(&app.outbox),
        bus: app.local_bus.clone().unwrap(),
        symbols: symbols(),
        prices: vec![100.0; SYMBOLS],
        next_open: Timestamp::from_millis(1_700_000_100_000),
    };
    for _ in 0..HISTORY {
        market.insert_candles().await;
    }
    tokio::spawn(app.serve(None, CancellationToken::new(), |_| ()));
    // The service begins a series after its newest candle, so the next close is the first job.
    while market.outbox.begun(TIMEFRAME).await.unwrap().len() < SYMBOLS {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    market
}

impl Market {
    /// Inserts one more candle of every symbol. Returns the time at which they close.
    async fn insert_candles(&mut self) -> Timestamp {
        for (symbol, price) in self.symbols.iter().zip(&mut self.prices) {
            let candle: Candle = simulated(symbol, self.next_open, *price);
            *price = candle.close;
            self.candles.insert(symbol, TIMEFRAME, &[candle]).await.unwrap();
        }
        self.next_open = TIMEFRAME.close_of(self.next_open);
        self.next_open
    }

    /// Announces the newest candles and waits until every job is committed and every signal published.
    async fn close(&self, close: Timestamp) {
        let event = json!({"event_type": "batch_extraction_completed", "symbols": self.symbols, "period": TIMEFRAME});
        self.bus.announce(event.to_string().into_bytes());
        let jobs: Vec<_> = self.symbols.iter().map(|symbol| (symbol.clone(), close)).collect();
        while self.outbox.finished(TIMEFRAME, &jobs).await.unwrap().len() < SYMBOLS
            || self.outbox.backlog().await.unwrap().signals > 0
        {
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    }
}

fn close_to_commit(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let data = tempfile::tempdir().unwrap();
    let mut market = runtime.block_on(start(data.path()));
    let mut group = criterion.benchmark_group("close to commit");
    group.sample_size(20).measurement_time(Duration::from_secs(10)).throughput(Throughput::Elements(SYMBOLS as u64));
    group.bench_function("100 symbols", |bencher| {
        bencher.iter_custom(|rounds| {
            let mut spent = Duration::ZERO;
            for _ in 0..rounds {
                let close = runtime.block_on(market.insert_candles());
                let started = Instant::now();
                runtime.block_on(market.close(close));
                spent += started.elapsed();
            }
            spent
        });
    });
    group.finish();
}

criterion_group!(benches, close_to_commit);
criterion_main!(benches);
