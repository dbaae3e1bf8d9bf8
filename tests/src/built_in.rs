//! The built-in strategies, as `make strategies` made them.

use std::fs;

use ta_bot_core::{CandleSlice, Job, Parameters};
use ta_bot_wasm::{Evaluation, EvaluationInput, Limits, Sandbox, StrategyModule};

use crate::{root, strategies_dir};

/// The bytes of a built-in strategy's component.
pub fn bytes(id: &str) -> anyhow::Result<Vec<u8>> {
    let path = strategies_dir().join(format!("{id}.wasm"));
    fs::read(&path).map_err(|error| anyhow::anyhow!("{}: {error}; run make strategies first", path.display()))
}

/// The ids of all of them: the folders of `strategies/`, in order.
pub fn ids() -> anyhow::Result<Vec<String>> {
    let folders = fs::read_dir(root().join("strategies"))?;
    let mut ids: Vec<String> =
        folders.map(|folder| Ok(folder?.file_name().to_string_lossy().into_owned())).collect::<anyhow::Result<_>>()?;
    ids.sort();
    Ok(ids)
}

/// All of them, loaded into one sandbox, in the order of their ids.
pub fn modules() -> anyhow::Result<Vec<StrategyModule>> {
    let sandbox = Sandbox::new(Limits::default(), Some(root().join("target/compiled-for-tests")))?;
    ids()?.iter().map(|id| Ok(StrategyModule::load(&sandbox, &bytes(id)?)?)).collect()
}

/// One evaluation, with the same window for each extra input as for the base.
pub fn evaluate(module: &StrategyModule, job: &Job, base: CandleSlice<'_>, parameters: &Parameters) -> Evaluation {
    let extra = vec![base; module.description().extra.len()];
    module.evaluate(EvaluationInput { job, base, extra: &extra, parameters })
}
