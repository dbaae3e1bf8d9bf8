//! What one candle costs with every built-in strategy: in the sandbox, each in a fresh instance, compared with the same
//! rules called natively; how two threads share the work; and how long all modules take to load from a warm cache.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark may fail loudly; criterion's macro is undocumented")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ta_bot_core::{CandleSlice, CandleWindow, Job, Parameters, Symbol, Timeframe, Timestamp};
use ta_bot_engine::{
    market::made_up::walk,
    modules::{bundled::load_folder, registry::Registry},
};
use ta_bot_sdk::{ParameterSet as _, Strategy, testing::Candles};
use ta_bot_tests::{app, built_in, strategies_dir, threads::shared};
use ta_bot_wasm::{EvaluationInput, Limits, Sandbox, StrategyModule};

/// How many candles a strategy sees.
const WINDOW: usize = 250;
/// How many windows of the same market are evaluated in turn, so that the figure does not depend on a single one.
const WINDOWS: usize = 64;
const TIMEFRAME: Timeframe = Timeframe::M15;

/// A rule that is called natively with its default parameters.
type Native = fn(&ta_bot_sdk::Context, &Candles);

fn native<S: Strategy>(context: &ta_bot_sdk::Context, candles: &Candles) {
    let parameters = S::Parameters::parse(&[]).unwrap();
    let window = black_box(candles.window());
    let extra = [window; 1];
    // An error because the series is too young is an answer, too.
    let _ = black_box(S::evaluate(context, window, &extra[..S::EXTRA.len()], &parameters));
}

/// Every built-in strategy as a native rule.
const NATIVE: [Native; 30] = [
    native::<band_fade_reversal::BandFadeReversal>,
    native::<bear_trap_buy::BearTrapBuy>,
    native::<bear_trap_sell::BearTrapSell>,
    native::<bollinger_breakout_signals::BollingerBreakoutSignals>,
    native::<bollinger_squeeze_alert::BollingerSqueezeAlert>,
    native::<divergence_trap::DivergenceTrap>,
    native::<doji_reversal::DojiReversal>,
    native::<ema_alignment_bearish::EmaAlignmentBearish>,
    native::<ema_alignment_bullish::EmaAlignmentBullish>,
    native::<ema_momentum_reversal::EmaMomentumReversal>,
    native::<ema_pullback_continuation::EmaPullbackContinuation>,
    native::<ema_slope_reversal_sell::EmaSlopeReversalSell>,
    native::<fox_trap_reversal::FoxTrapReversal>,
    native::<golden_trend_sync::GoldenTrendSync>,
    native::<hammer_reversal_pattern::HammerReversalPattern>,
    native::<ichimoku_cloud_momentum::IchimokuCloudMomentum>,
    native::<inside_bar_breakout::InsideBarBreakout>,
    native::<inside_bar_sell::InsideBarSell>,
    native::<liquidity_grab_reversal::LiquidityGrabReversal>,
    native::<macd::MacdCross>,
    native::<mean_reversion_scalper::MeanReversionScalper>,
    native::<minervini_trend_template::MinerviniTrendTemplate>,
    native::<momentum_pulse::MomentumPulse>,
    native::<multi_timeframe_trend_continuation::MultiTimeframeTrendContinuation>,
    native::<order_flow_imbalance::OrderFlowImbalance>,
    native::<range_break_pop::RangeBreakPop>,
    native::<rsi::Rsi>,
    native::<rsi_extreme_reversal::RsiExtremeReversal>,
    native::<shooting_star_reversal::ShootingStarReversal>,
    native::<volume_surge_breakout::VolumeSurgeBreakout>,
];

/// A made-up market and the windows of it that are evaluated.
struct Market {
    candles: CandleWindow,
    /// The same windows for the native rules.
    native: Vec<Candles>,
}

impl Market {
    fn new() -> Self {
        let symbol: Symbol = "BTCUSDT".parse().unwrap();
        let opens = (0..(WINDOW + WINDOWS) as i64).map(|index| Timestamp::from_millis(index * TIMEFRAME.millis()));
        let candles = walk(&symbol, opens, 100.0);
        let rows: Vec<_> = candles.iter().map(|c| [c.open, c.high, c.low, c.close, c.volume]).collect();
        let native = (0..WINDOWS).map(|place| rows[place..place + WINDOW].iter().copied().collect()).collect();
        Self { candles: CandleWindow::new(candles).unwrap(), native }
    }

