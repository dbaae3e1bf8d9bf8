//! Shadows: modules that look at a candle after it was decided, so that they can be compared with the module that
//! decided.
//!
//! No decision waits for a shadow or depends on one. Shadows see the same windows that the strategies saw. A series
//! that only shadows need is read after the decision.

use std::{fmt, sync::Arc};

use ta_bot_core::{DeploymentLog, EvaluationError, Job, ModuleDigest};

use super::{AnalysisError, Analyst, Turn, Windows};
use crate::{
    deployments::shadow_store::{Compared, Said},
    evaluation::{
        Outcome, SeriesKey, StrategyOutcome,
        comparison::{Comparison, brief},
    },
    modules::registry::Beside,
    settings::{config_store::StoredSettings, parameters::Edition},
    support::traces::Span,
};

/// A decided candle that shadows have to look at too.
#[derive(Clone)]
pub struct ToCompare {
    /// The decided job.
    pub job: Job,
    settings: Arc<StoredSettings>,
    parameters: Edition,
    log: Arc<DeploymentLog>,
    shadows: Vec<(Beside, Outcome)>,
    windows: Windows,
}

impl fmt::Debug for ToCompare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shadows = self.shadows.iter().map(|(shadow, _)| shadow.module.digest()).collect::<Vec<ModuleDigest>>();
        f.debug_struct("ToCompare").field("job", &self.job).field("shadows", &shadows).finish_non_exhaustive()
    }
}

/// Keeps the shadows of which either module runs on the job's timeframe.
pub(super) fn of_interest(mut shadows: Vec<Beside>, turns: &[Turn], job: &Job) -> Vec<Beside> {
    shadows.retain(|shadow| {
        let description = shadow.module.description();
        let decides = turns.iter().any(|turn| turn.module.description().id == description.id);
        decides || description.runs_on(job.timeframe)
    });
    shadows
}

impl ToCompare {
    /// Returns `None` if no shadow looks at the candle.
    pub(super) fn new(
        job: &Job,
        (settings, parameters, log): (&Arc<StoredSettings>, Edition, Arc<DeploymentLog>),
        beside: Vec<Beside>,
        outcomes: &[StrategyOutcome],
        windows: Windows,
    ) -> Option<Self> {
        let with_incumbent = |shadow: Beside| {
            let id = &shadow.module.description().id;
            let outcome = outcomes.iter().find(|outcome| outcome.strategy == *id);
            // The module that decides may not run on this timeframe.
            let outcome = outcome.map_or(Outcome::None, |outcome| outcome.outcome.clone());
            (shadow, outcome)
        };
        let shadows: Vec<_> = beside.into_iter().map(with_incumbent).collect();
        let job = job.clone();
        let settings = Arc::clone(settings);
        (!shadows.is_empty()).then_some(Self { job, settings, parameters, log, shadows, windows })
    }

    /// The number of shadows that look at the candle.
    pub const fn len(&self) -> usize {
        self.shadows.len()
    }

    /// Whether no shadow looks at the candle.
    pub const fn is_empty(&self) -> bool {
        self.shadows.is_empty()
    }
}

impl Analyst {
    /// Evaluates the shadows and compares the results. A shadow that the host has no room for is left out. All shadows
    /// are left out if parameters were changed since the candle was decided.
    ///
    /// Shadows run on a separate thread, one at a time, because the strategies' threads are reserved for decisions.
    pub async fn compare(self: &Arc<Self>, mut candle: ToCompare) -> Result<Vec<Compared>, AnalysisError> {
        let turn = |(shadow, _): &(Beside, Outcome)| Turn::of(&shadow.module, &candle.job, &candle.log);
        let wanted = candle.shadows.iter().flat_map(|shadow| turn(shadow).wanted(&candle.job));
        let is_short = |(series, count): &(SeriesKey, u32)| candle.windows.candles(series) < *count as usize;
        let short: Vec<_> = wanted.filter(is_short).collect();
        candle.windows.extend(self.read(&candle.job, short).await?);
        let analyst = Arc::clone(self);
        let compared = tokio::task::spawn_blocking(move || analyst.compare_here(&candle));
        compared.await.map_err(|_| AnalysisError::GivenUp)
    }

    fn compare_here(&self, candle: &ToCompare) -> Vec<Compared> {
        let ToCompare { job, settings, parameters, log, shadows, windows } = candle;
        let untraced = (&Span::default(), None);
        let compare = |(shadow, incumbent): &(Beside, Outcome)| {
            let turn = Turn::of(&shadow.module, job, log);
            let candidate = if shadow.module.description().runs_on(job.timeframe) {
                self.evaluate(&turn, job, windows, settings, &untraced, None).outcome
            } else {
                Outcome::None
            };
            if let Outcome::Error(error @ EvaluationError::NoRoom(_)) = &candidate {
                tracing::warn!(strategy.id = %shadow.module.description().id, %job, %error, "a shadow was not evaluated");
            }
            // With parameters other than the candle's, the results may differ although the modules behave the same.
            if !self.parameters.is_current(parameters) {
                return None;
            }
            let comparison = Comparison::of(incumbent, &candidate)?;
            let said = || Said { incumbent: brief(incumbent), candidate: brief(&candidate) };
            let said = (comparison != Comparison::Agree).then(said);
            self.metrics.shadows.compared(&shadow.module.description().id, comparison);
            Some(Compared { began: shadow.began, job: job.clone(), comparison, said })
        };
        let compared: Vec<Compared> = shadows.iter().filter_map(compare).collect();
        if compared.len() < shadows.len() {
            self.metrics.shadows.dropped();
        }
        compared
    }
}
