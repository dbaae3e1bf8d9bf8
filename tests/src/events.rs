//! The server-sent events of a service, read piece by piece.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use reqwest::Response;
use serde_json::Value;

/// A stream of events.
#[derive(Debug)]
pub struct Events {
    response: Response,
    text: String,
}

/// One event of a stream.
#[derive(Debug)]
pub struct Event {
    /// What kind of event it is.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// What it says.
    pub data: Value,
}

impl Events {
    /// The events of an answer.
    pub const fn of(response: Response) -> Self {
        Self { response, text: String::new() }
    }

    /// The next event; `None` if the stream ended in order. Comments are passed over.
    ///
    /// # Errors
    ///
    /// If the connection broke.
    ///
    /// # Panics
    ///
    /// If the text or the data of an event can't be read.
    pub async fn next(&mut self) -> reqwest::Result<Option<Event>> {
        loop {
            while let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                let (fields, rest) = (["event: ", "id: ", "data: "].map(field), rest.to_owned());
                self.text = rest;
                if let [Some(kind), Some(id), Some(data)] = fields {
                    return Ok(Some(Event { kind, id, data: serde_json::from_str(&data).unwrap() }));
                }
            }
            let Some(piece) = self.response.chunk().await? else { return Ok(None) };
            self.text.push_str(std::str::from_utf8(&piece).unwrap());
        }
    }
}
