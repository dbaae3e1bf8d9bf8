//! Candles of many symbols in few queries.
//!
//! If it is known from which moment on candles are wanted, one query reads the stretches of hundreds of symbols, as
//! ranges of the index side by side in one condition. If whole windows are wanted, each symbol has a select with a
//! limit, and the selects of many symbols make one query.

use std::collections::{BTreeMap, HashMap};

use sqlx::{MySql, QueryBuilder};
use ta_bot_core::{CandleRow, Symbol, Timeframe, Timestamp};

use super::{newest_open, push_moment, push_newest, row};
use crate::mysql::database::{
    batch::{padded, pieces},
    klines::table,
};

/// How many stretches one query reads, one for each symbol.
const STRETCHES: usize = 512;
/// How many windows one query reads at most, and how many candles it should not exceed.
const WINDOWS: usize = 128;
const WINDOW_ROWS: usize = 50_000;

/// How candles of many symbols are read.
pub(super) struct Plan<'a> {
    timeframe: Timeframe,
    until: Timestamp,
    count: u32,
    /// Symbols with the moment after which candles are wanted, of which there are no more than `count`.
    stretches: Vec<(&'a Symbol, Timestamp)>,
    /// Symbols whose newest `count` candles are read.
    windows: Vec<&'a Symbol>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(
        timeframe: Timeframe,
        wanted: &'a [(Symbol, Option<Timestamp>)],
        until: Timestamp,
        count: u32,
    ) -> Self {
        // A symbol that is requested twice is read once, as far back as either request needs.
        let mut earliest: BTreeMap<&Symbol, Option<Timestamp>> = BTreeMap::new();
        for (symbol, after) in wanted {
            earliest.entry(symbol).and_modify(|known| *known = (*known).min(*after)).or_insert(*after);
        }
        let mut plan = Self { timeframe, until, count, stretches: Vec::new(), windows: Vec::new() };
        let longest = timeframe.millis().saturating_mul(i64::from(count));
        for (symbol, after) in earliest {
            match after {
                // After a long gap a window may hold fewer rows than the stretch.
                Some(after) if until.millis().saturating_sub(after.millis()) <= longest => {
                    plan.stretches.push((symbol, after));
                }
                _ => plan.windows.push(symbol),
            }
        }
        plan
    }

    /// The queries for these columns of the rows.
    pub(super) fn queries(&self, columns: &str) -> impl Iterator<Item = QueryBuilder<MySql>> {
        let stretches = stretches(self.timeframe, columns, self.stretches.iter().copied(), self.until);
        let windows = (WINDOW_ROWS / self.count.max(1) as usize).clamp(1, WINDOWS);
        let wanted = if self.count == 0 { &[] } else { &*self.windows };
        stretches.into_iter().chain(pieces(wanted, windows).map(move |symbols| self.windows_of(columns, symbols)))
    }

    fn windows_of(&self, columns: &str, symbols: &[&Symbol]) -> QueryBuilder<MySql> {
        let mut query = QueryBuilder::new("");
        for (index, symbol) in symbols.iter().enumerate() {
            query.push(if index == 0 { "(" } else { " UNION ALL (" });
            push_newest(&mut query, columns, (symbol, self.timeframe), self.until, self.count);
            query.push(")");
        }
        query
    }

    /// Returns what was found for each entry of `wanted`.
    pub(super) fn answer(
        &self,
        wanted: &[(Symbol, Option<Timestamp>)],
        mut found: HashMap<Symbol, Vec<CandleRow>>,
    ) -> Vec<Vec<CandleRow>> {
        for rows in found.values_mut() {
            rows.sort_by_key(|row| row.candle.open_time);
        }
        let answer = |(symbol, after): &(Symbol, Option<Timestamp>)| {
            let rows = found.get(symbol).map_or(&[][..], Vec::as_slice);
            let old = after
                .map_or(0, |after| rows.partition_point(|row| self.timeframe.close_of(row.candle.open_time) <= after));
            rows[old.max(rows.len().saturating_sub(self.count as usize))..].to_vec()
        };
        wanted.iter().map(answer).collect()
    }
}

