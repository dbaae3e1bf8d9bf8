//! `ta-bot candles revisions`: candles that changed after a service had read them.

use std::fmt;

use serde::Serialize;
use ta_bot_api::views::revision::{NumbersView, RevisionView};
use ta_bot_engine::market::revision_store::RevisionFilter;

use crate::cli::{
    Session,
    error::CliError,
    output::{NOTHING, table},
};

/// Lists what services have noticed.
pub(in crate::cli) async fn list(session: Session, filter: RevisionFilter) -> Result<(), CliError> {
    let app = session.open().await?;
    let revisions = app.revisions.list(&filter).await?.into_iter().map(RevisionView::from).collect();
    session.output.answer(&RevisionList { revisions })
}

#[derive(Serialize)]
struct RevisionList {
    revisions: Vec<RevisionView>,
}

impl fmt::Display for RevisionList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.revisions.is_empty() {
            return f.write_str(
                "No candle has changed after it was read, or none of the symbol or timeframe that is given.",
            );
        }
        let rows = self.revisions.iter().flat_map(|revision| {
            let RevisionView { symbol, timeframe, open_time, old, new, noticed_at } = revision;
            let about = [symbol, timeframe, open_time, noticed_at].map(String::clone);
            [row(about, "old", Some(old)), row([const { String::new() }; 4], "new", new.as_ref())]
        });
        let header = ["symbol", "timeframe", "opened", "noticed", "", "open", "high", "low", "close", "volume"];
        f.write_str(&table(&header, &[5, 6, 7, 8, 9], rows))
    }
}

/// Every digit is shown, since a correction may be a small one.
fn row(about: [String; 4], age: &str, numbers: Option<&NumbersView>) -> Vec<String> {
    let numbers = numbers.map_or([const { None }; 5], |numbers| {
        let NumbersView { open, high, low, close, volume } = numbers;
        [open, high, low, close, volume].map(Some)
    });
    let numbers = numbers.map(|number| number.map_or_else(|| NOTHING.to_owned(), f64::to_string));
    about.into_iter().chain([age.to_owned()]).chain(numbers).collect()
}
