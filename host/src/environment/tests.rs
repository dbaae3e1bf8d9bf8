use ta_bot_engine::retention::kind::Kind;

use super::*;

fn read(variables: &[(&str, &str)]) -> Result<Environment, Vec<EnvError>> {
    Environment::read(|name| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()))
}

#[test]
fn the_defaults_are_the_documented_ones() {
    let environment = read(&[]).unwrap();
    assert_eq!(environment.http_addr.to_string(), "127.0.0.1:8080");
    assert_eq!(environment.settings.symbols.len(), 3);
    assert_eq!(environment.settings.enabled_strategies, None);
    assert_eq!(environment.limits, Limits::default());
    assert_eq!(environment.cache_ttl, Duration::from_mins(1));
    assert_eq!(environment.strategy_budget, None);
}

#[test]
fn an_empty_list_of_strategies_means_none() {
    assert_eq!(read(&[("ENABLED_STRATEGIES", "")]).unwrap().settings.enabled_strategies, Some(vec![]));
    let some = read(&[("ENABLED_STRATEGIES", "rsi, macd,")]).unwrap().settings.enabled_strategies;
    assert_eq!(some.unwrap().len(), 2);
}

#[test]
fn a_budget_is_a_time_that_a_minute_of_all_cores_can_hold() {
    let budget = |text| read(&[("STRATEGY_BUDGET_MS_PER_MINUTE", text)]).map(|environment| environment.strategy_budget);
    assert_eq!(budget(" "), Ok(None));
    assert_eq!(budget("1"), Ok(Some(Duration::from_millis(1))));
    assert_eq!(budget("3600000"), Ok(Some(Duration::from_hours(1))));
    for wrong in ["0", "3600001", "-1", "1.5", "none"] {
        let errors = budget(wrong).unwrap_err();
        assert!(errors[0].to_string().contains("a number from 1 to 3600000"), "{errors:?}");
    }
}

#[test]
fn requests_without_a_token_may_do_what_the_role_says() {
    let role = |given: &[(&str, &str)]| read(given).map(|environment| environment.anonymous_role);
    assert_eq!(role(&[]), Ok(Some(Role::Trader)));
    assert_eq!(role(&[("HTTP_ADDR", "[::1]:80")]), Ok(Some(Role::Trader)));
    assert_eq!(role(&[("HTTP_ADDR", "0.0.0.0:8080")]), Ok(None));
    assert_eq!(role(&[("API_TOKENS_FILE", "tokens")]), Ok(None), "tokens that are given are meant to be needed");
    let said = |text| role(&[("HTTP_ADDR", "0.0.0.0:8080"), ("API_ANONYMOUS_ROLE", text)]);
    assert_eq!(said(" viewer "), Ok(Some(Role::Viewer)));
    assert_eq!(said("trader"), Ok(Some(Role::Trader)));
    assert_eq!(role(&[("API_ANONYMOUS_ROLE", "none")]), Ok(None));
    for wrong in ["operator", "Viewer", "all"] {
        let errors = said(wrong).unwrap_err();
        assert!(errors[0].to_string().contains("none of none, viewer and trader"), "{errors:?}");
    }
}

#[test]
fn hosts_are_names_without_anything_around_them() {
    let hosts = |text| read(&[("HTTP_ALLOWED_HOSTS", text)]).map(|environment| environment.allowed_hosts);
    assert_eq!(hosts(" "), Ok(AllowedHosts::default()));
    assert_ne!(hosts("bot.example.com, petrosa-ta-bot-service"), Ok(AllowedHosts::default()));
    for wrong in ["*", "http://bot", "bot:8080", "bot.example.com,a b"] {
        let errors = hosts(wrong).unwrap_err();
        assert!(errors.len() == 1 && errors[0].to_string().contains("without scheme, port"), "{errors:?}");
    }
}

