//! MongoDB, MySQL and NATS as the older service leaves them.

use std::{collections::BTreeMap, process::Stdio, time::Duration};

use async_nats::jetstream::{self, stream::Config};
use futures_util::TryStreamExt as _;
use mongodb::{
    Client, Database,
    bson::{DateTime, Document, doc},
};
use serde_json::{Value as Json, json};
use ta_bot_test_servers::{MariaDb, Mongo, Nats};
use ta_bot_tests::{app, built_in, replicas::stream::STREAM, strategies_dir};

use crate::run::{Done, Home};

/// The older service has no rule for these two.
const NEW_HERE: [&str; 2] = ["macd", "rsi"];
/// The strategies whose documents somebody has edited.
const EDITED: [&str; 3] = ["ema_pullback_continuation", "range_break_pop", "shooting_star_reversal"];
/// How many defaults the older service has stored by itself.
pub(super) const BY_ITSELF: usize = 28 - EDITED.len();
/// A stream that somebody else has made for what readers get.
pub(super) const INTENTS: &str = "INTENTS";
/// The test stores quarters of an hour only.
pub(super) const CANDLE_SOURCES: &str = "30m=15m,1h=15m,4h=15m,1d=15m";
const COLLECTIONS: [&str; 3] = ["strategy_configs_global", "strategy_configs_symbol", "app_config"];
/// The table of the older service.
const SIGNALS: &str = "CREATE TABLE signals (id INT AUTO_INCREMENT PRIMARY KEY, symbol VARCHAR(20) NOT NULL,
    timeframe VARCHAR(10) NOT NULL DEFAULT '15m', period VARCHAR(10), signal_type VARCHAR(20) NOT NULL,
    confidence DECIMAL(5,4), strategy VARCHAR(50), metadata JSON, timestamp DATETIME,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)";
const SIGNAL: &str = "INSERT INTO signals (symbol, timeframe, period, signal_type, confidence, strategy, metadata,
    timestamp) VALUES ('BTCUSDT', '15m', '15m', 'buy', 0.7, 'momentum_pulse', '{}', '2026-01-02 03:04:05');";
const DATABASE: &str = "petrosa";

const PATIENCE: Duration = Duration::from_mins(1);

/// The parameters of each level, by strategy and symbol.
pub(super) fn parameters(documents: &[Document]) -> BTreeMap<String, Document> {
    let level = |document: &Document| {
        let symbol = document.get_str("symbol").unwrap_or_default();
        Some((
            format!("{} {symbol}", document.get_str("strategy_id").ok()?),
            document.get_document("parameters").ok()?.clone(),
        ))
    };
    documents.iter().filter_map(level).collect()
}

/// What must not change if nothing is to be changed.
#[derive(Debug, PartialEq)]
pub(super) struct Everything {
    /// The documents of settings, each collection in the order of ids.
    pub(super) configuration: Vec<Document>,
    history: Vec<Document>,
    tables: String,
    streams: Vec<String>,
}

/// The servers, and a home for commands.
pub(super) struct Older {
    mongo: Mongo,
    maria: MariaDb,
    nats: Nats,
    documents: Database,
    home: Home,
}

impl Older {
    /// Starts the servers and fills them.
    pub(super) async fn start() -> Self {
        let (maria, nats, mongo) = tokio::try_join!(MariaDb::start(), Nats::start(), Mongo::start()).unwrap();
        maria.create_database(DATABASE).await.unwrap();
        maria.sql(&format!("USE {DATABASE}; {SIGNALS}; {SIGNAL} {SIGNAL} {SIGNAL}")).await.unwrap();
        let documents = Client::with_uri_str(mongo.uri()).await.unwrap().database(DATABASE);
        fill(&documents).await;
        let jetstream = jetstream::new(async_nats::connect(nats.url()).await.unwrap());
        let subjects = vec!["cio.intent.trading.>".to_owned()];
        jetstream.create_stream(Config { name: INTENTS.to_owned(), subjects, ..Config::default() }).await.unwrap();
        let home = Home::new();
        app::share_compiled(&home.data_dir()).unwrap();
        Self { mongo, maria, nats, documents, home }
    }

