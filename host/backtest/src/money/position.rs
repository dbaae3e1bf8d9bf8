//! An open position: what ends it, what it is worth, and how it becomes a trade.

use rust_decimal::Decimal;
use ta_bot_core::{Candle, Series, StrategyId, Timestamp};

use super::{
    amount::{self, OutOfRange},
    assumptions::{Assumptions, Funding, TargetGap},
    fill::{Level, Order, Place},
    instrument::Instrument,
    trade::{ExitReason, Fill, Moment, Side, Trade},
};

const HOUR_MS: i64 = 3_600_000;

/// An open position.
#[derive(Debug)]
pub(super) struct Position {
    pub(super) number: u64,
    pub(super) series: Series,
    pub(super) strategy: StrategyId,
    pub(super) confidence: f64,
    pub(super) side: Side,
    pub(super) quantity: Decimal,
    pub(super) entry: Fill,
    pub(super) stop: Option<Level>,
    pub(super) target: Option<Level>,
    pub(super) equity_before: Decimal,
    /// For how many candles of its series it has been open.
    pub(super) candles: u32,
    /// The number of those at which it ends.
    pub(super) most_candles: Option<u32>,
    /// The funding that was paid.
    pub(super) funding: Decimal,
    /// Up to which moment funding was paid.
    pub(super) funded_until: Timestamp,
    /// The lowest and the highest price since the entry.
    pub(super) extremes: (f64, f64),
}

impl Position {
    /// What the move from the entry to `price` brings, before costs.
    pub(super) fn gross(&self, price: Decimal) -> Result<Decimal, OutOfRange> {
        let move_up = amount::difference(price, self.entry.reference)?;
        amount::amount(amount::product(move_up, self.side.sign())?, self.quantity)
    }

    /// The exit of a candle that opens beyond the stop or the target.
    pub(super) fn exit_at_open(
        &self,
        open_time: Timestamp,
        open: f64,
        range_before: f64,
        gap: TargetGap,
    ) -> Result<Option<(ExitReason, Place)>, OutOfRange> {
        let place = |reference, order| Place {
            at: open_time,
            moment: Moment::Open,
            reference,
            range: range_before,
            order,
            signal: None,
        };
        if self.stop.is_some_and(|stop| stop.stops(self.side, open)) {
            return Ok(Some((ExitReason::StopLossGap, place(amount::exact(open)?, Order::Market))));
        }
        let Some(target) = self.target.filter(|target| target.targets(self.side, open)) else { return Ok(None) };
        let reference = match gap {
            TargetGap::AtTarget => target.price,
            TargetGap::AtOpen => amount::exact(open)?,
        };
        Ok(Some((ExitReason::TakeProfit, place(reference, Order::Limit))))
    }

    /// The exit within a candle that touches the stop or the target; the stop comes first.
    pub(super) fn exit_within(&self, candle: &Candle, close: Timestamp, range: f64) -> Option<(ExitReason, Place)> {
        let (worst, best) = match self.side {
            Side::Long => (candle.low, candle.high),
            Side::Short => (candle.high, candle.low),
        };
        let place = |level: &Level, order| Place {
            at: close,
            moment: Moment::Within,
            reference: level.price,
            range,
            order,
            signal: None,
        };
        if let Some(stop) = self.stop.filter(|stop| stop.stops(self.side, worst)) {
            return Some((ExitReason::StopLoss, place(&stop, Order::Market)));
        }
        let target = self.target.filter(|target| target.targets(self.side, best))?;
        Some((ExitReason::TakeProfit, place(&target, Order::Limit)))
    }

    /// Notes the prices of a candle through which it was open.
    pub(super) fn see(&mut self, low: f64, high: f64) {
        self.extremes = (self.extremes.0.min(low), self.extremes.1.max(high));
    }

    /// The funding that is due from where it was last paid up to `until`, in the quote currency: negative if it is
    /// received. `whole` says whether the position stays open all that time: if not, nothing is received, since it is
    /// not known whether it was still open.
    pub(super) fn funding_due(
        &self,
        until: Timestamp,
        price: Decimal,
        whole: bool,
        assumptions: &Assumptions,
        instrument: &Instrument,
    ) -> Result<Decimal, OutOfRange> {
        let from = self.funded_until;
        let value = amount::product(price, self.quantity)?;
        if instrument.funding.is_empty() {
            let Funding::EveryonePays { rate, hours } = assumptions.funding else { return Ok(Decimal::ZERO) };
            let every = i64::from(hours) * HOUR_MS;
            let before = |moment: Timestamp| (moment.millis() - 1).div_euclid(every);
            let payments = before(until) - before(from);
            return amount::cost(amount::product(value, rate)?, payments.into());
        }
        let rates = &instrument.funding;
        let first = rates.partition_point(|rate| rate.at < from);
        let mut due = Decimal::ZERO;
        for rate in rates[first..].iter().take_while(|rate| rate.at < until) {
            let paid = amount::cost(amount::product(value, self.side.sign())?, rate.rate)?;
            let is_received = paid.is_sign_negative();
            if !is_received || (whole && rate.at > self.entry.at) {
                due = amount::sum(due, paid)?;
            }
        }
        Ok(due)
    }

    /// The trade that it was, ended by `exit`.
    pub(super) fn into_trade(self, exit: Fill, reason: ExitReason) -> Result<Trade, OutOfRange> {
        let gross = self.gross(exit.reference)?;
        let fees = amount::sum(self.entry.fee, exit.fee)?;
        let slippage = amount::sum(self.entry.slippage, exit.slippage)?;
        let costs = amount::sum(amount::sum(fees, slippage)?, self.funding)?;
        let net = amount::difference(gross, costs)?;
        let entry = amount::float(self.entry.reference);
        let ended = amount::float(exit.reference);
        let (low, high) = (self.extremes.0.min(ended), self.extremes.1.max(ended));
        let (down, up) = (((entry - low) / entry).max(0.0), ((high - entry) / entry).max(0.0));
        let (worst, best) = if self.side == Side::Long { (down, up) } else { (up, down) };
        Ok(Trade {
            number: self.number,
            series: self.series,
            strategy: self.strategy,
            confidence: self.confidence,
            side: self.side,
            quantity: self.quantity,
            entry: self.entry,
            exit,
            reason,
            stop_loss: self.stop.map(|stop| stop.price),
            take_profit: self.target.map(|target| target.price),
            candles: self.candles,
            equity_before: self.equity_before,
            gross,
            funding: self.funding,
            net,
            worst,
            best,
        })
    }
}
