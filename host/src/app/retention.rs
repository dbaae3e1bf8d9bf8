//! What removes what is too old.

use std::sync::Arc;

use ta_bot_engine::retention::{
    pruner::{Pruner, Readers},
    runs::Runs,
    store::Prunable,
    unused::{CompiledModules, UnusedModules},
};

use super::App;

impl App {
    /// Removes what all replicas share. `readers` are the readers of signals that are expected to come again, if they
    /// are known.
    pub fn pruner(&self, readers: Option<Readers>) -> Pruner {
        let modules = UnusedModules {
            catalog: Arc::clone(&self.catalog),
            registry: Arc::clone(&self.registry),
            deployments: Arc::clone(&self.deployments),
            signals: Arc::clone(&self.retention),
        };
        let beside_signals: Arc<dyn Prunable> = Arc::clone(&self.retention) as _;
        Pruner {
            kept: vec![beside_signals, Arc::clone(&self.histories), Arc::new(modules)],
            signals: Some(Arc::clone(&self.retention)),
            readers,
            keep: self.environment.keep.clone(),
            metrics: Arc::clone(&self.analyst.metrics),
        }
    }

    /// Removes what lies on the disk of this process alone.
    pub fn disk_pruner(&self) -> Pruner {
        let compiled = CompiledModules {
            sandbox: self.sandbox.clone(),
            modules: Arc::clone(&self.modules),
            registry: Arc::clone(&self.registry),
        };
        Pruner {
            kept: vec![Arc::new(compiled), Arc::new(Runs::new(self.environment.backtests()))],
            signals: None,
            readers: None,
            keep: self.environment.keep.clone(),
            metrics: Arc::clone(&self.analyst.metrics),
        }
    }
}
