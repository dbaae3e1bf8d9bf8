//! From signals and candles to trades, costs and equity.
//!
//! Candles come in the order of their opens, over all series. What happens at an open is done as soon as the time is
//! reached, what happens within a candle when its close is reached. So no decision rests on a price that was not known.
//! What is kept in memory is what is open, the equity at a bounded resolution, and the trades until they are taken.

use std::collections::HashMap;

use rust_decimal::Decimal;
use ta_bot_core::{Action, Candle, Series, Timestamp};

mod account;
mod amount;
mod assumptions;
mod equity;
mod fill;
mod instrument;
mod outcome;
mod position;
mod series;
mod signal;
mod sizing;
mod trade;

#[cfg(test)]
mod tests;

use account::Account;
use equity::{Collector, Reading};
use fill::{Order, Place};
use series::SeriesState;

pub use account::Costs;
pub use amount::OutOfRange;
pub(crate) use amount::float;
pub use assumptions::{
    Assumptions, AssumptionsError, Fees, Funding, Holding, OppositeSignal, Sides, Sizing, Slippage, TargetGap,
};
pub use equity::{Drawdown, EquityCurve, EquityPoint, PeriodEnd};
pub use instrument::{FundingRate, Instrument};
pub use outcome::{Outcome, SimulationError};
pub use signal::{Ignored, NoTradeSignal, TradeSignal};
pub use trade::{ExitReason, Fill, Moment, Side, Trade};

/// A simulation under way.
#[derive(Debug)]
pub struct Simulation {
    account: Account,
    collector: Collector,
    series: Vec<SeriesState>,
    places: HashMap<Series, usize>,
    /// The places in the order of the series, so that nothing depends on which came first.
    ordered: Vec<usize>,
    /// The candles that open at the current time, with the places of their series.
    opening: Vec<(usize, Candle)>,
    now: Option<Timestamp>,
    /// The first open of each instrument.
    first_opens: Vec<f64>,
    signals: u64,
    candles: u64,
    taken: u64,
}

impl Simulation {
    /// Begins a simulation. Only the symbols of these instruments can be traded.
    pub fn new(assumptions: Assumptions, instruments: Vec<Instrument>) -> Result<Self, AssumptionsError> {
        assumptions.check(&instruments)?;
        Ok(Self {
            collector: Collector::new(float(assumptions.start_equity)),
            series: Vec::new(),
            places: HashMap::new(),
            ordered: Vec::new(),
            opening: Vec::new(),
            now: None,
            first_opens: vec![0.0; instruments.len()],
            signals: 0,
            candles: 0,
            taken: 0,
            account: Account::new(assumptions, instruments),
        })
    }

    fn place_of(&mut self, series: &Series) -> Result<usize, SimulationError> {
        if let Some(place) = self.places.get(series) {
            return Ok(*place);
        }
        let mut instruments = self.account.instruments.iter();
        let instrument = instruments.position(|instrument| instrument.symbol == series.symbol);
        let instrument = instrument.ok_or_else(|| SimulationError::NoInstrument(series.symbol.clone()))?;
        let place = self.series.len();
        self.series.push(SeriesState::new(series.clone(), instrument));
        self.places.insert(series.clone(), place);
        let before = self.ordered.partition_point(|other| self.series[*other].series < *series);
        self.ordered.insert(before, place);
        Ok(place)
    }

    /// Takes the next candle. Candles come in the order of their opens; those that open at the same time may come in
    /// any order.
    pub fn candle(&mut self, series: &Series, candle: &Candle) -> Result<(), SimulationError> {
        let open = candle.open_time;
        candle.check(series.timeframe).map_err(|error| SimulationError::BadCandle {
            series: series.clone(),
            open,
            error,
        })?;
        let place = self.place_of(series)?;
        let of_series = self.series[place].newest.filter(|newest| *newest >= open);
        if let Some(after) = of_series.or(self.now.filter(|now| *now > open)) {
            return Err(SimulationError::OutOfOrder { series: series.clone(), open, after });
        }
        match self.now {
            None => self.collector.begin(open),
            Some(now) if now < open => {
                self.open_all(now)?;
                self.close_until(open)?;
            }
            Some(_) => {}
        }
        self.now = Some(open);
        self.series[place].newest = Some(open);
        self.opening.push((place, *candle));
        self.candles += 1;
        Ok(())
    }