/// The queries for closes after each symbol's own moment.
pub(super) fn closes(
    timeframe: Timeframe,
    after: &[(Symbol, Timestamp)],
    until: Timestamp,
) -> Vec<QueryBuilder<MySql>> {
    let columns = format!("{} AS `opened`", row::millis_of("`timestamp`"));
    stretches(timeframe, &columns, after.iter().map(|(symbol, after)| (symbol, *after)), until)
}

/// The queries for the newest close of each symbol.
///
/// `GROUP BY symbol` over the index would be shorter. MariaDB 10.11 jumps through the index for that, too, but only
/// until another statement has read some series backwards: from then on it reads the whole index, which holds every
/// candle.
pub(super) fn newest(timeframe: Timeframe, symbols: &[Symbol], until: Timestamp) -> Vec<QueryBuilder<MySql>> {
    let query = |chunk: &[&Symbol]| {
        let mut query = QueryBuilder::new("SELECT `symbol`, (SELECT ");
        query.push(row::millis_of("`timestamp`")).push(" FROM ").push(table(timeframe));
        query.push(" AS `of_one` WHERE `of_one`.`symbol` = `asked`.`symbol` AND `timestamp` <= ");
        push_moment(&mut query, newest_open(timeframe, until));
        query.push(" ORDER BY `timestamp` DESC LIMIT 1) AS `opened` FROM (");
        for (index, symbol) in padded(chunk).enumerate() {
            query.push(if index == 0 { "SELECT " } else { " UNION ALL SELECT " });
            query.push_bind(symbol.as_str().to_owned()).push(if index == 0 { " AS `symbol`" } else { "" });
        }
        query.push(") AS `asked`");
        query
    };
    symbols.iter().collect::<Vec<_>>().chunks(STRETCHES).map(query).collect()
}

/// The queries for stretches that end at `until`.
fn stretches<'a>(
    timeframe: Timeframe,
    columns: &str,
    after: impl Iterator<Item = (&'a Symbol, Timestamp)>,
    until: Timestamp,
) -> Vec<QueryBuilder<MySql>> {
    let mut ordered: Vec<_> = after.filter(|(_, after)| *after < until).collect();
    ordered.sort_unstable();
    let query = |chunk: &[(&Symbol, Timestamp)]| {
        let mut query = QueryBuilder::new("SELECT `symbol`, ");
        query.push(columns).push(" FROM ").push(table(timeframe)).push(" WHERE FALSE");
        for (symbol, after) in padded(chunk) {
            query.push(" OR (`symbol` = ").push_bind(symbol.as_str().to_owned()).push(" AND `timestamp` > ");
            push_moment(&mut query, newest_open(timeframe, after));
            query.push(" AND `timestamp` <= ");
            push_moment(&mut query, newest_open(timeframe, until));
            query.push(")");
        }
        query
    };
    ordered.chunks(STRETCHES).map(query).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(index: usize) -> Symbol {
        format!("COIN{index}").parse().unwrap()
    }

    #[test]
    fn symbols_that_close_at_once_are_few_queries() {
        let (now, before) = (Timestamp::from_millis(1_800_000), Timestamp::from_millis(900_000));
        let known: Vec<_> = (0..1000).map(|index| (symbol(index), Some(before))).collect();
        assert_eq!(Plan::new(Timeframe::M15, &known, now, 250).queries("").count(), 2);
        let unknown: Vec<_> = (0..1000).map(|index| (symbol(index), None)).collect();
        assert_eq!(Plan::new(Timeframe::M15, &unknown, now, 250).queries("").count(), 10);
        assert_eq!(Plan::new(Timeframe::M15, &unknown, now, 10_000).queries("").count(), 250);
        assert_eq!(Plan::new(Timeframe::M15, &unknown, now, 0).queries("").count(), 0);
        assert_eq!(Plan::new(Timeframe::M15, &[], now, 10).queries("").count(), 0);
    }
}
