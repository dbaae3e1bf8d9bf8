//! The account: cash, open positions, costs, and the way in and out of a position.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use ta_bot_core::{Action, Candle, Timestamp};

use super::{
    amount::{self, OutOfRange},
    assumptions::{Assumptions, Holding, Sides},
    fill::{self, Level, Place},
    instrument::Instrument,
    position::Position,
    signal::{Ignored, TradeSignal},
    sizing,
    trade::{ExitReason, Moment, Side, Trade},
};

/// What was paid, in the quote currency.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Costs {
    /// To the exchange, for fills.
    pub fees: Decimal,
    /// The difference between the prices that were there and those of the fills.
    pub slippage: Decimal,
    /// For being held; negative if more was received than paid.
    pub funding: Decimal,
}

impl Costs {
    /// All of them.
    pub fn total(&self) -> Decimal {
        self.fees.saturating_add(self.slippage).saturating_add(self.funding)
    }
}

/// An account under way.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) assumptions: Assumptions,
    pub(super) instruments: Vec<Instrument>,
    /// What would be there if all positions were closed at their entries' prices.
    pub(super) cash: Decimal,
    pub(super) costs: Costs,
    /// The value of all fills.
    pub(super) traded: Decimal,
    /// By instrument.
    positions: Vec<Vec<Position>>,
    open: usize,
    /// The last close of each instrument.
    marks: Vec<f64>,
    pub(super) trades: Vec<Trade>,
    entries: u64,
    pub(super) ignored: BTreeMap<Ignored, u64>,
    pub(super) is_ruined: bool,
}

/// A change of the account, or why there is none.
pub(super) type Entered = Result<Result<(), Ignored>, OutOfRange>;

impl Account {
    pub(super) fn new(assumptions: Assumptions, instruments: Vec<Instrument>) -> Self {
        Self {
            cash: assumptions.start_equity,
            costs: Costs::default(),
            traded: Decimal::ZERO,
            positions: instruments.iter().map(|_| Vec::new()).collect(),
            open: 0,
            marks: vec![0.0; instruments.len()],
            trades: Vec::new(),
            entries: 0,
            ignored: BTreeMap::new(),
            is_ruined: false,
            assumptions,
            instruments,
        }
    }

    pub(super) fn ignore(&mut self, reason: Ignored) {
        *self.ignored.entry(reason).or_default() += 1;
    }

    pub(super) fn is_flat(&self) -> bool {
        self.open == 0
    }

    pub(super) fn mark(&mut self, instrument: usize, close: f64) {
        self.marks[instrument] = close;
    }

    pub(super) fn marked(&self, instrument: usize) -> f64 {
        self.marks[instrument]
    }

    /// Cash and what the open positions have gained at the last closes.
    pub(super) fn equity(&self) -> Result<Decimal, OutOfRange> {
        let mut equity = self.cash;
        for (positions, mark) in self.positions.iter().zip(&self.marks) {
            for position in positions {
                equity = amount::sum(equity, position.gross(amount::exact(*mark)?)?)?;
            }
        }
        Ok(equity)
    }

    /// What the open positions are worth at the last closes, long and short added: of one instrument, or of all.
    pub(super) fn exposure(&self, of: Option<usize>) -> Result<Decimal, OutOfRange> {
        let mut exposure = Decimal::ZERO;
        for (place, positions) in self.positions.iter().enumerate() {
            for position in positions.iter().filter(|_| of.is_none_or(|of| of == place)) {
                let value = amount::product(amount::exact(self.marks[place])?, position.quantity)?;
                exposure = amount::sum(exposure, value)?;
            }
        }
        Ok(exposure)
    }

    /// Whether a signal speaks of this position.
    fn concerns(&self, signal: &TradeSignal, position: &Position) -> bool {
        self.assumptions.holding == Holding::OnePerSymbol
            || (signal.strategy == position.strategy && signal.series == position.series)
    }

