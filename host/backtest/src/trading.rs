//! What the signals of a run would have made: its candles and signals, in the order of time over all series, through a
//! [`Simulation`].

use std::{cmp::Reverse, collections::BinaryHeap, iter::Peekable, vec};

use ta_bot_core::{Candle, Series, Timestamp};
use ta_bot_engine::{market::candles::Candles, support::store_error::StoreError};
use thiserror::Error;

use crate::{
    money::{Assumptions, AssumptionsError, Instrument, Outcome, Simulation, SimulationError, TradeSignal},
    run::{Kept, KeptError, Plan, SignalRow, SignalRows},
};

/// How many candles of each series are held at once.
const AT_ONCE: u32 = 5_000;

/// Why there is no outcome.
#[derive(Debug, Error)]
pub enum TradingError {
    /// The candles can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The signals can't be read.
    #[error(transparent)]
    Kept(#[from] KeptError),
    /// The assumptions contradict themselves or reality.
    #[error(transparent)]
    Assumptions(#[from] AssumptionsError),
    /// A candle or a signal can't be traded.
    #[error(transparent)]
    Simulation(#[from] SimulationError),
}

/// The candles and signals of one series, oldest first.
struct Feed<'a> {
    candles: &'a Candles,
    series: Series,
    /// The candles that were read, and until when.
    read: vec::IntoIter<Candle>,
    until: Timestamp,
    end: Timestamp,
    next: Option<Candle>,
    signals: Peekable<vec::IntoIter<TradeSignal>>,
}

/// Trades the signals of a run.
pub async fn trade(
    plan: &Plan,
    candles: &Candles,
    kept: &Kept,
    assumptions: Assumptions,
    mut instruments: Vec<Instrument>,
) -> Result<Outcome, TradingError> {
    for (symbol, _) in &plan.series {
        if !instruments.iter().any(|instrument| instrument.symbol == *symbol) {
            instruments.push(Instrument::any(symbol.clone()));
        }
    }
    let mut simulation = Simulation::new(assumptions, instruments)?;
    let mut feeds = feeds(plan, candles, kept).await?;
    let opens = |feed: &Feed<'_>| feed.next.map(|candle| candle.open_time);
    let mut order: BinaryHeap<Reverse<(Timestamp, usize)>> =
        feeds.iter().enumerate().filter_map(|(place, feed)| Some(Reverse((opens(feed)?, place)))).collect();
    while let Some(Reverse((open, place))) = order.pop() {
        let feed = &mut feeds[place];
        while let Some(signal) = feed.signals.next_if(|signal| signal.candle_close <= open) {
            simulation.signal(signal)?;
        }
        if let Some(candle) = feed.next.take() {
            simulation.candle(&feed.series, &candle)?;
        }
        feed.advance().await?;
        order.extend(opens(feed).map(|open| Reverse((open, place))));
    }
    // Those of the last candles, for which no further one comes.
    for signal in feeds.into_iter().flat_map(|feed| feed.signals) {
        simulation.signal(signal)?;
    }
    Ok(simulation.finish()?)
}

async fn feeds<'a>(plan: &Plan, candles: &'a Candles, kept: &Kept) -> Result<Vec<Feed<'a>>, TradingError> {
    let mut signals: Vec<Vec<TradeSignal>> = vec![Vec::new(); plan.series.len()];
    for row in SignalRows::of(kept)? {
        let row = row?;
        let place =
            plan.series.iter().position(|(symbol, timeframe)| *symbol == row.symbol && *timeframe == row.timeframe);
        if let Some(place) = place {
            signals[place].push(row.into());
        }
    }
    let mut feeds = Vec::with_capacity(plan.series.len());
    for ((symbol, timeframe), signals) in plan.series.iter().cloned().zip(signals) {
        let mut feed = Feed {
            candles,
            series: Series { symbol, timeframe },
            read: Vec::new().into_iter(),
            until: plan.from,
            end: plan.until,
            next: None,
            signals: signals.into_iter().peekable(),
        };
        feed.advance().await?;
        feeds.push(feed);
    }
    Ok(feeds)
}

impl Feed<'_> {
    /// Goes on to the next candle that closed within the plan.
    async fn advance(&mut self) -> Result<(), StoreError> {
        loop {
            self.next = self.read.next();
            if self.next.is_some() || self.until >= self.end {
                return Ok(());
            }
            let Series { symbol, timeframe } = &self.series;
            let (from, timeframe) = (self.until, *timeframe);
            self.until = from.plus_millis(i64::from(AT_ONCE) * timeframe.millis()).min(self.end);
            // One more, since the stretch may begin off the grid.
            let mut closed = self.candles.newest(symbol, timeframe, self.until, AT_ONCE + 1).await?.candles;
            closed.retain(|candle| timeframe.close_of(candle.open_time) > from);
            self.read = closed.into_iter();
        }
    }
}

impl From<SignalRow> for TradeSignal {
    fn from(row: SignalRow) -> Self {
        Self {
            series: Series { symbol: row.symbol, timeframe: row.timeframe },
            candle_close: row.candle_close,
            action: row.action,
            price: row.price,
            stop_loss: row.stop_loss,
            take_profit: row.take_profit,
            confidence: row.confidence,
            strategy: row.strategy,
            hold_candles: None,
        }
    }
}