#[test]
fn a_second_header_may_carry_the_token() {
    let header = |text| read(&[("API_TOKEN_HEADER", text)]).map(|environment| environment.token_header);
    assert_eq!(header("X-Petrosa-Internal-Token").unwrap().unwrap(), "x-petrosa-internal-token");
    assert_eq!(header(" "), Ok(None));
    assert_eq!(header("X Token:").unwrap_err()[0].name, "API_TOKEN_HEADER");
}

#[test]
fn what_was_built_is_what_the_image_says_if_the_build_did_not_record_it() {
    let given = [("COMMIT_SHA", "0123abc"), ("BUILD_DATE", "2031-05-04")];
    let build = read(&given).unwrap().build;
    let recorded =
        |built: Option<&str>, image: &str| Some(built.filter(|text| !text.is_empty()).unwrap_or(image).to_owned());
    assert_eq!(build.commit, recorded(option_env!("TA_BOT_COMMIT"), "0123abc"));
    assert_eq!(build.date, recorded(option_env!("TA_BOT_BUILD_DATE"), "2031-05-04"));
}

#[test]
fn a_switch_is_read_however_it_is_written() {
    assert!(read(&[("OTEL_ENABLED", "False"), ("LEADER_ELECTION_ENABLED", "0")]).is_ok());
    assert!(read(&[("OTEL_ENABLED", "maybe")]).unwrap_err()[0].problem.contains("neither"));
}

/// Services share the variable.
#[cfg(not(feature = "otlp"))]
#[test]
fn telemetry_that_is_not_built_is_a_warning() {
    let warnings = read(&[("OTEL_ENABLED", "true")]).unwrap().warnings;
    assert!(warnings.len() == 1 && warnings[0].name == "OTEL_ENABLED", "{warnings:?}");
    assert!(read(&[("OTEL_ENABLED", "false")]).unwrap().warnings.is_empty());
}

/// Services share the variables, so they count only for those that send telemetry.
#[cfg(feature = "otlp")]
#[test]
fn the_variables_of_telemetry_count_if_it_is_sent() {
    const WRONG: (&str, &str) = ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json");
    assert!(read(&[WRONG]).unwrap().telemetry.is_none());
    let errors = read(&[("OTEL_ENABLED", "true"), WRONG, ("OTEL_TRACES_SAMPLER", "xray")]).unwrap_err();
    assert_eq!(errors.iter().map(|error| error.name).collect::<Vec<_>>(), [WRONG.0, "OTEL_TRACES_SAMPLER"]);
    let telemetry = read(&[("OTEL_ENABLED", "true")]).unwrap().telemetry.unwrap();
    assert_eq!(telemetry.endpoint(), "http://localhost:4318");
}

#[test]
fn symbols_with_metrics_of_their_own() {
    assert_eq!(read(&[]).unwrap().metric_symbols, MetricSymbols::Auto);
    let errors = read(&[("METRICS_SYMBOLS", "BTC/USDT")]).unwrap_err();
    assert!(errors[0].problem.contains("auto, all, none"), "{errors:?}");
}

#[test]
fn the_subject_of_signals_has_two_names_and_may_end_as_readers_write_it() {
    let pattern = |given: &[(&str, &str)]| read(given).map(|environment| environment.subject.pattern());
    assert_eq!(pattern(&[]), Ok("cio.intent.trading.*".to_owned()));
    assert_eq!(pattern(&[("NATS_TOPIC_INTENTS", "a.b.>")]), Ok("a.b.*".to_owned()));
    assert_eq!(pattern(&[("NATS_PUBLISHER_TOPIC", "old.*")]), Ok("old.*".to_owned()));
    assert_eq!(pattern(&[("NATS_PUBLISHER_TOPIC", "old"), ("NATS_TOPIC_INTENTS", "new")]), Ok("new.*".to_owned()));
    for name in ["NATS_TOPIC_INTENTS", "NATS_PUBLISHER_TOPIC"] {
        let errors = pattern(&[(name, "a b")]).unwrap_err();
        assert_eq!((errors.len(), errors[0].name), (1, name), "{errors:?}");
    }
}

