//! A running service: whether it answers, is of this version, and is able to do its work.

use std::{fmt, str::FromStr, time::Duration, time::Instant};

use chrono::DateTime;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{Request, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde_json::Value as Json;
use ta_bot_core::Timestamp;
use ta_bot_engine::support::checkup::{Checkup, Finding, within};
use tokio::net::TcpStream;
use tokio_util::task::AbortOnDropHandle;

mod health;

use health::Health;

const ANSWER: &str = "answer";
const CLOCK: &str = "clock";
const VERSION: &str = "version";
const READY: &str = "ready";
const ABILITIES: &str = "abilities";
const STORES: &str = "stores";
const LEADER: &str = "leader";
const FEEDS: &str = "feeds";
const MODULES: &str = "modules";
const PARAMETERS: &str = "parameters";
const FILES: &str = "files";
const METRICS: &str = "metrics";

/// The names of the checks, in order.
pub(super) const CHECKS: [&str; 12] =
    [ANSWER, CLOCK, VERSION, READY, ABILITIES, STORES, LEADER, FEEDS, MODULES, PARAMETERS, FILES, METRICS];

/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(12);
/// How long one answer may take.
const ONE: Duration = Duration::from_secs(5);
/// More bytes than any of the answers has.
const MOST_BYTES: usize = 16 << 20;
/// The `Date` of an answer has whole seconds.
const DATE_STEP: Duration = Duration::from_secs(1);

const HAVE_IT_ANSWER: &str =
    "start the service, or correct --url or TA_BOT_URL: it is the address that the service says it listens on";

/// Where a service listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// Host and port, as they are connected to.
    authority: String,
}

impl FromStr for Address {
    type Err = String;

    /// The error does not repeat what may hold a password.
    fn from_str(text: &str) -> Result<Self, String> {
        const ALLOWED: &str = "give --url or TA_BOT_URL as http://HOST:PORT, without user, path and query: the doctor asks \
                               the service itself, which speaks plain HTTP";
        let uri: hyper::Uri = text.trim().parse().map_err(|_| format!("it is no URL: {ALLOWED}"))?;
        let authority = uri.authority().ok_or_else(|| format!("it names no host: {ALLOWED}"))?;
        let has_more =
            uri.path_and_query().is_some_and(|rest| rest.as_str() != "/") || authority.as_str().contains('@');
        if uri.scheme_str() != Some("http") || has_more {
            return Err(format!("it says too much, or does not begin with http://: {ALLOWED}"));
        }
        let port = uri.port_u16().unwrap_or(80);
        Ok(Self { authority: format!("{}:{port}", authority.host()) })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority)
    }
}

/// An answer of the service.
struct Answer {
    status: u16,
    date: Option<Timestamp>,
    body: Bytes,
}

/// Looks at the service at that address; `None` if there is none to ask.
pub(super) async fn look(address: Option<&Address>) -> Option<Vec<Finding>> {
    let address = address?;
    let looked = within(LIMIT, &CHECKS, HAVE_IT_ANSWER, async |checkup| {
        let asked = Instant::now();
        let answer = match get(address, "/health").await {
            Ok(answer) => answer,
            Err(error) => return checkup.wrong(ANSWER, format!("{address}: {error}"), HAVE_IT_ANSWER),
        };
        let took = asked.elapsed();
        let Some(health) = Health::read(&answer.body) else {
            let found = format!("{address}/health answers {}, and not as TA Bot does", answer.status);
            return checkup.wrong(ANSWER, found, HAVE_IT_ANSWER);
        };
        checkup.ok(ANSWER, format!("{address} answers"));
        match answer.date {
            Some(date) => {
                let ahead = date.millis().saturating_sub(Timestamp::now().millis());
                checkup.clock(CLOCK, ahead, took + DATE_STEP);
            }
            None => checkup.not_checked(CLOCK, "its answer has no date"),
        }
        health.tell(checkup);
        ready(address, checkup).await;
        metrics(address, checkup).await;
    });
    Some(looked.await)
}

async fn ready(address: &Address, checkup: &mut Checkup) {
    let answer = match get(address, "/ready").await {
        Ok(answer) => answer,
        Err(error) => return checkup.not_checked(READY, error),
    };
    if answer.status == 200 {
        return checkup.ok(READY, "requests may be sent to it");
    }
    let read: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
    let parts = read["not_ready"].as_array().map(Vec::as_slice).unwrap_or_default();
    let word = |part: &Json, name: &str| part[name].as_str().unwrap_or("?").to_owned();
    let reasons: Vec<String> =
        parts.iter().map(|part| format!("{}: {}", word(part, "part"), word(part, "reason"))).collect();
    let found = if reasons.is_empty() { format!("/ready answers {}", answer.status) } else { reasons.join("; ") };
    checkup.wrong(READY, found, "wait if it has just started; else mend what it names, and it gets ready by itself");
}

async fn metrics(address: &Address, checkup: &mut Checkup) {
    match get(address, "/metrics").await {
        Ok(answer) if answer.status == 200 && answer.body.windows(8).any(|word| word == b"\nta_bot_") => {
            checkup.ok(METRICS, "there are metrics of TA Bot");
        }
        Ok(answer) => checkup.wrong(
            METRICS,
            format!("/metrics answers {} without a metric of TA Bot", answer.status),
            "ask the service itself, and no proxy before it",
        ),
        Err(error) => checkup.not_checked(METRICS, error),
    }
}

/// The answer to a request, within its limit.
async fn get(address: &Address, path: &str) -> Result<Answer, String> {
    let answer = tokio::time::timeout(ONE, ask(address, path)).await;
    answer.map_err(|_| format!("no answer to {path} within {} s", ONE.as_secs()))?
}

async fn ask(address: &Address, path: &str) -> Result<Answer, String> {
    let stream = TcpStream::connect(&address.authority).await.map_err(|error| error.to_string())?;
    let no_http = |error: hyper::Error| format!("what answers there does not speak HTTP ({error})");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(no_http)?;
    let _connection = AbortOnDropHandle::new(tokio::spawn(connection));
    let request = Request::get(path).header(header::HOST, &address.authority).body(Empty::<Bytes>::new());
    let request = request.map_err(|error| error.to_string())?;
    let answer = sender.send_request(request).await.map_err(no_http)?;
    let status = answer.status().as_u16();
    let date = answer.headers().get(header::DATE).and_then(|date| date.to_str().ok());
    let date = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok());
    let body = Limited::new(answer.into_body(), MOST_BYTES).collect().await;
    let body = body.map_err(|error| format!("its answer can't be read ({error})"))?.to_bytes();
    Ok(Answer { status, date: date.map(|date| Timestamp::from_millis(date.timestamp_millis())), body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_host_and_port_alone() {
        let read = |text: &str| text.parse::<Address>();
        assert_eq!(read("http://127.0.0.1:8080").unwrap().to_string(), "http://127.0.0.1:8080");
        assert_eq!(read(" http://bot/ ").unwrap().authority, "bot:80");
        assert_eq!(read("http://[::1]:8080").unwrap().authority, "[::1]:8080");
        for wrong in ["", "bot:8080", "https://bot", "http://u:secret@bot", "http://bot/health", "http://bot/?a=secret"]
        {
            let error = read(wrong).unwrap_err();
            assert!(error.contains("http://HOST:PORT") && !error.contains("secret"), "{wrong}: {error}");
        }
    }
}
