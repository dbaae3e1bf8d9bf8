//! Words of strangers, such as a guest's: cut to a number of bytes, and for a person or a terminal to read.
//!
//! Escape sequences steer a terminal, line breaks forge lines of a log or a table, and marks of direction make a text
//! look like another. Such characters are written as Rust writes them, so that they are seen and do nothing.

use std::borrow::Cow;

/// What stands for the rest of a text that was cut.
const REST: &str = "…";

/// `text` if it has at most `most` bytes, otherwise its beginning and an ellipsis, which have no more together. A text
/// that was cut is not changed if it is cut again in the same way.
pub fn cut(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return Cow::Borrowed(text);
    }
    let mut end = most.saturating_sub(REST.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Cow::Owned(format!("{}{REST}", &text[..end]))
}

/// A text on one line, in which every character can be seen.
pub fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, is_hidden)
}

/// Like [`visible`], for a text that may have several lines.
pub fn visible_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| is_hidden(c) && c != '\n')
}

/// A JSON document in which every character can be seen. JSON itself escapes no more than it must, and outside of texts
/// it has no such characters but line breaks.
pub fn visible_json(document: &str) -> Cow<'_, str> {
    let hides = |c: char| is_hidden(c) && c != '\n';
    if !document.contains(hides) {
        return Cow::Borrowed(document);
    }
    let mut text = String::with_capacity(document.len() + 64);
    for c in document.chars() {
        if hides(c) {
            let mut units = [0; 2];
            text.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            text.push(c);
        }
    }
    Cow::Owned(text)
}

fn escaped(text: &str, hides: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&hides) {
        return Cow::Borrowed(text);
    }
    let one = |c: char| if hides(c) { c.escape_default().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(one).collect())
}

/// Whether a character steers what shows it: control characters, line and paragraph separators, and marks of direction.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of each kind, among words that stay as they are.
    const HOSTILE: &str = "a\u{1b}[31m\u{9b}2Jb\r\nERROR forged\u{2028}c\u{202e}gpj.exe\u{2066}d\u{200f}\u{7f}";

    #[test]
    fn what_steers_a_terminal_is_seen_and_does_nothing() {
        let told = visible(HOSTILE);
        assert_eq!(
            told,
            "a\\u{1b}[31m\\u{9b}2Jb\\r\\nERROR forged\\u{2028}c\\u{202e}gpj.exe\\u{2066}d\\u{200f}\\u{7f}"
        );
        assert!(!told.contains(is_hidden));
        assert_eq!(visible_lines("a\tb\nc\u{7}"), "a\\tb\nc\\u{7}");
        for harmless in ["", "Zoë 🦊 says «ok» – 価格", "👩\u{200d}🚀"] {
            assert!(matches!(visible(harmless), Cow::Borrowed(same) if same == harmless));
        }
    }

    #[test]
    fn json_says_the_same() {
        let document = format!("{{\n  \"reason\": {}\n}}", serde_json::to_string(HOSTILE).unwrap());
        let told = visible_json(&document);
        assert!(!told.contains(|c| is_hidden(c) && c != '\n'), "{told}");
        assert_eq!(told.lines().count(), 3);
        let read: serde_json::Value = serde_json::from_str(&told).unwrap();
        assert_eq!(read["reason"], HOSTILE);
    }

    #[test]
    fn a_cut_has_at_most_so_many_bytes_and_whole_characters() {
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("longer", 5), "lo…");
        assert_eq!(cut("ääääää", 8), "ää…");
        assert_eq!(cut("ääääää", 7), "ää…");
        for most in 3..20 {
            let once = cut("zwölf Boxkämpfer 🥊", most).into_owned();
            assert!(once.len() <= most.max(3), "{most}: {once}");
            assert_eq!(cut(&once, most), once);
        }
    }
}