#[test]
fn what_signals_say_and_which_are_sent() {
    let environment = read(&[]).unwrap();
    assert_eq!(environment.published_actions.to_string(), "buy,sell");
    assert_eq!(environment.signal_timestamp, SignalTimestamp::CandleClose);
    let given = [("NATS_PUBLISH_ACTIONS", "buy,sell,hold"), ("SIGNAL_TIMESTAMP", "emitted")];
    let environment = read(&given).unwrap();
    assert!(environment.published_actions.includes("hold") && !environment.published_actions.includes("close"));
    assert_eq!(environment.signal_timestamp, SignalTimestamp::Emitted);
    let errors = read(&[("NATS_PUBLISH_ACTIONS", "buy,short")]).unwrap_err();
    assert!(errors[0].problem.contains("hold and close"), "{errors:?}");
}

/// Whatever is wrong with an address, and whatever is right, its password is never shown.
#[cfg(all(feature = "mongodb", feature = "mysql", feature = "nats"))]
#[test]
fn no_password_of_an_address_is_shown() {
    const REST: [&str; 17] = [
        "u:S3cretPw",
        "u:S3cretPw@",
        "u:S3cretPw@host",
        "u:S3cretPw@host/db",
        "u:S3cretPw@host:port/db",
        "u:S3cretPw@host:70000/db",
        "u:S3cretPw@[::1/db",
        "u:S3cretPw@ho st/db",
        "u:12/S3cretPw@host/db",
        "u:12?S3cretPw@host/db",
        "u:12#S3cretPw@host/db",
        "u:12@S3cretPw@host/db",
        "u:%S3cretPw@host/db",
        "u:a,S3cretPw@host/db",
        "u@S3cretPw@host:x/db",
        ":S3cretPw@host:x/db",
        "u:S3cretPw@host/db?ssl-mode=S3cretPw&maxPoolSize=S3cretPw",
    ];
    for (name, schemes) in [
        ("MONGODB_URI", ["mongodb://", "mongodb+srv://", "mongo://", ""]),
        ("MYSQL_URI", ["mysql://", "mysql+pymysql://", "postgres://", ""]),
        ("NATS_URL", ["nats://", "tls://", "https://", ""]),
    ] {
        for address in schemes.iter().flat_map(|scheme| REST.iter().map(move |rest| format!("{scheme}{rest}"))) {
            let told = match read(&[(name, &address)]) {
                Ok(environment) => format!("{environment:?}"),
                Err(errors) => format!("{errors:?} {}", errors[0]),
            };
            assert!(!told.contains("S3cret"), "{name}={address}: {told}");
        }
    }
}

#[cfg(feature = "nats")]
#[test]
fn streams_have_the_bounds_that_are_set() {
    use ta_bot_drivers::nats::{Bounds, bus::Delivery};

    let url = ("NATS_URL", "nats://nats:4222");
    let nats = read(&[url]).unwrap().nats.unwrap();
    assert_eq!((nats.signals.delivery, nats.signals.bounds, nats.jobs), Default::default());
    let given = [
        url,
        ("NATS_SIGNAL_DELIVERY", "direct"),
        ("NATS_SIGNALS_MAX_BYTES", "1073741824"),
        ("NATS_SIGNALS_MAX_AGE_HOURS", "168"),
        ("NATS_JOBS_MAX_BYTES", "65536"),
        ("NATS_REPLICAS", "3"),
    ];
    let nats = read(&given).unwrap().nats.unwrap();
    assert_eq!(nats.signals.delivery, Delivery::Direct);
    let max_age = Some(Duration::from_hours(168));
    assert_eq!(nats.signals.bounds, Bounds { max_bytes: Some(1 << 30), max_age, replicas: Some(3) });
    assert_eq!(nats.jobs, Bounds { max_bytes: Some(65_536), max_age: None, replicas: Some(3) });
    for wrong in [
        ("NATS_SIGNAL_DELIVERY", "twice"),
        ("NATS_SIGNALS_MAX_AGE_HOURS", "71"),
        ("NATS_SIGNALS_MAX_BYTES", "1 GiB"),
        ("NATS_REPLICAS", "0"),
        ("NATS_TOPIC_INTENTS", "ta-bot.signals"),
    ] {
        let errors = read(&[url, wrong]).unwrap_err();
        assert_eq!((errors.len(), errors[0].name), (1, wrong.0), "{errors:?}");
    }
}

