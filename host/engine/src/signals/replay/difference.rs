//! The differences between a stored signal and a replayed one.

use std::collections::BTreeSet;

use serde_json::Value as Json;
use ta_bot_core::{Digest, in_short};

/// The largest number of named differences. A message that was changed by hand may have any number of them.
const MOST: usize = 100;

/// One field that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The path of the field in the message, such as `metadata.rsi`; `*` for the message as a whole.
    pub field: String,
    /// The stored value; `None` if the field is absent.
    pub stored: Option<Json>,
    /// The replayed value; `None` if the field is absent.
    pub replayed: Option<Json>,
}

/// The fields that differ. Only the first of them are named.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Differences {
    named: Vec<Difference>,
    more: usize,
}

impl Differences {
    /// Compares byte for byte, and if the bytes differ, field by field.
    pub(super) fn between(stored: &str, replayed: &Json) -> Self {
        let mut differences = Self::default();
        let text = replayed.to_string();
        if stored == text {
            return differences;
        }
        let json: Json = serde_json::from_str(stored).unwrap_or(Json::Null);
        differences.compare("", Some(&json), Some(replayed));
        // Only whitespace, the order of fields or the notation of a number differs.
        if differences.is_empty() {
            differences.add("*", Some(&bytes(stored)), Some(&bytes(&text)));
        }
        differences
    }

    /// The replay produced `outcome` instead of a signal.
    pub(super) fn of_outcome(outcome: &str) -> Self {
        let mut differences = Self::default();
        differences.add("*", Some(&"signal".into()), Some(&outcome.into()));
        differences
    }

    fn add(&mut self, field: &str, stored: Option<&Json>, replayed: Option<&Json>) {
        if self.named.len() < MOST {
            let field = if field.is_empty() { "*" } else { field };
            let field = field.chars().take(200).collect();
            self.named.push(Difference { field, stored: stored.map(in_short), replayed: replayed.map(in_short) });
        } else {
            self.more += 1;
        }
    }

    fn compare(&mut self, field: &str, stored: Option<&Json>, replayed: Option<&Json>) {
        match (stored, replayed) {
            (Some(Json::Object(stored)), Some(Json::Object(replayed))) => {
                let names: BTreeSet<&String> = stored.keys().chain(replayed.keys()).collect();
                for name in names {
                    let path = if field.is_empty() { name.clone() } else { format!("{field}.{name}") };
                    self.compare(&path, stored.get(name), replayed.get(name));
                }
            }
            (stored, replayed) if stored != replayed => self.add(field, stored, replayed),
            _ => {}
        }
    }

    /// Whether there are no differences.
    pub const fn is_empty(&self) -> bool {
        self.named.is_empty()
    }

    /// The named differences.
    pub fn named(&self) -> &[Difference] {
        &self.named
    }

    /// The number of further differences.
    pub const fn more(&self) -> usize {
        self.more
    }
}

/// Describes the bytes of a text, to distinguish it from one with the same meaning.
fn bytes(text: &str) -> Json {
    format!("{} bytes with the SHA-256 {}", text.len(), Digest::<()>::of(text.as_bytes())).into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn between(stored: &Json, replayed: &Json) -> Vec<(String, Option<Json>, Option<Json>)> {
        let differences = Differences::between(&stored.to_string(), replayed);
        let named = differences.named().iter();
        named.map(|one| (one.field.clone(), one.stored.clone(), one.replayed.clone())).collect()
    }

    #[test]
    fn every_field_that_differs_is_named_with_its_path() {
        let stored = json!({"a": 1.0, "b": {"c": [1, 2], "d": null}, "e": "x"});
        assert_eq!(between(&stored, &stored), []);
        let replayed = json!({"a": 2.0, "b": {"c": [1, 3]}, "e": "x", "f": null});
        let expected = [
            ("a", Some(json!(1.0)), Some(json!(2.0))),
            ("b.c", Some(json!([1, 2])), Some(json!([1, 3]))),
            ("b.d", Some(Json::Null), None),
            ("f", None, Some(Json::Null)),
        ];
        assert_eq!(between(&stored, &replayed), expected.map(|(field, a, b)| (field.to_owned(), a, b)));
    }

    #[test]
    fn other_bytes_are_a_difference_where_the_values_are_the_same() {
        let differences = Differences::between("{ \"a\": 1}", &json!({"a": 1}));
        let [only] = differences.named() else { panic!("{differences:?}") };
        assert_eq!(only.field, "*");
        assert!(only.stored.as_ref().unwrap().as_str().unwrap().starts_with("9 bytes"), "{only:?}");
        assert!(!Differences::between("no JSON", &json!({"a": 1})).is_empty());
    }

    #[test]
    fn a_message_full_of_differences_has_a_short_answer() {
        let stored: serde_json::Map<_, _> = (0..5000).map(|i| (format!("f{i}"), json!("x".repeat(1000)))).collect();
        let differences = Differences::between(&Json::from(stored).to_string(), &json!({}));
        assert_eq!((differences.named().len(), differences.more()), (100, 4900));
        assert!(differences.named()[0].stored.as_ref().unwrap().to_string().len() < 300);
    }
}
