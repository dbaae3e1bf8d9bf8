//! Candles that an operator changes by hand: what a change would do, which decisions rested on the old candles, and
//! what strategies decide on the new ones.
//!
//! A change is made by the store in one transaction. It decides nothing again and publishes nothing: finished jobs stay
//! finished, and the replay of a signal that was made of other candles says so. What would be decided now can be stored
//! beside that.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ta_bot_core::{Candle, Job, StrategyId, Symbol, Timeframe, Timestamp};
use thiserror::Error;

use crate::{
    evaluation::SeriesKey,
    market::{
        candle_store::{Repair, RepairChange, RepairEntry, RepairKind, Repaired},
        candles::Candles,
    },
    pipeline::analysis::{AnalysisError, Analyst},
    settings::config_store::Author,
    signals::{
        outbox::{Outbox, SignalFilter, StoredSignal},
        redecision_store::{Redecision, RedecisionFilter, RedecisionStore},
    },
    support::store_error::StoreError,
};

mod comparison;
mod decide;
mod reach;
#[cfg(test)]
mod tests;

use comparison::Comparison;
use reach::{Reach, Stretches};

/// How many changed candles a preview names.
pub const MOST_NAMED: usize = 20;
/// How many jobs one question about finished ones names.
const JOBS_AT_ONCE: usize = 10_000;
/// How many signals are read at once.
const SIGNALS_AT_ONCE: u32 = 1_000;

/// Mends candles.
pub struct Mender {
    /// Without a cache, which may remember candles that are gone.
    candles: Arc<Candles>,
    outbox: Arc<dyn Outbox>,
    /// Reads without a cache, too, and counts nothing as work of the service.
    analyst: Arc<Analyst>,
    redecisions: Arc<dyn RedecisionStore>,
}

/// What a change would do.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// Whose candles.
    pub symbol: Symbol,
    /// Of which timeframe.
    pub timeframe: Timeframe,
    /// What would be done.
    pub kind: RepairKind,
    /// How many candles have no row yet.
    pub added: u64,
    /// How many have other numbers, or only rows that are no candle.
    pub changed: u64,
    /// How many would be deleted.
    pub removed: u64,
    /// How many are there with the same numbers.
    pub same: u64,
    /// How many stored candles lie between the first and the last candle of a replacement and are not in it. They stay.
    pub kept: u64,
    /// The first candles that would change.
    pub changes: Vec<CandleChange>,
    /// The finished jobs that rested on candles that would change.
    pub jobs: Vec<Job>,
    /// The stored signals of those jobs that rested on them, oldest candle first.
    pub signals: Vec<StoredSignal>,
    /// The service that owns the rows, if it is another one.
    pub owner: Option<&'static str>,
}

/// A candle that would change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CandleChange {
    /// When it opened.
    pub open_time: Timestamp,
    /// What strategies see now; `None` if there is no usable row.
    pub old: Option<Candle>,
    /// What they would see.
    pub new: Option<Candle>,
}

/// What new decisions came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Redecided {
    /// How many jobs were decided.
    pub jobs: u64,
    /// How many signals that gave.
    pub signals: u64,
    /// How many of the old signals are not given any more.
    pub gone: u64,
    /// How many jobs could not be decided, because their candle has no usable row now.
    pub without_candle: u64,
}

