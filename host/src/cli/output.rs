//! How answers are written: as text for people, or as one JSON document.
//!
//! Everything is written to the stream directly instead of with `println!`, which panics if the disk is full or if the
//! reader is gone, as with `| head`.

use std::{
    fmt::Display,
    io::{self, Write as _},
};

use comfy_table::{CellAlignment, ContentArrangement, Row, Table, presets};
use serde::Serialize;

use ta_bot_core::{visible, visible_json, visible_lines};

use super::error::CliError;

/// The two ways to answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    /// As JSON.
    pub(super) json: bool,
}

impl Output {
    /// Writes the answer to stdout.
    pub(super) fn answer<T: Serialize + Display>(self, answer: &T) -> Result<(), CliError> {
        let written = if self.json {
            let text = serde_json::to_string_pretty(answer).map_err(|error| CliError::Output(error.into()))?;
            to_stdout(&visible_json(&text))
        } else {
            to_stdout(&visible_lines(&answer.to_string()))
        };
        written.map_err(CliError::Output)
    }

    /// Writes an error: as JSON to stdout, or as text to stderr.
    pub(super) fn error(self, error: &CliError) {
        // There is nowhere left to report a failure of this.
        if self.json && !matches!(error, CliError::Output(_)) {
            let text = serde_json::to_string_pretty(&error.to_json()).unwrap_or_default();
            to_stdout(&visible_json(&text)).ok();
        } else {
            note(&format!("error: {error}"));
        }
    }
}

/// Writes a line for people to stderr, beside the answer.
pub(super) fn note(text: &str) {
    writeln!(io::stderr(), "{}", plain(text)).ok();
}

/// Writes one line of an answer that goes on. Returns false if the reader is gone.
pub(super) fn line(line: &str) -> Result<bool, CliError> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{}", visible_lines(line)).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        written => written.map(|()| true).map_err(CliError::Output),
    }
}

/// Writes a text to stdout. It is no error if the reader is gone: it has seen what it wanted.
fn to_stdout(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    let written = writeln!(stdout, "{}", text.trim_end()).and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// A table without lines, wrapped to the width of the terminal if there is one. The columns in `numbers` are aligned to
/// the right.
pub(super) fn table<R>(header: &[&str], numbers: &[usize], rows: impl IntoIterator<Item = R>) -> String
where
    R: IntoIterator<Item = String>,
{
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header.iter().map(|name| name.to_uppercase()));
    if let Some((_, width)) = console::Term::stdout().size_checked() {
        table.set_width(width).set_content_arrangement(ContentArrangement::Dynamic);
    }
    // A line break in a cell would look like another row.
    let seen = |row: R| row.into_iter().map(|cell| visible(&cell).into_owned());
    table.add_rows(rows.into_iter().map(|row| Row::from(seen(row).collect::<Vec<_>>())));
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if numbers.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    // Trimmed, since the last column would be padded with blanks.
    table.trim_fmt()
}

/// A guest's words in which every character can be seen, so that a module can't write escape sequences to the terminal.
pub(super) fn plain(text: &str) -> String {
    visible_lines(text).into_owned()
}

/// A guest's words on one line.
pub(super) fn one_line(text: &str) -> String {
    plain(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// A price with as many digits as a trader reads: below 1, six digits from the first that is not zero on.
pub(super) fn price(price: f64) -> String {
    let size = price.abs();
    let digits = match size {
        1000.0.. => 2,
        1.0.. => 4,
        _ if size > 0.0 => 5 + (-size.log10().floor()).min(320.0) as usize,
        _ => 6,
    };
    format!("{price:.digits$}")
}

/// Stands for an absent value.
pub(super) const NOTHING: &str = "–";

/// The first digits of a digest, which are enough in a table.
pub(super) fn short(digest: &str) -> String {
    digest.chars().take(12).collect()
}

/// A value that may be absent, as text.
pub(super) fn or_dash<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| NOTHING.to_owned(), show)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_write_no_escape_sequences() {
        assert_eq!(plain("a\u{1b}[31m\r\nb"), "a\\u{1b}[31m\\r\nb");
        assert_eq!(one_line("a\n  b\tc\u{7}\u{202e}"), "a b c\\u{7}\\u{202e}");
        let forged = ["rsi".to_owned(), "ok\u{1b}[2J\nmacd  9\u{202e}".to_owned()];
        let text = table(&["id", "says"], &[], [forged]);
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.ends_with("rsi  ok\\u{1b}[2J\\nmacd  9\\u{202e}"), "{text}");
    }

    #[test]
    fn prices_keep_the_digits_that_matter() {
        assert_eq!([50_000.123, 12.5, 0.812_345_6].map(price), ["50000.12", "12.5000", "0.812346"]);
        assert_eq!([0.01, 1.481_6e-8, -2e-6].map(price), ["0.0100000", "0.0000000148160", "-0.00000200000"]);
        assert_eq!([0.0, f64::NAN].map(price), ["0.000000", "NaN"]);
    }

    #[test]
    fn columns_are_aligned() {
        let rows = [["rsi", "5"], ["macd_long", "1000"]].map(|row| row.map(str::to_owned));
        let text = table(&["id", "count"], &[1], rows);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines, ["ID         COUNT", "rsi            5", "macd_long   1000"]);
    }
}
