//! Money on candles that are made by hand, and what must hold on any candles.

mod properties;
mod table;

use std::collections::BTreeMap;

use ta_bot_core::Symbol;

use super::*;

/// A candle of the series from its numbers: open, high, low, close.
pub(super) fn candle(series: &Series, index: i64, [open, high, low, close]: [f64; 4]) -> Candle {
    let open_time = Timestamp::from_millis(index * series.timeframe.millis());
    Candle { open_time, open, high, low, close, volume: 1.0 }
}

pub(super) fn series(text: &str) -> Series {
    text.parse().unwrap()
}

pub(super) fn of(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// A signal at the close of the candle with this index.
pub(super) fn signal(series: &Series, index: i64, action: Action, levels: [f64; 2]) -> TradeSignal {
    let [stop_loss, take_profit] = levels.map(|level| (level > 0.0).then_some(level));
    TradeSignal {
        series: series.clone(),
        candle_close: Timestamp::from_millis((index + 1) * series.timeframe.millis()),
        action,
        price: 100.0,
        stop_loss,
        take_profit,
        confidence: 0.5,
        strategy: "hand".parse().unwrap(),
        hold_candles: None,
    }
}

/// No costs and one unit a trade: what is tested is then set.
pub(super) fn free() -> Assumptions {
    Assumptions {
        fees: Fees { maker: Decimal::ZERO, taker: Decimal::ZERO },
        slippage: Slippage::Fixed(Decimal::ZERO),
        sizing: Sizing::Quantity(Decimal::ONE),
        funding: Funding::None,
        ..Assumptions::default()
    }
}

pub(super) fn run(assumptions: Assumptions, signals: &[TradeSignal], candles: &[(Series, Candle)]) -> Outcome {
    let symbols: std::collections::BTreeSet<Symbol> = candles.iter().map(|(series, _)| series.symbol.clone()).collect();
    run_on(assumptions, symbols.into_iter().map(Instrument::any).collect(), signals, candles)
}

pub(super) fn run_on(
    assumptions: Assumptions,
    instruments: Vec<Instrument>,
    signals: &[TradeSignal],
    candles: &[(Series, Candle)],
) -> Outcome {
    let mut simulation = Simulation::new(assumptions, instruments).unwrap();
    for signal in signals {
        simulation.signal(signal.clone()).unwrap();
    }
    for (series, candle) in candles {
        simulation.candle(series, candle).unwrap();
    }
    simulation.finish().unwrap()
}
