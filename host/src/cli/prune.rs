//! `ta-bot prune`: one round of removing what is older than it is to be kept.

use std::{fmt, process::ExitCode};

use serde::Serialize;
use ta_bot_core::Timestamp;
use ta_bot_engine::retention::pruner::{Done, MOST_COUNTED};

use super::{
    Session,
    error::{CliError, FAILED},
    output::{one_line, or_dash, table},
};

/// Removes what is too old, or says what would be removed. Returns the exit code.
pub(super) async fn prune(session: Session, dry_run: bool) -> Result<ExitCode, CliError> {
    let app = session.open().await?;
    let now = Timestamp::now();
    let mut kinds = Vec::new();
    // Nobody here knows which receivers are configured on the replicas, so none is forgotten.
    for pruner in [app.pruner(None), app.disk_pruner()] {
        let done = if dry_run { pruner.look(now).await } else { pruner.round(now, || true).await };
        kinds.extend(done.into_iter().map(KindReport::from));
    }
    let is_whole = kinds.iter().all(|kind| kind.error.is_none());
    session.output.answer(&Report { dry_run, kinds })?;
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

/// What went, or would go.
#[derive(Debug, Serialize)]
struct Report {
    dry_run: bool,
    kinds: Vec<KindReport>,
}

/// One kind.
#[derive(Debug, Serialize)]
struct KindReport {
    kind: &'static str,
    /// The variable that says for how many days it is kept.
    setting: &'static str,
    /// For how many days; null means for ever.
    days: Option<u32>,
    /// What is older goes; null means that nothing goes.
    before: Option<String>,
    /// How many rows or files went, or would go; not more than are counted.
    rows: u64,
    /// About how many there are now.
    stored_rows: Option<u64>,
    /// About how many bytes they take.
    stored_bytes: Option<u64>,
    /// The moment by which the oldest of them is judged.
    oldest: Option<String>,
    /// Why it could not be done or found out.
    error: Option<String>,
}

impl From<Done> for KindReport {
    fn from(done: Done) -> Self {
        Self {
            kind: done.kind.as_str(),
            setting: done.kind.variable(),
            days: done.days,
            before: done.before.map(|before| before.to_string()),
            rows: done.rows,
            stored_rows: done.stored.rows,
            stored_bytes: done.stored.bytes,
            oldest: done.stored.oldest.map(|oldest| oldest.to_string()),
            error: done.error.map(|error| error.to_string()),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = |kind: &KindReport| match kind.rows {
            rows if self.dry_run && rows == u64::from(MOST_COUNTED) => format!("{rows} or more"),
            rows => rows.to_string(),
        };
        let row = |kind: &KindReport| {
            [
                kind.kind.to_owned(),
                kind.days.map_or_else(|| "for ever".to_owned(), |days| format!("{days} days")),
                kind.setting.to_owned(),
                rows(kind),
                or_dash(kind.stored_rows, |rows| rows.to_string()),
                or_dash(kind.stored_bytes, |bytes| (bytes >> 10).to_string()),
                or_dash(kind.oldest.as_deref(), str::to_owned),
            ]
        };
        let went = if self.dry_run { "would go" } else { "went" };
        let header = ["what", "is kept", "by", went, "there are", "KiB", "oldest"];
        write!(f, "{}", table(&header, &[3, 4, 5], self.kinds.iter().map(row)))?;
        for kind in &self.kinds {
            if let Some(error) = &kind.error {
                write!(f, "\n{}: {}", kind.kind, one_line(error))?;
            }
        }
        Ok(())
    }
}