/// Why candles were not changed.
#[derive(Debug, Error)]
pub enum RepairError {
    /// The rows are another service's.
    #[error(
        "the candles of this store are written by {0}: a change there is seen by everybody who reads those tables, it \
         may be undone by that service (which fills holes, and writes candles again), and it is no substitute for a \
         repair at the source. If that is meant, say so (--in-foreign-tables, in_foreign_tables)"
    )]
    Foreign(&'static str),
    /// A candle is none.
    #[error("the candle that opened {open}: {problem}")]
    Unsound {
        /// Which one.
        open: Timestamp,
        /// What is wrong with it.
        problem: String,
    },
    /// There is no repair with this number.
    #[error("there is no repair {0}: `ta-bot candles repairs` and GET /api/v1/candles/repairs list them")]
    UnknownRepair(i64),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A candle could not be decided.
    #[error(transparent)]
    Analysis(#[from] AnalysisError),
}

impl Mender {
    /// A mender of the candles of a store. `analyst` must read them without a cache.
    pub fn new(
        candles: Arc<Candles>,
        outbox: Arc<dyn Outbox>,
        analyst: Arc<Analyst>,
        redecisions: Arc<dyn RedecisionStore>,
    ) -> Self {
        Self { candles, outbox, analyst, redecisions }
    }

    /// Finds out what a change would do. Changes nothing.
    pub async fn preview(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
        change: &RepairChange,
    ) -> Result<Preview, RepairError> {
        if let RepairChange::Replace(candles) = change {
            check(timeframe, candles)?;
        }
        self.install().await;
        let comparison = Comparison::read(&self.candles, symbol, timeframe, change).await?;
        let (jobs, signals) = self.resting(symbol, timeframe, &comparison).await?;
        Ok(Preview {
            symbol: symbol.clone(),
            timeframe,
            kind: change.kind(),
            added: comparison.added,
            changed: comparison.changed,
            removed: comparison.removed,
            same: comparison.same,
            kept: comparison.kept,
            changes: comparison.changes.iter().take(MOST_NAMED).copied().collect(),
            jobs,
            signals,
            owner: self.candles.owner(),
        })
    }

    /// Makes a change. `in_foreign_tables` says that the caller knows of the service that owns the rows.
    pub async fn apply(
        &self,
        (symbol, timeframe): (&Symbol, Timeframe),
        change: RepairChange,
        author: Author,
        in_foreign_tables: bool,
    ) -> Result<Repaired, RepairError> {
        if let Some(owner) = self.candles.owner().filter(|_| !in_foreign_tables) {
            return Err(RepairError::Foreign(owner));
        }
        if let RepairChange::Replace(candles) = &change {
            check(timeframe, candles)?;
        }
        let repair = Repair { symbol: symbol.clone(), timeframe, change, author };
        let repaired = self.candles.repair(&repair).await?;
        let Repaired { number, added, changed, removed, .. } = repaired;
        let by = &repair.author.changed_by;
        tracing::info!(number, %symbol, %timeframe, added, changed, removed, by, "candles were changed by hand");
        Ok(repaired)
    }

    /// Decides jobs on the candles as they are now, and stores the decisions beside what was decided before.
    /// `progress` is called with the number of jobs that are done. Publishes nothing.
    pub async fn redecide(
        &self,
        number: i64,
        preview: &Preview,
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<Redecided, RepairError> {
        decide::all(self, number, preview, progress).await
    }

    /// The jobs and signals that may have rested on what a repair has changed, to decide them again. Of a repair only
    /// the first and the last changed candle are known, so there may be some more than its preview named.
    pub async fn rested_on(&self, number: i64) -> Result<Preview, RepairError> {
        let entry = self.candles.repair_numbered(number).await?.ok_or(RepairError::UnknownRepair(number))?;
        self.install().await;
        let comparison = Comparison::of_entry(&self.candles, &entry).await?;
        let (jobs, signals) = self.resting(&entry.symbol, entry.timeframe, &comparison).await?;
        Ok(Preview {
            added: entry.added,
            changed: entry.changed,
            removed: entry.removed,
            same: 0,
            kept: 0,
            kind: entry.kind,
            symbol: entry.symbol,
            timeframe: entry.timeframe,
            changes: Vec::new(),
            jobs,
            signals,
            owner: self.candles.owner(),
        })
    }

    /// The finished jobs that rested on candles that change, and the signals of those jobs that did.
    async fn resting(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
        comparison: &Comparison,
    ) -> Result<(Vec<Job>, Vec<StoredSignal>), RepairError> {
        let reaches = self.reaches(symbol, timeframe, comparison).await?;
        let jobs = self.finished(&reaches).await?;
        let signals = self.signals(&reaches, &jobs).await?;
        Ok((jobs.into_iter().collect(), signals))
    }

    /// The newest repairs, newest first.
    pub async fn repairs(&self, limit: u32) -> Result<Vec<RepairEntry>, RepairError> {
        Ok(self.candles.newest_repairs(limit).await?)
    }

    /// What was decided on the candles after a repair, oldest candle first.
    pub async fn redecisions(&self, filter: &RedecisionFilter) -> Result<Vec<Redecision>, RepairError> {
        if self.candles.repair_numbered(filter.repair).await?.is_none() {
            return Err(RepairError::UnknownRepair(filter.repair));
        }
        Ok(self.redecisions.list(filter).await?)
    }

    /// Loads the deployed modules, whose descriptions say how far they look. A repair does not wait for one that can't
    /// be loaded: its signals count as those of a strategy that is not known.
    async fn install(&self) {
        while let Err(missing) = self.analyst.registry.deciding_on(Timestamp::now(), |_| true) {
            for digest in missing {
                if let Err(error) = self.analyst.rollout.install(digest).await {
                    tracing::warn!(%digest, %error, "a module can't be loaded; how far it looks is not known");
                    return;
                }
            }
        }
    }

    /// Where each strategy's decisions rested on candles that change: of their own series, and of the longer ones that
    /// are made of them.
    async fn reaches(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
        comparison: &Comparison,
    ) -> Result<Vec<Reach>, RepairError> {
        let strategies = self.analyst.registry.strategies();
        let symbols = self.analyst.settings.current().settings.symbols.clone();
        let longest = longest(&strategies);
        let own: SeriesKey = (symbol.clone(), timeframe);
        let mut changes = vec![(comparison.stretches(&self.candles, &own, longest).await?, own)];
        for longer in Timeframe::ALL.into_iter().filter(|longer| self.candles.source_of(*longer) == Some(timeframe)) {
            let series: SeriesKey = (symbol.clone(), longer);
            changes.push((comparison.made_of_it(&self.candles, &series, longest).await?, series));
        }
        let mut reaches = Vec::new();
        for (changed, series) in &changes {
            for module in strategies.values() {
                reaches.extend(reach::of(module.description(), series, changed, &symbols));
            }
        }
        Ok(reaches)
    }

    /// The finished jobs within reach.
    async fn finished(&self, reaches: &[Reach]) -> Result<BTreeSet<Job>, StoreError> {
        let now = Timestamp::now();
        let mut jobs = BTreeSet::new();
        for (timeframe, of_symbol) in together(reaches) {
            let asked: Vec<(Symbol, Timestamp)> = of_symbol
                .iter()
                .flat_map(|(symbol, stretches)| {
                    stretches.closes(timeframe, now).map(move |close| ((*symbol).clone(), close))
                })
                .collect();
            for some in asked.chunks(JOBS_AT_ONCE) {
                let found = self.outbox.finished(timeframe, some).await?;
                jobs.extend(found.into_iter().map(|(symbol, candle_close)| Job { symbol, timeframe, candle_close }));
            }
        }
        Ok(jobs)
    }

    /// The signals of these jobs whose own strategy read candles that change. Of a strategy that is not known here,
    /// nobody can know how far it looked; its signals count if any strategy's do.
    async fn signals(&self, reaches: &[Reach], jobs: &BTreeSet<Job>) -> Result<Vec<StoredSignal>, StoreError> {
        let mut series: BTreeMap<SeriesKey, (Timestamp, Timestamp)> = BTreeMap::new();
        for Job { symbol, timeframe, candle_close: close } in jobs {
            let closes = series.entry((symbol.clone(), *timeframe)).or_insert((*close, *close));
            *closes = (closes.0.min(*close), closes.1.max(*close));
        }
        let known: BTreeSet<&StrategyId> = reaches.iter().map(|reach| &reach.strategy).collect();
        let strategies = self.analyst.registry.strategies();
        let mut signals = Vec::new();
        for ((symbol, timeframe), (first, last)) in series {
            let mut filter = SignalFilter {
                symbol: Some(symbol),
                timeframe: Some(timeframe),
                since: Some(first),
                until: Some(last.plus_millis(1)),
                limit: SIGNALS_AT_ONCE,
                ..Default::default()
            };
            loop {
                let page = self.outbox.signals(&filter).await?;
                filter.before = page.last().map(|signal| signal.sequence);
                let is_last = page.len() < SIGNALS_AT_ONCE as usize;
                signals.extend(page.into_iter().filter(|signal| {
                    let is_unknown = !known.contains(&signal.strategy) && !strategies.contains_key(&signal.strategy);
                    jobs.contains(&signal.job())
                        && (is_unknown || reaches.iter().any(|reach| reach.holds(&signal.strategy, &signal.job())))
                }));
                if is_last {
                    break;
                }
            }
        }
        signals.sort_by_key(|signal| (signal.candle_close, signal.sequence));
        Ok(signals)
    }
}

/// Checks candles that are to be stored, which are ordered by open time.
fn check(timeframe: Timeframe, candles: &[Candle]) -> Result<(), RepairError> {
    let now = Timestamp::now();
    for candle in candles {
        let open = candle.open_time;
        let unsound = |problem| RepairError::Unsound { open, problem };
        candle.check(timeframe).map_err(|problem| unsound(problem.to_string()))?;
        if timeframe.close_of(open) > now {
            return Err(unsound("it is still open: give candles that have closed".to_owned()));
        }
    }
    match candles.windows(2).find(|pair| pair[0].open_time >= pair[1].open_time) {
        Some(pair) => Err(RepairError::Unsound {
            open: pair[1].open_time,
            problem: "it does not come after the one before it: order the candles by time, each once".to_owned(),
        }),
        None => Ok(()),
    }
}

/// How many candles of a series any strategy reads at most.
fn longest(strategies: &crate::modules::registry::Strategies) -> usize {
    let of_one = strategies.values().flat_map(|module| {
        let description = module.description();
        description.extra.iter().map(|input| input.lookback).chain([description.lookback])
    });
    of_one.max().unwrap_or(0) as usize
}

/// The stretches of all strategies, by timeframe and symbol.
fn together(reaches: &[Reach]) -> BTreeMap<Timeframe, BTreeMap<&Symbol, Stretches>> {
    let mut all: BTreeMap<Timeframe, BTreeMap<&Symbol, Stretches>> = BTreeMap::new();
    for reach in reaches {
        for symbol in &reach.symbols {
            all.entry(reach.timeframe).or_default().entry(symbol).or_default().add(&reach.stretches);
        }
    }
    all
}
