//! Reads the variables, and keeps what is wrong about them.

use std::{str::FromStr, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use opentelemetry_sdk::trace::Sampler;
use percent_encoding::percent_decode_str;

use super::way::{Protocol, Way};

/// A variable that can't be used: its name, and what was given and is allowed.
pub type Problem = (&'static str, String);

/// The kinds of telemetry, which may each go another way.
#[derive(Debug, Clone, Copy)]
pub(super) enum Signal {
    Traces,
    Metrics,
    Logs,
}

/// A variable for each kind of telemetry, and the one that counts for all kinds that have none.
struct Name {
    all: &'static str,
    one: [&'static str; 3],
}

/// The names of the variables that end in this word.
macro_rules! name {
    ($word:literal) => {
        Name {
            all: concat!("OTEL_EXPORTER_OTLP_", $word),
            one: [
                concat!("OTEL_EXPORTER_OTLP_TRACES_", $word),
                concat!("OTEL_EXPORTER_OTLP_METRICS_", $word),
                concat!("OTEL_EXPORTER_OTLP_LOGS_", $word),
            ],
        }
    };
}

const ENDPOINT: Name = name!("ENDPOINT");
const PROTOCOL: Name = name!("PROTOCOL");
const HEADERS: Name = name!("HEADERS");
const TIMEOUT: Name = name!("TIMEOUT");
const COMPRESSION: Name = name!("COMPRESSION");
const EXPORTER: [&str; 3] = ["OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"];

pub(super) struct Variables<G> {
    get: G,
    problems: Vec<Problem>,
}

impl<G: Fn(&str) -> Option<String>> Variables<G> {
    pub(super) const fn new(get: G) -> Self {
        Self { get, problems: Vec::new() }
    }

    /// What was read, unless something was wrong.
    pub(super) fn end<T>(mut self, read: T) -> Result<T, Vec<Problem>> {
        // A wrong variable for all kinds is met once for each.
        self.problems.dedup();
        let mut met = std::collections::HashSet::new();
        self.problems.retain(|problem| met.insert(problem.clone()));
        if self.problems.is_empty() { Ok(read) } else { Err(self.problems) }
    }

    /// A variable that is set, and not empty: an empty one counts as not set, as the standard says.
    pub(super) fn given(&self, name: &str) -> Option<String> {
        (self.get)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn refuse(&mut self, name: &'static str, problem: String) {
        self.problems.push((name, problem));
    }

    pub(super) fn is_disabled(&self) -> bool {
        self.given("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    fn of(&self, name: &Name, signal: Signal) -> Option<(&'static str, String)> {
        let one = name.one[signal as usize];
        let own = self.given(one).map(|value| (one, value));
        own.or_else(|| self.given(name.all).map(|value| (name.all, value)))
    }

    /// The address of all kinds of telemetry that have none of their own.
    pub(super) fn base(&mut self) -> Option<Uri> {
        let given = self.given(ENDPOINT.all);
        let of_protocol = self.protocol(self.given(PROTOCOL.all).map(|value| (PROTOCOL.all, value)));
        self.uri(ENDPOINT.all, &given.unwrap_or_else(|| usual(of_protocol).to_owned()))
    }

    /// The way of a kind of telemetry; `None` if it is not sent.
    pub(super) fn way(&mut self, signal: Signal) -> Option<Way> {
        let exporter = EXPORTER[signal as usize];
        match self.given(exporter).as_deref() {
            None | Some("otlp") => {}
            Some("none") => return None,
            Some(other) => self.refuse(exporter, format!("{other:?} is neither otlp nor none")),
        }
        let protocol = self.protocol(self.of(&PROTOCOL, signal));
        let own = self.given(ENDPOINT.one[signal as usize]);
        let uri = if let Some(own) = own {
            self.uri(ENDPOINT.one[signal as usize], &own)
        } else {
            let base = self.given(ENDPOINT.all).unwrap_or_else(|| usual(protocol).to_owned());
            let base = if protocol == Protocol::Http { below(&base, signal) } else { base };
            self.uri(ENDPOINT.all, &base)
        };
        let headers = self.headers(signal);
        let timeout = self.of(&TIMEOUT, signal).map_or("OTEL_EXPORTER_OTLP_TIMEOUT", |(name, _)| name);
        let timeout = self.duration(timeout, 10_000, 1);
        let is_compressed = match self.of(&COMPRESSION, signal) {
            None => false,
            Some((_, value)) if value == "none" => false,
            Some((_, value)) if value == "gzip" => true,
            Some((name, value)) => {
                self.refuse(name, format!("{value:?} is neither gzip nor none"));
                false
            }
        };
        Some(Way { protocol, uri: uri?, headers, timeout, is_compressed })
    }

    fn protocol(&mut self, given: Option<(&'static str, String)>) -> Protocol {
        match given {
            None => Protocol::Http,
            Some((_, value)) if value == "grpc" => Protocol::Grpc,
            Some((_, value)) if value == "http/protobuf" => Protocol::Http,
            Some((name, value)) => {
                self.refuse(name, format!("{value:?} is neither grpc nor http/protobuf"));
                Protocol::Http
            }
        }
    }

    fn uri(&mut self, name: &'static str, given: &str) -> Option<Uri> {
        // The address is not repeated: it may have a password.
        let problem = match given.parse::<Uri>() {
            Ok(uri) if matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some() => {
                if !uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
                    return Some(uri);
                }
                "has a user name: give what the collector asks for in OTEL_EXPORTER_OTLP_HEADERS"
            }
            _ => "is no address such as http://collector:4318 or https://collector.example:443/otlp",
        };
        self.refuse(name, format!("it {problem}"));
        None
    }

    /// Headers as `name=value` pairs, separated by commas; values may be percent-encoded.
    fn headers(&mut self, signal: Signal) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let Some((name, text)) = self.of(&HEADERS, signal) else { return headers };
        for (index, pair) in text.split(',').map(str::trim).enumerate().filter(|(_, pair)| !pair.is_empty()) {
            let read = pair.split_once('=').and_then(|(key, value)| {
                let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
                let mut value = HeaderValue::from_str(&value).ok()?;
                value.set_sensitive(true);
                Some((HeaderName::from_str(key.trim()).ok()?, value))
            });
            match read {
                Some((key, value)) => {
                    headers.append(key, value);
                }
                // The pair is not repeated: it is likely a secret.
                None => self.refuse(name, format!("pair {} is no name=value of a header", index + 1)),
            }
        }
        headers
    }

    /// A time in milliseconds.
    pub(super) fn duration(&mut self, name: &'static str, usual: u64, least: u64) -> Duration {
        let given = self.given(name).map(|value| (value.parse::<u64>().ok().filter(|read| *read >= least), value));
        Duration::from_millis(match given {
            None => usual,
            Some((Some(read), _)) => read,
            Some((None, value)) => {
                self.refuse(name, format!("{value:?} is no number of milliseconds from {least} on"));
                usual
            }
        })
    }

    pub(super) fn size(&mut self, name: &'static str, usual: usize) -> usize {
        let given =
            self.given(name).map(|value| (value.parse().ok().filter(|read| (1..=1_000_000).contains(read)), value));
        match given {
            None => usual,
            Some((Some(read), _)) => read,
            Some((None, value)) => {
                self.refuse(name, format!("{value:?} is no number from 1 to 1000000"));
                usual
            }
        }
    }

    pub(super) fn sampler(&mut self) -> Sampler {
        const NAME: &str = "OTEL_TRACES_SAMPLER";
        let given = self.given(NAME).unwrap_or_else(|| "parentbased_always_on".to_owned());
        let (is_parent_based, kind) =
            given.strip_prefix("parentbased_").map_or((false, given.as_str()), |kind| (true, kind));
        let sampler = match kind {
            "always_on" => Sampler::AlwaysOn,
            "always_off" => Sampler::AlwaysOff,
            "traceidratio" => Sampler::TraceIdRatioBased(self.ratio()),
            _ => {
                let allowed = "always_on, always_off or traceidratio, each also with parentbased_ before it";
                self.refuse(NAME, format!("{given:?} is none of {allowed}"));
                Sampler::AlwaysOff
            }
        };
        if is_parent_based { Sampler::ParentBased(Box::new(sampler)) } else { sampler }
    }

    fn ratio(&mut self) -> f64 {
        const NAME: &str = "OTEL_TRACES_SAMPLER_ARG";
        let given = self.given(NAME).map(|value| (value.parse().ok().filter(|read| (0.0..=1.0).contains(read)), value));
        match given {
            None => 1.0,
            Some((Some(read), _)) => read,
            Some((None, value)) => {
                self.refuse(NAME, format!("{value:?} is no number from 0 to 1"));
                0.0
            }
        }
    }
}

const fn usual(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Grpc => "http://localhost:4317",
        Protocol::Http => "http://localhost:4318",
    }
}

/// The path of a kind of telemetry below an address of all kinds.
fn below(base: &str, signal: Signal) -> String {
    let path = ["traces", "metrics", "logs"][signal as usize];
    format!("{}/v1/{path}", base.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::settings::OtlpSettings;
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Option<OtlpSettings>, Vec<Problem>> {
        let variables: HashMap<String, String> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        OtlpSettings::read(move |name| variables.get(name).cloned())
    }

    fn settings(variables: &[(&str, &str)]) -> OtlpSettings {
        read(variables).unwrap().unwrap()
    }

    #[test]
    fn a_collector_gets_each_kind_at_its_own_path() {
        let settings = settings(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector.example/otlp/")]);
        let uris =
            [&settings.traces, &settings.metrics, &settings.logs].map(|way| way.as_ref().unwrap().uri.to_string());
        assert_eq!(uris, ["traces", "metrics", "logs"].map(|kind| format!("https://collector.example/otlp/v1/{kind}")));
        assert_eq!(settings.endpoint(), "https://collector.example/otlp");
    }

    #[test]
    fn a_kind_may_go_another_way_or_not_at_all() {
        let settings = settings(&[
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://127.0.0.1:9/as/it/is"),
            ("OTEL_METRICS_EXPORTER", "none"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Basic%20YTpi+c=,x-scope=1"),
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "250"),
            ("OTEL_SERVICE_NAME", ""),
        ]);
        let traces = settings.traces.unwrap();
        assert_eq!(
            (traces.protocol, traces.uri.port_u16(), traces.timeout.as_millis()),
            (Protocol::Grpc, Some(4317), 250)
        );
        assert_eq!(
            (&traces.headers["authorization"], &traces.headers["x-scope"]),
            (&"Basic YTpi+c=".parse().unwrap(), &"1".parse().unwrap())
        );
        assert_eq!(settings.logs.unwrap().uri.path(), "/as/it/is");
        assert!(settings.metrics.is_none() && settings.service == "ta-bot");
    }

    #[test]
    fn what_can_t_be_used_is_told_without_secrets() {
        let problems = read(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://me:secret@collector"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "secret"),
            ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
            ("OTEL_TRACES_SAMPLER", "xray"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "soon"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
            ("OTEL_LOGS_EXPORTER", "console"),
        ]);
        let problems = problems.unwrap_err();
        let names: std::collections::BTreeSet<_> = problems.iter().map(|(name, _)| *name).collect();
        assert_eq!((names.len(), problems.len()), (8, 8), "{problems:?}");
        assert!(!format!("{problems:?}").contains("secret"), "{problems:?}");
    }

    #[test]
    fn the_standard_s_way_to_turn_everything_off() {
        assert!(read(&[("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_SAMPLER", "xray")]).unwrap().is_none());
        assert!(
            read(&[("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "0.1")]).is_ok()
        );
    }
}
