//! What makes each alert fire, and what makes it stop. The series have a value a minute, in promtool's notation:
//! `0+2x3` is 0, 2, 4, 6, and `_x3` is none for three minutes.

/// Series with their values.
pub(crate) type Series = &'static [(&'static str, &'static str)];

/// The course of an alert.
pub(crate) struct Case {
    pub(crate) alert: &'static str,
    pub(crate) series: Series,
    /// Minutes at which it is quiet, fires, and is quiet again.
    pub(crate) minutes: [u32; 3],
}

const fn case(alert: &'static str, series: Series, minutes: [u32; 3]) -> Case {
    Case { alert, series, minutes }
}

/// A counter that goes up by one after five minutes.
const ONCE: &str = "0+0x5 1+0x200";
/// A gauge of what can be done, which can't be for eleven minutes.
const AWAY: &str = "1+0x5 0+0x10 1+0x20";
/// The same the other way around.
const THERE: &str = "0+0x5 1+0x10 0+0x20";
/// Ten a minute, of which every tenth misses in the second half hour.
const ALL: &str = "0+10x300";
const MOST: &str = "0+10x60 609+9x29 880+10x200";
const MISSED: &str = "0+0x60 1+1x29 30+0x200";

/// A case for each alert, at least.
pub(crate) const CASES: &[Case] = &[
    case("TABotAbsent", &[(r#"ta_bot_build_info{pod="a"}"#, "1+0x10 _x10 1+0x10")], [5, 19, 23]),
    case(
        "TABotReplicaUnscraped",
        &[
            (r#"up{job="petrosa-ta-bot-service",pod="a"}"#, "1+0x40"),
            (r#"up{job="petrosa-ta-bot-service",pod="b"}"#, AWAY),
        ],
        [7, 9, 18],
    ),
    case(
        "TABotNoLeader",
        &[(r#"ta_bot_is_leader{pod="a"}"#, AWAY), (r#"ta_bot_is_leader{pod="b"}"#, "0+0x40")],
        [6, 8, 18],
    ),
    case(
        "TABotSeveralLeaders",
        &[
            (r#"ta_bot_is_leader{pod="a"}"#, "1+0x40"),
            (r#"ta_bot_is_leader{pod="b"}"#, THERE),
            (r#"ta_bot_election_enabled{pod="a"}"#, "1+0x40"),
            (r#"ta_bot_election_enabled{pod="b"}"#, "1+0x40"),
        ],
        [6, 8, 18],
    ),
    case(
        "TABotLeaseNotRenewed",
        &[
            (r#"ta_bot_lease_renewal_age_seconds{pod="a"}"#, "1+0x5 40+0x10 1+0x20"),
            (r#"ta_bot_lease_renewal_age_seconds{pod="b"}"#, "2+0x5 41+0x10 2+0x20"),
        ],
        [6, 8, 18],
    ),
    case("TABotReplicaPaused", &[(r#"ta_bot_paused_seconds_total{pod="a"}"#, "0+0x6 10 20+0x40")], [5, 9, 15]),
    case(
        "TABotDiskFull",
        &[
            (r#"ta_bot_disk_free_bytes{place="data_dir",pod="a"}"#, "50+0x5 5+0x10 50+0x20"),
            (r#"ta_bot_disk_size_bytes{place="data_dir",pod="a"}"#, "100+0x40"),
        ],
        [9, 12, 18],
    ),
    // A round an hour, which fails for two days in between.
    case(
        "TABotRetentionFails",
        &[
            (
                r#"ta_bot_retention_rounds_total{of="stores",outcome="finished",pod="a"}"#,
                "0+0.0166x720 12+0x2880 12+0.0166x1000",
            ),
            (
                r#"ta_bot_retention_rounds_total{of="stores",outcome="failed",pod="a"}"#,
                "0+0x720 0+0.0166x2880 48+0x1000",
            ),
        ],
        [2000, 3500, 4000],
    ),
    case("TABotTelemetryLost", &[(r#"ta_bot_otel_dropped_total{signal="traces",pod="a"}"#, ONCE)], [5, 10, 30]),
    case(
        "TABotNoSignalsGenerated",
        &[(r#"ta_bot_signals_committed_total{strategy="rsi",pod="a"}"#, "0+1x10 10+0x410 11+0x60")],
        [300, 400, 430],
    ),
    case(
        "TABotHighLatency",
        &[
            (r#"ta_bot_signal_processing_duration_bucket{le="1000",pod="a"}"#, "0+10x5 50+0x10 50+10x30"),
            (r#"ta_bot_signal_processing_duration_bucket{le="5000",pod="a"}"#, "0+10x5 50+0x10 50+10x30"),
            (r#"ta_bot_signal_processing_duration_bucket{le="10000",pod="a"}"#, "0+10x5 50+10x10 150+10x30"),
            (r#"ta_bot_signal_processing_duration_bucket{le="+Inf",pod="a"}"#, "0+10x5 50+10x10 150+10x30"),
        ],
        [8, 14, 26],
    ),
    case(
        "TABotNothingAnalysed",
        &[
            (r#"ta_bot_jobs_total{outcome="finished",pod="a"}"#, "0+1x10 10+0x90 11+1x30"),
            (r#"ta_bot_candle_age_seconds{symbol="BTCUSDT",timeframe="15m",pod="a"}"#, "600+0x130"),
        ],
        [60, 90, 105],
    ),
    // Nobody knows how old the candles are.
    case(
        "TABotNothingAnalysed",
        &[(r#"ta_bot_jobs_total{outcome="finished",pod="a"}"#, "0+1x10 10+0x90 11+1x30")],
        [60, 90, 105],
    ),
    case("TABotCannotQueue", &[(r#"ta_bot_able{ability="queue",pod="a"}"#, AWAY)], [6, 8, 18]),
    case("TABotCannotReadCandles", &[(r#"ta_bot_able{ability="read_candles",pod="a"}"#, AWAY)], [6, 8, 18]),
    case("TABotCannotCommit", &[(r#"ta_bot_able{ability="commit",pod="a"}"#, AWAY)], [6, 8, 18]),
    case("TABotCannotPublish", &[(r#"ta_bot_able{ability="publish",pod="a"}"#, AWAY)], [6, 8, 18]),
    case("TABotQueueBacklog", &[(r#"ta_bot_jobs_queued{pod="a"}"#, "10+0x5 600+0x15 10+0x20")], [14, 17, 23]),
    case("TABotDeadJobs", &[(r#"ta_bot_jobs_total{outcome="dead",pod="a"}"#, ONCE)], [5, 10, 80]),
    case(
        "TABotFeedBehind",
        &[(r#"ta_bot_candle_age_seconds{symbol="BTCUSDT",timeframe="15m",pod="a"}"#, "100+0x5 8000+0x10 100+0x20")],
        [9, 12, 18],
    ),
    case(
        "TABotFeedBehind",
        &[(r#"ta_bot_candle_age_seconds{symbol="BTCUSDT",timeframe="1w",pod="a"}"#, "8000+0x5 1400000+0x10 0+0x20")],
        [9, 12, 18],
    ),
    case(
        "TABotCandlesUnfinished",
        &[(r#"ta_bot_candles_unfinished_total{timeframe="1h",pod="a"}"#, ONCE)],
        [5, 10, 80],
    ),
    case("TABotCandlesRefused", &[(r#"ta_bot_candles_refused_total{reason="off_grid",pod="a"}"#, ONCE)], [5, 10, 80]),
    case("TABotCandlesRevised", &[(r#"ta_bot_candles_revised_total{timeframe="1h",pod="a"}"#, ONCE)], [5, 10, 80]),
    case("TABotStrategyQuarantined", &[(r#"ta_bot_strategy_quarantined{strategy="rsi",pod="a"}"#, THERE)], [5, 7, 18]),
    case(
        "TABotStrategySuspended",
        &[(r#"ta_bot_strategy_suspended_series{strategy="rsi",pod="a"}"#, THERE)],
        [5, 7, 18],
    ),
    // The series appears with its first event.
    case(
        "TABotStrategyMisconfigured",
        &[(
            r#"ta_bot_strategy_executions_total{status="misconfigured",strategy="rsi",symbol="BTCUSDT",pod="a"}"#,
            "_x5 1+0x200",
        )],
        [4, 10, 75],
    ),
    // The series was there, and another one never changes.
    case(
        "TABotStrategyMisconfigured",
        &[
            (
                r#"ta_bot_strategy_executions_total{status="misconfigured",strategy="rsi",symbol="BTCUSDT",pod="a"}"#,
                "3+0x90 4+0x200",
            ),
            (
                r#"ta_bot_strategy_executions_total{status="misconfigured",strategy="rsi",symbol="ETHUSDT",pod="a"}"#,
                "3+0x290",
            ),
        ],
        [85, 100, 160],
    ),
    case(
        "TABotStrategyThrottled",
        &[(r#"ta_bot_strategy_throttled_total{strategy="rsi",pod="a"}"#, ONCE)],
        [5, 10, 30],
    ),
    case(
        "TABotStrategyTimeouts",
        &[(r#"ta_bot_strategy_failures_total{code="timeout",strategy="rsi",pod="a"}"#, "0+0x5 2 4 6+0x60")],
        [5, 10, 30],
    ),
    case(
        "TABotEvaluationsStarved",
        &[(r#"ta_bot_strategy_starved_total{strategy="rsi",pod="a"}"#, "0+0x5 2 4 6+0x60")],
        [5, 10, 30],
    ),
    case("TABotStoreAway", &[(r#"ta_bot_store_connected{store="mysql",pod="a"}"#, AWAY)], [7, 9, 18]),
    case(
        "TABotBusAway",
        &[(r#"ta_bot_bus_connected{pod="a"}"#, AWAY), (r#"ta_bot_able{ability="publish",pod="a"}"#, AWAY)],
        [6, 8, 18],
    ),
    case(
        "TABotParametersStale",
        &[(r#"ta_bot_parameters_stale_seconds{pod="a"}"#, "0+0x5 0+60x12 0+0x20")],
        [11, 15, 20],
    ),
    case(
        "TABotStreamFull",
        &[
            (r#"ta_bot_stream_bytes{stream="ta-bot-jobs",pod="a"}"#, "10+0x5 90+0x10 10+0x20"),
            (r#"ta_bot_stream_limit_bytes{stream="ta-bot-jobs",pod="a"}"#, "100+0x40"),
            // Without a limit.
            (r#"ta_bot_stream_bytes{stream="ta-bot-signals",pod="a"}"#, "1000+0x40"),
        ],
        [9, 12, 18],
    ),
    case(
        "TABotStreamFull",
        &[
            (r#"ta_bot_jetstream_bytes{pod="a"}"#, "10+0x5 90+0x10 10+0x20"),
            (r#"ta_bot_jetstream_limit_bytes{pod="a"}"#, "100+0x40"),
        ],
        [9, 12, 18],
    ),
    case(
        "TABotSignalsNotPublished",
        &[(r#"ta_bot_outbox_age_seconds{pod="a"}"#, "0+0x5 100+0x10 0+0x20")],
        [9, 12, 18],
    ),
    case(
        "TABotSlowToPublish",
        &[
            (r#"ta_bot_publish_latency_seconds_bucket{le="1",pod="a"}"#, "0+10x5 50+0x30 50+10x40"),
            (r#"ta_bot_publish_latency_seconds_bucket{le="2.5",pod="a"}"#, "0+10x5 50+10x30 350+10x40"),
            (r#"ta_bot_publish_latency_seconds_bucket{le="+Inf",pod="a"}"#, "0+10x5 50+10x30 350+10x40"),
        ],
        [6, 25, 60],
    ),
    case(
        "TABotSignalsExpired",
        &[(r#"ta_bot_signals_expired_total{reason="decided_late",pod="a"}"#, ONCE)],
        [5, 10, 80],
    ),
    case(
        "TABotWebhookBehind",
        &[(r#"ta_bot_webhook_lag_seconds{receiver="desk",pod="a"}"#, "0+0x5 100+0x10 0+0x20")],
        [9, 12, 18],
    ),
    case(
        "TABotWebhookRefuses",
        &[(r#"ta_bot_webhook_deliveries_total{receiver="desk",outcome="refused",pod="a"}"#, ONCE)],
        [5, 10, 80],
    ),
    case("TABotPublishSloFastBurn", LATE, [50, 80, 100]),
    case("TABotPublishSloSlowBurn", LATE, [50, 80, 130]),
    // As a newer Prometheus stores it, and signals that expire are late as well.
    case(
        "TABotPublishSloFastBurn",
        &[
            (r#"ta_bot_publish_latency_seconds_bucket{le="1.0",pod="a"}"#, MOST),
            (r#"ta_bot_publish_latency_seconds_count{pod="a"}"#, MOST),
            (r#"ta_bot_signals_expired_total{reason="waited_for_bus",pod="a"}"#, MISSED),
        ],
        [50, 80, 100],
    ),
    case("TABotDecisionSloFastBurn", UNDECIDED, [50, 80, 100]),
    case("TABotDecisionSloSlowBurn", UNDECIDED, [50, 80, 130]),
];

const LATE: Series = &[
    (r#"ta_bot_publish_latency_seconds_bucket{le="1",pod="a"}"#, MOST),
    (r#"ta_bot_publish_latency_seconds_count{pod="a"}"#, ALL),
    (r#"ta_bot_signals_expired_total{reason="waited_for_bus",pod="a"}"#, "0+0x300"),
];

const UNDECIDED: Series = &[
    (r#"ta_bot_jobs_total{outcome="finished",pod="a"}"#, MOST),
    (r#"ta_bot_jobs_total{outcome="dead",pod="a"}"#, MISSED),
];

/// A course in which nothing fires.
pub(crate) struct Quiet {
    pub(crate) what: &'static str,
    pub(crate) series: Series,
    /// Minutes at which that is looked at.
    pub(crate) minutes: &'static [u32],
}

/// What is no fault.
pub(crate) const QUIET: &[Quiet] = &[
    Quiet {
        what: "without an election every process leads for itself",
        series: &[
            (r#"ta_bot_build_info{pod="a"}"#, "1+0x60"),
            (r#"ta_bot_build_info{pod="b"}"#, "1+0x60"),
            (r#"ta_bot_is_leader{pod="a"}"#, "1+0x60"),
            (r#"ta_bot_is_leader{pod="b"}"#, "1+0x60"),
            (r#"ta_bot_election_enabled{pod="a"}"#, "0+0x60"),
            (r#"ta_bot_election_enabled{pod="b"}"#, "0+0x60"),
            (r#"ta_bot_lease_renewal_age_seconds{pod="a"}"#, "0+0x60"),
        ],
        minutes: &[5, 60],
    },
    Quiet {
        what: "a bus within the process is never connected, and a timeframe of four hours has nothing to analyse for long",
        series: &[
            (r#"ta_bot_build_info{pod="a"}"#, "1+0x240"),
            (r#"ta_bot_bus_connected{pod="a"}"#, "0+0x240"),
            (r#"ta_bot_able{ability="publish",pod="a"}"#, "1+0x240"),
            (r#"ta_bot_jobs_total{outcome="finished",pod="a"}"#, "0 1+0x240"),
            (r#"ta_bot_candle_age_seconds{symbol="BTCUSDT",timeframe="4h",pod="a"}"#, "0+60x240"),
        ],
        minutes: &[30, 61, 70, 120, 240],
    },
    Quiet {
        what: "one late signal of few costs no objective",
        series: &[
            (r#"ta_bot_build_info{pod="a"}"#, "1+0x120"),
            (r#"ta_bot_publish_latency_seconds_bucket{le="1",pod="a"}"#, "0+0x10 3+0x100"),
            (r#"ta_bot_publish_latency_seconds_bucket{le="+Inf",pod="a"}"#, "0+0x10 4+0x100"),
            (r#"ta_bot_publish_latency_seconds_count{pod="a"}"#, "0+0x10 4+0x100"),
            (r#"ta_bot_signals_expired_total{reason="decided_late",pod="a"}"#, "0+0x120"),
        ],
        minutes: &[9, 60, 120],
    },
    Quiet {
        what: "a sound service",
        series: &[
            (r#"ta_bot_build_info{pod="a"}"#, "1+0x420"),
            (r#"up{job="petrosa-ta-bot-service",pod="a"}"#, "1+0x420"),
            (r#"ta_bot_is_leader{pod="a"}"#, "1+0x420"),
            (r#"ta_bot_election_enabled{pod="a"}"#, "1+0x420"),
            (r#"ta_bot_able{ability="queue",pod="a"}"#, "1+0x420"),
            (r#"ta_bot_able{ability="read_candles",pod="a"}"#, "1+0x420"),
            (r#"ta_bot_able{ability="commit",pod="a"}"#, "1+0x420"),
            (r#"ta_bot_able{ability="publish",pod="a"}"#, "1+0x420"),
            (r#"ta_bot_bus_connected{pod="a"}"#, "1+0x420"),
            (r#"ta_bot_store_connected{store="mysql",pod="a"}"#, "1+0x420"),
            (r#"ta_bot_signals_committed_total{strategy="rsi",pod="a"}"#, "0+1x420"),
            (r#"ta_bot_jobs_total{outcome="finished",pod="a"}"#, "0+20x420"),
            (r#"ta_bot_jobs_total{outcome="dead",pod="a"}"#, "0+0x420"),
            (r#"ta_bot_candle_age_seconds{symbol="BTCUSDT",timeframe="15m",pod="a"}"#, "600+0x420"),
            (r#"ta_bot_publish_latency_seconds_bucket{le="1",pod="a"}"#, "0+1x420"),
            (r#"ta_bot_publish_latency_seconds_bucket{le="+Inf",pod="a"}"#, "0+1x420"),
            (r#"ta_bot_publish_latency_seconds_count{pod="a"}"#, "0+1x420"),
            (r#"ta_bot_signals_expired_total{reason="decided_late",pod="a"}"#, "0+0x420"),
        ],
        minutes: &[20, 200, 420],
    },
];
