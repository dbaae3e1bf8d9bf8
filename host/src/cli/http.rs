//! Requests to a running service, over plain HTTP.

use std::{fmt, str::FromStr, time::Duration};

use chrono::DateTime;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Method, Request, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use ta_bot_core::Timestamp;
use tokio::net::TcpStream;
use tokio_util::task::AbortOnDropHandle;

/// The variable that names a running service, as `--url` does.
pub(super) const URL: &str = "TA_BOT_URL";
/// More bytes than any of the answers has.
const MOST_BYTES: usize = 16 << 20;

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
        const ALLOWED: &str = "give --url or TA_BOT_URL as http://HOST:PORT, without user, path and query: the service \
                               itself is asked, which speaks plain HTTP";
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

/// A request.
pub(super) struct Asked<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    /// Names and values of headers.
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
}

impl<'a> Asked<'a> {
    /// A request that reads.
    pub(super) const fn get(path: &'a str) -> Self {
        Self { method: Method::GET, path, headers: Vec::new(), body: Bytes::new() }
    }
}

/// An answer of the service.
pub(super) struct Answer {
    pub(super) status: u16,
    /// When the service answered, by its own clock.
    pub(super) date: Option<Timestamp>,
    pub(super) body: Bytes,
}

/// The answer to a request, if it comes within this time.
pub(super) async fn ask(address: &Address, asked: Asked<'_>, limit: Duration) -> Result<Answer, String> {
    let path = asked.path.to_owned();
    let answer = tokio::time::timeout(limit, send(address, asked)).await;
    answer.map_err(|_| format!("no answer to {path} within {} s", limit.as_secs()))?
}

async fn send(address: &Address, asked: Asked<'_>) -> Result<Answer, String> {
    let stream = TcpStream::connect(&address.authority).await.map_err(|error| error.to_string())?;
    let no_http = |error: hyper::Error| format!("what answers there does not speak HTTP ({error})");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(no_http)?;
    let _connection = AbortOnDropHandle::new(tokio::spawn(connection));
    let mut request = Request::builder().method(asked.method).uri(asked.path).header(header::HOST, &address.authority);
    for (name, value) in asked.headers {
        request = request.header(name, value);
    }
    let request = request.body(Full::new(asked.body)).map_err(|error| error.to_string())?;
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