    /// Closes what a signal speaks against, at an open. Says how many positions that were.
    pub(super) fn close_by_signal(
        &mut self,
        instrument: usize,
        signal: &TradeSignal,
        place: Place,
    ) -> Result<usize, OutOfRange> {
        let (side, reason) = match signal.action {
            Action::Buy => (Some(Side::Short), ExitReason::OppositeSignal),
            Action::Sell => (Some(Side::Long), ExitReason::OppositeSignal),
            Action::Close => (None, ExitReason::CloseSignal),
            Action::Hold => return Ok(0),
        };
        let place = Place { signal: Some(signal.candle_close), ..place };
        self.close_where(instrument, |account, position| {
            let ends = side.is_none_or(|side| position.side == side) && account.concerns(signal, position);
            Ok(ends.then_some((reason, place)))
        })
    }

    /// Closes the positions of an instrument for which `ends` gives a reason and a place. Says how many.
    pub(super) fn close_where(
        &mut self,
        instrument: usize,
        ends: impl Fn(&Self, &Position) -> Result<Option<(ExitReason, Place)>, OutOfRange>,
    ) -> Result<usize, OutOfRange> {
        let mut closed = 0;
        let mut index = 0;
        while index < self.positions[instrument].len() {
            match ends(self, &self.positions[instrument][index])? {
                Some((reason, place)) => {
                    self.close(instrument, index, reason, place)?;
                    closed += 1;
                }
                None => index += 1,
            }
        }
        Ok(closed)
    }

    fn close(&mut self, instrument: usize, index: usize, reason: ExitReason, place: Place) -> Result<(), OutOfRange> {
        let mut position = self.positions[instrument].remove(index);
        self.open -= 1;
        // The moment of the exit counts: a payment that is due then is still paid.
        let until = place.at.plus_millis(i64::from(place.moment == Moment::Open));
        self.fund(&mut position, instrument, until, place.reference, false)?;
        let is_buy = position.side == Side::Short;
        let price = fill::price(&place, is_buy, &self.assumptions, &self.instruments[instrument])?;
        let exit = fill::fill(&place, price, position.quantity, &self.assumptions)?;
        let gross = position.gross(exit.reference)?;
        self.pay(exit.fee, exit.slippage, amount::product(price, position.quantity)?)?;
        self.cash = amount::sum(self.cash, gross)?;
        self.trades.push(position.into_trade(exit, reason)?);
        Ok(())
    }

    fn pay(&mut self, fee: Decimal, slippage: Decimal, value: Decimal) -> Result<(), OutOfRange> {
        self.costs.fees = amount::sum(self.costs.fees, fee)?;
        self.costs.slippage = amount::sum(self.costs.slippage, slippage)?;
        self.traded = amount::sum(self.traded, value)?;
        self.cash = amount::difference(amount::difference(self.cash, fee)?, slippage)?;
        Ok(())
    }

    fn fund(
        &mut self,
        position: &mut Position,
        instrument: usize,
        until: Timestamp,
        price: Decimal,
        whole: bool,
    ) -> Result<(), OutOfRange> {
        let rules = &self.instruments[instrument];
        let due = position.funding_due(until, price, whole, &self.assumptions, rules)?;
        position.funded_until = position.funded_until.max(until);
        position.funding = amount::sum(position.funding, due)?;
        self.costs.funding = amount::sum(self.costs.funding, due)?;
        self.cash = amount::difference(self.cash, due)?;
        Ok(())
    }

    /// A candle has closed: each position that was open since its open ends within it, or pays its funding.
    pub(super) fn pass_candle(
        &mut self,
        instrument: usize,
        series: &ta_bot_core::Series,
        candle: &Candle,
        range_before: f64,
    ) -> Result<(), OutOfRange> {
        if self.positions[instrument].is_empty() {
            return Ok(());
        }
        let close = series.timeframe.close_of(candle.open_time);
        let range = range_before.max(candle.high - candle.low);
        let mut positions = std::mem::take(&mut self.positions[instrument]);
        let was_open = |position: &Position| position.entry.at <= candle.open_time;
        for position in positions.iter_mut().filter(|position| was_open(position)) {
            position.candles += u32::from(position.series == *series);
            if position.exit_within(candle, close, range).is_none() {
                position.see(candle.low, candle.high);
                self.fund(position, instrument, close, amount::exact(candle.open)?, true)?;
            }
        }
        self.positions[instrument] = positions;
        self.close_where(instrument, |_, position| {
            Ok(if was_open(position) { position.exit_within(candle, close, range) } else { None })
        })?;
        Ok(())
    }

