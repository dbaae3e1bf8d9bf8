//! The strategies that are ready to run.
//!
//! Some come with the service ([`bundled`](super::bundled)), others are deployed. The log of deployments and the close
//! of the candle determine which module decides.
//!
//! Readers take a snapshot and keep it for as long as they look at one candle, so a change never falls in the middle
//! of an evaluation.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use arc_swap::ArcSwap;
use ta_bot_core::{DeploymentEntry, DeploymentLog, ModuleDigest, StrategyId, Timestamp};
use ta_bot_wasm::StrategyModule;

/// The strategies by id.
pub type Strategies = BTreeMap<StrategyId, Arc<StrategyModule>>;

/// How far loading has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Modules are being compiled.
    Loading,
    /// Every module of the folder is ready.
    Ready,
    /// Some modules are not ready, each for its own reason; the others run.
    Incomplete(Vec<String>),
}

/// The strategies that are ready to run, as a snapshot that can be replaced.
pub struct Registry {
    held: ArcSwap<Held>,
    progress: ArcSwap<Progress>,
}

/// What the registry holds at one moment.
#[derive(Clone, Default)]
struct Held {
    bundled: Arc<Strategies>,
    /// Modules that were deployed, by digest.
    installed: Arc<HashMap<ModuleDigest, Arc<StrategyModule>>>,
    log: Arc<DeploymentLog>,
    /// Each strategy's module according to the newest entry of the log.
    newest: Arc<Strategies>,
}

/// The modules that look at the candles of one close.
pub struct Deciding {
    /// The modules that decide, by strategy.
    pub modules: Vec<Arc<StrategyModule>>,
    /// The log that this follows from.
    pub log: Arc<DeploymentLog>,
    /// The modules that look beside some of those that decide.
    pub shadows: Vec<Beside>,
    /// Shadows that are not installed here and miss these candles.
    pub missing_shadows: Vec<ModuleDigest>,
}

/// A module that looks beside the one that decides.
#[derive(Clone)]
pub struct Beside {
    /// The revision of the log at which it began.
    pub began: i64,
    /// The module that looks.
    pub module: Arc<StrategyModule>,
}

impl Registry {
    /// Creates an empty registry.
    pub fn new() -> Self {
        Self { held: ArcSwap::default(), progress: ArcSwap::from_pointee(Progress::Loading) }
    }

    /// The strategies according to the newest deployments, including those that do not decide yet. A strategy whose
    /// module is not installed here is left out.
    pub fn strategies(&self) -> Arc<Strategies> {
        Arc::clone(&self.held.load().newest)
    }

    /// One strategy.
    pub fn get(&self, id: &StrategyId) -> Option<Arc<StrategyModule>> {
        self.held.load().newest.get(id).cloned()
    }

    /// The module with this digest, if it is held here.
    pub fn module(&self, digest: ModuleDigest) -> Option<Arc<StrategyModule>> {
        self.held.load().module(digest)
    }

    /// The module of a strategy that came with the service.
    pub fn bundled(&self, id: &StrategyId) -> Option<Arc<StrategyModule>> {
        self.held.load().bundled.get(id).cloned()
    }

    /// The modules that came with the service.
    pub fn bundled_digests(&self) -> Vec<ModuleDigest> {
        self.held.load().bundled.values().map(|module| module.digest()).collect()
    }

    /// The log of deployments, as far as it is known here.
    pub fn log(&self) -> Arc<DeploymentLog> {
        Arc::clone(&self.held.load().log)
    }

    /// Whether the newest deployment of a strategy names a module that is not installed here yet.
    pub fn awaits(&self, id: &StrategyId) -> bool {
        let held = self.held.load();
        deployed(held.log.newest(id)).is_some_and(|digest| held.module(digest).is_none())
    }

