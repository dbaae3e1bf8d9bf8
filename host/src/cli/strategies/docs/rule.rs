//! The description of a rule, from the comment at the top of its source.

use std::{fs, path::Path};

use ta_bot_core::StrategyId;

use crate::cli::error::DocsError;

/// What is put before a heading of the comment, so that it lies below the page's headings.
const DEEPER: &str = "##";

/// The comment at the top of a strategy's source, as a part of a page.
pub(super) fn rule(sources: &Path, strategy: &StrategyId) -> Result<String, DocsError> {
    let path = sources.join(strategy.as_str()).join("src/lib.rs");
    let unreadable = |reason| DocsError::Source { strategy: strategy.clone(), path: path.clone(), reason };
    let source = fs::read_to_string(&path).map_err(unreadable)?;
    of(&source).ok_or(DocsError::NoRule { path })
}

/// The text of the first block of `//!` lines. Other comments, attributes and blank lines may stand above it.
fn of(source: &str) -> Option<String> {
    let is_above = |line: &&str| {
        let line = line.trim_start();
        line.is_empty() || line.starts_with("#!") || (line.starts_with("//") && !line.starts_with("//!"))
    };
    let lines = source.lines().skip_while(is_above).map_while(|line| line.trim_start().strip_prefix("//!"));
    let mut in_code = false;
    let line = |line: &str| {
        let line = line.strip_prefix(' ').unwrap_or(line).trim_end();
        in_code ^= line.trim_start().starts_with("```");
        if line.starts_with('#') && !in_code { format!("{DEEPER}{line}") } else { line.to_owned() }
    };
    let text = lines.map(line).collect::<Vec<_>>().join("\n");
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_go_deeper_and_code_stays() {
        let source = "// A licence.\n\n//! Buys.\n//!\n//! # Rule\n//! ```text\n//! # no heading\n//!   a\n//! ```\n\n//! Not this.\n";
        assert_eq!(of(source).unwrap(), "Buys.\n\n### Rule\n```text\n# no heading\n  a\n```");
    }

    #[test]
    fn a_source_without_a_comment_says_nothing() {
        for source in ["", "use x;\n//! late", "//!\n//!\n", "/// Of an item.\nstruct A;"] {
            assert_eq!(of(source), None, "{source:?}");
        }
    }
}
