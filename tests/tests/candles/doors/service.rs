//! The whole service in the test's process, on the extractor's tables and on a market whose time the test sets.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde_json::{Value as Json, json};
use ta_bot_core::{Symbol, Timestamp};
use ta_bot_engine::{
    market::{candles::Candles, clock::MarketClock},
    signals::{
        bus::local::LocalBus,
        outbox::{Outbox, SignalFilter, StoredSignal},
    },
    support::metrics::Metrics,
};
use ta_bot_tests::{app, operator, two_strategies_dir, until};
use tokio::{sync::oneshot, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{cases::M15, tables::Tables};

pub(crate) const MINUTE: Duration = Duration::from_mins(1);

/// A running service.
pub(crate) struct Service {
    pub(crate) candles: Arc<Candles>,
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) clock: MarketClock,
    metrics: Arc<Metrics>,
    bus: Arc<LocalBus>,
    client: reqwest::Client,
    address: String,
    data_dir: PathBuf,
    stop: CancellationToken,
    running: JoinHandle<anyhow::Result<()>>,
}

impl Service {
    /// Starts a service with one strategy, RSI, that looks at these symbols at `now`.
    pub(crate) async fn start(tables: &Tables, data: &Path, symbols: &str, now: Timestamp) -> Self {
        app::share_compiled(data).unwrap();
        let variables = [
            ("MYSQL_URI", tables.uri.clone()),
            ("HTTP_ADDR", "127.0.0.1:0".to_owned()),
            ("STRATEGIES_DIR", two_strategies_dir().display().to_string()),
            ("SUPPORTED_SYMBOLS", symbols.to_owned()),
            ("SUPPORTED_TIMEFRAMES", "15m".to_owned()),
            ("ENABLED_STRATEGIES", "rsi".to_owned()),
            // A market that falls without a break gives the highest confidence.
            ("MAX_CONFIDENCE", "1".to_owned()),
        ];
        let app = app::open_with(data, &variables).await.unwrap();
        app.clock.simulate();
        app.clock.closed(now);
        let (candles, outbox, clock) = (Arc::clone(&app.candles), Arc::clone(&app.outbox), app.clock.clone());
        let (metrics, bus) = (Arc::clone(&app.analyst.metrics), Arc::clone(app.local_bus.as_ref().unwrap()));
        let stop = CancellationToken::new();
        let (told, address) = oneshot::channel();
        let serving = app.serve(None, stop.clone(), |address| told.send(address).unwrap());
        let running = tokio::spawn(Box::pin(serving));
        let address = address.await.unwrap().to_string();
        let (client, data_dir) = (reqwest::Client::new(), data.to_owned());
        let service = Self { candles, outbox, clock, metrics, bus, client, address, data_dir, stop, running };
        let is_ready = async || service.client.get(service.url("/ready")).send().await.unwrap().status() == 200;
        until(MINUTE, async || "it is not ready".to_owned(), is_ready).await;
        service
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Has RSI signal on every candle on which it is low.
    pub(crate) async fn speak(&self) {
        let put = self.client.put(self.url("/api/v1/strategies/rsi/config")).json(&json!({"trigger": "level"}));
        assert_eq!(put.send().await.unwrap().status(), 200);
    }

    /// The data of an answer, which has to be a success.
    pub(crate) async fn post(&self, path: &str, body: Json) -> Json {
        let request = self.client.post(self.url(path)).json(&body);
        let request = operator::with_key(request, &self.data_dir, &reqwest::Method::POST, path);
        let answer = request.send().await.unwrap();
        let (status, mut answer) = (answer.status(), answer.json::<Json>().await.unwrap());
        assert_eq!(status, 200, "{answer}");
        answer["data"].take()
    }

    pub(crate) fn announce(&self, symbols: impl Iterator<Item = Symbol>) {
        for symbol in symbols {
            let event = json!({"symbol": symbol, "period": M15, "success": true});
            self.bus.announce(event.to_string().into_bytes());
        }
    }

    /// Those of the symbols whose candle is decided or given up.
    pub(crate) async fn over(&self, symbols: impl Iterator<Item = Symbol>, close: Timestamp) -> Vec<Symbol> {
        let jobs: Vec<_> = symbols.map(|symbol| (symbol, close)).collect();
        let mut over: Vec<Symbol> =
            self.outbox.finished(M15, &jobs).await.unwrap().into_iter().map(|(symbol, _)| symbol).collect();
        over.sort();
        over
    }

    /// The signals of a symbol, oldest first.
    pub(crate) async fn signals(&self, symbol: &Symbol) -> Vec<StoredSignal> {
        let filter = SignalFilter { symbol: Some(symbol.clone()), limit: 100, ..SignalFilter::default() };
        let mut signals = self.outbox.signals(&filter).await.unwrap();
        signals.reverse();
        signals
    }

    /// How many candles this replica has counted as refused for a reason.
    pub(crate) fn refused(&self, code: &str) -> u64 {
        self.metrics.inputs.candles_refused.with_label_values(&[code]).get()
    }

    pub(crate) async fn end(self) {
        self.stop.cancel();
        self.running.await.unwrap().unwrap();
    }
}
