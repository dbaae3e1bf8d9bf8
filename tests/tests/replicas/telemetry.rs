//! Traces, metrics and logs reach a real collector, and one that fails harms nothing else.

use std::{collections::HashMap, time::Duration};

use futures_util::StreamExt as _;
use ta_bot_test_servers::{Collector, Mode, Proxy};
use ta_bot_tests::{
    replicas::{Fleet, Market, READERS},
    spans::{Span, spans},
    until,
};

const PATIENCE: Duration = Duration::from_mins(1);

/// The spans above one, the nearest first.
fn above<'a>(span: &'a Span, all: &'a HashMap<(&str, &str), &Span>) -> Vec<&'a Span> {
    let mut found = Vec::new();
    let mut next = span;
    while let Some(parent) = all.get(&(next.trace.as_str(), next.parent.as_str())) {
        found.push(*parent);
        next = parent;
    }
    found
}

/// One replica sends over gRPC, the other over HTTP. Each signal's message leads its reader to a span whose way back
/// goes over the evaluation, the job and the queue to the event, and some of these ways cross from one replica to the
/// other.
#[tokio::test(flavor = "multi_thread")]
async fn a_trace_leads_from_the_event_over_two_replicas_to_the_reader() {
    let market = Market::new(8, 10);
    let mut fleet = Fleet::start(&market, 2).await;
    let (traces, others) =
        tokio::try_join!(Collector::start(&["traces"]), Collector::start(&["metrics", "logs"])).unwrap();
    let ways =
        [("grpc", traces.grpc_url(), others.grpc_url()), ("http/protobuf", traces.http_url(), others.http_url())];
    for (replica, (protocol, to_traces, to_others)) in fleet.replicas.iter_mut().zip(ways) {
        let of_traces = if protocol == "grpc" { to_traces } else { format!("{to_traces}/v1/traces") };
        replica.set("OTEL_ENABLED", "true");
        replica.set("OTEL_EXPORTER_OTLP_PROTOCOL", protocol);
        replica.set("OTEL_EXPORTER_OTLP_ENDPOINT", &to_others);
        replica.set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &of_traces);
        replica.set("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip");
        replica.set("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test");
        replica.set("LOG_LEVEL", "info");
    }
    fleet.start_replicas().await;
    let client = async_nats::connect(fleet.nats.url()).await.unwrap();
    let mut signals = client.subscribe(READERS).await.unwrap();
    market.go_on(&fleet.pool(), &client, Duration::from_millis(100)).await;
    fleet.until_finished(market.jobs()).await;
    for replica in &fleet.replicas {
        let log = replica.log();
        for line in
            ["OpenTelemetry SDK initialized", "Meter provider configured", "Exporter endpoint: http://127.0.0.1:"]
        {
            assert!(log.contains(line), "{line} is missing:\n{log}");
        }
        assert_eq!(replica.metric("ta_bot_otel_dropped_total", "").await as i64, 0, "{log}");
    }
    // What waits is sent when a replica ends.
    for replica in &mut fleet.replicas {
        assert!(replica.terminate().await.success());
    }

    let all = spans(&traces.log().unwrap());
    let by_id: HashMap<_, _> = all.iter().map(|span| ((span.trace.as_str(), span.id.as_str()), span)).collect();
    let (mut read, mut crossed) = (0, 0);
    while let Ok(Some(message)) = tokio::time::timeout(Duration::from_millis(200), signals.next()).await {
        let context = message.headers.as_ref().and_then(|headers| headers.get("traceparent")).unwrap().to_string();
        let [_, trace, span, flags] = context.split('-').collect::<Vec<_>>()[..] else { panic!("{context}") };
        assert_eq!(flags, "01");
        let sent = by_id.get(&(trace, span)).unwrap_or_else(|| panic!("no span {span} among {}", all.len()));
        let way = above(sent, &by_id);
        let names: Vec<&str> = way.iter().map(|span| span.name.as_str()).collect();
        let body: serde_json::Value = serde_json::from_slice(&message.payload).unwrap();
        let evaluated = format!("evaluate {}", body["strategy"].as_str().unwrap());
        let expected = ["relay", &evaluated, "analyse", "process jobs", "send jobs"];
        assert_eq!((sent.name.as_str(), &names[..5]), ("send signals", &expected[..]));
        assert!(names.len() == 5 || names[5..] == ["process candle events"], "{names:?}");
        let decision = |name: &str| way[1].attributes[&format!("decision.{name}")].as_str();
        for name in ["intent_id", "strategy_id", "symbol", "action"] {
            assert_eq!(decision(name), body[name].as_str().unwrap(), "{body}");
        }
        assert_eq!(decision("confidence").parse::<f64>().unwrap(), body["confidence"].as_f64().unwrap());
        crossed += usize::from(names.len() == 6 && way[3].instance != way[4].instance);
        read += 1;
    }
    assert!(read > 0 && crossed > 0, "{read} signals, {crossed} by another replica than the one that read the event");
    let of_job = |name: &str| all.iter().filter(|span| span.name == name).count();
    assert_eq!([of_job("process jobs"), of_job("commit"), of_job("read candles")], [market.jobs(); 3]);
    assert!(all.iter().all(|span| span.instance.starts_with("ta-bot-")), "each span names its pod");

    let others = others.log().unwrap();
    for shown in [
        "Name: ta_bot_strategies_run_total",
        "Name: ta_bot_signal_processing_duration",
        "Name: process_cpu_seconds_total",
        "k8s.pod.name: Str(ta-bot-0)",
        "k8s.pod.name: Str(ta-bot-1)",
        "deployment.environment.name: Str(test)",
        "Body: Str(Fetched ",
    ] {
        assert!(others.contains(shown), "{shown} did not arrive");
    }
    // A line that was logged during a job belongs to its span.
    let fetched = others.split("Body: Str(Fetched ").nth(1).unwrap();
    let trace = fetched.lines().find_map(|line| line.trim().strip_prefix("Trace ID")).unwrap();
    assert_eq!(trace.trim_matches([' ', ':']).len(), 32, "{trace}");
}

