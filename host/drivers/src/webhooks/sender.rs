//! One request to a receiver, and what its answer means.

use std::{error::Error as StdError, fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, Error as ClientError, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::ClientConfig;
use ta_bot_core::{Timestamp, cut, visible};
use ta_bot_engine::signals::outbox::StoredSignal;
use tokio::time::Instant;

use super::{
    guard::{Guard, GuardError},
    receivers::Receiver,
};

/// How long a request may take, the connection and the answer included.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection is kept without a request.
const IDLE: Duration = Duration::from_mins(1);
/// How much of an answer is read, so that its connection can be used again. The connection of a longer one is closed.
const MOST_ANSWERED: usize = 64 * 1024;
/// How many bytes of an error's words are kept.
const MOST_WORDS: usize = 200;
const AGENT: &str = concat!("ta-bot/", env!("CARGO_PKG_VERSION"));

/// Sends signals to a receiver. It follows no redirect and uses no proxy.
pub struct Sender {
    client: Client<HttpsConnector<HttpConnector<Guard>>, Full<Bytes>>,
    receiver: Arc<Receiver>,
    timeout: Duration,
}

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// The receiver has the signal.
    Taken,
    /// The receiver will hardly take this signal later either.
    Refused(StatusCode),
    /// The receiver does not take signals now.
    Failed(Failure),
}

/// Why a receiver does not take signals now.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// The kind, for `/health`.
    pub kind: &'static str,
    /// What happened, and what to do if somebody can do something. It shows no part of the URL but its host.
    pub words: String,
    /// How long the receiver wants to be left alone, if it says so.
    pub pause: Option<Duration>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl Sender {
    /// Makes the client of a receiver.
    pub fn new(receiver: Arc<Receiver>, trust: ClientConfig) -> Self {
        let mut http = HttpConnector::new_with_resolver(receiver.guard());
        http.enforce_http(false);
        http.set_nodelay(true);
        let tls = HttpsConnectorBuilder::new().with_tls_config(trust);
        let connector = tls.https_or_http().enable_http1().wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        Self { client, receiver, timeout: TIMEOUT }
    }

    /// Sends a signal.
    pub async fn send(&self, signal: &StoredSignal, now: Timestamp) -> Answer {
        let request = match self.request(signal, now) {
            Ok(request) => request,
            Err(error) => return Answer::Failed(Failure::of("request", format!("no request can be made: {error}"))),
        };
        let until = Instant::now() + self.timeout;
        match tokio::time::timeout_at(until, self.client.request(request)).await {
            Err(_) => Answer::Failed(Failure::of("timeout", format!("it did not answer within {:?}", self.timeout))),
            Ok(Err(error)) => Answer::Failed(Failure::of_client(&error)),
            Ok(Ok(response)) => {
                let (head, body) = response.into_parts();
                // The status is the answer. Whether the rest comes matters to the connection only.
                tokio::time::timeout_at(until, read(body)).await.ok();
                judged(head.status, &head.headers)
            }
        }
    }

    fn request(&self, signal: &StoredSignal, now: Timestamp) -> Result<Request<Full<Bytes>>, http::Error> {
        let body = self.receiver.format.body(signal);
        let seconds = now.millis().div_euclid(1000);
        let mut request = Request::post(self.receiver.uri.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, AGENT)
            .header("webhook-id", &signal.id)
            .header("webhook-timestamp", seconds);
        if let Some(secret) = &self.receiver.secret {
            request = request.header("webhook-signature", secret.sign(&signal.id, seconds, body.as_bytes()));
        }
        request.body(Full::new(body.into()))
    }
}

/// Reads an answer and forgets it.
async fn read(mut body: Incoming) {
    let mut length = 0;
    while let Some(Ok(frame)) = body.frame().await {
        length += frame.data_ref().map_or(0, Bytes::len);
        if length > MOST_ANSWERED {
            return;
        }
    }
}

fn judged(status: StatusCode, headers: &HeaderMap) -> Answer {
    let pause = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let failed =
        |kind, words| Answer::Failed(Failure { pause: pause.map(Duration::from_secs), ..Failure::of(kind, words) });
    match status {
        _ if status.is_success() => Answer::Taken,
        _ if status.is_redirection() => failed(
            "redirect",
            format!("it answered {}: redirects are not followed: give the final URL", status.as_u16()),
        ),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
            failed("busy", format!("it answered {}", status.as_u16()))
        }
        _ if status.is_client_error() => Answer::Refused(status),
        _ => failed("status", format!("it answered {}", status.as_u16())),
    }
}

impl Failure {
    fn of(kind: &'static str, words: String) -> Self {
        Self { kind, words, pause: None }
    }

    /// The innermost error says most. None of them contains the URL.
    fn of_client(error: &ClientError) -> Self {
        let mut inner: &(dyn StdError + 'static) = error;
        loop {
            if let Some(guarded) = inner.downcast_ref::<GuardError>() {
                let kind = if matches!(guarded, GuardError::Unknown(_)) { "name" } else { "address" };
                return Self::of(kind, words(guarded));
            }
            let Some(source) = inner.source() else { break };
            inner = source;
        }
        let kind = if error.is_connect() { "connection" } else { "answer" };
        Self::of(kind, words(inner))
    }
}

/// An error may repeat words of a stranger, such as the names in a certificate.
fn words(error: &(dyn StdError + 'static)) -> String {
    cut(&visible(&error.to_string()), MOST_WORDS).into_owned()
}