#[cfg(all(feature = "kubernetes", feature = "mongodb", feature = "mysql", feature = "nats"))]
#[test]
fn an_election_needs_what_replicas_share() {
    let names = |errors: Vec<EnvError>| errors.iter().map(|error| error.name).collect::<Vec<_>>();
    let elected = [("LEADER_ELECTION_ENABLED", "True"), ("NATS_URL", "nats://nats:4222")];
    assert_eq!(names(read(&elected).unwrap_err()), ["MYSQL_URI", "MONGODB_URI"]);
    for way in ["mysql", "NATS", "kubernetes"] {
        let missing = names(read(&[("LEADER_ELECTION", way)]).unwrap_err());
        assert_eq!(missing, ["MYSQL_URI", "MONGODB_URI", "NATS_URL"], "{way}");
    }
}

#[cfg(all(feature = "kubernetes", feature = "mongodb", feature = "mysql", feature = "nats"))]
#[test]
fn the_way_to_elect_is_one_of_those_there_are_and_is_said_once() {
    let shared = [("MYSQL_URI", "mysql://a@db/x"), ("MONGODB_URI", "mongodb://db"), ("NATS_URL", "nats://nats:4222")];
    let of = |given: &[(&'static str, &'static str)]| read(&[&shared[..], given].concat());
    let way = |given: &[(&'static str, &'static str)]| of(given).unwrap().election;
    assert!(way(&[]).is_none());
    assert!(way(&[("LEADER_ELECTION", "none")]).is_none());
    assert!(matches!(way(&[("LEADER_ELECTION_ENABLED", "true")]), Some(Election::Kubernetes(_))));
    assert!(matches!(way(&[("LEADER_ELECTION", " Kubernetes ")]), Some(Election::Kubernetes(_))));
    let both = [("LEADER_ELECTION", "mysql"), ("LEADER_ELECTION_ENABLED", "true")];
    assert!(matches!(way(&both), Some(Election::Mysql(_))));
    let nats = [("LEADER_ELECTION", "nats"), ("NATS_REPLICAS", "3")];
    assert!(matches!(way(&nats), Some(Election::Nats { replicas: Some(3), .. })));
    for (given, said) in [
        (vec![("LEADER_ELECTION", "etcd")], "none of kubernetes, mysql, nats and none"),
        (vec![("LEADER_ELECTION", "true")], "none of kubernetes, mysql, nats and none"),
        (vec![("LEADER_ELECTION", "nats"), ("LEADER_ELECTION_ENABLED", "false")], "unset LEADER_ELECTION_ENABLED"),
        (vec![("LEADER_ELECTION", "none"), ("LEADER_ELECTION_ENABLED", "true")], "unset LEADER_ELECTION_ENABLED"),
    ] {
        let errors = of(&given).unwrap_err();
        assert!(errors.len() == 1 && errors[0].name == "LEADER_ELECTION", "{errors:?}");
        assert!(errors[0].problem.contains(said), "{errors:?}");
    }
}

#[cfg(all(feature = "kubernetes", feature = "mongodb", feature = "mysql", feature = "nats"))]
#[test]
fn no_password_is_shown() {
    let given = [("NATS_URL", "nats://ann:secret@nats:4222"), ("MONGODB_URI", "mongodb://ann:secret@db")];
    let environment = read(&given).unwrap();
    assert!(environment.nats.is_some() && environment.mongo.is_some());
    assert!(!format!("{environment:?}").contains("secret"), "{environment:?}");
    let errors = read(&[("NATS_URL", "::ann:secret@"), ("MONGODB_URI", "ann:secret@db")]).unwrap_err();
    assert_eq!(errors.len(), 2);
    assert!(!format!("{errors:?}").contains("secret"), "{errors:?}");
}

