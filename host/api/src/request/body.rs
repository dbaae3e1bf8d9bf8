//! Reads request bodies: JSON objects of at most 1 MiB that arrive in time.

use std::{fmt, future::poll_fn, pin::Pin, time::Duration};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{FromRequest, Request},
    http::{HeaderMap, HeaderValue, header},
};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value, error::Category};
use ta_bot_engine::modules::arrival::Arrival;

use crate::error::ApiError;

/// The most bytes that a body may have.
pub(super) const MAX_BYTES: usize = 1024 * 1024;
/// How many bytes of a body are gathered before they are written to a file.
const WRITTEN_AT_ONCE: usize = 1 << 20;
/// How long a body may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(30);

/// A JSON object, or `None` if the body is empty.
#[derive(Debug)]
pub(crate) struct JsonBody(Option<Map<String, Value>>);

impl JsonBody {
    /// The object, or an error if the body is empty.
    pub(crate) fn required(self) -> Result<Map<String, Value>, ApiError> {
        self.0.ok_or_else(|| ApiError::Malformed("the body is empty: give a JSON object".to_owned()))
    }

    /// The object, or an empty one if the body is empty.
    pub(crate) fn optional(self) -> Map<String, Value> {
        self.0.unwrap_or_default()
    }
}

impl<S: Sync> FromRequest<S> for JsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        if body.is_end_stream() {
            return Ok(Self(None));
        }
        check_type(&parts.headers)?;
        let bytes = arrived(body, MAX_BYTES).await?;
        parse(&bytes).map(Self)
    }
}

/// Checks the Content-Type. A body without one is taken as JSON, because the API accepts nothing else.
fn check_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(given) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let kind = kind_of(given);
    if kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json")) {
        Ok(())
    } else {
        Err(wrong_type("application/json", given))
    }
}

