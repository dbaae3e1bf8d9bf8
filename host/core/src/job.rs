//! What to evaluate: a job, and the announcement that may lead to one.

use std::fmt;

use serde_json::Value as Json;
use thiserror::Error;

use crate::{Symbol, Timeframe, Timestamp};

/// One candle to evaluate with every enabled strategy. Its fields are its identity: two equal jobs are the same job.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Job {
    /// The symbol of the candle.
    pub symbol: Symbol,
    /// The timeframe of the candle.
    pub timeframe: Timeframe,
    /// When the candle closed.
    pub candle_close: Timestamp,
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} closed {}", self.symbol, self.timeframe, self.candle_close)
    }
}

/// An announcement that new candles may be available. It is a hint to look for them and never carries data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CandleEvent {
    /// The symbols of the candles.
    pub symbols: Vec<Symbol>,
    /// The entries of a batch that are no symbols, as they were given.
    pub unusable: Vec<String>,
    /// The timeframe of the candles.
    pub timeframe: Timeframe,
    /// The sender's trace context, in the W3C `traceparent` format.
    pub traceparent: Option<String>,
}

/// Why a message is not a candle event.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EventError {
    /// The body is not a JSON object.
    #[error("not a JSON object: {0}")]
    NotJson(String),
    /// A field is missing or has the wrong type.
    #[error("{field}: {problem}")]
    Field {
        /// Which field.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The extractor reports a failure, so there are no new candles.
    #[error("the extraction did not succeed")]
    Unsuccessful,
}

/// The fields in which a sender may give its trace context. The Data Extractor uses the second one, which is empty if
/// there is no trace.
const TRACE_FIELDS: [&str; 2] = ["_otel_trace_headers", "_otel_trace_context"];

impl CandleEvent {
    /// Parses the body of a message from the Data Extractor: a single extraction or a batch.
    ///
    /// A batch lists the symbols that succeeded, even if it says that it did not succeed as a whole. An entry that is
    /// no symbol does not keep the others out.
    pub fn parse(body: &[u8]) -> Result<Self, EventError> {
        let json: Json = serde_json::from_slice(body).map_err(|error| EventError::NotJson(error.to_string()))?;
        let object = json.as_object().ok_or_else(|| EventError::NotJson("it is another kind of JSON".to_owned()))?;
        let is_batch = object.get("symbol").is_none() && object.get("symbols").is_some();
        if !is_batch && object.get("success").and_then(Json::as_bool) == Some(false) {
            return Err(EventError::Unsuccessful);
        }
        let field = |field, problem: &dyn fmt::Display| EventError::Field { field, problem: problem.to_string() };
        let period = object.get("period").or_else(|| object.get("timeframe")).and_then(Json::as_str);
        let timeframe = period.ok_or_else(|| field("period", &"give a text such as \"15m\""))?;
        let timeframe = timeframe.parse().map_err(|error| field("period", &error))?;
        let (mut symbols, mut unusable) = (Vec::new(), Vec::new());
        match (object.get("symbol"), object.get("symbols")) {
            (Some(Json::String(symbol)), _) => symbols.push(symbol.parse().map_err(|error| field("symbol", &error))?),
            (None, Some(Json::Array(entries))) => {
                for entry in entries {
                    match entry.as_str().and_then(|name| name.parse().ok()) {
                        Some(symbol) => symbols.push(symbol),
                        None => unusable.push(entry.as_str().map_or_else(|| entry.to_string(), str::to_owned)),
                    }
                }
            }
            _ => return Err(field("symbol", &"give a text, or a list of texts as symbols")),
        }
        let traceparent = TRACE_FIELDS.iter().find_map(|field| object.get(*field)?.get("traceparent")?.as_str());
        Ok(Self { symbols, unusable, timeframe, traceparent: traceparent.map(str::to_owned) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_shapes() {
        let one = CandleEvent::parse(
            br#"{"event_type":"extraction_completed","symbol":"BTCUSDT","period":"15m","success":true,"errors":[],
                "_otel_trace_headers":{"traceparent":"00-1-2-01"}}"#,
        );
        let event = one.unwrap();
        assert_eq!((event.symbols[0].as_str(), event.timeframe), ("BTCUSDT", Timeframe::M15));
        assert_eq!(event.traceparent.as_deref(), Some("00-1-2-01"));
        let batch = CandleEvent::parse(br#"{"symbols":["BTCUSDT","ETHUSDT"],"timeframe":"5m"}"#).unwrap();
        assert_eq!((batch.symbols.len(), batch.timeframe), (2, Timeframe::M5));
    }

    #[test]
    fn a_trace_is_read_under_either_name() {
        let trace = |fields: &str| {
            let body = format!(r#"{{"symbol":"BTCUSDT","period":"15m"{fields}}}"#);
            CandleEvent::parse(body.as_bytes()).unwrap().traceparent
        };
        assert_eq!(trace(r#","_otel_trace_context":{"traceparent":"00-1-2-01"}"#).as_deref(), Some("00-1-2-01"));
        let both = r#","_otel_trace_headers":{},"_otel_trace_context":{"traceparent":"00-1-2-01","tracestate":"x=1"}"#;
        assert_eq!(trace(both).as_deref(), Some("00-1-2-01"));
        for none in
            ["", r#","_otel_trace_context":{}"#, r#","_otel_trace_context":null"#, r#","_otel_trace_headers":7"#]
        {
            assert_eq!(trace(none), None, "{none}");
        }
    }

    #[test]
    fn a_batch_that_failed_in_part_gives_what_succeeded() {
        let batch = br#"{"event_type":"batch_extraction_completed","symbols":["BTCUSDT","no symbol",7,"1000SHIBUSDT"],
            "period":"1h","success":false,"errors":["ETHUSDT: timeout"]}"#;
        let event = CandleEvent::parse(batch).unwrap();
        assert_eq!(event.symbols.iter().map(Symbol::as_str).collect::<Vec<_>>(), ["BTCUSDT", "1000SHIBUSDT"]);
        assert_eq!(event.unusable, ["no symbol", "7"]);
        let empty = CandleEvent::parse(br#"{"symbols":[],"period":"1h","success":false}"#).unwrap();
        assert!(empty.symbols.is_empty() && empty.unusable.is_empty());
    }

    #[test]
    fn says_what_is_wrong() {
        let told = |body: &str| CandleEvent::parse(body.as_bytes()).unwrap_err().to_string();
        assert!(told("{").starts_with("not a JSON object"));
        assert!(told("[]").starts_with("not a JSON object"));
        assert!(told(r#"{"symbol":"BTCUSDT"}"#).starts_with("period"));
        assert!(told(r#"{"symbol":"BTCUSDT","period":"15x"}"#).contains("15m"));
        assert!(told(r#"{"symbol":5,"period":"15m"}"#).starts_with("symbol"));
        assert!(told(r#"{"symbol":"B","period":"15m"}"#).contains("BTCUSDT"));
        assert!(told(r#"{"symbol":"BTCUSDT","period":"15m","success":false}"#).contains("did not succeed"));
    }
}
