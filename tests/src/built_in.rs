//! The built-in strategies, as built by `make strategies`.

use std::fs;

use ta_bot_core::{CandleSlice, Job, Parameters};
use ta_bot_wasm::{Evaluation, EvaluationInput, Limits, Sandbox, StrategyModule};

use crate::{root, strategies_dir};

/// The bytes of a built-in strategy's component.
pub fn bytes(id: &str) -> anyhow::Result<Vec<u8>> {
    let path = strategies_dir().join(format!("{id}.wasm"));
    fs::read(&path).map_err(|error| anyhow::anyhow!("{}: {error}; run make strategies first", path.display()))
}

/// Instructions that replace a number constant in a component's code. They take as many bytes as the constant.
#[derive(Debug, Clone, Copy)]
pub enum Instead {
    /// Another number.
    Number(f64),
    /// The code traps there.
    Trap,
    /// The code loops there forever.
    Hang,
}

impl Instead {
    const fn bytes(self) -> [u8; 9] {
        const NOP: u8 = 0x01;
        match self {
            Self::Number(number) => constant(number),
            Self::Trap => [0x00, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP],
            // loop (result f64) br 0 end
            Self::Hang => [0x03, 0x7c, 0x0c, 0x00, 0x0b, NOP, NOP, NOP, NOP],
        }
    }
}

/// The instruction `f64.const` with a number.
const fn constant(number: f64) -> [u8; 9] {
    let [a, b, c, d, e, f, g, h] = number.to_le_bytes();
    [0x44, a, b, c, d, e, f, g, h]
}

/// Replaces every constant `number` in a component's code, which makes a changed version of the strategy.
pub fn changed(component: &[u8], number: f64, instead: Instead) -> anyhow::Result<Vec<u8>> {
    let number_s = constant(number);
    let mut changed = component.to_vec();
    let mut places = 0;
    for place in 0..changed.len().saturating_sub(number_s.len()) {
        if changed[place..].starts_with(&number_s) {
            changed[place..place + number_s.len()].copy_from_slice(&instead.bytes());
            places += 1;
        }
    }
    anyhow::ensure!(places > 0, "the component's code has no {number}");
    Ok(changed)
}

/// The same component with different bytes: it gets an additional section that has no meaning.
pub fn relabelled(component: &[u8], label: u8) -> Vec<u8> {
    const CUSTOM_SECTION: u8 = 0;
    // The section's length, then a name of one letter.
    [component, &[CUSTOM_SECTION, 3, 1, b'x', label]].concat()
}

/// The ids of all built-in strategies: the folders of `strategies/`, in order.
pub fn ids() -> anyhow::Result<Vec<String>> {
    let folders = fs::read_dir(root().join("strategies"))?;
    let mut ids: Vec<String> =
        folders.map(|folder| Ok(folder?.file_name().to_string_lossy().into_owned())).collect::<anyhow::Result<_>>()?;
    ids.sort();
    Ok(ids)
}

/// All built-in strategies, loaded into one sandbox, in the order of their ids.
pub fn modules() -> anyhow::Result<Vec<StrategyModule>> {
    let sandbox = Sandbox::new(Limits::default(), Some(root().join("target/compiled-for-tests")))?;
    ids()?.iter().map(|id| Ok(StrategyModule::load(&sandbox, &bytes(id)?)?)).collect()
}

/// Evaluates once, with the base window for each extra input as well.
pub fn evaluate(module: &StrategyModule, job: &Job, base: CandleSlice<'_>, parameters: &Parameters) -> Evaluation {
    let extra = vec![base; module.description().extra.len()];
    module.evaluate(EvaluationInput { job, base, extra: &extra, parameters })
}
