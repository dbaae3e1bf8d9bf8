//! One way to the collector: for one kind of telemetry, by gRPC or by HTTP.

use std::{error::Error as StdError, io, io::Write as _, time::Duration};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use opentelemetry_proto::tonic::collector::{
    logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse, logs_service_client::LogsServiceClient},
    metrics::v1::{
        ExportMetricsServiceRequest, ExportMetricsServiceResponse, metrics_service_client::MetricsServiceClient,
    },
    trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse, trace_service_client::TraceServiceClient},
};
use prost::Message;
use ta_bot_core::{cut, visible};
use ta_bot_engine::support::backoff::Backoff;
use tonic::{
    Code, Status,
    codec::CompressionEncoding,
    metadata::MetadataMap,
    transport::{Channel, Endpoint},
};

use super::way::{Protocol, Way};
use crate::tls::trust;

/// How often a batch is sent if the collector can't take it at once.
const TRIES: u32 = 3;
/// The pauses between the tries.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(2));
/// How many bytes of an answer are read. It only says what was rejected.
const MOST_ANSWERED: usize = 64 * 1024;
/// How many bytes of a collector's words are kept.
const MOST_WORDS: usize = 200;
const AGENT: &str = concat!("ta-bot/", env!("CARGO_PKG_VERSION"));

/// What is sent at once.
#[derive(Debug, Clone)]
pub(super) enum Batch {
    Traces(ExportTraceServiceRequest),
    Metrics(ExportMetricsServiceRequest),
    Logs(ExportLogsServiceRequest),
}

/// Sends batches to the collector.
pub(super) struct Collector {
    way: Way,
    client: Sender,
}

enum Sender {
    Grpc(Channel),
    Http(Box<Client<HttpsConnector<HttpConnector>, Full<Bytes>>>),
}

/// Why a batch was not taken.
struct Refusal {
    words: String,
    /// Whether it may be taken later.
    is_passing: bool,
}

impl Collector {
    /// Opens a way. A connection is made with the first batch, and again after one is lost.
    pub(super) fn open(way: &Way) -> io::Result<Self> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(way.timeout));
        let https = HttpsConnectorBuilder::new().with_tls_config(trust()?).https_or_http();
        let client = match way.protocol {
            Protocol::Grpc => {
                let endpoint = Endpoint::from(way.uri.clone()).user_agent(AGENT).map_err(io::Error::other)?;
                Sender::Grpc(endpoint.connect_with_connector_lazy(https.enable_http2().wrap_connector(tcp)))
            }
            Protocol::Http => {
                let client = Client::builder(TokioExecutor::new())
                    .pool_timer(TokioTimer::new())
                    .build(https.enable_http1().wrap_connector(tcp));
                Sender::Http(Box::new(client))
            }
        };
        Ok(Self { way: way.clone(), client })
    }

    /// Sends a batch; several times, if the collector asks for patience. Returns how many of its entries were rejected.
    pub(super) async fn send(&self, batch: Batch) -> Result<usize, String> {
        let mut pauses = PAUSES;
        let mut tries = 1;
        loop {
            let sent = tokio::time::timeout(self.way.timeout, self.send_once(&batch)).await;
            let late = || Refusal { words: format!("no answer within {:?}", self.way.timeout), is_passing: false };
            match sent.unwrap_or_else(|_| Err(late())) {
                Ok(rejected) => return Ok(rejected),
                Err(refusal) if refusal.is_passing && tries < TRIES => {
                    tokio::time::sleep(pauses.pause()).await;
                    tries += 1;
                }
                Err(refusal) => return Err(format!("{}: {}", self.way.shown(), refusal.words)),
            }
        }
    }

    async fn send_once(&self, batch: &Batch) -> Result<usize, Refusal> {
        match &self.client {
            Sender::Grpc(channel) => self.call(channel.clone(), batch.clone()).await,
            Sender::Http(client) => {
                let request = self.request(batch).map_err(|error| Refusal::lasting(&error))?;
                let response = client.request(request).await.map_err(|error| Refusal::of_connection(&error))?;
                let (head, body) = response.into_parts();
                let body = Limited::new(body, MOST_ANSWERED).collect().await;
                let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
                if head.status.is_success() {
                    return Ok(batch.rejected(&body));
                }
                Err(Refusal::of_status(head.status, &body))
            }
        }
    }

    fn request(&self, batch: &Batch) -> Result<Request<Full<Bytes>>, Box<dyn StdError + Send + Sync>> {
        let mut body = batch.encode();
        let mut request = Request::post(self.way.uri.clone());
        if let Some(headers) = request.headers_mut() {
            headers.extend(self.way.headers.clone());
        }
        request = request.header(header::CONTENT_TYPE, "application/x-protobuf").header(header::USER_AGENT, AGENT);
        if self.way.is_compressed {
            let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
            packed.write_all(&body)?;
            body = packed.finish()?;
            request = request.header(header::CONTENT_ENCODING, "gzip");
        }
        Ok(request.body(Full::new(body.into()))?)
    }

    async fn call(&self, channel: Channel, batch: Batch) -> Result<usize, Refusal> {
        let packed = self.way.is_compressed.then_some(CompressionEncoding::Gzip);
        // The three clients have the same methods and no trait.
        macro_rules! called {
            ($client:ident, $request:expr) => {{
                let mut client = $client::new(channel);
                if let Some(packed) = packed {
                    client = client.send_compressed(packed);
                }
                let answer = client.export(with_headers($request, &self.way.headers)).await;
                answer.map_err(|status| Refusal::of_call(&status))?.into_inner()
            }};
        }
        Ok(match batch {
            Batch::Traces(request) => rejected_spans(&called!(TraceServiceClient, request)),
            Batch::Metrics(request) => rejected_points(&called!(MetricsServiceClient, request)),
            Batch::Logs(request) => rejected_lines(&called!(LogsServiceClient, request)),
        })
    }
}

