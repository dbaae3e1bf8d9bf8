//! Statistics of outcomes that are made by hand.

use std::collections::BTreeMap;

use ta_bot_core::{Action, Candle, Series, Timestamp};

use super::*;
use crate::money::{Assumptions, Fees, Funding, Instrument, Simulation, Sizing, Slippage, TradeSignal};

fn series() -> Series {
    "BTCUSDT 4h".parse().unwrap()
}

/// A price that goes up and down in slow and in fast waves, and a little up.
fn candles(count: i64) -> Vec<Candle> {
    let price =
        |index: i64| 100.0 + (index as f64 / 3.0).sin() * 3.0 + (index as f64 * 1.7).sin() * 5.0 + index as f64 * 0.01;
    let at = |index: i64| {
        let (open, close) = (price(index), price(index + 1));
        let open_time = Timestamp::from_millis(index * 4 * 3_600_000);
        Candle { open_time, open, high: open.max(close) + 0.3, low: open.min(close) - 0.3, close, volume: 1.0 }
    };
    (0..count).map(at).collect()
}

fn assumptions() -> Assumptions {
    Assumptions { sizing: Sizing::Equity("0.5".parse().unwrap()), ..Assumptions::default() }
}

/// Buys low and sells high if `is_clever`, and the other way round if not.
fn simulate(count: i64, is_clever: bool) -> Outcome {
    let series = series();
    let mut simulation = Simulation::new(assumptions(), vec![Instrument::any(series.symbol.clone())]).unwrap();
    for (index, candle) in candles(count).iter().enumerate() {
        simulation.candle(&series, candle).unwrap();
        let phase = ((index as f64 / 3.0) / std::f64::consts::TAU).fract();
        let is_low = phase > 0.7 && phase < 0.76;
        let is_high = phase > 0.2 && phase < 0.26;
        if is_low || is_high {
            let action = if is_low == is_clever { Action::Buy } else { Action::Sell };
            let candle_close = series.timeframe.close_of(candle.open_time);
            let signal = TradeSignal {
                series: series.clone(),
                candle_close,
                action,
                price: candle.close,
                stop_loss: None,
                take_profit: None,
                confidence: 1.0,
                strategy: "sine".parse().unwrap(),
                hold_candles: None,
            };
            simulation.signal(signal).unwrap();
        }
    }
    simulation.finish().unwrap()
}

fn of(outcome: &Outcome) -> Statistics {
    Statistics::new(outcome, &outcome.trades, 1)
}

#[test]
fn every_number_has_its_sample_and_its_interval() {
    let outcome = simulate(600, true);
    let statistics = of(&outcome);
    assert_eq!(statistics.figures.len(), Measure::ALL.len());
    for figure in &statistics.figures {
        let value = figure.value.unwrap_or_else(|| panic!("{figure:?}"));
        let counted = matches!(figure.measure, Measure::Exposure | Measure::Turnover);
        assert_eq!(figure.interval.is_none(), counted || figure.reason.is_some(), "{figure:?}");
        let (Sample::Days(count) | Sample::Trades(count) | Sample::Candles(count)) = figure.sample;
        assert!(count >= 30, "{figure:?}");
        if let Some((low, high)) = figure.interval {
            assert!(low <= high, "{figure:?}");
            // A candle sees deeper drawdowns than a day, and shorter ones.
            let is_of_candles = matches!(figure.measure, Measure::MaxDrawdown | Measure::LongestDrawdown);
            assert!(is_of_candles || (low <= value && value <= high), "{figure:?}");
        }
    }
    let value = |measure| statistics.get(measure).unwrap().value.unwrap();
    assert!(value(Measure::TotalReturn) > 0.1 && value(Measure::Sharpe) > 2.0 && value(Measure::WinRate) > 0.6);
    assert!((value(Measure::TotalReturn) - (float(outcome.end_equity) / 10_000.0 - 1.0)).abs() < 1e-12);
    let product: f64 = statistics.returns.iter().map(|step| 1.0 + step).product();
    assert!((product - 1.0 - value(Measure::TotalReturn)).abs() < 1e-9, "the days come to the whole");
    assert_eq!((statistics.returns.len(), statistics.days_a_year), (100, Some(365.0)));
    assert_eq!(statistics, of(&simulate(600, true)), "the same again");
    assert_ne!(statistics.figures, Statistics::new(&outcome, &outcome.trades, 2).figures);
}

#[test]
fn without_trades_there_are_no_statistics() {
    for statistics in [of(&simulate(4, true)), of(&simulate(0, true))] {
        for figure in &statistics.figures {
            assert_eq!((figure.value, figure.interval), (None, None), "{figure:?}");
            assert_eq!(figure.reason.as_deref(), Some("there were no trades"));
            assert_eq!(figure.value_in_words(), "–");
        }
    }
}

#[test]
fn a_short_time_says_nothing_of_a_year() {
    let statistics = of(&simulate(60, true));
    let annual = statistics.get(Measure::AnnualReturn).unwrap();
    assert_eq!((annual.value, annual.interval), (None, None));
    assert!(annual.reason.as_ref().unwrap().contains("thirty days"));
    assert!(statistics.get(Measure::WinRate).unwrap().reason.as_ref().unwrap().contains("smaller than ten"));
    assert!(statistics.get(Measure::TotalReturn).unwrap().interval.is_some());
}

#[test]
fn buying_and_holding_pays_for_buying() {
    let free = |assumptions: Assumptions| {
        let mut simulation = Simulation::new(assumptions, vec![Instrument::any(series().symbol)]).unwrap();
        for candle in candles(600) {
            simulation.candle(&series(), &candle).unwrap();
        }
        of(&simulation.finish().unwrap()).buy_and_hold.unwrap()
    };
    let rows = candles(600);
    let grown = rows[599].close / rows[0].open;
    let none = rust_decimal::Decimal::ZERO;
    let fees = Fees { maker: none, taker: none };
    let without = Assumptions { fees, slippage: Slippage::Fixed(none), funding: Funding::None, ..assumptions() };
    assert!((free(without).total_return.unwrap() - (grown - 1.0)).abs() < 1e-12);
    assert!((free(assumptions()).total_return.unwrap() - (grown / 1.0015 - 1.0)).abs() < 1e-12);
}

#[test]
fn clever_entries_beat_chance_and_foolish_ones_do_not() {
    let result = |is_clever| {
        let outcome = simulate(600, is_clever);
        let counts = BTreeMap::from([(series(), 600)]);
        let instruments = [Instrument::any(series().symbol)];
        let mut entries = RandomEntries::new(&assumptions(), &instruments, &outcome.trades, &counts, (99, 5)).unwrap();
        for candle in candles(600) {
            entries.candle(&series(), &candle).unwrap();
        }
        entries.finish(float(outcome.end_equity) / 10_000.0 - 1.0).unwrap()
    };
    let clever = result(true);
    assert_eq!((clever.returns.len(), clever.as_good), (99, 0.01));
    assert!(clever.returns.is_sorted() && clever.returns[0] < clever.returns[98]);
    assert_eq!(clever, result(true));
    assert_eq!(result(false).as_good, 1.0);
}
