//! The lines of a text, each of bounded length, with their numbers.

use std::io::{BufRead, Read as _};

use super::{FileProblem, LineProblem, source};

/// How long a line may be, in bytes. A row of Binance's has some 150.
const LINE_LIMIT: usize = 4096;

/// The number of a line, and its text or why it has none.
pub(super) type Line<'a> = (u64, Result<&'a str, LineProblem>);

/// Reads lines and skips blank ones.
pub(super) struct Lines<'a> {
    text: &'a mut dyn BufRead,
    number: u64,
    line: Vec<u8>,
    /// Whether the last line was longer than what was read of it.
    is_cut: bool,
}

impl<'a> Lines<'a> {
    pub(super) const fn new(text: &'a mut dyn BufRead) -> Self {
        Self { text, number: 0, line: Vec::new(), is_cut: false }
    }

    /// The next line that is not blank, with its number; or why it is no text.
    pub(super) fn next_line(&mut self) -> Result<Option<Line<'_>>, FileProblem> {
        self.pass_rest()?;
        loop {
            self.line.clear();
            let mut bounded = (&mut *self.text).take(LINE_LIMIT as u64 + 1);
            if bounded.read_until(b'\n', &mut self.line).map_err(source::read_problem)? == 0 {
                return Ok(None);
            }
            self.number += 1;
            if self.number == 1 && self.line.starts_with(b"\xef\xbb\xbf") {
                self.line.drain(..3);
            }
            if !self.line.trim_ascii().is_empty() {
                break;
            }
        }
        self.is_cut = self.line.len() > LINE_LIMIT && !self.line.ends_with(b"\n");
        Ok(Some((self.number, text(&self.line))))
    }

    /// Reads on to the end of a line that was too long.
    fn pass_rest(&mut self) -> Result<(), FileProblem> {
        while std::mem::take(&mut self.is_cut) {
            self.line.clear();
            let mut bounded = (&mut *self.text).take(LINE_LIMIT as u64);
            let read = bounded.read_until(b'\n', &mut self.line).map_err(source::read_problem)?;
            self.is_cut = read > 0 && !self.line.ends_with(b"\n");
        }
        Ok(())
    }
}

fn text(line: &[u8]) -> Result<&str, LineProblem> {
    if line.starts_with(b"\xff\xfe") || line.starts_with(b"\xfe\xff") {
        return Err(LineProblem::NotText("UTF-16"));
    }
    if line.contains(&0) {
        return Err(LineProblem::NotText("no text"));
    }
    let is_cut = line.len() > LINE_LIMIT;
    match str::from_utf8(line) {
        // A cut line may end in the middle of a letter.
        Err(error) if !is_cut || error.error_len().is_some() => Err(LineProblem::NotText("no UTF-8 text")),
        _ if is_cut => Err(LineProblem::TooLong { limit: LINE_LIMIT }),
        Ok(line) => Ok(line.trim()),
        Err(_) => Err(LineProblem::NotText("no UTF-8 text")),
    }
}
