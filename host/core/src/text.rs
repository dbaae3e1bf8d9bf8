//! Text of strangers, cut to a number of bytes.

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

#[cfg(test)]
mod tests {
    use super::*;

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
