//! `ta-bot signals export`: stored signals as CSV or as JSON lines.

use std::{
    fmt, fs,
    io::{self, BufWriter, Write},
    path::PathBuf,
};

use serde::Serialize;
use serde_json::Value;
use ta_bot_api::views::signal::SignalView;
use ta_bot_engine::{
    signals::{
        cursor::Cursor,
        outbox::{Outbox, SignalFilter, StoredSignal},
    },
    support::store_error::StoreError,
};

use super::json;
use crate::cli::{
    Session,
    args::SignalFormat,
    error::{CliError, shown},
    new_file,
    output::note,
};

/// How many signals are read at once.
const AT_ONCE: u32 = 500;
/// The columns of a CSV. None of their values holds a comma, a quote or a line break.
const HEADER: &str = "number,signal_id,strategy,symbol,timeframe,candle_close,action,confidence,strength,price,stop_loss,\
                      take_profit,state,created_at,published_at,module_digest,parameter_version,parameter_hash";

/// Why signals were not written.
enum Failed {
    Store(StoreError),
    Write(io::Error),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

/// Writes signals, to a new file or to stdout.
pub(super) async fn export(
    session: &Session,
    filter: &SignalFilter,
    format: SignalFormat,
    output: Option<PathBuf>,
) -> Result<(), CliError> {
    if session.output.json && output.is_none() {
        return Err(CliError::Usage("--json and the signals can't both go to stdout: give --output FILE".to_owned()));
    }
    let app = session.open().await?;
    let Some(path) = output else {
        let count = match write(&*app.outbox, filter, format, &mut BufWriter::new(io::stdout())).await {
            Ok(count) => count,
            Err(Failed::Store(error)) => return Err(error.into()),
            // The reader has seen what it wanted.
            Err(Failed::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(Failed::Write(error)) => return Err(CliError::Output(error)),
        };
        note(&format!("{count} signals"));
        return Ok(());
    };
    let mut out = BufWriter::new(new_file::create(&path, 0o644, |path| CliError::FileExists { path })?);
    let written = write(&*app.outbox, filter, format, &mut out).await;
    let synced = written.and_then(|count| Ok(out.get_ref().sync_all().map(|()| count)?));
    let signals = synced.map_err(|failed| {
        // A file that is cut off in the middle would pass for a whole one.
        fs::remove_file(&path).ok();
        match failed {
            Failed::Store(error) => error.into(),
            Failed::Write(reason) => CliError::Write { path: path.clone(), reason },
        }
    })?;
    session.output.answer(&Exported { file: shown(&path), signals })
}

/// Writes the signals that are stored when it begins, oldest first, and returns how many.
async fn write(
    outbox: &dyn Outbox,
    filter: &SignalFilter,
    format: SignalFormat,
    out: &mut (impl Write + Send),
) -> Result<u64, Failed> {
    let newest = SignalFilter { limit: 1, ..SignalFilter::default() };
    let last = outbox.signals(&newest).await.map_err(Failed::Store)?.first().map_or(0, |signal| signal.sequence);
    if format == SignalFormat::Csv {
        writeln!(out, "{HEADER}")?;
    }
    let (mut count, mut position) = (0, 0);
    while position < last {
        let read = outbox.unseen(&Cursor::at(position), AT_ONCE).await.map_err(Failed::Store)?;
        let Some(end) = read.last() else { break };
        position = end.sequence;
        for signal in read.into_iter().filter(|signal| signal.sequence <= last && filter.matches(signal)) {
            writeln!(out, "{}", line(signal, format).map_err(io::Error::other)?)?;
            count += 1;
        }
    }
    out.flush()?;
    Ok(count)
}

fn line(signal: StoredSignal, format: SignalFormat) -> Result<String, CliError> {
    let view = SignalView::from(signal);
    if format == SignalFormat::Jsonl {
        return json(&view);
    }
    let message = &view.message;
    let made_of = &message["metadata"]["provenance"];
    let text = |value: &Value| value.as_str().map(str::to_owned).unwrap_or_default();
    let number = |value: &Value| if value.is_number() { value.to_string() } else { String::new() };
    let columns = [
        view.sequence.to_string(),
        view.signal_id.clone(),
        view.strategy.clone(),
        view.symbol.clone(),
        view.timeframe.clone(),
        view.candle_close.clone(),
        text(&message["action"]),
        number(&message["confidence"]),
        text(&message["strength"]),
        number(&message["price"]),
        number(&message["stop_loss"]),
        number(&message["take_profit"]),
        view.state.to_owned(),
        view.created_at.clone(),
        view.published_at.clone().unwrap_or_default(),
        text(&made_of["module_digest"]),
        number(&made_of["parameter_version"]),
        text(&made_of["parameter_hash"]),
    ];
    Ok(columns.join(","))
}

#[derive(Serialize)]
struct Exported {
    file: String,
    signals: u64,
}

impl fmt::Display for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} signals", self.file, self.signals)
    }
}
