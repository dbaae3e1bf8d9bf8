//! What the service counts and measures, in Prometheus' text format.
//!
//! Label values come from scheduled symbols and timeframes and registered strategies. Anything else that a request
//! names is counted under `unscheduled`, so that no request can create a new series. Scheduled symbols that have no
//! series of their own are counted together under `other`, see [`MetricSymbols`].

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use prometheus::{
    GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder, process_collector::ProcessCollector, proto::MetricFamily,
};
use ta_bot_core::{Action, ApplicationSettings, DropReason, ExecutionStatus, Job, StrategyId, Symbol, Timeframe};

/// The label value of symbols and timeframes that are not scheduled.
const UNSCHEDULED: &str = "unscheduled";
/// The label value of scheduled symbols that have no series of their own.
const OTHER: &str = "other";
/// The label value of events that concern no strategy.
const NO_STRATEGY: &str = "none";
/// The upper bounds of the duration buckets, in milliseconds.
const MILLISECONDS: [f64; 16] =
    [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10000.0];

/// The metrics that were promised to readers, with what they tell. A scrape begins with their names, since operators
/// look for them among its first lines.
const PROMISED: [(&str, &str); 5] = [
    ("ta_bot_signals_generated_total", SIGNALS_GENERATED),
    ("ta_bot_signal_processing_duration", PROCESSING_DURATION),
    ("ta_bot_strategies_run_total", STRATEGIES_RUN),
    ("ta_bot_strategy_executions_total", EXECUTIONS),
    ("ta_bot_config_changes_total", CONFIG_CHANGES),
];
const SIGNALS_GENERATED: &str = "Signals that passed every check";
const PROCESSING_DURATION: &str = "One analysis of a symbol and timeframe by all strategies, in milliseconds";
const STRATEGIES_RUN: &str = "Evaluations, of any outcome";
const EXECUTIONS: &str = "Evaluations by strategy and outcome";
const CONFIG_CHANGES: &str = "Changes of parameters";
/// What may become of a job.
const JOB_OUTCOMES: [&str; 8] =
    ["finished", "dead", "known", "decided_anew", "unfinished", "refused", "given_back", "retried"];

/// The instruments.
#[allow(missing_docs, reason = "each has its help text below")]
pub struct Metrics {
    registry: Registry,
    signals_generated: Arc<Counters<4>>,
    processing_duration: HistogramVec,
    strategies_run: IntCounterVec,
    executions: Arc<Counters<5>>,
    config_changes: IntCounterVec,
    evaluation_duration: HistogramVec,
    signals_dropped: IntCounterVec,
    pub signals_published: IntCounter,
    pub inputs: InputMetrics,
    pub replay: ReplayMetrics,
    pub failures: FailureMetrics,
    pub shadows: ShadowMetrics,
    pub costs: CostMetrics,
    pub delivery: DeliveryMetrics,
    pub latency: LatencyMetrics,
    pub surroundings: SurroundingMetrics,
    pub retention: RetentionMetrics,
    pub publish_failures: IntCounter,
    pub events: IntCounterVec,
    pub jobs: IntCounterVec,
    pub jobs_queued: IntGauge,
    pub outbox_depth: IntGauge,
    pub outbox_age_seconds: prometheus::Gauge,
    pub is_leader: IntGauge,
    pub election: ElectionMetrics,
    pub telemetry: TelemetryMetrics,
    pub http: HttpMetrics,
    pub bus_connected: IntGauge,
    pub bus_connections: IntCounter,
    compile_duration: GaugeVec,
    build_info: IntGaugeVec,
    symbols: MetricSymbols,
    named: Arc<ArcSwap<HashSet<Symbol>>>,
    symbols_shown: IntGaugeVec,
    announced: Mutex<Announced>,
}

/// The symbols, timeframes and strategies that already have series.
#[derive(Default, PartialEq)]
struct Announced {
    symbols: Vec<Symbol>,
    timeframes: Vec<Timeframe>,
    strategies: Vec<StrategyId>,
}

/// Registers an instrument. Names can't collide, because each instrument is registered here once.
macro_rules! registered {
    ($registry:expr, $instrument:expr) => {{
        let instrument = $instrument?;
        $registry.register(Box::new(instrument.clone()))?;
        instrument
    }};
}

mod costs;
mod counters;
mod delivery;
mod failures;
mod feeds;
mod inputs;
mod latency;
mod receivers;
mod replay;
mod service;
mod shadow;
mod symbols;

