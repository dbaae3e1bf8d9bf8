//! Decides jobs again on the candles as they are now, beside what was decided before.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, stream};
use ta_bot_core::{Job, SignalId, StrategyId, Timestamp};

use super::{Mender, Preview, Redecided, RepairError};
use crate::{
    evaluation::{Outcome, StrategyOutcome},
    pipeline::analysis::Analysis,
    signals::redecision_store::Redecision,
};

/// How many jobs are decided side by side.
const AT_ONCE: usize = 4;
/// How many jobs are stored by one transaction.
const STORED_AT_ONCE: usize = 64;

/// The strategies that gave a signal on a job's candle.
type Given<'a> = BTreeMap<Job, BTreeSet<&'a StrategyId>>;

/// Decides the jobs of a preview again.
pub(super) async fn all(
    mender: &Mender,
    number: i64,
    preview: &Preview,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<Redecided, RepairError> {
    let mut given = Given::new();
    for signal in &preview.signals {
        given.entry(signal.job()).or_default().insert(&signal.strategy);
    }
    let mut done = Redecided::default();
    for jobs in preview.jobs.chunks(STORED_AT_ONCE) {
        let analyses: Vec<_> = jobs.iter().map(|job| mender.analyst.analyse(job)).collect();
        let analysed: Vec<_> = stream::iter(analyses).buffered(AT_ONCE).collect().await;
        let mut decided = Vec::new();
        for (job, analysis) in jobs.iter().zip(analysed) {
            match analysis {
                Ok(analysis) => decided.extend(of_analysis(number, &analysis, given.get(job))),
                Err(error) if error.is_without_candle() => {
                    done.without_candle += 1;
                    done.gone += given.get(job).map_or(0, |strategies| strategies.len() as u64);
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
            done.jobs += 1;
        }
        done.signals += decided.iter().filter(|decision| decision.signal.is_some()).count() as u64;
        done.gone += decided.iter().filter(|decision| decision.signal.is_none()).count() as u64;
        mender.redecisions.add(&decided).await?;
        progress(done.jobs + done.without_candle);
    }
    tracing::info!(repair = number, jobs = done.jobs, signals = done.signals, gone = done.gone, "decided again");
    Ok(done)
}

/// What is worth storing of an analysis: signals, and what became of strategies that gave one before.
fn of_analysis<'a>(
    repair: i64,
    analysis: &'a Analysis,
    before: Option<&'a BTreeSet<&StrategyId>>,
) -> impl Iterator<Item = Redecision> + 'a {
    let gave_one = move |strategy: &StrategyId| before.is_some_and(|strategies| strategies.contains(strategy));
    let is_kept =
        move |outcome: &&StrategyOutcome| matches!(outcome.outcome, Outcome::Signal(_)) || gave_one(&outcome.strategy);
    let decided_at = Timestamp::now();
    analysis.outcomes.iter().filter(is_kept).map(move |outcome| Redecision {
        repair,
        job: analysis.job.clone(),
        strategy: outcome.strategy.clone(),
        module: outcome.digest,
        outcome: outcome.outcome.kind().to_owned(),
        signal: signal_of(&outcome.outcome),
        decided_at,
    })
}

/// The id and the message of a signal.
fn signal_of(outcome: &Outcome) -> Option<(SignalId, String)> {
    let Outcome::Signal(signal) = outcome else { return None };
    Some((signal.id.clone(), signal.message.to_string()))
}