    /// Takes a signal, before the candle of its series that opens at the signal's close or after it.
    pub fn signal(&mut self, signal: TradeSignal) -> Result<(), SimulationError> {
        let (series, close) = (signal.series.clone(), signal.candle_close);
        let levels =
            [("price", Some(signal.price)), ("stop loss", signal.stop_loss), ("take profit", signal.take_profit)];
        let prices = levels.into_iter().filter_map(|(field, value)| Some((field, value?)));
        let wrong = prices.into_iter().find(|(_, value)| !(*value > 0.0 && value.is_finite()));
        let wrong = wrong.map(|(field, value)| (field, value, "a price above 0"));
        let confidence = signal.confidence;
        let is_share = (0.0..=1.0).contains(&confidence);
        let wrong = wrong.or((!is_share).then_some(("confidence", confidence, "a number from 0 to 1")));
        if let Some((field, value, allowed)) = wrong {
            return Err(SimulationError::BadSignal { series, close, field, value, allowed });
        }
        let place = self.place_of(&series)?;
        if let Some(newest) = self.series[place].newest.filter(|newest| *newest >= close) {
            return Err(SimulationError::LateSignal { series, close, newest });
        }
        self.signals += 1;
        if signal.action == Action::Hold {
            self.account.ignore(Ignored::Hold);
        } else {
            self.series[place].wait(signal, self.account.assumptions.latency_candles);
        }
        Ok(())
    }

    /// The trades that have ended since they were last taken. They are not part of the outcome any more.
    pub fn take_trades(&mut self) -> Vec<Trade> {
        self.taken += self.account.trades.len() as u64;
        std::mem::take(&mut self.account.trades)
    }

    /// Ends the simulation: what is still open is closed at the last close.
    pub fn finish(mut self) -> Result<Outcome, SimulationError> {
        if let Some(now) = self.now {
            self.open_all(now)?;
            self.close_until(Timestamp::from_millis(i64::MAX))?;
        }
        for pending in self.series.iter().map(|series| series.pending.len()).collect::<Vec<_>>() {
            (0..pending).for_each(|_| self.account.ignore(Ignored::NoCandleAfter));
        }
        if let Some(at) = self.collector.last_close()
            && !self.account.is_flat()
        {
            self.close_everything(at, ExitReason::EndOfData)?;
            self.note(at, true)?;
        }
        let Account { assumptions, trades, cash, costs, traded, ignored, is_ruined, .. } = self.account;
        Ok(Outcome {
            assumptions,
            trade_count: self.taken + trades.len() as u64,
            trades,
            end_equity: cash,
            costs,
            traded,
            signals: self.signals,
            ignored,
            candles: self.candles,
            equity: self.collector.curve(),
            is_ruined,
        })
    }

    /// Everything that happens at the opens of the current time: first what ends, over all series, then what begins.
    fn open_all(&mut self, now: Timestamp) -> Result<(), SimulationError> {
        let mut opening = std::mem::take(&mut self.opening);
        let series = &self.series;
        opening.sort_by(|(a, _), (b, _)| series[*a].series.cmp(&series[*b].series));
        let mut entries = Vec::new();
        for (place, candle) in &opening {
            self.exits_at_open(*place, candle, now, &mut entries)?;
        }
        // The sort is stable: signals of the same confidence stay in the order of their series.
        entries.sort_by(|(_, _, a), (_, _, b)| b.confidence.total_cmp(&a.confidence));
        for (place, candle, signal) in entries {
            let state = &self.series[place];
            let at_open = at_open(&candle, state.range_before)?;
            let instrument = state.instrument;
            if let Err(reason) = self.account.enter(instrument, &signal, at_open, candle.open)? {
                self.account.ignore(reason);
            }
        }
        for (place, candle) in opening.drain(..) {
            self.series[place].held = Some(candle);
        }
        self.opening = opening;
        Ok(())
    }