pub use costs::{BudgetGauge, CostMetrics};
use counters::Counters;
pub use delivery::DeliveryMetrics;
pub use failures::{FailureMetrics, SuspendedGauge};
pub use feeds::FeedGauge;
pub use inputs::InputMetrics;
pub use latency::LatencyMetrics;
pub use receivers::ReceiverMetrics;
pub use replay::ReplayMetrics;
pub use service::{ElectionMetrics, HttpMetrics, RetentionMetrics, SurroundingMetrics, TelemetryMetrics};
pub use shadow::ShadowMetrics;
pub use symbols::MetricSymbols;

impl Metrics {
    /// Creates all instruments. Those that the contract names have a series from the start, so that they are there at
    /// the first scrape, even while modules are still being compiled or if nothing is scheduled.
    pub fn new() -> Result<Self, prometheus::Error> {
        Self::with_symbols(MetricSymbols::default())
    }

    /// Creates all instruments, with series of their own for these symbols.
    pub fn with_symbols(symbols: MetricSymbols) -> Result<Self, prometheus::Error> {
        let metrics = Self { symbols, ..Self::register()? };
        metrics.announce_place(UNSCHEDULED, UNSCHEDULED, std::iter::once(NO_STRATEGY));
        metrics.config_changes.with_label_values(&["update", NO_STRATEGY]);
        metrics.announce_strategy(NO_STRATEGY);
        for outcome in JOB_OUTCOMES {
            metrics.jobs.with_label_values(&[outcome]);
        }
        Ok(metrics)
    }

