//! What the signals of a run would have made: its candles and signals, in the order of time over all series, through a
//! [`Simulation`].

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    iter::Peekable,
    vec,
};

use ta_bot_core::{Candle, Series, Timestamp};
use ta_bot_engine::{evaluation::SeriesKey, market::candles::Candles, support::store_error::StoreError};
use thiserror::Error;

use crate::{
    money::{Assumptions, AssumptionsError, Instrument, Outcome, Simulation, SimulationError, TradeSignal, float},
    report::Bars,
    run::{Kept, KeptError, Plan, SignalRow, SignalRows},
    statistics::{RandomEntries, RandomEntriesResult},
};

/// How many candles of each series are held at once.
const AT_ONCE: u32 = 5_000;
/// How many candles all runs of entries by chance take together, and how many runs there are at least and at most.
const RANDOM_CANDLES: u64 = 4_000_000;
const FEWEST_RUNS: u64 = 20;
const MOST_RUNS: u64 = 200;

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

/// What came of the signals of a run.
#[derive(Debug)]
pub struct Traded {
    /// Trades, costs and equity.
    pub outcome: Outcome,
    /// The candles of each series, as far as a picture has room for them.
    pub bars: Vec<Bars>,
    /// What entries by chance came to; `None` without trades.
    pub random_entries: Option<RandomEntriesResult>,
    /// How many signals and candles could not be traded, and why the first of them could not.
    pub refused: (u64, Option<SimulationError>),
}

/// What comes next on the market.
enum Event<'a> {
    Signal(TradeSignal),
    Candle(usize, &'a Series, &'a Candle),
}

/// Trades the signals of a run, and as many entries by chance. `seed` determines the chance.
pub async fn trade(
    plan: &Plan,
    candles: &Candles,
    kept: &Kept,
    (assumptions, mut instruments): (Assumptions, Vec<Instrument>),
    seed: u64,
) -> Result<Traded, TradingError> {
    for (symbol, _) in &plan.series {
        if !instruments.iter().any(|instrument| instrument.symbol == *symbol) {
            instruments.push(Instrument::any(symbol.clone()));
        }
    }
    let mut simulation = Simulation::new(assumptions.clone(), instruments.clone())?;
    let series = plan.series.iter().map(|(symbol, timeframe)| Series { symbol: symbol.clone(), timeframe: *timeframe });
    let mut bars: Vec<Bars> = series.map(Bars::new).collect();
    let mut counts: BTreeMap<Series, u64> = BTreeMap::new();
    let mut refused = (0, None);
    walk(feeds(plan, candles, signals(plan, kept)?).await?, |event| {
        let taken = match event {
            Event::Signal(signal) => simulation.signal(signal),
            Event::Candle(place, series, candle) => {
                bars[place].push(candle);
                *counts.entry(series.clone()).or_default() += 1;
                simulation.candle(series, candle)
            }
        };
        go_on(taken, &mut refused)
    })
    .await?;
    let outcome = simulation.finish()?;
    if outcome.trades.is_empty() {
        return Ok(Traded { outcome, bars, random_entries: None, refused });
    }
    let runs = (RANDOM_CANDLES / outcome.candles.max(1)).clamp(FEWEST_RUNS, MOST_RUNS) as u32;
    let mut by_chance = RandomEntries::new(&assumptions, &instruments, &outcome.trades, &counts, (runs, seed))?;
    let nothing = vec![Vec::new(); plan.series.len()];
    walk(feeds(plan, candles, nothing).await?, |event| match event {
        Event::Candle(_, series, candle) => go_on(by_chance.candle(series, candle), &mut (0, None)),
        Event::Signal(_) => Ok(()),
    })
    .await?;
    let own = float(outcome.end_equity) / float(outcome.assumptions.start_equity) - 1.0;
    Ok(Traded { random_entries: Some(by_chance.finish(own)?), outcome, bars, refused })
}

/// Counts what could not be traded. One bad record does not stop the others; an amount that does not fit does.
fn go_on(
    taken: Result<(), SimulationError>,
    refused: &mut (u64, Option<SimulationError>),
) -> Result<(), SimulationError> {
    match taken {
        Err(error @ SimulationError::OutOfRange(_)) => return Err(error),
        Err(error) => {
            refused.0 += 1;
            refused.1.get_or_insert(error);
        }
        Ok(()) => {}
    }
    Ok(())
}

/// Goes through all feeds in the order of time.
async fn walk(
    mut feeds: Vec<Feed<'_>>,
    mut visit: impl FnMut(Event<'_>) -> Result<(), SimulationError>,
) -> Result<(), TradingError> {
    let opens = |feed: &Feed<'_>| feed.next.map(|candle| candle.open_time);
    let mut order: BinaryHeap<Reverse<(Timestamp, usize)>> =
        feeds.iter().enumerate().filter_map(|(place, feed)| Some(Reverse((opens(feed)?, place)))).collect();
    while let Some(Reverse((open, place))) = order.pop() {
        let feed = &mut feeds[place];
        while let Some(signal) = feed.signals.next_if(|signal| signal.candle_close <= open) {
            visit(Event::Signal(signal))?;
        }
        if let Some(candle) = feed.next.take() {
            visit(Event::Candle(place, &feed.series, &candle))?;
        }
        feed.advance().await?;
        order.extend(opens(feed).map(|open| Reverse((open, place))));
    }
    // Those of the last candles, for which no further one comes.
    for signal in feeds.into_iter().flat_map(|feed| feed.signals) {
        visit(Event::Signal(signal))?;
    }
    Ok(())
}

/// The signals of each series of a plan.
fn signals(plan: &Plan, kept: &Kept) -> Result<Vec<Vec<TradeSignal>>, KeptError> {
    let mut signals: Vec<Vec<TradeSignal>> = vec![Vec::new(); plan.series.len()];
    for row in SignalRows::of(kept)? {
        let row = row?;
        let is_of = |(symbol, timeframe): &SeriesKey| *symbol == row.symbol && *timeframe == row.timeframe;
        if let Some(place) = plan.series.iter().position(is_of) {
            signals[place].push(row.into());
        }
    }
    Ok(signals)
}

async fn feeds<'a>(
    plan: &Plan,
    candles: &'a Candles,
    signals: Vec<Vec<TradeSignal>>,
) -> Result<Vec<Feed<'a>>, TradingError> {
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
