//! The same signals through `backtesting` and `vectorbt`, with the same fill model, give the same trades and equity.
//!
//! Where the models differ, the assumptions are set to what the other one does: `backtesting` fills a target that a
//! candle opens beyond at the open, and takes no slippage on exits, so there is none; `vectorbt` looks at stops only
//! from the candle after the entry's, so its signals have none.

use serde_json::{Value as Json, json};
use ta_bot_backtest::money::{Assumptions, Instrument, Moment, Outcome, Side, Simulation, Trade, TradeSignal};
use ta_bot_core::{Action, Candle, Series, Timestamp};
use ta_bot_tests::chance::Chance;

use crate::oracle::{ask, is_near, number};

const COUNT: usize = 2_000;
const CASH: f64 = 1_000_000.0;
const HOUR: i64 = 3_600_000;

fn series() -> Series {
    "BTCUSDT 1h".parse().unwrap()
}

/// A random walk in cents, with gaps between candles now and then.
fn candles(chance: &mut Chance) -> Vec<Candle> {
    let mut close = 10_000_i64;
    let mut step = |most: u64| chance.below(2 * most + 1) as i64 - most as i64;
    let mut rows = Vec::new();
    for index in 0..COUNT as i64 {
        let open = close + if step(10) == 0 { step(250) } else { step(8) };
        close = (open + step(90)).max(2_000);
        let (high, low) = (open.max(close) + step(40).abs(), open.min(close) - step(40).abs());
        let [open, high, low, close] = [open, high, low, close].map(|cents| cents as f64 / 100.0);
        rows.push(Candle { open_time: Timestamp::from_millis(index * HOUR), open, high, low, close, volume: 1.0 });
    }
    rows
}

fn signal(index: usize, action: Action, price: f64, levels: Option<[f64; 2]>) -> TradeSignal {
    TradeSignal {
        series: series(),
        candle_close: Timestamp::from_millis((index as i64 + 1) * HOUR),
        action,
        price,
        stop_loss: levels.map(|levels| levels[0]),
        take_profit: levels.map(|levels| levels[1]),
        confidence: 1.0,
        strategy: "chance".parse().unwrap(),
        hold_candles: None,
    }
}

/// A signal at every fifth candle or so. The last one closes what is open, since each backtester ends in its own way.
fn signals(chance: &mut Chance, candles: &[Candle], with_levels: bool) -> Vec<TradeSignal> {
    let mut signals = Vec::new();
    for (index, pair) in candles.windows(2).enumerate().take(COUNT - 10) {
        let action = match chance.below(15) {
            0 => Action::Buy,
            1 => Action::Sell,
            2 => Action::Close,
            _ => continue,
        };
        let (close, next_open) = (pair[0].close, pair[1].open);
        let cents = |price: f64| (price * 100.0).round() / 100.0;
        let [stop, target] = [10 + chance.below(30), 10 + chance.below(50)].map(|share| share as f64 / 1000.0);
        let up = if action == Action::Sell { -1.0 } else { 1.0 };
        let levels = [cents(close * (1.0 - up * stop)), cents(close * (1.0 + up * target))];
        // A signal whose levels the next open has passed is not traded here, and is traded and closed at once there.
        let (low, high) = (levels[0].min(levels[1]), levels[0].max(levels[1]));
        if low < next_open && next_open < high {
            let levels = (with_levels && action != Action::Close).then_some(levels);
            signals.push(signal(index, action, close, levels));
        }
    }
    signals.push(signal(COUNT - 5, Action::Close, candles[COUNT - 5].close, None));
    signals
}

fn simulate(assumptions: &Json, signals: &[TradeSignal], candles: &[Candle]) -> Outcome {
    let assumptions: Assumptions = serde_json::from_value(assumptions.clone()).unwrap();
    let mut simulation = Simulation::new(assumptions, vec![Instrument::any(series().symbol)]).unwrap();
    for signal in signals {
        simulation.signal(signal.clone()).unwrap();
    }
    for candle in candles {
        simulation.candle(&series(), candle).unwrap();
    }
    simulation.finish().unwrap()
}

fn assumptions(slippage: f64) -> Json {
    json!({
        "start_equity": CASH,
        "fees": {"maker": 0.0007, "taker": 0.0007},
        "slippage": {"fixed": slippage},
        "sizing": {"quantity": 3},
        "target_gap": "at_open",
        "funding": "none",
        "max_exposure": 100,
    })
}

fn question(with: &str, signals: &[TradeSignal], candles: &[Candle], slippage: f64) -> Json {
    let row = |candle: &Candle| json!([candle.open_time.millis(), candle.open, candle.high, candle.low, candle.close]);
    let said = |signal: &TradeSignal| {
        let index = signal.candle_close.millis() / HOUR - 1;
        json!([index, signal.action.as_str(), signal.stop_loss, signal.take_profit])
    };
    json!({
        "with": with,
        "candles": candles.iter().map(row).collect::<Vec<_>>(),
        "signals": signals.iter().map(said).collect::<Vec<_>>(),
        "quantity": 3,
        "fee": 0.0007,
        "slippage": slippage,
        "cash": CASH,
    })
}

fn amount(amount: impl std::fmt::Display) -> f64 {
    amount.to_string().parse().unwrap()
}

/// A trade as the oracles list it.
fn listed(trade: &Trade) -> (Side, [f64; 5]) {
    let candle = |fill: &ta_bot_backtest::money::Fill| {
        let hour = fill.at.millis() / HOUR;
        (if fill.moment == Moment::Open { hour } else { hour - 1 }) as f64
    };
    let (entry, exit) = (&trade.entry, &trade.exit);
    (trade.side, [candle(entry), amount(entry.price), candle(exit), amount(exit.price), amount(trade.net)])
}

fn compare(name: &str, outcome: &Outcome, answer: &Json) {
    let mut trades = outcome.trades.clone();
    trades.sort_by_key(|trade| trade.number);
    let theirs = answer["trades"].as_array().unwrap();
    assert!(trades.len() > 100, "{} trades", trades.len());
    for (trade, other) in trades.iter().zip(theirs) {
        let (side, numbers) = listed(trade);
        assert_eq!(other[0], side.as_str(), "{name}: {trade:?} is {other}");
        for (place, number_here) in numbers.into_iter().enumerate() {
            assert!(is_near(number_here, number(&other[place + 1])), "{name}: {trade:?} is {other}");
        }
    }
    assert_eq!(trades.len(), theirs.len(), "{name}");
    let points = &outcome.equity.as_ref().unwrap().points;
    let equity = answer["equity"].as_array().unwrap();
    assert_eq!((points.len(), equity.len()), (COUNT, COUNT), "{name}");
    for (point, other) in points.iter().zip(equity) {
        assert!(is_near(point.equity, number(other)), "{name}: {point:?} is {other}");
    }
}

fn check(name: &str, chance: u64, slippage: f64, with_levels: bool) {
    let mut chance = Chance::new(chance);
    let candles = candles(&mut chance);
    let signals = signals(&mut chance, &candles, with_levels);
    let answer = ask("money_oracle.py", &question(name, &signals, &candles, slippage));
    compare(name, &simulate(&assumptions(slippage), &signals, &candles), &answer);
}

#[test]
fn backtesting_makes_the_same_trades_and_equity() {
    check("backtesting", 20, 0.0, true);
}

#[test]
fn vectorbt_makes_the_same_trades_and_equity() {
    check("vectorbt", 21, 0.0011, false);
}