    fn register() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        // CPU, memory and open files of this process, under the names that all services have.
        registry.register(Box::new(ProcessCollector::for_self()))?;
        let counter = |name: &str, help: &str, labels: &[&str]| IntCounterVec::new(Opts::new(name, help), labels);
        let histogram = |name: &str, help: &str, labels: &[&str]| {
            HistogramVec::new(HistogramOpts::new(name, help).buckets(MILLISECONDS.to_vec()), labels)
        };
        Ok(Self {
            signals_generated: Counters::new(
                "ta_bot_signals_generated_total",
                SIGNALS_GENERATED,
                ["action", "strategy", "symbol", "timeframe"],
            ),
            processing_duration: registered!(
                registry,
                histogram("ta_bot_signal_processing_duration", PROCESSING_DURATION, &["symbol", "timeframe"])
            ),
            strategies_run: registered!(
                registry,
                counter("ta_bot_strategies_run_total", STRATEGIES_RUN, &["symbol", "timeframe"])
            ),
            executions: Counters::new(
                "ta_bot_strategy_executions_total",
                EXECUTIONS,
                ["signal_generated", "status", "strategy", "symbol", "timeframe"],
            ),
            config_changes: registered!(
                registry,
                counter("ta_bot_config_changes_total", CONFIG_CHANGES, &["action", "strategy"])
            ),
            evaluation_duration: registered!(
                registry,
                histogram(
                    "ta_bot_evaluation_duration_milliseconds",
                    "One evaluation, the instance's making included",
                    &["strategy"]
                )
            ),
            signals_dropped: registered!(
                registry,
                counter("ta_bot_signals_dropped_total", "Decisions that became no signal", &["strategy", "reason"])
            ),
            signals_published: registered!(
                registry,
                IntCounter::new("ta_bot_signals_published_total", "Signals that the bus acknowledged")
            ),
            inputs: InputMetrics::register(&registry)?,
            replay: ReplayMetrics::register(&registry)?,
            failures: FailureMetrics::register(&registry)?,
            shadows: ShadowMetrics::register(&registry)?,
            costs: CostMetrics::register(&registry)?,
            delivery: DeliveryMetrics::register(&registry)?,
            latency: LatencyMetrics::register(&registry)?,
            surroundings: SurroundingMetrics::register(&registry)?,
            retention: RetentionMetrics::register(&registry)?,
            publish_failures: registered!(
                registry,
                IntCounter::new("ta_bot_publish_failures_total", "Tries to publish that failed; each is tried again")
            ),
            events: registered!(
                registry,
                counter("ta_bot_candle_events_total", "Candle events by what became of them", &["outcome"])
            ),
            jobs: registered!(registry, counter("ta_bot_jobs_total", "Jobs by what became of them", &["outcome"])),
            jobs_queued: registered!(registry, IntGauge::new("ta_bot_jobs_queued", "Jobs that wait or run")),
            outbox_depth: registered!(
                registry,
                IntGauge::new("ta_bot_outbox_depth", "Signals that wait to be published")
            ),
            outbox_age_seconds: registered!(
                registry,
                prometheus::Gauge::new(
                    "ta_bot_outbox_age_seconds",
                    "Age of the oldest signal that waits to be published"
                )
            ),
            election: ElectionMetrics::register(&registry)?,
            telemetry: TelemetryMetrics::register(&registry)?,
            http: HttpMetrics::register(&registry)?,
            is_leader: registered!(registry, IntGauge::new("ta_bot_is_leader", "1 where this process schedules")),
            bus_connected: registered!(
                registry,
                IntGauge::new(
                    "ta_bot_bus_connected",
                    "1 while NATS is connected; 0 also where the bus is in the process"
                )
            ),
            bus_connections: registered!(
                registry,
                IntCounter::new("ta_bot_bus_connections_total", "Connections to NATS that were made")
            ),
            compile_duration: compile_duration(&registry)?,
            build_info: build_info(&registry)?,
            symbols: MetricSymbols::default(),
            named: Arc::default(),
            symbols_shown: symbols_shown(&registry)?,
            announced: Mutex::default(),
            registry,
        })
    }

    /// Adds an instrument that belongs to a driver.
    pub fn add(&self, instrument: Box<dyn prometheus::core::Collector>) -> Result<(), prometheus::Error> {
        self.registry.register(instrument)
    }

    /// Says what is running, and of which commit if that is known.
    pub fn built(&self, commit: Option<&str>) {
        self.build_info.with_label_values(&[env!("CARGO_PKG_VERSION"), commit.unwrap_or("unknown")]).set(1);
    }

    /// Chooses the symbols that have series of their own, and creates the series that have to exist, at zero, before
    /// they first change. An unchanged set is not announced again.
    pub fn announce<'a>(&self, settings: &ApplicationSettings, strategies: impl Iterator<Item = &'a StrategyId>) {
        let wanted = Announced {
            symbols: settings.symbols.clone(),
            timeframes: settings.timeframes.clone(),
            strategies: strategies.cloned().collect(),
        };
        let mut announced = self.announced.lock().unwrap_or_else(PoisonError::into_inner);
        if *announced == wanted {
            return;
        }
        for strategy in &wanted.strategies {
            for action in ["create", "update", "delete"] {
                self.config_changes.with_label_values(&[action, strategy.as_str()]);
            }
            self.announce_strategy(strategy.as_str());
        }
        let named = self.symbols.chosen(settings, wanted.strategies.len(), &self.named.load());
        let others = wanted.symbols.len().saturating_sub(named.len());
        self.symbols_shown.with_label_values(&["own"]).set(named.len() as i64);
        self.symbols_shown.with_label_values(&["other"]).set(others as i64);
        for timeframe in wanted.timeframes.iter().map(|timeframe| timeframe.as_str()) {
            let own = wanted.symbols.iter().filter(|symbol| named.contains(symbol)).map(Symbol::as_str);
            for symbol in own.chain((others > 0).then_some(OTHER)) {
                self.processing_duration.with_label_values(&[symbol, timeframe]);
                self.strategies_run.with_label_values(&[symbol, timeframe]);
            }
            for strategy in &wanted.strategies {
                self.delivery.announce(strategy.as_str(), timeframe);
            }
        }
        self.named.store(Arc::new(named));
        *announced = wanted;
    }

    /// Creates the series of a strategy on which alerts rest: an increase is only seen of a series that was there
    /// before.
    fn announce_strategy(&self, strategy: &str) {
        self.failures.announce(strategy);
        self.costs.announce(strategy);
    }

    fn announce_place<'a>(&self, symbol: &str, timeframe: &str, strategies: impl Iterator<Item = &'a str>) {
        self.processing_duration.with_label_values(&[symbol, timeframe]);
        self.strategies_run.with_label_values(&[symbol, timeframe]);
        for strategy in strategies {
            self.executions.add(["false", "success", strategy, symbol, timeframe], 0);
            for action in [Action::Buy, Action::Sell] {
                self.signals_generated.add([action.as_str(), strategy, symbol, timeframe], 0);
            }
            self.delivery.announce(strategy, timeframe);
        }
    }

    /// The labels of the series that a job counts in.
    pub fn place(&self, job: &Job, settings: &ApplicationSettings) -> SeriesLabels {
        if !settings.schedules(&job.symbol, job.timeframe) {
            return SeriesLabels { symbol: None, symbol_label: UNSCHEDULED, timeframe: UNSCHEDULED };
        }
        let symbol = self.named.load().get(&job.symbol).cloned();
        SeriesLabels { symbol, symbol_label: OTHER, timeframe: job.timeframe.as_str() }
    }

    /// Which symbols have series of their own at this moment.
    pub fn named_symbols(&self) -> NamedSymbols {
        NamedSymbols(Arc::clone(&self.named))
    }

    /// Counts one analysis of a candle by all strategies.
    pub fn analysed(&self, place: &SeriesLabels, evaluations: usize, milliseconds: f64) {
        let labels = [place.symbol(), place.timeframe];
        self.processing_duration.with_label_values(&labels).observe(milliseconds);
        self.strategies_run.with_label_values(&labels).inc_by(evaluations as u64);
    }

    /// Counts one evaluation.
    pub fn executed(
        &self,
        place: &SeriesLabels,
        strategy: &StrategyId,
        status: ExecutionStatus,
        signal: Option<Action>,
        milliseconds: f64,
    ) {
        let generated = if signal.is_some() { "true" } else { "false" };
        let (symbol, timeframe) = (place.symbol(), place.timeframe);
        let strategy = strategy.as_str();
        self.executions.add([generated, status.as_str(), strategy, symbol, timeframe], 1);
        self.evaluation_duration.with_label_values(&[strategy]).observe(milliseconds);
        if let Some(action) = signal {
            self.signals_generated.add([action.as_str(), strategy, symbol, timeframe], 1);
        }
    }

    /// Counts a decision that became no signal.
    pub fn dropped(&self, strategy: &StrategyId, reason: DropReason) {
        self.signals_dropped.with_label_values(&[strategy.as_str(), reason.as_str()]).inc();
    }

    /// Counts a change of parameters; `action` is `create`, `update` or `delete`.
    pub fn config_changed(&self, action: &str, strategy: &StrategyId) {
        self.config_changes.with_label_values(&[action, strategy.as_str()]).inc();
    }

    /// Records how long it took to make a module ready.
    pub fn compiled(&self, strategy: &StrategyId, cached: bool, milliseconds: f64) {
        let cached = if cached { "true" } else { "false" };
        self.compile_duration.with_label_values(&[strategy.as_str(), cached]).set(milliseconds);
    }

    /// Renders all instruments in Prometheus' text format, in pieces.
    pub fn render(&self) -> Result<impl Iterator<Item = String> + use<>, prometheus::Error> {
        Ok(std::iter::once(self.render_small()?).chain(self.render_large()))
    }

    /// The first part of [`render`](Self::render), in one piece.
    pub fn render_small(&self) -> Result<String, prometheus::Error> {
        let mut text = String::new();
        for (name, help) in PROMISED {
            text.extend(["# ", name, ": ", help, "\n"]);
        }
        TextEncoder::new().encode_utf8(&self.registry.gather(), &mut text)?;
        Ok(text)
    }

    /// All metrics, those with very many series in pieces of a family.
    pub fn families(&self) -> impl Iterator<Item = MetricFamily> + use<> {
        let signals = Arc::clone(&self.signals_generated).families();
        let executions = Arc::clone(&self.executions).families();
        self.registry.gather().into_iter().chain(signals).chain(executions)
    }

    /// The rest of [`render`](Self::render): the metrics that have a series for each symbol and strategy, piece by
    /// piece.
    pub fn render_large(&self) -> impl Iterator<Item = String> + use<> {
        let signals = Arc::clone(&self.signals_generated);
        let executions = Arc::clone(&self.executions);
        signals.render().chain(executions.render())
    }
}