#[test]
fn trusted_keys_are_read_in_both_spellings_and_no_mistake_takes_modules_unsigned() {
    let key = ta_bot_engine::modules::signature::PrivateKey::generate().unwrap();
    let hex = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    let given = format!("{}, {hex},", key.public());
    let trusted = read(&[("MODULE_TRUSTED_KEYS", &given)]).unwrap().trusted_keys.unwrap();
    assert_eq!(trusted.keys(), [key.public(), hex.parse().unwrap()]);
    assert_eq!(read(&[("MODULE_TRUSTED_KEYS", " ")]).unwrap().trusted_keys, None);
    let private = key.to_text();
    let cases = [
        (format!("{hex},{hex}"), "entry 2 is the same key"),
        (format!("{hex},abc"), "entry 2 is no key: give a public key"),
        (private.trim().to_owned(), "entry 1 is no key: this is a private key"),
        (",".to_owned(), "it holds no key"),
    ];
    for (given, words) in cases {
        let errors = read(&[("MODULE_TRUSTED_KEYS", &given)]).unwrap_err();
        assert_eq!((errors.len(), errors[0].name), (1, "MODULE_TRUSTED_KEYS"), "{errors:?}");
        assert!(errors[0].problem.starts_with(words), "{errors:?}");
        assert!(!errors[0].problem.contains(private.trim()), "{errors:?}");
    }
}

#[test]
fn intervals_of_exchanges_that_are_no_timeframes_are_left_out_and_named() {
    let environment = read(&[("SUPPORTED_TIMEFRAMES", "5m, 1M,1h,1s")]).unwrap();
    assert_eq!(environment.settings.timeframes, [Timeframe::M5, Timeframe::H1]);
    let named: Vec<_> = environment.warnings.iter().map(ToString::to_string).collect();
    assert!(named.len() == 2 && named[0].starts_with("SUPPORTED_TIMEFRAMES: 1M"), "{named:?}");
    assert!(read(&[]).unwrap().warnings.is_empty());
    for wrong in ["1m,1y", "1M"] {
        assert_eq!(read(&[("SUPPORTED_TIMEFRAMES", wrong)]).unwrap_err().len(), 1, "{wrong}");
    }
}

#[test]
fn the_age_of_signals_is_a_time_none_or_the_next_close() {
    let age = |given: &[(&str, &str)]| read(given).map(|environment| environment.signal_max_age);
    assert_eq!(age(&[]), Ok(MaxAge::NextClose));
    assert_eq!(age(&[("SIGNAL_MAX_AGE_SECONDS", " ")]), Ok(MaxAge::NextClose));
    assert_eq!(age(&[("SIGNAL_MAX_AGE_SECONDS", "0")]), Ok(MaxAge::Unlimited));
    assert_eq!(age(&[("SIGNAL_MAX_AGE_SECONDS", "90")]), Ok(MaxAge::Limited(Duration::from_secs(90))));
    assert!(age(&[("SIGNAL_MAX_AGE_SECONDS", "-1")]).is_err());
}

#[test]
fn the_gap_window_is_as_long_as_a_window_may_be() {
    let window = |given: &[(&str, &str)]| read(given).map(|environment| environment.gap_window);
    assert_eq!((window(&[]), window(&[("GAP_WINDOW", "0")])), (Ok(50), Ok(0)));
    assert_eq!(window(&[("GAP_WINDOW", "10000")]), Ok(10_000));
    for wrong in ["-1", "10001", "all"] {
        let errors = window(&[("GAP_WINDOW", wrong)]).unwrap_err();
        assert!(errors[0].to_string().contains("a number from 0 to 10000"), "{errors:?}");
    }
}

