//! The candles on which a module is checked.

use ta_bot_core::{
    Candle, ExtraInput, InputSymbol, InputTimeframe, Job, StrategyDescription, Symbol, SymbolError, Timeframe,
    Timestamp, gathered,
};

use crate::{
    evaluation::series_of,
    market::{
        history::{CandleSeries, History},
        made_up::walk,
    },
};

/// The symbol of the made-up candles.
const SYMBOL: &str = "BTCUSDT";
/// When they begin: the first Monday of 2024, on which a candle of every timeframe opens, except that of three days.
const BEGIN: Timestamp = Timestamp::from_millis(1_704_067_200_000);
const FIRST_PRICE: f64 = 100.0;
/// How many of them are looked at: a year of hours.
const YEAR: usize = 365 * 24;
/// The most candles that an extra series has beyond what its windows take: a series of minutes would have half a
/// million.
const MOST_EXTRA: i64 = 20_000;
/// Stretches in which nothing moves and nothing is traded: where they begin, as a part of the year, and how many
/// candles they last. `None` means longer than a whole window.
const FLAT: [(f64, Option<usize>); 4] = [(0.25, Some(1)), (0.45, Some(12)), (0.6, Some(60)), (0.8, None)];
/// Windows longer than this are not flattened as a whole here; the hostile windows are.
const LONGEST_FLAT: usize = 600;

/// Candles on which a module is checked, and where they come from.
#[derive(Debug, Clone)]
pub struct Recorded {
    origin: String,
    history: History,
}

impl Recorded {
    /// Candles that the caller has. A strategy that reads several series needs all of them to be there.
    pub fn new(origin: impl Into<String>, series: Vec<CandleSeries>) -> Self {
        Self::from_history(origin, History::new(series))
    }

    /// The same, from a history.
    pub fn from_history(origin: impl Into<String>, history: History) -> Self {
        Self { origin: origin.into(), history }
    }

    /// The candles that need no store: a year of made-up hours (or of the strategy's own timeframe) with flat
    /// stretches, the same on every machine, and the other series that the strategy reads.
    pub fn made_up(description: &StrategyDescription) -> Result<Self, SymbolError> {
        let symbol: Symbol = SYMBOL.parse()?;
        let timeframe = base_timeframe(description);
        let begin = first_open(timeframe);
        // Before the year there are enough candles for windows of four times the lookback.
        let lead = 4 * longest(description) as usize;
        let candles = market(&symbol, timeframe, begin, lead, description.lookback as usize);
        let end = begin.plus_millis(timeframe.millis() * candles.len() as i64);
        let job = Job { symbol: symbol.clone(), timeframe, candle_close: end };
        let origin = format!("{} made-up candles of {timeframe}", candles.len());
        let mut all: Vec<(Symbol, Timeframe, Vec<Candle>)> = vec![(symbol, timeframe, candles)];
        for input in &description.extra {
            let Some((symbol, timeframe)) = series_of(input, &job) else { continue };
            if all.iter().any(|(known, of, _)| *known == symbol && *of == timeframe) {
                continue;
            }
            let candles = extra(&all[0], input, (&symbol, timeframe), end, longest(description));
            all.push((symbol, timeframe, candles));
        }
        // Each candle opens after the one before it, so no series is refused.
        let series = all
            .into_iter()
            .filter_map(|(symbol, timeframe, candles)| CandleSeries::new(symbol, timeframe, candles).ok());
        Ok(Self::new(origin, series.collect()))
    }

    /// Where the candles come from.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The candles.
    pub const fn history(&self) -> &History {
        &self.history
    }
}

/// Hours if the strategy runs on them, otherwise the strategy's first timeframe.
fn base_timeframe(description: &StrategyDescription) -> Timeframe {
    let own = description.timeframes.first().copied();
    if description.runs_on(Timeframe::H1) { Timeframe::H1 } else { own.unwrap_or(Timeframe::H1) }
}

fn first_open(timeframe: Timeframe) -> Timestamp {
    timeframe.open_of(BEGIN)
}

/// The longest window of the strategy.
fn longest(description: &StrategyDescription) -> u32 {
    description.extra.iter().map(|input| input.lookback).fold(description.lookback, u32::max)
}

/// The base series: a walk that stands still now and then.
fn market(symbol: &Symbol, timeframe: Timeframe, begin: Timestamp, lead: usize, lookback: usize) -> Vec<Candle> {
    let count = lead + YEAR;
    let mut candles: Vec<Candle> = Vec::with_capacity(count);
    let moment = |index: usize| begin.plus_millis(timeframe.millis() * index as i64);
    let price = |candles: &[Candle]| candles.last().map_or(FIRST_PRICE, |candle| candle.close);
    for (part, length) in FLAT {
        let from = candles.len();
        let first = lead + (YEAR as f64 * part) as usize;
        candles.extend(walk(symbol, (from..first).map(moment), price(&candles)));
        let length = length.unwrap_or(lookback.min(LONGEST_FLAT) + 20);
        let still = price(&candles);
        candles.extend((first..first + length).map(|index| flat(moment(index), still, 0.0)));
    }
    let from = candles.len();
    candles.extend(walk(symbol, (from..count).map(moment), price(&candles)));
    candles
}