    /// What ends at the open of a candle. Signals that may begin something are added to `entries`.
    fn exits_at_open(
        &mut self,
        place: usize,
        candle: &Candle,
        now: Timestamp,
        entries: &mut Vec<(usize, Candle, TradeSignal)>,
    ) -> Result<(), SimulationError> {
        let state = &mut self.series[place];
        let (instrument, range) = (state.instrument, state.range_before);
        if self.first_opens[instrument] == 0.0 {
            self.first_opens[instrument] = candle.open;
            self.account.mark(instrument, candle.open);
        }
        let gap = self.account.assumptions.target_gap;
        if !self.account.is_flat() {
            let series = &state.series;
            let over = Place { at: now, ..at_open(candle, range)? };
            self.account.close_where(instrument, |_, position| {
                let gone = position.exit_at_open(now, candle.open, range, gap)?;
                let is_over = position.series == *series && position.most_candles == Some(position.candles);
                Ok(gone.or(is_over.then_some((ExitReason::TimeLimit, over))))
            })?;
        }
        for signal in state.due(now) {
            let late = self.account.assumptions.latency_candles;
            let is_on_time = state.is_on_time(&signal, late, now);
            let closed = self.account.close_by_signal(instrument, &signal, at_open(candle, range)?)?;
            let Assumptions { opposite, sides, .. } = self.account.assumptions;
            let is_one_sided = opposite == OppositeSignal::Close || sides == Sides::LongOnly;
            let only_closes = is_one_sided && closed > 0;
            match signal.action {
                Action::Close if closed == 0 => self.account.ignore(Ignored::NothingToClose),
                Action::Buy | Action::Sell if only_closes => {}
                Action::Buy | Action::Sell if is_on_time => entries.push((place, *candle, signal)),
                Action::Buy | Action::Sell if closed == 0 => self.account.ignore(Ignored::CandleMissing),
                _ => {}
            }
        }
        Ok(())
    }

    /// Closes every candle that has closed by `until`, in the order of their closes.
    fn close_until(&mut self, until: Timestamp) -> Result<(), SimulationError> {
        loop {
            let next = self.series.iter().filter_map(SeriesState::closes).min();
            let Some(close) = next.filter(|close| *close <= until) else { return Ok(()) };
            let was_invested = !self.account.is_flat();
            for index in 0..self.ordered.len() {
                let place = self.ordered[index];
                if self.series[place].closes() == Some(close) {
                    self.close_candle(place)?;
                }
            }
            self.note(close, was_invested)?;
            if !self.account.is_flat() && self.account.equity()? <= Decimal::ZERO {
                self.account.is_ruined = true;
                self.close_everything(close, ExitReason::Ruin)?;
                self.note(close, was_invested)?;
            }
        }
    }

    fn close_candle(&mut self, place: usize) -> Result<(), SimulationError> {
        let state = &mut self.series[place];
        if let Some(candle) = state.held.take() {
            self.account.pass_candle(state.instrument, &state.series, &candle, state.range_before)?;
            self.account.mark(state.instrument, candle.close);
            state.range_before = candle.high - candle.low;
        }
        Ok(())
    }

    fn close_everything(&mut self, at: Timestamp, reason: ExitReason) -> Result<(), SimulationError> {
        for instrument in 0..self.account.instruments.len() {
            let mark = self.account.marked(instrument);
            let of_instrument = self.series.iter().filter(|series| series.instrument == instrument);
            let range = of_instrument.map(|series| series.range_before).fold(0.0, f64::max);
            self.account.close_where(instrument, |_, _| {
                let reference = amount::exact(mark)?;
                let place = Place { at, moment: Moment::Close, reference, range, order: Order::Market, signal: None };
                Ok(Some((reason, place)))
            })?;
        }
        Ok(())
    }

    fn note(&mut self, at: Timestamp, was_invested: bool) -> Result<(), SimulationError> {
        let is_flat = self.account.is_flat();
        let value = if is_flat { 0.0 } else { float(self.account.exposure(None)?) };
        let equity = if is_flat { self.account.cash } else { self.account.equity()? };
        let reading = Reading { equity: float(equity), value, buy_and_hold: self.buy_and_hold() };
        self.collector.note(at, reading, was_invested);
        Ok(())
    }

    /// What the start's equity would be if it had bought every symbol, in equal parts, at its first open.
    fn buy_and_hold(&self) -> f64 {
        let assumptions = &self.account.assumptions;
        let slippage = if let Slippage::Fixed(share) = assumptions.slippage { float(share) } else { 0.0 };
        let paid = 1.0 + float(assumptions.fees.taker) + slippage;
        let grown = (0..self.first_opens.len()).map(|instrument| match self.first_opens[instrument] {
            0.0 => 1.0,
            first => self.account.marked(instrument) / first / paid,
        });
        float(assumptions.start_equity) * grown.sum::<f64>() / self.first_opens.len().max(1) as f64
    }
}

/// A market order at the open of a candle.
fn at_open(candle: &Candle, range: f64) -> Result<Place, OutOfRange> {
    Ok(Place {
        at: candle.open_time,
        moment: Moment::Open,
        reference: amount::exact(candle.open)?,
        range,
        order: Order::Market,
        signal: None,
    })
}