#[cfg(all(feature = "kubernetes", feature = "mongodb", feature = "mysql", feature = "nats"))]
#[test]
fn every_mistake_is_reported() {
    let errors = read(&[
        ("HTTP_ADDR", "here"),
        ("SUPPORTED_TIMEFRAMES", "5m,5min"),
        ("MIN_CONFIDENCE", "nan"),
        ("MAX_CONFIDENCE", "0.7"),
        ("STRATEGY_TIMEOUT_MS", "0"),
        ("LOG_FORMAT", "xml"),
        ("MYSQL_URI", "postgres://ann:secret@x/market"),
        ("SIGNAL_TIMESTAMP", "now"),
        ("NATS_REPLICAS", "6"),
    ])
    .unwrap_err();
    let names: Vec<_> = errors.iter().map(|error| error.name).collect();
    assert_eq!(
        names,
        [
            "HTTP_ADDR",
            "SIGNAL_TIMESTAMP",
            "SUPPORTED_TIMEFRAMES",
            "MIN_CONFIDENCE",
            "LOG_FORMAT",
            "STRATEGY_TIMEOUT_MS",
            "MYSQL_URI",
            "NATS_REPLICAS"
        ]
    );
    assert!(errors[0].to_string().contains("127.0.0.1:8080"));
}

/// Such as that of `make run`.
#[cfg(not(any(
    feature = "kubernetes",
    feature = "mongodb",
    feature = "mysql",
    feature = "nats",
    feature = "otlp",
    feature = "webhooks"
)))]
#[test]
fn a_build_without_servers_refuses_their_addresses() {
    let servers = [
        ("MYSQL_URI", "mysql://ta@db/ta"),
        ("MONGODB_URI", "mongodb://db"),
        ("NATS_URL", "nats://nats:4222"),
        ("LEADER_ELECTION_ENABLED", "true"),
        ("WEBHOOKS_FILE", "webhooks.json"),
    ];
    for given in servers {
        let errors = read(&[given]).unwrap_err();
        assert!(errors.len() == 1 && errors[0].name == given.0, "{errors:?}");
        assert!(errors[0].problem.contains("no client for it"), "{errors:?}");
    }
    assert!(read(&[("MYSQL_URI", " "), ("LEADER_ELECTION_ENABLED", "false")]).is_ok());
}

#[test]
fn what_is_kept_is_set_in_days_and_zero_is_for_ever() {
    let keep = |given: &[(&str, &str)]| read(given).map(|environment| environment.keep);
    assert_eq!(keep(&[]), Ok(Keep::default()));
    let set = keep(&[("RETENTION_SIGNALS_DAYS", "0"), ("RETENTION_COSTS_DAYS", "7")]).unwrap();
    assert_eq!((set.days(Kind::Signals), set.days(Kind::Costs), set.days(Kind::Audits)), (None, Some(7), Some(1095)));
    assert!(keep(&[("RETENTION_SIGNALS_DAYS", "7")]).is_ok());
    for (name, wrong) in [
        ("RETENTION_SIGNALS_DAYS", "6"),
        ("RETENTION_SIGNALS_DAYS", "-1"),
        ("RETENTION_COSTS_DAYS", "36501"),
        ("RETENTION_MODULES_DAYS", "a month"),
    ] {
        let errors = keep(&[(name, wrong)]).unwrap_err();
        assert!(errors.len() == 1 && errors[0].name == name && errors[0].problem.contains(wrong), "{errors:?}");
    }
}

#[test]
fn the_mark_of_the_disk_is_set_in_megabytes() {
    let low_water = |given: &[(&str, &str)]| read(given).map(|environment| environment.low_water);
    assert_eq!(low_water(&[]), Ok(LowWater::Share));
    assert_eq!(low_water(&[("DISK_LOW_WATER_MB", "0")]), Ok(LowWater::Off));
    assert_eq!(low_water(&[("DISK_LOW_WATER_MB", "3")]), Ok(LowWater::Bytes(3 << 20)));
    assert!(low_water(&[("DISK_LOW_WATER_MB", "some")]).is_err());
}
