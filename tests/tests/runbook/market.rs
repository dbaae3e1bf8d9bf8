//! A market that a test plays candle by candle, and what two modules decide on it without the service.

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;
use ta_bot_core::{Candle, Decision, Parameters, Symbol, Timeframe, Timestamp};
use ta_bot_drivers::sqlite::{Database, outbox::SqliteOutbox};
use ta_bot_engine::{market::history::CandleSeries, signals::outbox::Outbox as _};
use ta_bot_tests::{
    built_in::{self, Instead, changed},
    market, until,
};
use ta_bot_wasm::{EvaluationInput, StrategyModule};

use crate::{
    service::{Service, Setup},
    support::{patient, sandbox},
};

pub(crate) const TIMEFRAME: Timeframe = Timeframe::M15;
const SYMBOLS: [&str; 2] = ["BTCUSDT", "ETHUSDT"];
/// How many candles there are before the service begins.
const HISTORY: usize = 300;
/// How many candles can be played.
const PLAYED: usize = 400;
const FINISHED: &str = r#"ta_bot_jobs_total{outcome="finished"}"#;

/// The module of RSI that the service has.
pub(crate) fn rsi() -> Vec<u8> {
    built_in::bytes("rsi").unwrap()
}

/// Another version, whose index only goes up to 90: it buys earlier and sells later.
pub(crate) fn eager() -> Vec<u8> {
    changed(&rsi(), 100.0, Instead::Number(90.0)).unwrap()
}

/// Candles of two symbols, of which some have closed.
pub(crate) struct Market {
    candles: BTreeMap<Symbol, Vec<Candle>>,
    closed: usize,
}

/// How many decisions a module would have changed, and in which way: agree, added, missed, changed.
pub(crate) type Changes = [u64; 4];

impl Market {
    pub(crate) fn new() -> Self {
        let before = (HISTORY + PLAYED) as i64 * TIMEFRAME.millis();
        let first = TIMEFRAME.open_of(Timestamp::now()).plus_millis(-before);
        let walked = SYMBOLS.iter().map(|name| {
            let symbol: Symbol = name.parse().unwrap();
            let candles = market(&symbol, TIMEFRAME, first, (HISTORY + PLAYED) as i64);
            (symbol, candles)
        });
        Self { candles: walked.collect(), closed: HISTORY }
    }

    /// A service that has begun with both symbols after the history.
    pub(crate) async fn service(&self, setup: Setup) -> Service {
        let service = setup.with("SUPPORTED_TIMEFRAMES", TIMEFRAME.as_str()).start().await;
        for (symbol, candles) in &self.candles {
            service.candles.insert(symbol, TIMEFRAME, &candles[..self.closed]).await.unwrap();
            announce(&service, symbol);
        }
        let database = Database::open(&service.folder.path().join("data")).await.unwrap();
        let outbox = SqliteOutbox::new(database);
        let begun = async || outbox.begun(TIMEFRAME).await.unwrap().len();
        until(Duration::from_secs(30), async || begun().await.to_string(), async || begun().await == SYMBOLS.len())
            .await;
        service
    }

    /// Closes the next candles of both symbols, one after the other, and waits until their jobs are done.
    pub(crate) async fn close(&mut self, service: &Service, count: usize) {
        let finished = async || service.metric(FINISHED).await.unwrap_or_default();
        let before = finished().await;
        for _ in 0..count {
            for (symbol, candles) in &self.candles {
                service.candles.insert(symbol, TIMEFRAME, &[candles[self.closed]]).await.unwrap();
                announce(service, symbol);
            }
            self.closed += 1;
        }
        let expected = before + (SYMBOLS.len() * count) as f64;
        until(
            Duration::from_mins(1),
            async || format!("{} of {expected} jobs", finished().await),
            async || finished().await >= expected,
        )
        .await;
    }

    /// What a module decides on the newest `count` candles of each symbol, by close and symbol, oldest first.
    pub(crate) fn decisions(
        &self,
        module: &StrategyModule,
        parameters: &Parameters,
        count: usize,
    ) -> BTreeMap<(Timestamp, Symbol), Option<Decision>> {
        let mut decisions = BTreeMap::new();
        for (symbol, candles) in &self.candles {
            let series = CandleSeries::new(symbol.clone(), TIMEFRAME, candles[..self.closed].iter().copied()).unwrap();
            for candle in self.closed - count..self.closed {
                let from = (candle + 1).saturating_sub(module.description().lookback as usize);
                let (job, base) = (series.job(candle), series.span(from..candle + 1));
                let said = module.evaluate(EvaluationInput { job: &job, base, extra: &[], parameters });
                decisions.insert((job.candle_close, symbol.clone()), said.outcome.unwrap());
            }
        }
        decisions
    }

    /// What the second module would have changed on those candles. Each module has its own defaults, except for what
    /// `set` changes.
    pub(crate) fn changes(&self, modules: [&[u8]; 2], set: impl Fn(&mut Parameters), count: usize) -> Changes {
        let sandbox = sandbox(patient());
        let [incumbent, candidate] = modules.map(|bytes| {
            let module = StrategyModule::load(&sandbox, bytes).unwrap();
            let mut parameters = module.description().schema.defaults();
            set(&mut parameters);
            self.decisions(&module, &parameters, count)
        });
        let mut changes = [0; 4];
        for (candle, before) in incumbent {
            changes[match (before, &candidate[&candle]) {
                (None, Some(_)) => 1,
                (Some(_), None) => 2,
                (Some(before), Some(after)) if before != *after => 3,
                _ => 0,
            }] += 1;
        }
        changes
    }
}

fn announce(service: &Service, symbol: &Symbol) {
    let event = json!({
        "event_type": "extraction_completed", "extraction_type": "klines", "symbol": symbol, "period": TIMEFRAME,
        "success": true, "errors": [],
    });
    service.bus.announce(event.to_string().into_bytes());
}
