//! `ta-bot replay`: makes a stored signal again from the local store, or runs the bundle of a failure again.

use std::{fmt, path::Path, process::ExitCode};

use serde::Serialize;
use ta_bot_api::views::replay::{DifferenceView, ReplayView};
use ta_bot_core::SignalId;
use ta_bot_engine::signals::replay::Verdict;

use super::{
    Session,
    error::CliError,
    output::{one_line, or_dash, table},
};

mod bundle;

/// Exit code if the same inputs gave something else.
const DIFFERENT: u8 = 3;
/// Exit code if an input no longer exists.
const IMPOSSIBLE: u8 = 4;

/// Replays a signal that is named by its id, or else a bundle that is named by its file. Returns the exit code of the
/// verdict.
pub(super) async fn replay(session: Session, what: &Path, module: Option<&Path>) -> Result<ExitCode, CliError> {
    let id = what.to_str().and_then(|text| text.parse::<SignalId>().ok());
    let verdict = match (id, module) {
        (Some(id), None) => signal(session, &id).await?,
        (Some(_), Some(_)) => {
            let told = "--module is for the bundle of a failure: a signal is replayed by the module that the store has";
            return Err(CliError::Usage(told.to_owned()));
        }
        (None, module) => bundle::run(session, what, module).await?,
    };
    Ok(match verdict {
        Verdict::Equal => ExitCode::SUCCESS,
        Verdict::Different => ExitCode::from(DIFFERENT),
        Verdict::Impossible => ExitCode::from(IMPOSSIBLE),
    })
}

async fn signal(session: Session, id: &SignalId) -> Result<Verdict, CliError> {
    let app = session.open().await?;
    let Some(replay) = app.replayer.replay(id).await? else {
        return Err(CliError::UnknownSignal(id.clone()).or_no_longer_kept(&*app.retention).await);
    };
    session.output.answer(&ReplayReport(ReplayView::new(&replay)))?;
    Ok(replay.verdict())
}

#[derive(Serialize)]
#[serde(transparent)]
struct ReplayReport(ReplayView);

impl fmt::Display for ReplayReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let view = &self.0;
        let text = |value: &Option<String>| or_dash(value.as_deref(), one_line);
        writeln!(f, "{}\n", view.signal_id)?;
        writeln!(f, "  strategy    {} on {} {}", view.strategy, view.symbol, view.timeframe)?;
        writeln!(f, "  candle      closed {}", text(&view.candle_close))?;
        writeln!(f, "  module      {}", text(&view.module_digest))?;
        writeln!(f, "  made by     ta-bot {}, replayed by {}", text(&view.host_version), view.replayed_by)?;
        for window in &view.windows {
            let (symbol, timeframe) = (text(&window.symbol), text(&window.timeframe));
            let (first, last) = (text(&window.first_open), text(&window.last_open));
            let since = match window.stored_since {
                0 => String::new(),
                count => format!(" ({count} were stored since and are left out)"),
            };
            writeln!(f, "  window      {symbol} {timeframe}, {} candles, {first} to {last}{since}", window.candles)?;
        }
        if !view.differences.is_empty() {
            let shown =
                |value: &Option<serde_json::Value>| or_dash(value.as_ref(), |value| one_line(&value.to_string()));
            let row = |one: &DifferenceView| [one_line(&one.field), shown(&one.stored), shown(&one.replayed)];
            writeln!(f, "\n{}", table(&["field", "stored", "replayed"], &[], view.differences.iter().map(row)))?;
        }
        if view.more_differences > 0 {
            writeln!(f, "and {} fields more", view.more_differences)?;
        }
        match &view.cause {
            Some(cause) => write!(f, "\nIMPOSSIBLE ({}): {}", cause.code, one_line(&cause.message)),
            None if view.differences.is_empty() => write!(f, "\nEQUAL: it was made again byte for byte."),
            None => {
                write!(f, "\nDIFFERENT: the same module, parameters and candles give something else than is stored.")
            }
        }
    }
}