/// One replica's collector is dead, another's never answers, the third's refuses. Nothing else suffers: every job is
/// done, every signal is sent, the queues stay small, the log has few lines about it, and a collector that answers
/// again has spans again.
#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_fails_costs_a_counter_and_few_lines() {
    let market = Market::new(20, 10);
    let mut fleet = Fleet::start(&market, 3).await;
    let mut dead = Collector::start(&[]).await.unwrap();
    let (stalling, refusing) =
        tokio::try_join!(Collector::start(&["traces"]), Collector::start_that_refuses()).unwrap();
    let stalled = Proxy::start(stalling.http_address()).unwrap();
    stalled.set(Mode::Stall).await.unwrap();
    let all = &["traces", "logs", "metrics"][..];
    let ways = [
        ("grpc", dead.grpc_url(), all),
        ("http/protobuf", format!("http://{}", stalled.address()), all),
        ("http/protobuf", refusing.http_url(), &all[..2]),
    ];
    for (replica, (protocol, url, _)) in fleet.replicas.iter_mut().zip(&ways) {
        replica.set("OTEL_ENABLED", "true");
        replica.set("OTEL_EXPORTER_OTLP_PROTOCOL", protocol);
        replica.set("OTEL_EXPORTER_OTLP_ENDPOINT", url);
        replica.set("OTEL_EXPORTER_OTLP_TIMEOUT", "1000");
        replica.set("OTEL_METRIC_EXPORT_INTERVAL", "500");
        replica.set("OTEL_BSP_MAX_QUEUE_SIZE", "600");
        replica.set("OTEL_BSP_SCHEDULE_DELAY", "200");
    }
    dead.kill().unwrap();
    fleet.start_replicas().await;
    let client = async_nats::connect(fleet.nats.url()).await.unwrap();
    market.go_on(&fleet.pool(), &client, Duration::from_millis(100)).await;
    fleet.until_finished(market.jobs()).await;
    for (replica, (_, url, kinds)) in fleet.replicas.iter().zip(&ways) {
        for kind in *kinds {
            let lost = async || replica.metric("ta_bot_otel_dropped_total", &format!("signal=\"{kind}\"")).await;
            let otherwise = async || format!("of {kind} nothing was lost on the way to {url}\n{}", replica.log_tail());
            until(PATIENCE, otherwise, async || lost().await > 0.0).await;
        }
        let lines = async || replica.log().matches("telemetry is lost").count();
        until(PATIENCE, async || replica.log_tail(), async || lines().await > 0).await;
        // A line a minute for each of the three kinds, and this took less than two.
        assert!(lines().await <= 6, "{}", replica.log());
        assert_eq!(replica.get("/health").await["status"], "healthy");
    }
    assert_eq!(fleet.dead_jobs().await, 0);
    // Spans are made again once the collector answers.
    stalled.set(Mode::Forward).await.unwrap();
    until(
        PATIENCE,
        async || fleet.replicas[1].log_tail(),
        async || {
            fleet.replicas[1].get("/api/v1/strategies").await;
            stalling.log().unwrap().contains("GET /api/v1/strategies")
        },
    )
    .await;
    let begun = std::time::Instant::now();
    for replica in &mut fleet.replicas {
        assert!(replica.terminate().await.success());
    }
    let log = fleet.logs();
    assert!(begun.elapsed() < PATIENCE, "{log}");
}
