//! Entries by chance with the same exits: what the moment of the entries was worth.
//!
//! Each run has as many entries on each series as the strategy had trades there. Each of them takes side, distance of
//! stop and target, and the time limit, from one of these trades, and enters at a candle that was drawn by lot. The
//! fill model is the same.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use ta_bot_core::{Action, Candle, Series, StrategyId};

use super::bootstrap::Chance;
use crate::money::{
    Assumptions, AssumptionsError, ExitReason, Instrument, Side, Simulation, SimulationError, Trade, TradeSignal, float,
};

/// Many simulations side by side, which take the same candles.
#[derive(Debug)]
pub struct RandomEntries {
    runs: Vec<Run>,
    plans: BTreeMap<Series, Plans>,
    start: f64,
}

#[derive(Debug)]
struct Run {
    simulation: Simulation,
    chance: Chance,
    /// How many entries each series has left.
    left: BTreeMap<Series, u64>,
}

/// The trades of a series, as far as an entry by chance imitates them.
#[derive(Debug)]
struct Plans {
    plans: Vec<Plan>,
    /// How many candles there still are.
    candles: u64,
}

#[derive(Debug, Clone)]
struct Plan {
    side: Side,
    /// Stop and target as multiples of the entry's price.
    stop: Option<f64>,
    target: Option<f64>,
    hold_candles: Option<u32>,
    confidence: f64,
    strategy: StrategyId,
}

impl Plan {
    fn of(trade: &Trade) -> Self {
        let entry = float(trade.entry.reference);
        let by_level = matches!(trade.reason, ExitReason::StopLoss | ExitReason::StopLossGap | ExitReason::TakeProfit);
        Self {
            side: trade.side,
            stop: trade.stop_loss.map(|stop| float(stop) / entry),
            target: trade.take_profit.map(|target| float(target) / entry),
            // What a level has ended, it may end again. Everything else ends after as many candles.
            hold_candles: (!by_level).then_some(trade.candles.max(1)),
            confidence: trade.confidence,
            strategy: trade.strategy.clone(),
        }
    }

    fn signal(&self, series: &Series, candle: &Candle) -> TradeSignal {
        TradeSignal {
            series: series.clone(),
            candle_close: series.timeframe.close_of(candle.open_time),
            action: if self.side == Side::Long { Action::Buy } else { Action::Sell },
            price: candle.close,
            stop_loss: self.stop.map(|stop| stop * candle.close),
            take_profit: self.target.map(|target| target * candle.close),
            confidence: self.confidence,
            strategy: self.strategy.clone(),
            hold_candles: self.hold_candles,
        }
    }
}

/// What entries by chance came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RandomEntriesResult {
    /// The total return of each run, as a share, from the worst to the best.
    pub returns: Vec<f64>,
    /// The share of runs, the strategy itself counted as one of them, that were at least as good: how likely such a
    /// return is if the entries mean nothing.
    pub as_good: f64,
}

impl RandomEntries {
    /// Prepares `runs` simulations. `candles` says how many candles each series will have, in the order of which they
    /// come.
    pub fn new(
        assumptions: &Assumptions,
        instruments: &[Instrument],
        trades: &[Trade],
        candles: &BTreeMap<Series, u64>,
        (runs, seed): (u32, u64),
    ) -> Result<Self, AssumptionsError> {
        let mut plans: BTreeMap<Series, Plans> = BTreeMap::new();
        for trade in trades {
            let count = candles.get(&trade.series).copied().unwrap_or_default();
            let of_series =
                plans.entry(trade.series.clone()).or_insert_with(|| Plans { plans: Vec::new(), candles: count });
            of_series.plans.push(Plan::of(trade));
        }
        let left: BTreeMap<_, _> =
            plans.iter().map(|(series, plans)| (series.clone(), plans.plans.len() as u64)).collect();
        let run = |number: u32| {
            Ok(Run {
                simulation: Simulation::new(assumptions.clone(), instruments.to_vec())?,
                chance: Chance::new(seed.wrapping_add(u64::from(number))),
                left: left.clone(),
            })
        };
        let runs = (0..runs).map(run).collect::<Result<_, _>>()?;
        Ok(Self { runs, plans, start: float(assumptions.start_equity) })
    }

    /// Takes the next candle, as [`Simulation::candle`] does.
    pub fn candle(&mut self, series: &Series, candle: &Candle) -> Result<(), SimulationError> {
        for run in &mut self.runs {
            run.simulation.candle(series, candle)?;
            let Some((plans, left)) = self.plans.get(series).zip(run.left.get_mut(series)) else { continue };
            // Each candle that is left is as likely as any other.
            if run.chance.share() * plans.candles.max(1) as f64 >= *left as f64 {
                continue;
            }
            *left -= 1;
            let plan = &plans.plans[run.chance.below(plans.plans.len())];
            run.simulation.signal(plan.signal(series, candle))?;
            run.simulation.take_trades();
        }
        if let Some(plans) = self.plans.get_mut(series) {
            plans.candles = plans.candles.saturating_sub(1);
        }
        Ok(())
    }

    /// Ends all runs, and compares them with the strategy's own total return, a share.
    pub fn finish(self, own: f64) -> Result<RandomEntriesResult, SimulationError> {
        let mut returns = Vec::with_capacity(self.runs.len());
        for run in self.runs {
            returns.push(float(run.simulation.finish()?.end_equity) / self.start - 1.0);
        }
        returns.sort_by(f64::total_cmp);
        let better = returns.iter().filter(|one| **one >= own).count();
        Ok(RandomEntriesResult { as_good: (better + 1) as f64 / (returns.len() + 1) as f64, returns })
    }
}
