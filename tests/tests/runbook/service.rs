//! A service of its own for each test: a free port, an empty folder, candles that the test makes.

use std::{collections::HashMap, path::PathBuf, sync::Arc, time::Duration};

use reqwest::{Client, Method, RequestBuilder, header::HeaderMap};
use serde_json::Value;
use ta_bot::{app::App, environment::Environment};
use ta_bot_core::{Candle, Timeframe, Timestamp};
use ta_bot_engine::{market::candles::Candles, signals::bus::local::LocalBus};
use ta_bot_tests::{operator, two_strategies_dir};
use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinHandle, time::sleep};
use tokio_util::sync::CancellationToken;

/// A running service.
pub(crate) struct Service {
    pub(crate) address: String,
    pub(crate) client: Client,
    stop: CancellationToken,
    ended: JoinHandle<anyhow::Result<()>>,
    /// Its store of candles and its bus, for tests that play the market.
    pub(crate) candles: Arc<Candles>,
    pub(crate) bus: Arc<LocalBus>,
    pub(crate) folder: TempDir,
    /// Its `DATA_DIR`, if it has no tokens, so that the key there makes an operator.
    keyed: Option<PathBuf>,
}

/// What a service is started with.
pub(crate) struct Setup {
    variables: HashMap<String, String>,
    falling: Vec<(&'static str, Timeframe, i64, i64)>,
    folder: TempDir,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Setup {
    pub(crate) fn new() -> Self {
        Self::in_folder(tempfile::tempdir().unwrap())
    }

    /// A setup with what an earlier service left in its folder.
    pub(crate) fn in_folder(folder: TempDir) -> Self {
        let variables = [
            ("HTTP_ADDR", "127.0.0.1:0".to_owned()),
            // The candles are old ones.
            ("SIGNAL_MAX_AGE_SECONDS", "0".to_owned()),
            // There are no other candles than those that a test stores.
            ("CANDLE_SOURCES", "none".to_owned()),
            ("DATA_DIR", folder.path().join("data").display().to_string()),
            ("STRATEGIES_DIR", two_strategies_dir().display().to_string()),
            ("SUPPORTED_SYMBOLS", "BTCUSDT,ETHUSDT".to_owned()),
            ("SUPPORTED_TIMEFRAMES", "15m,1h".to_owned()),
            // A market that falls without a break gives the highest confidence.
            ("MAX_CONFIDENCE", "1".to_owned()),
        ];
        let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { variables, falling: Vec::new(), folder }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.insert(name.to_owned(), value.into());
        self
    }

    /// Writes a file beside the data, and sets a variable to its path.
    pub(crate) fn with_file(self, variable: &str, text: &str) -> Self {
        let path = self.folder.path().join(variable);
        std::fs::write(&path, text).unwrap();
        self.with(variable, path.display().to_string())
    }

    /// Falling candles: the RSI is low, so `level` gives a signal. The newest candle is too old for a job, so nothing
    /// happens that the test does not ask for.
    pub(crate) fn with_falling(mut self, symbol: &'static str, timeframe: Timeframe) -> Self {
        self.falling.push((symbol, timeframe, 300, 4));
        self
    }

    /// Like [`Self::with_falling`], with a candle that has just closed, which the service evaluates by itself.
    pub(crate) fn with_fresh(mut self, symbol: &'static str, timeframe: Timeframe) -> Self {
        self.falling.push((symbol, timeframe, 300, 0));
        self
    }

    /// Too few candles for an RSI.
    pub(crate) fn with_young(mut self, symbol: &'static str, timeframe: Timeframe) -> Self {
        self.falling.push((symbol, timeframe, 5, 4));
        self
    }

    pub(crate) async fn start(self) -> Service {
        let service = self.start_unready().await;
        service.wait_until_ready().await;
        service
    }

    /// Like [`Self::start`], without waiting for the modules.
    pub(crate) async fn start_unready(self) -> Service {
        let environment = Environment::read(|name| self.variables.get(name).cloned()).unwrap();
        let app = App::open(environment, ta_bot_tests::app::children()).await.unwrap();
        for (symbol, timeframe, count, closed_ago) in self.falling {
            let candles = falling(timeframe, count, closed_ago);
            app.candles.insert(&symbol.parse().unwrap(), timeframe, &candles).await.unwrap();
        }
        let candles = Arc::clone(&app.candles);
        let bus = app.local_bus.clone().unwrap();
        let stop = CancellationToken::new();
        let (told, address) = oneshot::channel();
        let ended = tokio::spawn(app.serve(None, stop.clone(), |address| told.send(address).unwrap()));
        let Ok(address) = address.await else { panic!("the service did not start: {:?}", ended.await) };
        let address = address.to_string();
        let keyed = !self.variables.contains_key("API_TOKENS_FILE");
        let keyed = keyed.then(|| PathBuf::from(&self.variables["DATA_DIR"]));
        Service { address, client: Client::new(), stop, ended, candles, bus, folder: self.folder, keyed }
    }
}

/// `count` candles, each a little lower than the one before. The last of them closed `closed_ago` candles ago.
pub(crate) fn falling(timeframe: Timeframe, count: i64, closed_ago: i64) -> Vec<Candle> {
    let newest = timeframe.open_of(Timestamp::now()).plus_millis(-(1 + closed_ago) * timeframe.millis());
    let candle = |ago: i64| {
        let close = 50_000.0 + 10.0 * ago as f64;
        let open_time = newest.plus_millis(-ago * timeframe.millis());
        Candle { open_time, open: close + 10.0, high: close + 12.0, low: close - 2.0, close, volume: 1.0 }
    };
    (0..count).rev().map(candle).collect()
}

impl Service {
    /// A service with candles of BTCUSDT.
    pub(crate) async fn start() -> Self {
        Setup::new().with_falling("BTCUSDT", Timeframe::M15).start().await
    }

    async fn wait_until_ready(&self) {
        let ready = self.wait_for_modules().await;
        assert_eq!(ready.status, 200, "{}", ready.body);
    }

    /// The answer of `/ready` once no module is being compiled any more, and it was tried what the service can do.
    pub(crate) async fn wait_for_modules(&self) -> Reply {
        for _ in 0..600 {
            let ready = self.get("/ready").await;
            let not_ready = ready.body.to_string();
            if !["still being compiled", "not tried yet"].iter().any(|begins| not_ready.contains(begins)) {
                return ready;
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("the modules are still being compiled");
    }

    /// A request of a user of this machine, who reads the key if it is needed.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let key = self.keyed.as_deref().filter(|_| operator::is_needed(&method, path)).map(operator::key);
        let request = self.request_without_key(method, path);
        key.into_iter().fold(request, RequestBuilder::bearer_auth)
    }

    pub(crate) fn request_without_key(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address))
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        reply(self.request(Method::GET, path)).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Value) -> Reply {
        reply(self.request(method, path).json(&body)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.send(Method::POST, path, body).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Reply {
        self.send(Method::PUT, path, body).await
    }

    /// Everything that `/metrics` returns.
    pub(crate) async fn metrics(&self) -> String {
        let response = self.request(Method::GET, "/metrics").send().await.unwrap();
        assert_eq!(response.status(), 200);
        response.text().await.unwrap()
    }

    /// The value of a series; `None` if there is no such series.
    pub(crate) async fn metric(&self, series: &str) -> Option<f64> {
        let text = self.metrics().await;
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
        Some(line.parse().unwrap())
    }

    /// Ends the service in order. Returns the folder of its data.
    pub(crate) async fn end(self) -> TempDir {
        self.stop.cancel();
        self.ended.await.unwrap().unwrap();
        self.folder
    }
}

/// Sends a request and reads the answer. An answer that is not JSON has a null body; a stream of events, which has no
/// end, is not read.
pub(crate) async fn reply(request: RequestBuilder) -> Reply {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let is_stream = headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
    let text = if is_stream { String::new() } else { response.text().await.unwrap() };
    Reply { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::Null) }
}

impl Reply {
    /// The data of an answer that succeeded.
    #[track_caller]
    pub(crate) fn data(&self) -> &Value {
        assert_eq!((self.status, &self.body["success"]), (200, &Value::Bool(true)), "{}", self.body);
        assert!(self.body["error"].is_null() && self.body["metadata"]["timestamp"].is_string(), "{}", self.body);
        &self.body["data"]
    }

    /// The error of an answer that failed as it should.
    #[track_caller]
    pub(crate) fn error(&self, status: u16, code: &str) -> &Value {
        assert_eq!((self.status, self.body["error"]["code"].as_str()), (status, Some(code)), "{}", self.body);
        assert!(self.body["success"] == false && self.body["data"].is_null(), "{}", self.body);
        assert!(self.body["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{}", self.body);
        &self.body["error"]
    }

    /// The parameters that an answer refuses.
    pub(crate) fn refused(&self) -> Vec<&str> {
        let problems = self.body["error"]["details"].as_array().unwrap();
        problems.iter().map(|problem| problem["parameter"].as_str().unwrap()).collect()
    }

    pub(crate) fn etag(&self) -> &str {
        self.headers["etag"].to_str().unwrap()
    }
}
