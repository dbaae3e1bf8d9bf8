//! What a bad extractor writes of a market, and when.
//!
//! Every candle is written in one of many ways, which chance determines. A row that is wrong, or missing, is mended
//! later, at once or after some closes, or never.

use std::collections::BTreeMap;

use ta_bot_core::{Candle, Symbol, Timeframe, Timestamp};
use ta_bot_engine::market::made_up::walk;
use ta_bot_tests::{chance::Chance, gathered_by};

use super::{LONG, SHORT};

/// How long after a close its rows are written, in milliseconds of the market's time.
pub(crate) const ON_TIME: i64 = 2_000;
/// How long after a close rows of earlier candles are mended: once no candle is waited for any more.
pub(crate) const AFTERWARDS: i64 = 12_000;
/// How many candles the history of the shorter and of the longer timeframe has: more than the longest window.
const HISTORY: [i64; 2] = [300, 288];
/// Candles that are missing in the history of the first symbol, counted back from its end: one of the longer timeframe
/// that can be made of shorter ones, and one of the shorter timeframe.
const HOLES: [i64; 2] = [20, 70];
/// After at most this many closes a row is mended.
const LATEST: u64 = 4;

/// A row of a table of candles.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) symbol: Symbol,
    pub(crate) timeframe: Timeframe,
    /// Tells the rows of one candle apart. A row that is written again replaces the one with the same name.
    pub(crate) copy: &'static str,
    /// The numbers, whose open time may lie off the grid.
    pub(crate) candle: Candle,
    /// When the row says that it was written; whole seconds.
    pub(crate) written: Timestamp,
}

/// What is written for one close.
#[derive(Debug, Default)]
pub(crate) struct Writes {
    /// Shortly after the close.
    pub(crate) on_time: Vec<Row>,
    /// A moment later, while what is missing is still waited for.
    pub(crate) soon: Vec<Row>,
    /// After that.
    pub(crate) afterwards: Vec<Row>,
}

/// Writes a market badly.
pub(crate) struct Extractor {
    chance: Chance,
    begin: Timestamp,
    market: BTreeMap<(Symbol, Timeframe), Vec<Candle>>,
    /// What is written after a later close.
    later: BTreeMap<Timestamp, Vec<Row>>,
    /// How often candles were written in each way.
    pub(crate) ways: BTreeMap<String, usize>,
}

impl Extractor {
    /// The market of `symbols`, whose history ends at `begin` and which goes on for `steps` shorter candles.
    pub(crate) fn new(seed: u64, symbols: &[Symbol], begin: Timestamp, steps: i64) -> Self {
        let chance = Chance::new(seed);
        let mut market = BTreeMap::new();
        let first = begin.plus_millis(-HISTORY[1] * LONG.millis());
        let count = HISTORY[1] * 3 + steps;
        for symbol in symbols {
            let opens = (0..count).map(|index| first.plus_millis(index * SHORT.millis()));
            // Each seed has other prices, and numbers that a DECIMAL(20, 8) holds as they are.
            let price = 50.0 + (seed % 97) as f64;
            let short: Vec<Candle> = walk(symbol, opens, price).into_iter().map(rounded).collect();
            market.insert((symbol.clone(), LONG), gathered_by(3, &short));
            market.insert((symbol.clone(), SHORT), short);
        }
        Self { chance, begin, market, later: BTreeMap::new(), ways: BTreeMap::new() }
    }

    /// The rows before the market goes on.
    pub(crate) fn history(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for (index, ((symbol, timeframe), candles)) in self.market.iter().enumerate() {
            let (count, missing) = if *timeframe == SHORT { (HISTORY[0], HOLES[1]) } else { (HISTORY[1], HOLES[0]) };
            let open = |back: i64| self.begin.plus_millis(-back * timeframe.millis());
            let is_history = |candle: &&Candle| (open(count)..self.begin).contains(&candle.open_time);
            let is_missing = |candle: &&Candle| index < 2 && candle.open_time == open(missing);
            let there = candles.iter().filter(is_history).filter(|candle| !is_missing(candle));
            rows.extend(there.map(|candle| Self::row((symbol, *timeframe), "a", *candle, ON_TIME)));
        }
        rows
    }

    /// What is written for the candles that closed at `close`, and what is mended then.
    pub(crate) fn closes(&mut self, close: Timestamp) -> Writes {
        let mut writes = Writes { afterwards: self.later.remove(&close).unwrap_or_default(), ..Writes::default() };
        let closing: Vec<_> =
            self.market.keys().filter(|(_, timeframe)| timeframe.open_of(close) == close).cloned().collect();
        for (symbol, timeframe) in closing {
            let open = close.plus_millis(-timeframe.millis());
            let candles = &self.market[&(symbol.clone(), timeframe)];
            let Ok(place) = candles.binary_search_by_key(&open, |candle| candle.open_time) else { continue };
            let candle = candles[place];
            if timeframe == SHORT {
                self.short((&symbol, timeframe), candle, &mut writes);
            } else {
                self.long((&symbol, timeframe), candle, &mut writes);
            }
        }
        writes
    }