    /// The environment of the service that takes over.
    pub(super) fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("MYSQL_URI", self.maria.uri(DATABASE)),
            ("MONGODB_URI", self.mongo.uri()),
            ("MONGODB_DATABASE", DATABASE.to_owned()),
            ("NATS_URL", self.nats.url()),
            ("STRATEGIES_DIR", strategies_dir().display().to_string()),
            ("HTTP_ADDR", "127.0.0.1:0".to_owned()),
            ("CANDLE_SOURCES", CANDLE_SOURCES.to_owned()),
            // The candles are old ones.
            ("SIGNAL_MAX_AGE_SECONDS", "0".to_owned()),
        ]
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Done {
        let mut command = self.home.command();
        command.envs(self.variables()).args(arguments).arg("--json");
        Done::of(&mut command)
    }

    pub(super) fn run_for_people(&self, arguments: &[&str]) -> Done {
        let mut command = self.home.command();
        Done::of(command.envs(self.variables()).args(arguments))
    }

    /// Runs a command and kills it as soon as it has changed something.
    pub(super) async fn killed_after_its_first_write(&self, arguments: &[&str], before: &[Document]) {
        let mut command = self.home.command();
        command.envs(self.variables()).args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
        let mut running = command.spawn().unwrap();
        let changed = async || self.configuration().await != before;
        ta_bot_tests::until(PATIENCE, async || "it writes nothing".to_owned(), changed).await;
        running.kill().unwrap();
        running.wait().unwrap();
    }

    /// The documents of settings, each collection in the order of ids.
    pub(super) async fn configuration(&self) -> Vec<Document> {
        let mut all = Vec::new();
        for collection in COLLECTIONS {
            all.extend(self.sorted(collection).await);
        }
        all
    }

    async fn sorted(&self, collection: &str) -> Vec<Document> {
        let documents = self.documents.collection::<Document>(collection);
        documents.find(doc! {}).sort(doc! { "_id": 1 }).await.unwrap().try_collect().await.unwrap()
    }

    pub(super) async fn everything(&self) -> Everything {
        let sql = format!(
            "SELECT table_name, column_name, column_type FROM information_schema.columns
             WHERE table_schema = '{DATABASE}' ORDER BY 1, 2; SELECT * FROM {DATABASE}.signals"
        );
        let jetstream = jetstream::new(async_nats::connect(self.nats.url()).await.unwrap());
        Everything {
            configuration: self.configuration().await,
            history: self.sorted("strategy_config_audit").await,
            tables: self.maria.sql(&sql).await.unwrap(),
            streams: jetstream.stream_names().try_collect().await.unwrap(),
        }
    }

    pub(super) async fn rows_of_the_older_service(&self) -> i64 {
        let rows = self.maria.sql(&format!("SELECT COUNT(*) FROM {DATABASE}.signals WHERE signal_id IS NULL")).await;
        rows.unwrap().trim().parse().unwrap()
    }

    /// The stream of signals is as the plan says, and readers get what is in it.
    pub(super) async fn stream_is_as(&self, planned: &Json) {
        assert_eq!(planned["step"], "nothing", "a start of the service has done it: {planned}");
        let jetstream = jetstream::new(async_nats::connect(self.nats.url()).await.unwrap());
        let stream = jetstream.get_stream(STREAM).await.unwrap();
        assert_eq!(json!(stream.cached_info().config.subjects), planned["subjects"]);
        let destination = stream.cached_info().config.republish.clone().map(|republish| republish.destination);
        assert_eq!(json!(destination), planned["passes_on_to"]);
        let messages = stream.cached_info().state.messages;
        let copied = async || jetstream.get_stream(INTENTS).await.unwrap().cached_info().state.messages;
        ta_bot_tests::until(
            Duration::from_mins(1),
            async || format!("{} of {messages}", copied().await),
            async || copied().await == messages,
        )
        .await;
        assert!(messages > 0);
    }
}