    /// The modules that look at candles that close at `candle_close`, or, as the error, the modules that have to be
    /// installed first. `enables` says which strategies the application's settings enable.
    pub fn deciding_on(
        &self,
        candle_close: Timestamp,
        enables: impl Fn(&StrategyId) -> bool,
    ) -> Result<Deciding, Vec<ModuleDigest>> {
        let held = self.held.load();
        let (mut modules, mut missing) = (Vec::new(), Vec::new());
        let (mut shadows, mut missing_shadows) = (Vec::new(), Vec::new());
        for id in held.ids() {
            let entry = held.log.at(id, candle_close);
            let is_enabled = entry.map_or_else(|| enables(id), |entry| entry.change.deployment.runs(enables(id)));
            if !is_enabled {
                continue;
            }
            match deployed(entry) {
                Some(digest) => match held.module(digest) {
                    Some(module) => modules.push(module),
                    None => missing.push(digest),
                },
                None => modules.extend(held.bundled.get(id).cloned()),
            }
            if let Some(shadowing) = held.log.shadow_at(id, candle_close) {
                match held.module(shadowing.shadow.module) {
                    Some(module) => shadows.push(Beside { began: shadowing.began.revision, module }),
                    None => missing_shadows.push(shadowing.shadow.module),
                }
            }
        }
        if missing.is_empty() {
            Ok(Deciding { log: Arc::clone(&held.log), modules, shadows, missing_shadows })
        } else {
            Err(missing)
        }
    }

    /// Adds a module that was deployed.
    pub fn install(&self, module: &Arc<StrategyModule>) {
        self.change(|held| {
            let mut installed = HashMap::clone(&held.installed);
            installed.insert(module.digest(), Arc::clone(module));
            held.installed = Arc::new(installed);
        });
    }

    /// Decides by this log from now on. Modules that it has not named for a while are dropped.
    pub fn follow(&self, log: &Arc<DeploymentLog>) {
        self.change(|held| {
            held.log = Arc::clone(log);
            let named = log.recent_modules();
            if held.installed.keys().any(|digest| !named.contains(digest)) {
                let kept = held.installed.iter().filter(|(digest, _)| named.contains(digest));
                held.installed = Arc::new(kept.map(|(digest, module)| (*digest, Arc::clone(module))).collect());
            }
        });
    }

    fn change(&self, change: impl Fn(&mut Held)) {
        self.held.rcu(|held| {
            let mut held = Held::clone(held);
            change(&mut held);
            held.newest = Arc::new(held.newest());
            held
        });
    }

    /// Replaces the modules that came with the service. `problems` names those that can't be used.
    pub fn set_bundled(&self, strategies: Strategies, problems: Vec<String>) {
        let strategies = Arc::new(strategies);
        self.change(|held| held.bundled = Arc::clone(&strategies));
        let progress = if problems.is_empty() { Progress::Ready } else { Progress::Incomplete(problems) };
        self.progress.store(Arc::new(progress));
    }

    /// How far loading has come.
    pub fn progress(&self) -> Arc<Progress> {
        self.progress.load_full()
    }
}

impl Held {
    /// Every strategy that is bundled or was ever deployed.
    fn ids(&self) -> BTreeSet<&StrategyId> {
        self.bundled.keys().chain(self.log.strategies()).collect()
    }

    fn module(&self, digest: ModuleDigest) -> Option<Arc<StrategyModule>> {
        let bundled = || self.bundled.values().find(|module| module.digest() == digest);
        self.installed.get(&digest).or_else(bundled).cloned()
    }

    fn newest(&self) -> Strategies {
        let module = |id: &StrategyId| match deployed(self.log.newest(id)) {
            Some(digest) => self.module(digest),
            None => self.bundled.get(id).cloned(),
        };
        self.ids().into_iter().filter_map(|id| Some((id.clone(), module(id)?))).collect()
    }
}

/// The module that an entry deploys; `None` for the bundled one.
fn deployed(entry: Option<&DeploymentEntry>) -> Option<ModuleDigest> {
    entry?.change.deployment.module
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
