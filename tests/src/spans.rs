//! The spans that a collector took, read from its log.

use std::collections::HashMap;

/// A span.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "the words of OpenTelemetry")]
pub struct Span {
    pub trace: String,
    pub id: String,
    /// Empty if it begins the trace.
    pub parent: String,
    pub name: String,
    pub attributes: HashMap<String, String>,
    /// The instance of the service that sent it.
    pub instance: String,
}

/// Reads the spans. Each line of the log names a field; spans follow the resource that sent them.
pub fn spans(log: &str) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut instance = String::new();
    let mut is_span = false;
    for line in log.lines() {
        let line = line.trim();
        if line.starts_with("ResourceSpans #")
            || line.starts_with("ResourceLog #")
            || line.starts_with("ResourceMetrics #")
        {
            (instance, is_span) = (String::new(), false);
        } else if line.starts_with("Span #") {
            is_span = true;
            spans.push(Span { instance: instance.clone(), ..Span::default() });
        } else if let Some((name, value)) = line.strip_prefix("-> ").and_then(|line| line.split_once(": ")) {
            let value =
                value.split_once('(').and_then(|(_, value)| value.strip_suffix(')')).unwrap_or(value).to_owned();
            match spans.last_mut().filter(|_| is_span) {
                Some(span) => drop(span.attributes.insert(name.to_owned(), value)),
                None if name == "service.instance.id" => instance = value,
                None => {}
            }
        } else if let Some((name, value)) = line.split_once(':')
            && let Some(span) = spans.last_mut().filter(|_| is_span)
        {
            let value = value.trim().to_owned();
            match name.trim() {
                "Trace ID" => span.trace = value,
                "Parent ID" => span.parent = value,
                "ID" => span.id = value,
                "Name" => span.name = value,
                _ => {}
            }
        }
    }
    spans
}
