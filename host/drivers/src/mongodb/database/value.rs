//! Converts values of documents to JSON and to timestamps, and back. Values of the older service are read leniently:
//! numbers of any kind, timestamps as dates or as text.

use chrono::{DateTime, NaiveDateTime, Utc};
use mongodb::bson::{self, Bson, Document};
use serde_json::{Map, Value as Json};
use ta_bot_core::Timestamp;

/// A JSON value as it is stored. Whole numbers stay whole, so that they are read back unchanged.
pub(crate) fn from_json(value: &Json) -> Bson {
    match value {
        Json::Null => Bson::Null,
        Json::Bool(value) => Bson::Boolean(*value),
        Json::String(text) => Bson::String(text.clone()),
        Json::Array(values) => Bson::Array(values.iter().map(from_json).collect()),
        Json::Object(fields) => Bson::Document(from_object(fields)),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => i32::try_from(whole).map_or(Bson::Int64(whole), Bson::Int32),
            (None, Some(number)) => Bson::Double(number),
            (None, None) => Bson::Null,
        },
    }
}

/// A JSON object as it is stored.
pub(crate) fn from_object(fields: &Map<String, Json>) -> Document {
    fields.iter().map(|(name, value)| (name.clone(), from_json(value))).collect()
}

/// A stored value as JSON. A type that JSON does not have becomes text, which a strategy's schema then refuses by name.
pub(crate) fn to_json(value: &Bson) -> Json {
    match value {
        Bson::Null | Bson::Undefined => Json::Null,
        Bson::Boolean(value) => Json::Bool(*value),
        Bson::Int32(number) => Json::from(*number),
        Bson::Int64(number) => Json::from(*number),
        Bson::Double(number) => Json::from(*number),
        Bson::Decimal128(number) => number.to_string().parse::<f64>().map_or(Json::Null, Json::from),
        Bson::String(text) => Json::String(text.clone()),
        Bson::Array(values) => Json::Array(values.iter().map(to_json).collect()),
        Bson::Document(document) => Json::Object(to_object(document)),
        Bson::ObjectId(id) => Json::String(id.to_hex()),
        Bson::DateTime(moment) => Json::String(Timestamp::from_millis(moment.timestamp_millis()).to_string()),
        other => Json::String(other.to_string()),
    }
}

/// A stored document as a JSON object.
pub(crate) fn to_object(document: &Document) -> Map<String, Json> {
    document.iter().map(|(name, value)| (name.clone(), to_json(value))).collect()
}

/// A timestamp as it is stored.
pub(crate) fn from_moment(moment: Timestamp) -> Bson {
    Bson::DateTime(bson::DateTime::from_millis(moment.millis()))
}

/// The timestamp in the first of these fields that holds one: a date, or text as Python writes it, with or without an
/// offset.
pub(crate) fn moment(document: &Document, fields: &[&str]) -> Option<Timestamp> {
    fields.iter().find_map(|field| match document.get(*field)? {
        Bson::DateTime(moment) => Some(Timestamp::from_millis(moment.timestamp_millis())),
        Bson::String(text) => parsed(text),
        _ => None,
    })
}

fn parsed(text: &str) -> Option<Timestamp> {
    let with_offset = DateTime::parse_from_rfc3339(text).map(DateTime::<Utc>::from);
    let moment = with_offset.or_else(|_| text.parse::<NaiveDateTime>().map(|moment| moment.and_utc())).ok()?;
    Some(Timestamp::from_millis(moment.timestamp_millis()))
}

/// A text field.
pub(crate) fn text(document: &Document, field: &str) -> Option<String> {
    document.get_str(field).ok().map(str::to_owned)
}

/// A number of any kind.
pub(crate) fn number(value: &Bson) -> Option<f64> {
    match value {
        Bson::Int32(number) => Some(f64::from(*number)),
        Bson::Int64(number) => Some(*number as f64),
        Bson::Double(number) => Some(*number),
        _ => None,
    }
}

/// A whole number of any kind.
pub(crate) fn whole(document: &Document, field: &str) -> Option<i64> {
    match document.get(field)? {
        Bson::Int32(number) => Some(i64::from(*number)),
        Bson::Int64(number) => Some(*number),
        Bson::Double(number) if number.fract() == 0.0 => Some(*number as i64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::doc;
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_of_json_comes_back() {
        let given = json!({
            "whole": 14, "large": 9_007_199_254_740_993_i64, "round": 70.0, "tiny": 1e-300, "none": null, "yes": true,
            "text": "市場", "list": [1, 2.5, "a"], "inner": {"a.b": {"$set": -1}},
        });
        assert_eq!(to_json(&from_json(&given)), given);
    }

    #[test]
    fn kinds_that_json_does_not_have_are_read_as_well_as_may_be() {
        let decimal: bson::Decimal128 = "2.5".parse().unwrap();
        let document = doc! { "decimal": decimal, "nan": f64::NAN, "at": bson::DateTime::from_millis(1000) };
        let read = Json::Object(to_object(&document));
        assert_eq!(read, json!({"decimal": 2.5, "nan": null, "at": "1970-01-01T00:00:01+00:00"}));
    }

    #[test]
    fn moments_are_read_as_dates_and_as_text() {
        let document = doc! {
            "date": bson::DateTime::from_millis(1500), "iso": "1970-01-01T01:00:01.500+01:00",
            "python": "1970-01-01T00:00:01.500000", "none": null, "words": "yesterday",
        };
        for field in ["date", "iso", "python"] {
            assert_eq!(moment(&document, &[field]).map(Timestamp::millis), Some(1500), "{field}");
        }
        assert_eq!(moment(&document, &["none", "words", "absent"]), None);
        assert_eq!(moment(&document, &["absent", "date"]).map(Timestamp::millis), Some(1500));
    }
}
