//! How long a simulation of many candles takes, and how much memory: `million_candles [CANDLES [SYMBOLS]]`, of one
//! minute each, with a signal at every fiftieth. Prints candles a second and the most memory that the process had.

#![allow(clippy::unwrap_used, reason = "an example may fail loudly")]

use std::{env, fs, time::Instant};

use ta_bot_backtest::{
    money::{Assumptions, Instrument, Simulation, TradeSignal},
    statistics::{Measure, Statistics},
};
use ta_bot_core::{Action, Candle, Series, Timestamp};

fn main() {
    let mut given = env::args().skip(1).map(|number| number.parse::<i64>().unwrap());
    let (candles, symbols) = (given.next().unwrap_or(1_000_000), given.next().unwrap_or(10));
    let series: Vec<Series> = (0..symbols).map(|place| format!("COIN{place}USDT 1m").parse().unwrap()).collect();
    let instruments = series.iter().map(|series| Instrument::any(series.symbol.clone())).collect();
    let mut simulation = Simulation::new(Assumptions::default(), instruments).unwrap();
    let mut closes = vec![100.0_f64; series.len()];
    let mut chance = 7_u64;
    let mut step = || {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (chance >> 33) as f64 / f64::from(1_u32 << 31) - 0.5
    };
    let started = Instant::now();
    for index in 0..candles {
        let open_time = Timestamp::from_millis(index * 60_000);
        for (series, close) in series.iter().zip(&mut closes) {
            let open = *close;
            *close = ((open * (1.0 + step() * 0.002)) * 100.0).round() / 100.0;
            let (high, low) = (open.max(*close) + 0.02, open.min(*close) - 0.02);
            simulation.candle(series, &Candle { open_time, open, high, low, close: *close, volume: 1.0 }).unwrap();
            if step() < -0.48 {
                let up = if step() < 0.0 { -1.0 } else { 1.0 };
                let signal = TradeSignal {
                    series: series.clone(),
                    candle_close: open_time.plus_millis(60_000),
                    action: if up > 0.0 { Action::Buy } else { Action::Sell },
                    price: *close,
                    stop_loss: Some(*close * (1.0 - 0.01 * up)),
                    take_profit: Some(*close * (1.0 + 0.02 * up)),
                    confidence: 0.5,
                    strategy: "chance".parse().unwrap(),
                    hold_candles: None,
                };
                simulation.signal(signal).unwrap();
            }
        }
    }
    let outcome = simulation.finish().unwrap();
    let seconds = started.elapsed().as_secs_f64();
    let counted = Instant::now();
    let statistics = Statistics::new(&outcome, &outcome.trades, 1);
    println!(
        "{} candles, {} trades in {seconds:.1} s: {:.0} candles a second; statistics in {:.1} s",
        outcome.candles,
        outcome.trade_count,
        outcome.candles as f64 / seconds,
        counted.elapsed().as_secs_f64()
    );
    println!("{:?}", statistics.get(Measure::TotalReturn));
    let status = fs::read_to_string("/proc/self/status").unwrap();
    println!("{}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default());
}
