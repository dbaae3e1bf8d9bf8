//! `ta-bot modules`: what a module is, and who vouches for it. Whether it is fit to run is [`check`](super::check)'s.

use std::{fmt, path::Path};

use serde::Serialize;
use ta_bot_wasm::{Inspection, Part};

use super::{
    Session, check,
    error::{CliError, shown},
    output::{one_line, table},
};

pub(super) mod keys;

/// Says what the bytes of a module tell.
pub(super) fn inspect(session: &Session, path: &Path) -> Result<(), CliError> {
    let bytes = check::read(path)?;
    let inspection = ta_bot_wasm::inspect(&bytes).map_err(|error| check::unfit_bytes(path, error))?;
    session.output.answer(&Inspected { file: shown(path), inspection })
}

#[derive(Serialize)]
struct Inspected {
    file: String,
    #[serde(flatten)]
    inspection: Inspection,
}

impl fmt::Display for Inspected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inspection { digest, size_bytes, wit_version, imports, exports, parts } = &self.inspection;
        let names =
            |names: &[String]| if names.is_empty() { "nothing".to_owned() } else { one_line(&names.join(", ")) };
        writeln!(f, "  file        {}, {size_bytes} bytes", self.file)?;
        writeln!(f, "  digest      {digest}")?;
        writeln!(f, "  speaks      ta-bot:strategy@{wit_version}")?;
        writeln!(f, "  imports     {}", names(imports))?;
        writeln!(f, "  exports     {}\n", names(exports))?;
        let row = |part: Part| [part.words().to_owned(), parts.get(part).to_string(), part.most().to_string()];
        writeln!(f, "{}\n", table(&["part", "here", "at most"], &[1, 2], Part::ALL.map(row)))?;
        write!(f, "The service would compile it. Whether it is fit to run: ta-bot modules check {}", self.file)
    }
}
