//! A decision depends on the candles of the declared lookback and on nothing else: candles before and after them may
//! change, in the base series and in the extra ones.

use serde_json::{Value as Json, json};
use ta_bot::app::App;
use ta_bot_core::{Candle, Job, StrategyDescription, Symbol, Timeframe, Timestamp};
use ta_bot_engine::{
    evaluation::{Outcome, StrategyOutcome},
    market::made_up::walk,
};
use ta_bot_tests::{app::app, gathered_by};

const BASE: Timeframe = Timeframe::M15;
const HIGHER: Timeframe = Timeframe::H1;
const CANDLES: i64 = 2400;
/// The candles that are evaluated; there are more candles before and after them than any lookback.
const LOOKED_AT: std::ops::Range<i64> = 1800..2200;
/// The step from one evaluated candle to the next.
const STEP: usize = 16;

/// The same market under different symbols.
fn symbol(name: &str) -> Symbol {
    format!("{name}USDT").parse().unwrap()
}

fn base_series() -> Vec<Candle> {
    walk(&symbol("ANY"), (0..CANDLES).map(|index| Timestamp::from_millis(index * BASE.millis())), 100.0)
}

/// The series of the higher timeframe.
fn higher_series(base: &[Candle]) -> Vec<Candle> {
    gathered_by((HIGHER.millis() / BASE.millis()) as usize, base)
}

/// The candles, of which those that closed outside `kept` are changed beyond recognition.
fn changed_outside(kept: std::ops::RangeInclusive<i64>, candles: &[Candle], timeframe: Timeframe) -> Vec<Candle> {
    let change = |candle: &Candle| {
        if kept.contains(&timeframe.close_of(candle.open_time).millis()) {
            return *candle;
        }
        let Candle { open_time, open, high, low, close, volume } = *candle;
        let (open, close) = (close * 3.0, open * 3.5);
        Candle { open_time, open, high: high * 4.0, low: low * 2.0, close, volume: volume * 7.0 }
    };
    candles.iter().map(change).collect()
}

/// The most candles that any strategy asks for.
fn most(app: &App, count: impl Fn(&StrategyDescription) -> Option<u32>) -> i64 {
    let strategies = app.registry.strategies();
    strategies.values().filter_map(|module| count(module.description())).max().unwrap().into()
}

/// What every strategy made of a candle, except for what depends on the symbol's name.
async fn told(app: &App, symbol: Symbol, close: i64) -> Vec<Json> {
    let job = Job { symbol, timeframe: BASE, candle_close: Timestamp::from_millis(close) };
    let tell = |outcome: &StrategyOutcome| match &outcome.outcome {
        Outcome::Signal(signal) => {
            let told = ["action", "confidence", "price", "stop_loss", "take_profit", "rationale", "metadata"];
            let fields = told.map(|field| signal.message[field].clone());
            json!([outcome.strategy, fields])
        }
        other => json!([outcome.strategy, format!("{other:?}")]),
    };
    app.analyst.analyse(&job).await.unwrap().outcomes.iter().map(tell).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_before_the_lookback_and_after_the_candle_changes_nothing() {
    let data = tempfile::tempdir().unwrap();
    let app = app(data.path()).await.unwrap();
    let base = base_series();
    let series = [
        (BASE, most(&app, |description| Some(description.lookback)), base.clone()),
        (HIGHER, most(&app, |description| description.extra.first().map(|extra| extra.lookback)), higher_series(&base)),
    ];
    for (timeframe, _, candles) in &series {
        app.candles.insert(&symbol("BTC"), *timeframe, candles).await.unwrap();
    }
    let mut signals = 0;
    for index in LOOKED_AT.step_by(STEP) {
        let close = (index + 1) * BASE.millis();
        let other = symbol(&format!("X{index}"));
        for (timeframe, lookback, candles) in &series {
            // The newest candle that has closed at `close`, and as many before it as any strategy asks for.
            let kept = close - lookback * timeframe.millis() + 1..=close;
            let changed = changed_outside(kept, candles, *timeframe);
            assert_ne!(&changed, candles);
            app.candles.insert(&other, *timeframe, &changed).await.unwrap();
        }
        let expected = told(&app, symbol("BTC"), close).await;
        signals += expected.iter().filter(|outcome| outcome[1].is_array()).count();
        assert_eq!(told(&app, other, close).await, expected, "candle {index}");
    }
    assert!(signals > 50, "{signals} signals prove little");
}