/// The parameters that the older service stores by itself. Those of three strategies are known; the others have such
/// names as well.
fn stored_by_itself(strategy: &str) -> Document {
    match strategy {
        "momentum_pulse" => doc! {
            "rsi_overbought": 70, "rsi_oversold": 30, "min_data_points": 30, "base_confidence": 0.72,
        },
        "golden_trend_sync" => doc! {
            "ema_fast": 50, "ema_slow": 200, "min_data_points": 210, "base_confidence": 0.78,
            "volume_confirmation_multiplier": 1.2,
        },
        "doji_reversal" => doc! {
            "body_size_threshold": 0.1, "shadow_ratio_threshold": 2.0, "trend_confirmation_periods": 5,
            "base_confidence": 0.68,
        },
        _ => doc! { "a_threshold_of_the_older_service": 1.5, "min_data_points": 30, "base_confidence": 0.72 },
    }
}

/// Writes what the older service leaves in MongoDB.
async fn fill(database: &Database) {
    let at = DateTime::from_millis(1_760_000_000_000);
    let global = database.collection::<Document>("strategy_configs_global");
    let theirs = built_in::ids().unwrap().into_iter().filter(|id| !NEW_HERE.contains(&id.as_str()));
    let theirs: Vec<String> = theirs.collect();
    assert_eq!(theirs.len(), BY_ITSELF + EDITED.len());
    for id in theirs.iter().filter(|id| !EDITED.contains(&id.as_str())) {
        let parameters = stored_by_itself(id);
        global
            .insert_one(doc! {
                "strategy_id": id, "parameters": parameters, "version": 1_i64, "created_at": at, "updated_at": at,
                "metadata": { "created_by": "system_default", "auto_persisted": true },
            })
            .await
            .unwrap();
    }
    let edited = |id: &str, version: i64, parameters: Document| {
        doc! {
            "strategy_id": id, "parameters": parameters, "version": version, "created_at": at, "updated_at": at,
            "metadata": { "created_by": "llm", "reason": "volatile" },
        }
    };
    let unknown = doc! {
        "upper_shadow_ratio_threshold": 2.0, "shadow_ratio_threshold": 2.0, "trend_confirmation_periods": 5,
        "base_confidence": 0.61,
    };
    let fits = doc! { "atr_period": 10, "stop_candles": 5, "min_data_points": 20 };
    let refused = doc! { "ema_fast": 40, "ema_slow": 30 };
    for document in [
        edited("shooting_star_reversal", 3, unknown),
        edited("range_break_pop", 2, fits),
        edited("ema_pullback_continuation", 4, refused),
        edited("grid_bot", 1, doc! { "step": 5 }),
    ] {
        global.insert_one(document).await.unwrap();
    }
    let of_symbol = |id: &str, symbol: &str, parameters: Document| {
        let mut document = edited(id, 2, parameters);
        document.insert("symbol", symbol);
        document
    };
    let symbols = database.collection::<Document>("strategy_configs_symbol");
    let unfit = doc! { "stop_buffer": 0.02, "volume_confirmation_multiplier": 1.2, "momentum_candles": "2" };
    symbols.insert_one(of_symbol("range_break_pop", "BTCUSDT", unfit)).await.unwrap();
    let fits = doc! { "base_confidence": 0.63 };
    symbols.insert_one(of_symbol("shooting_star_reversal", "ETHUSDT", fits)).await.unwrap();
    let mut enabled = theirs;
    enabled.push("grid_bot".to_owned());
    let settings = doc! {
        "enabled_strategies": enabled, "symbols": ["BTCUSDT", "ETHUSDT"], "candle_periods": ["15m", "1M"],
        "min_confidence": 0.6, "max_confidence": 0.95, "max_positions": 10, "position_sizes": [100, 200],
        "version": 2_i64, "created_at": at, "updated_at": at, "metadata": {},
    };
    database.collection::<Document>("app_config").insert_one(settings).await.unwrap();
    let entry = doc! {
        "strategy_id": "shooting_star_reversal", "symbol": null, "action": "UPDATE", "old_parameters": {},
        "new_parameters": { "base_confidence": 0.61 }, "changed_by": "llm", "changed_at": at, "reason": "volatile",
    };
    database.collection::<Document>("strategy_config_audit").insert_one(entry).await.unwrap();
}