    /// Writes a candle of the shorter timeframe, of which nothing can be made if it is wrong.
    fn short(&mut self, series: (&Symbol, Timeframe), candle: Candle, writes: &mut Writes) {
        let way = self.chance.below(33);
        let row = |copy, candle, after| Self::row(series, copy, candle, after);
        let good = row("a", candle, ON_TIME);
        let early = row("a", partial(candle), -20_000);
        let (way, now, mended) = match way {
            0 | 1 => {
                writes.soon.push(good.clone());
                ("early, finished soon", vec![early], None)
            }
            2 => ("early", vec![early], Some(good)),
            3 | 4 => ("hole", vec![], Some(good)),
            5 => ("twice", vec![good, row("b", candle, ON_TIME - 1_000)], None),
            6 => (
                "wrong, and written again",
                vec![row("a", wrong(candle), ON_TIME - 1_000), row("b", candle, ON_TIME)],
                None,
            ),
            7 => ("wrong, written before the right one", vec![row("b", wrong(candle), ON_TIME - 1_000), good], None),
            8 => ("contradicted", vec![good, row("b", wrong(candle), ON_TIME)], Some(row("c", candle, ON_TIME))),
            9 | 10 => ("zero price", vec![row("a", zero(candle), ON_TIME)], Some(good)),
            11 => ("off the grid", vec![row("off", shifted(candle, 7_000), ON_TIME)], Some(good)),
            12 => {
                writes.afterwards.push(Row { written: good.written.plus_millis(AFTERWARDS - ON_TIME), ..good.clone() });
                ("corrected", vec![row("a", wrong(candle), ON_TIME)], None)
            }
            13 => {
                writes.afterwards.push(Row { written: good.written.plus_millis(AFTERWARDS - ON_TIME), ..good });
                ("late", vec![], None)
            }
            _ => ("good", vec![good], None),
        };
        self.note(series.1, way);
        writes.on_time.extend(now);
        self.mend(mended, writes);
    }

    /// Writes a candle of the longer timeframe, which can be made of shorter ones.
    fn long(&mut self, series: (&Symbol, Timeframe), candle: Candle, writes: &mut Writes) {
        let way = self.chance.below(13);
        let row = |copy, candle, after| Self::row(series, copy, candle, after);
        let good = row("a", candle, ON_TIME);
        let early = row("a", partial(candle), -20_000);
        // If a part of it is completed at the same moment, nobody can say which of the two was read first.
        let has_late_part = writes.soon.iter().any(|row| row.symbol == *series.0);
        let (way, now, mended) = match way {
            0 | 1 => ("no row", vec![], None),
            2 => ("late", vec![], Some(good)),
            3 => ("late with other numbers", vec![], Some(row("a", wrong(candle), ON_TIME))),
            4 | 5 => ("early", vec![early], Some(good)),
            6 | 7 if !has_late_part => {
                writes.soon.push(good);
                ("early, finished soon", vec![early], None)
            }
            8 => ("zero price", vec![row("a", zero(candle), ON_TIME)], Some(good)),
            9 => ("contradicted", vec![good, row("b", wrong(candle), ON_TIME)], Some(row("c", candle, ON_TIME))),
            10 => ("off the grid", vec![row("off", shifted(candle, 30_000), ON_TIME)], None),
            _ => ("good", vec![good], None),
        };
        self.note(series.1, way);
        writes.on_time.extend(now);
        self.mend(mended, writes);
    }

    /// Writes the right row after this close or after a later one, or never.
    fn mend(&mut self, row: Option<Row>, writes: &mut Writes) {
        let closes = self.chance.below(LATEST + 2);
        let Some(mut row) = row.filter(|_| closes <= LATEST) else { return };
        let waits = closes as i64 * SHORT.millis();
        row.written = row.written.plus_millis(waits + AFTERWARDS - ON_TIME);
        if closes == 0 {
            writes.afterwards.push(row);
        } else {
            self.later.entry(row.written.plus_millis(-AFTERWARDS)).or_default().push(row);
        }
    }

    /// A row that was written some milliseconds after the close of its candle.
    fn row((symbol, timeframe): (&Symbol, Timeframe), copy: &'static str, candle: Candle, after: i64) -> Row {
        let close = timeframe.close_of(timeframe.open_of(candle.open_time));
        Row { symbol: symbol.clone(), timeframe, copy, candle, written: close.plus_millis(after) }
    }

    fn note(&mut self, timeframe: Timeframe, way: &str) {
        *self.ways.entry(format!("{timeframe} {way}")).or_default() += 1;
    }
}

/// The candle with the numbers that a table holds.
fn rounded(candle: Candle) -> Candle {
    let round = |number: f64| format!("{number:.8}").parse().unwrap();
    let Candle { open, high, low, close, volume, .. } = candle;
    let [open, high, low, close, volume] = [open, high, low, close, volume].map(round);
    Candle { open, high, low, close, volume, ..candle }
}

/// The candle as it was while it was open.
fn partial(candle: Candle) -> Candle {
    let Candle { open, .. } = candle;
    Candle { high: open, low: open, close: open, volume: 1.0, ..candle }
}

/// A sound candle with other numbers.
fn wrong(candle: Candle) -> Candle {
    Candle { close: candle.low, volume: candle.volume + 1.0, ..candle }
}

/// The candle of an exchange that hiccups.
fn zero(candle: Candle) -> Candle {
    Candle { low: 0.0, close: 0.0, ..candle }
}

/// The candle with an open time that is no open time.
fn shifted(candle: Candle, millis: i64) -> Candle {
    Candle { open_time: candle.open_time.plus_millis(millis), ..candle }
}
