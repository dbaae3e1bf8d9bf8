//! The lines of a text, each of bounded length, with their numbers.

use std::io::{BufRead, Read as _};

use super::{FileProblem, LineProblem, source};

/// How long a line may be, in bytes. A row of Binance's has some 150.
const LINE_LIMIT: usize = 4096;

/// Reads lines and skips blank ones.
pub(super) struct Lines<'a> {
    text: &'a mut dyn BufRead,
    number: u64,
    line: Vec<u8>,
}

impl<'a> Lines<'a> {
    pub(super) const fn new(text: &'a mut dyn BufRead) -> Self {
        Self { text, number: 0, line: Vec::new() }
    }

    /// The next line that is not blank, with its number.
    pub(super) fn next_line(&mut self) -> Result<Option<(u64, &str)>, FileProblem> {
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
        let line = text(&self.line).map_err(|problem| FileProblem::Line { line: self.number, problem })?;
        Ok(Some((self.number, line)))
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