    fn window(&self, place: usize) -> CandleSlice<'_> {
        self.candles.span(place..place + WINDOW)
    }

    fn job(&self, place: usize) -> Job {
        let open = Timestamp::from_millis(self.candles.newest(usize::MAX).open_time[place + WINDOW - 1] as i64);
        Job { symbol: "BTCUSDT".parse().unwrap(), timeframe: TIMEFRAME, candle_close: TIMEFRAME.close_of(open) }
    }
}

/// Evaluates every strategy on one window, each in a fresh instance.
fn analyse(modules: &[(StrategyModule, Parameters)], market: &Market, place: usize) {
    let (job, base) = (market.job(place), market.window(place));
    for (module, parameters) in modules {
        let extra = [base; 1];
        let extra = &extra[..module.description().extra.len()];
        black_box(module.evaluate(EvaluationInput { job: &job, base, extra, parameters })).outcome.ok();
    }
}

fn analyse_natively(context: &ta_bot_sdk::Context, market: &Market, place: usize) {
    for rule in NATIVE {
        rule(context, &market.native[place]);
    }
}

fn modules() -> Vec<(StrategyModule, Parameters)> {
    let modules = built_in::modules().unwrap();
    assert_eq!(modules.len(), NATIVE.len(), "a strategy is missing on one side");
    modules.into_iter().map(|module| (module.clone(), module.description().schema.defaults())).collect()
}

fn one_candle(criterion: &mut Criterion) {
    let modules = modules();
    let market = Market::new();
    let context = ta_bot_sdk::testing::context(&market.native[0]);
    let mut group = criterion.benchmark_group("thirty");
    let mut places = (0..WINDOWS).cycle();
    group.bench_function(BenchmarkId::new("native", WINDOW), |bencher| {
        bencher.iter(|| analyse_natively(&context, &market, places.next().unwrap_or(0)));
    });
    group.bench_function(BenchmarkId::new("sandbox", WINDOW), |bencher| {
        bencher.iter(|| analyse(&modules, &market, places.next().unwrap_or(0)));
    });
    group.finish();
}

fn threads(criterion: &mut Criterion) {
    let modules = modules();
    let market = Market::new();
    let mut group = criterion.benchmark_group("thirty/threads");
    group.sample_size(20).throughput(Throughput::Elements((WINDOWS * modules.len()) as u64));
    for threads in [1, 2] {
        let share = || (0..WINDOWS / threads).for_each(|place| analyse(&modules, &market, place));
        group.bench_function(BenchmarkId::new("sandbox", threads), |bencher| {
            bencher.iter_custom(|rounds| shared(rounds, threads, &share));
        });
    }
    group.finish();
}

fn load(criterion: &mut Criterion) {
    let cache = tempfile::tempdir().unwrap();
    let ids = built_in::ids().unwrap();
    let bytes: Vec<_> = ids.iter().map(|id| built_in::bytes(id).unwrap()).collect();
    let sandbox = Sandbox::new(Limits::default(), Some(cache.path().to_owned())).unwrap();
    let load = || bytes.iter().map(|bytes| StrategyModule::load(&sandbox, bytes).unwrap()).collect::<Vec<_>>();
    load();
    let mut group = criterion.benchmark_group("thirty");
    group.sample_size(20).bench_function("load from the cache", |bencher| bencher.iter(load));
    // The first start of a service, in one process and in children.
    group.sample_size(10);
    group.bench_function("compile one after the other", |bencher| {
        let sandbox = Sandbox::new(Limits::default(), None).unwrap();
        bencher.iter(|| bytes.iter().for_each(|bytes| drop(StrategyModule::load(&sandbox, bytes).unwrap())));
    });
    group.bench_function("compile as a first start does", |bencher| {
        let sandbox = Sandbox::new(Limits::default(), None).unwrap().with_children(app::children());
        bencher.iter(|| load_folder(&Registry::new(), &sandbox, &strategies_dir()));
    });
    group.finish();
}

criterion_group!(benches, one_candle, threads, load);
criterion_main!(benches);
