//! `ta-bot version`.

use std::fmt;

use serde::Serialize;
use ta_bot_wasm::WIT_VERSION;

use super::{error::CliError, output::Output};

#[derive(Serialize)]
struct About {
    name: &'static str,
    version: &'static str,
    /// The version of `ta-bot:strategy` that modules have to speak.
    wit_version: &'static str,
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} (modules: ta-bot:strategy@{})", self.name, self.version, self.wit_version)
    }
}

pub(super) fn version(output: Output) -> Result<(), CliError> {
    output.answer(&About { name: "ta-bot", version: env!("CARGO_PKG_VERSION"), wit_version: WIT_VERSION })
}