    /// Opens a position at a candle's open, as far as the rules allow.
    pub(super) fn enter(&mut self, instrument: usize, signal: &TradeSignal, place: Place, open: f64) -> Entered {
        let side = if signal.action == Action::Buy { Side::Long } else { Side::Short };
        if let Err(reason) = self.may_enter(instrument, signal, side) {
            return Ok(Err(reason));
        }
        let rules = &self.instruments[instrument];
        let stop = signal.stop_loss.map(Level::stop).transpose()?;
        let target = signal.take_profit.map(|price| Level::target(price, side, rules)).transpose()?;
        let is_passed =
            stop.is_some_and(|stop| stop.stops(side, open)) || target.is_some_and(|target| target.targets(side, open));
        if is_passed {
            return Ok(Err(Ignored::LevelPassed));
        }
        let place = Place { signal: Some(signal.candle_close), ..place };
        let price = fill::price(&place, side == Side::Long, &self.assumptions, rules)?;
        let equity = self.equity()?;
        let wanted = sizing::wanted(self.assumptions.sizing, signal, (price, stop), equity)?;
        let room = self.room(instrument, equity)?;
        let quantity = match sizing::quantity(wanted, room, price, self.assumptions.fees.taker, rules)? {
            Ok(quantity) => quantity,
            Err(reason) => return Ok(Err(reason)),
        };
        let entry = fill::fill(&place, price, quantity, &self.assumptions)?;
        self.pay(entry.fee, entry.slippage, amount::product(price, quantity)?)?;
        // Its own gap since the last close is not the position's.
        self.mark(instrument, open);
        self.entries += 1;
        self.open += 1;
        let most_candles = [signal.hold_candles, self.assumptions.max_candles].into_iter().flatten().min();
        self.positions[instrument].push(Position {
            number: self.entries,
            series: signal.series.clone(),
            strategy: signal.strategy.clone(),
            confidence: signal.confidence,
            side,
            quantity,
            funded_until: entry.at,
            entry,
            stop,
            target,
            equity_before: equity,
            candles: 0,
            most_candles,
            funding: Decimal::ZERO,
            extremes: (open, open),
        });
        Ok(Ok(()))
    }

    fn may_enter(&self, instrument: usize, signal: &TradeSignal, side: Side) -> Result<(), Ignored> {
        let mut own = self.positions[instrument].iter().filter(|position| self.concerns(signal, position));
        let is_taken = match self.assumptions.holding {
            Holding::Several(most) => own.clone().any(|position| position.side != side) || own.count() >= most as usize,
            _ => own.next().is_some(),
        };
        if self.is_ruined {
            Err(Ignored::Ruined)
        } else if is_taken {
            Err(Ignored::AlreadyOpen)
        } else if side == Side::Short && self.assumptions.sides == Sides::LongOnly {
            Err(Ignored::ShortNotAllowed)
        } else if self.assumptions.max_positions.is_some_and(|most| self.open >= most as usize) {
            Err(Ignored::TooManyPositions)
        } else {
            Ok(())
        }
    }

    /// What further positions may be worth, in the quote currency.
    fn room(&self, instrument: usize, equity: Decimal) -> Result<Decimal, OutOfRange> {
        let within = |limit: Decimal, used: Decimal| amount::difference(amount::product(equity, limit)?, used);
        let room = within(self.assumptions.max_exposure, self.exposure(None)?)?;
        let of_symbol = match self.assumptions.max_symbol_exposure {
            Some(limit) => within(limit, self.exposure(Some(instrument))?)?,
            None => room,
        };
        Ok(room.min(of_symbol).max(Decimal::ZERO))
    }
}