fn with_headers<T>(message: T, headers: &HeaderMap) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    *request.metadata_mut() = MetadataMap::from_headers(headers.clone());
    request
}

impl Batch {
    fn encode(&self) -> Vec<u8> {
        match self {
            Self::Traces(request) => request.encode_to_vec(),
            Self::Metrics(request) => request.encode_to_vec(),
            Self::Logs(request) => request.encode_to_vec(),
        }
    }

    /// How many entries the collector rejected, according to its answer. One that can't be read says nothing.
    fn rejected(&self, answer: &[u8]) -> usize {
        match self {
            Self::Traces(_) => ExportTraceServiceResponse::decode(answer).as_ref().map_or(0, rejected_spans),
            Self::Metrics(_) => ExportMetricsServiceResponse::decode(answer).as_ref().map_or(0, rejected_points),
            Self::Logs(_) => ExportLogsServiceResponse::decode(answer).as_ref().map_or(0, rejected_lines),
        }
    }
}

fn rejected_spans(answer: &ExportTraceServiceResponse) -> usize {
    answer.partial_success.as_ref().map_or(0, |partial| partial.rejected_spans.max(0) as usize)
}

fn rejected_points(answer: &ExportMetricsServiceResponse) -> usize {
    answer.partial_success.as_ref().map_or(0, |partial| partial.rejected_data_points.max(0) as usize)
}

fn rejected_lines(answer: &ExportLogsServiceResponse) -> usize {
    answer.partial_success.as_ref().map_or(0, |partial| partial.rejected_log_records.max(0) as usize)
}

impl Refusal {
    fn lasting(error: &dyn ToString) -> Self {
        Self { words: error.to_string(), is_passing: false }
    }

    /// The connection failed: the innermost cause says why.
    fn of_connection(error: &(dyn StdError + 'static)) -> Self {
        let mut cause = error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        Self { words: cause.to_string(), is_passing: true }
    }

    fn of_status(status: StatusCode, body: &[u8]) -> Self {
        let said = visible(&cut(&String::from_utf8_lossy(body), MOST_WORDS)).into_owned();
        let passing = [
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::BAD_GATEWAY,
            StatusCode::SERVICE_UNAVAILABLE,
            StatusCode::GATEWAY_TIMEOUT,
        ];
        Self { words: format!("{status} {said}").trim_end().to_owned(), is_passing: passing.contains(&status) }
    }

    fn of_call(status: &Status) -> Self {
        let passing = [
            Code::Cancelled,
            Code::DeadlineExceeded,
            Code::Aborted,
            Code::OutOfRange,
            Code::Unavailable,
            Code::DataLoss,
            Code::ResourceExhausted,
        ];
        let said = visible(&cut(status.message(), MOST_WORDS)).into_owned();
        let inner = status.source().map(|source| Self::of_connection(source).words);
        let words = inner.map_or_else(|| format!("{:?} {said}", status.code()), |inner| format!("{said}: {inner}"));
        Self { words: words.trim_end().to_owned(), is_passing: passing.contains(&status.code()) }
    }
}