/// A candle in which nothing moves.
pub(super) const fn flat(open_time: Timestamp, price: f64, volume: f64) -> Candle {
    Candle { open_time, open: price, high: price, low: price, close: price, volume }
}

/// Another series that the strategy reads: gathered from the base if the base is long enough, otherwise a walk of its
/// own that ends with it.
fn extra(
    base: &(Symbol, Timeframe, Vec<Candle>),
    input: &ExtraInput,
    (symbol, timeframe): (&Symbol, Timeframe),
    end: Timestamp,
    longest: u32,
) -> Vec<Candle> {
    let (own, shorter, candles) = base;
    let longer = timeframe.millis() / shorter.millis();
    let gathers = matches!(input.symbol, InputSymbol::Own)
        && own == symbol
        && matches!(input.timeframe, InputTimeframe::NextHigher)
        && timeframe.millis() % shorter.millis() == 0;
    let wanted = 4 * i64::from(longest);
    if gathers && candles.len() as i64 / longer.max(1) >= wanted {
        return gathered_to(timeframe, longer as usize, candles);
    }
    let span = candles.len() as i64 * shorter.millis() / timeframe.millis();
    let count = wanted + span.min(MOST_EXTRA);
    let first = timeframe.open_of(end).plus_millis(-timeframe.millis() * count);
    walk(symbol, (0..count).map(|index| first.plus_millis(timeframe.millis() * index)), FIRST_PRICE)
}

/// The longer candles whose parts are all there.
fn gathered_to(timeframe: Timeframe, parts: usize, candles: &[Candle]) -> Vec<Candle> {
    let open = |candle: &Candle| timeframe.open_of(candle.open_time);
    let whole = candles.chunk_by(|one, next| open(one) == open(next)).filter(|chunk| chunk.len() == parts);
    whole.filter_map(|chunk| gathered(open(&chunk[0]), chunk)).collect()
}

#[cfg(test)]
mod tests {
    use ta_bot_core::{Columns, ParameterSchema};

    use super::*;

    fn description(lookback: u32, timeframes: Vec<Timeframe>, extra: Vec<ExtraInput>) -> StrategyDescription {
        StrategyDescription {
            id: "some".parse().unwrap(),
            name: "Some".to_owned(),
            version: "1".to_owned(),
            description: "Some.".to_owned(),
            lookback,
            columns: Columns::ALL,
            timeframes,
            extra,
            schema: ParameterSchema::new(Vec::new()),
        }
    }

    fn input(symbol: InputSymbol, timeframe: InputTimeframe) -> ExtraInput {
        ExtraInput { symbol, timeframe, lookback: 250, columns: Columns::ALL }
    }

    #[test]
    fn there_is_a_year_of_sound_candles_with_stretches_in_which_nothing_moves() {
        let recorded = Recorded::made_up(&description(250, Vec::new(), Vec::new())).unwrap();
        let base = &recorded.history().series()[0];
        assert_eq!((base.len(), base.timeframe), (YEAR + 1000, Timeframe::H1));
        let candles: Vec<Candle> = base.all().candles().collect();
        for (index, pair) in candles.windows(2).enumerate() {
            assert_eq!(pair[1].check(Timeframe::H1), Ok(()), "{index}");
            assert_eq!(pair[1].open_time, Timeframe::H1.close_of(pair[0].open_time), "{index}");
        }
        let still = |candle: &&Candle| candle.high == candle.low && candle.volume == 0.0;
        assert_eq!(candles.iter().filter(still).count(), 1 + 12 + 60 + 270);
        assert_eq!(
            recorded.history().series()[0].all(),
            Recorded::made_up(&description(250, Vec::new(), Vec::new())).unwrap().history().series()[0].all()
        );
    }

    #[test]
    fn most_of_the_year_can_be_looked_at_whatever_the_strategy_reads() {
        use InputSymbol::{Fixed, Own};
        let other = || Fixed("ETHUSDT".parse().unwrap());
        let cases = [
            (Vec::new(), vec![input(Own, InputTimeframe::NextHigher)], YEAR),
            (vec![Timeframe::W1], vec![input(Own, InputTimeframe::NextHigher)], YEAR),
            (vec![Timeframe::M5], vec![input(Own, InputTimeframe::Fixed(Timeframe::W1))], YEAR),
            (vec![Timeframe::H12], vec![input(Own, InputTimeframe::NextHigher)], YEAR),
            (Vec::new(), vec![input(other(), InputTimeframe::Fixed(Timeframe::H4))], YEAR),
            (Vec::new(), vec![input(other(), InputTimeframe::Fixed(Timeframe::M1))], 300),
        ];
        for (timeframes, extra, least) in cases {
            let description = description(250, timeframes, extra);
            let recorded = Recorded::made_up(&description).unwrap();
            let history = recorded.history();
            let full = history.places(&description).filter(|place| history.view(&description, *place, 0).is_some());
            let full = full.count();
            assert!(full >= least, "{full} of {description:?}");
            // The same holds for windows of four times the length, at least at the newest candle.
            let newest = (0, history.series()[0].len() - 1);
            assert!(history.view(&description, newest, 750).is_some(), "{description:?}");
        }
    }
}
