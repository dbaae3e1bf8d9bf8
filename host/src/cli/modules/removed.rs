//! Removes modules from the store, and lists those that were removed.

use std::fmt;

use serde::Serialize;
use ta_bot_api::views::module::RemovedView;
use ta_bot_core::Timestamp;
use ta_bot_engine::modules::module_store::{Removal, RemovedModule};

use super::{name_or_user, named};
use crate::cli::{
    Session,
    args::Digits,
    error::CliError,
    output::{one_line, or_dash, short, table},
};

/// Removes a module.
pub(super) async fn remove(
    session: &Session,
    module: &Digits,
    by: Option<String>,
    reason: Option<String>,
) -> Result<(), CliError> {
    let app = session.open().await?;
    let digest = named::find(&app, module).await?.digest;
    let removal = Removal { by: name_or_user(by), at: Timestamp::now(), reason };
    let module = app.catalog.remove(digest, &removal, &app.registry.log(), &*app.retention).await?;
    let removed = RemovedModule { digest, size: module.size, upload: module.upload, removal };
    session.output.answer(&Removed(removed.into()))
}

/// Lists the modules that were removed.
pub(super) async fn list(session: &Session, most: u32) -> Result<(), CliError> {
    let app = session.open().await?;
    let removed = app.catalog.removed(most).await?.into_iter().map(RemovedView::from).collect();
    session.output.answer(&RemovedList { removed })
}

#[derive(Serialize)]
#[serde(transparent)]
struct Removed(RemovedView);

impl fmt::Display for Removed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Removed the module {}, which had {} bytes", self.0.digest, self.0.size_bytes)
    }
}

#[derive(Serialize)]
struct RemovedList {
    removed: Vec<RemovedView>,
}

impl fmt::Display for RemovedList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.removed.is_empty() {
            return write!(f, "No module was removed.");
        }
        let text = |text: &Option<String>| or_dash(text.as_deref(), one_line);
        let row = |view: &RemovedView| {
            [
                short(&view.digest),
                view.size_bytes.to_string(),
                text(&view.uploaded_by),
                view.removed_at.clone(),
                one_line(&view.removed_by),
                text(&view.reason),
            ]
        };
        f.write_str(&table(
            &["digest", "bytes", "uploaded by", "removed", "by", "why"],
            &[1],
            self.removed.iter().map(row),
        ))
    }
}