fn compile_duration(registry: &Registry) -> Result<GaugeVec, prometheus::Error> {
    let opts = Opts::new("ta_bot_module_compile_duration_milliseconds", "What it took to make a module ready");
    Ok(registered!(registry, GaugeVec::new(opts, &["strategy", "cached"])))
}

fn symbols_shown(registry: &Registry) -> Result<IntGaugeVec, prometheus::Error> {
    let opts = Opts::new("ta_bot_metrics_symbols", "Scheduled symbols, by whether their series are their own");
    Ok(registered!(registry, IntGaugeVec::new(opts, &["series"])))
}

fn build_info(registry: &Registry) -> Result<IntGaugeVec, prometheus::Error> {
    let opts = Opts::new("ta_bot_build_info", "1, with what is running");
    Ok(registered!(registry, IntGaugeVec::new(opts, &["version", "commit"])))
}

/// The symbol and timeframe labels of a series; `unscheduled` if the series is not scheduled.
#[derive(Debug, Clone)]
pub struct SeriesLabels {
    /// The symbol, if it has series of its own.
    symbol: Option<Symbol>,
    /// The label that stands for it if it has none.
    symbol_label: &'static str,
    timeframe: &'static str,
}

impl SeriesLabels {
    fn symbol(&self) -> &str {
        self.symbol.as_ref().map_or(self.symbol_label, Symbol::as_str)
    }
}

/// The symbols that have series of their own, at each moment.
#[derive(Debug, Clone, Default)]
pub struct NamedSymbols(Arc<ArcSwap<HashSet<Symbol>>>);

impl NamedSymbols {
    /// The label of a scheduled symbol.
    fn label<'a>(&self, symbol: &'a Symbol) -> &'a str {
        if self.0.load().contains(symbol) { symbol.as_str() } else { OTHER }
    }
}