/// The media type of a Content-Type, without its parameters.
pub(crate) fn kind_of(given: &HeaderValue) -> String {
    let given = String::from_utf8_lossy(given.as_bytes());
    given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

pub(crate) fn wrong_type(expected: &'static str, given: &HeaderValue) -> ApiError {
    let given = String::from_utf8_lossy(given.as_bytes()).chars().take(100).collect();
    ApiError::MediaType { expected, given }
}

/// Reads the bytes of a body, or fails if there are more than `limit` or they arrive too late.
pub(crate) async fn arrived(body: Body, limit: usize) -> Result<Vec<u8>, ApiError> {
    in_time(body, limit, |body| collect(body, limit)).await
}

/// Takes the bytes of a body into `arrival`, or fails if there are more than `limit` or they arrive too late.
pub(crate) async fn kept(body: Body, limit: usize, arrival: Arrival) -> Result<Arrival, ApiError> {
    in_time(body, limit, |body| keep(body, limit, arrival)).await
}

async fn in_time<T, R>(body: Body, limit: usize, read: impl FnOnce(Body) -> R) -> Result<T, ApiError>
where
    R: Future<Output = Result<T, ApiError>>,
{
    if body.size_hint().lower() > limit as u64 {
        return Err(ApiError::TooLarge { limit });
    }
    tokio::time::timeout(ARRIVAL, read(body)).await.map_err(|_| ApiError::SlowBody)?
}

fn ended_early() -> ApiError {
    ApiError::Malformed("the body ended early".to_owned())
}

async fn collect(mut body: Body, limit: usize) -> Result<Vec<u8>, ApiError> {
    let mut bytes = Vec::new();
    while let Some(data) = next_data(&mut body).await {
        let data = data.map_err(|_| ended_early())?;
        if bytes.len() + data.len() > limit {
            return Err(ApiError::TooLarge { limit });
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

async fn keep(mut body: Body, limit: usize, mut arrival: Arrival) -> Result<Arrival, ApiError> {
    let mut waiting = Vec::new();
    let mut is_over = false;
    while !is_over {
        match next_data(&mut body).await {
            Some(data) => waiting.extend_from_slice(&data.map_err(|_| ended_early())?),
            None => is_over = true,
        }
        if arrival.bytes() + waiting.len() as u64 > limit as u64 {
            return Err(ApiError::TooLarge { limit });
        }
        if is_over || waiting.len() >= WRITTEN_AT_ONCE {
            arrival = written(arrival, std::mem::take(&mut waiting)).await?;
        }
    }
    Ok(arrival)
}

/// Writes on a thread that may wait for the disk.
async fn written(mut arrival: Arrival, bytes: Vec<u8>) -> Result<Arrival, ApiError> {
    let written = tokio::task::spawn_blocking(move || arrival.add(&bytes).map(|()| arrival)).await;
    Ok(written.map_err(|ended| ApiError::Panic(ended.to_string()))??)
}

/// The next chunk of a body; trailers count as an empty one.
pub(super) async fn next_data(body: &mut Body) -> Option<Result<Bytes, axum::Error>> {
    let frame = poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await?;
    Some(frame.map(|frame| frame.into_data().unwrap_or_default()))
}

fn parse(bytes: &[u8]) -> Result<Option<Map<String, Value>>, ApiError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let read = serde_json::from_slice(bytes).map(|Unambiguous(value)| value);
    let value = read.map_err(|error| {
        let what = if error.classify() == Category::Eof { "JSON that ends early" } else { "malformed JSON" };
        // The text of the error ends with the position.
        ApiError::Malformed(format!("{what}: {error}"))
    })?;
    match value {
        Value::Object(object) => Ok(Some(object)),
        other => Err(ApiError::Malformed(format!("give a JSON object, not {}", kind(&other)))),
    }
}

/// A JSON value no object of which names a member twice. What stands twice is read as the first by one program and as
/// the last by another, so that what a proxy has checked need not be what the service does.
struct Unambiguous(Value);

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Self)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Unambiguous(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if object.contains_key(&name) {
                let name: String = name.chars().take(100).collect();
                return Err(A::Error::custom(format!("{name:?} is given more than once: give it once")));
            }
            let Unambiguous(value) = members.next_value()?;
            object.insert(name, value);
        }
        Ok(object.into())
    }
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(kind: Option<&'static str>, body: impl Into<Body>) -> Request {
        let mut request = Request::new(body.into());
        if let Some(kind) = kind {
            request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        request
    }

    async fn read(kind: Option<&'static str>, body: impl Into<Body>) -> Result<JsonBody, ApiError> {
        JsonBody::from_request(request(kind, body), &()).await
    }

    #[tokio::test]
    async fn takes_objects_of_json_with_or_without_a_type() {
        for kind in
            [None, Some("application/json"), Some("Application/JSON; charset=utf-8"), Some("application/x+json")]
        {
            let body = read(kind, r#"{"period": 14}"#).await.unwrap().required().unwrap();
            assert_eq!(body["period"], 14);
        }
        for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""] {
            assert!(matches!(read(Some(kind), "{}").await, Err(ApiError::MediaType { .. })), "{kind}");
        }
    }

    #[tokio::test]
    async fn an_empty_body_is_none_whatever_its_type() {
        let body = read(Some("application/x-www-form-urlencoded"), "").await.unwrap();
        assert!(body.optional().is_empty());
        assert!(matches!(read(None, " \n").await.unwrap().required(), Err(ApiError::Malformed(_))));
    }

    #[tokio::test]
    async fn says_where_json_is_malformed() {
        let told = async |body: &'static str| read(None, body).await.unwrap_err().to_string();
        assert!(told("{\"period\": 14,\n \"oversold\": }").await.contains("line 2 column 14"));
        assert!(told("{\"period\": 14").await.contains("ends early"));
        assert!(told("[1]").await.contains("not a list"));
        assert!(told(r#"{"period": 1e999}"#).await.contains("line 1"));
        for twice in [
            r#"{"enabled": true, "enabled": false}"#,
            r#"{"parameters": {"period": 14, "per\u0069od": 15}}"#,
            r#"{"list": [{"a": null, "a": null}]}"#,
        ] {
            let told = told(twice).await;
            assert!(told.contains("more than once") && told.contains("line 1 column"), "{told}");
        }
        let text = r#"{"a": [1, -2, 2.5, 18446744073709551615, "x", null, true, {}], "b": {"a": 1e2}}"#;
        assert_eq!(
            Value::Object(read(None, text).await.unwrap().optional()),
            serde_json::from_str::<Value>(text).unwrap()
        );
    }

    #[tokio::test]
    async fn more_than_a_mebibyte_is_refused() {
        let just_fits = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_BYTES - 8));
        assert_eq!(just_fits.len(), MAX_BYTES);
        assert!(read(None, just_fits).await.is_ok());
        assert!(matches!(read(None, "x".repeat(MAX_BYTES + 1)).await, Err(ApiError::TooLarge { .. })));
    }
}
