//! Runs the bundle of a failure again, from a file and a module and nothing else.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::Path,
};

use serde::Serialize;
use ta_bot_api::views::failure::rerun::RerunView;
use ta_bot_core::ModuleDigest;
use ta_bot_drivers::sqlite::FILE_NAME;
use ta_bot_engine::{
    modules::bundled::{read_file, wasm_files},
    signals::replay::{Verdict, rerun::Rerun},
    supervision::failure::{Failure, document::LARGEST_DOCUMENT},
};
use ta_bot_wasm::Children;

use crate::cli::{
    Session,
    error::CliError,
    module_file::read,
    output::{one_line, or_dash, plain},
};

/// The path that stands for stdin.
const STDIN: &str = "-";

/// Runs the bundle in a file again, with the module in another file or with the one that is found here.
pub(super) async fn run(session: Session, path: &Path, module: Option<&Path>) -> Result<Verdict, CliError> {
    let bytes = read_bundle(path).map_err(|reason| CliError::BundleFile { path: path.to_owned(), reason })?;
    let failure = Failure::read(&bytes).map_err(|problem| CliError::Bundle { path: path.to_owned(), problem })?;
    let module = match module {
        Some(file) => Some(given(file, failure.module)?),
        None => find(&session, failure.module).await?,
    };
    let output = session.output;
    // Compiling some modules takes seconds.
    let rerun =
        tokio::task::spawn_blocking(move || Rerun::new(failure, module.as_deref(), Children::of_this_program())).await;
    let rerun = rerun.map_err(|error| CliError::Start(format!("the evaluation was given up: {error}")))??;
    output.answer(&RerunReport(RerunView::new(&rerun)))?;
    Ok(rerun.verdict())
}

/// Reads at most as many bytes as a bundle may have, plus one that shows that there are more.
fn read_bundle(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut read = |from: &mut dyn Read| from.take(LARGEST_DOCUMENT as u64 + 1).read_to_end(&mut bytes);
    if path == Path::new(STDIN) {
        read(&mut io::stdin().lock())?
    } else {
        read(&mut File::open(path)?)?
    };
    Ok(bytes)
}

/// The module in a file, if it is the one that failed.
fn given(file: &Path, wanted: ModuleDigest) -> Result<Vec<u8>, CliError> {
    let bytes = read(file)?;
    let found = ModuleDigest::of(&bytes);
    if found == wanted { Ok(bytes) } else { Err(CliError::OtherModule { path: file.to_owned(), found, wanted }) }
}

/// The module with this digest: from the folder of strategies, or else from the store, if there is one.
async fn find(session: &Session, wanted: ModuleDigest) -> Result<Option<Vec<u8>>, CliError> {
    // A folder or file that can't be read counts as not holding it.
    let files = wasm_files(&session.environment.strategies_dir).unwrap_or_default();
    let found = files.iter().filter_map(|file| read_file(file).ok()).find(|bytes| ModuleDigest::of(bytes) == wanted);
    let is_served_here = session.environment.data_dir.join(FILE_NAME).exists();
    if found.is_some() || !is_served_here {
        return Ok(found);
    }
    Ok(session.open().await?.catalog.bytes(wanted).await?)
}

#[derive(Serialize)]
#[serde(transparent)]
struct RerunReport(RerunView);

impl fmt::Display for RerunReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let view = &self.0;
        let text = |value: &Option<String>| or_dash(value.as_deref(), one_line);
        writeln!(f, "{}\n", view.failure_id)?;
        writeln!(f, "  strategy    {} on {} {}", view.strategy, view.symbol, view.timeframe)?;
        writeln!(f, "  candle      closed {}", view.candle_close)?;
        writeln!(f, "  module      {}", view.module_digest)?;
        writeln!(
            f,
            "  failed      {} by ta-bot {}, run again by {}",
            view.at,
            one_line(&view.host_version),
            view.replayed_by
        )?;
        writeln!(f, "  limits      {} ms, {} bytes of memory", view.timeout_ms, view.memory_bytes)?;
        for window in &view.windows {
            let (symbol, timeframe) = (text(&window.symbol), text(&window.timeframe));
            let (first, last) = (text(&window.first_open), text(&window.last_open));
            writeln!(f, "  window      {symbol} {timeframe}, {} candles, {first} to {last}", window.candles)?;
        }
        writeln!(f, "  then        {}: {}", one_line(&view.recorded.code), one_line(&view.recorded.message))?;
        if let Some(outcome) = &view.outcome {
            writeln!(f, "  now         {}", one_line(&outcome.in_words()))?;
            for (level, message) in outcome.log() {
                writeln!(f, "  log         {level}: {}", plain(message))?;
            }
        }
        match &view.cause {
            Some(cause) => write!(f, "\nIMPOSSIBLE ({}): {}", cause.code, one_line(&cause.message)),
            None if view.verdict == Verdict::Equal.as_str() => write!(f, "\nEQUAL: it fails in the same way."),
            None => write!(f, "\nDIFFERENT: the same module, parameters and candles do not fail in this way here."),
        }
    }
}
