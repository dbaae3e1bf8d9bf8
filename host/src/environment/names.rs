//! The names of the variables, and which of them a misspelled one was meant to be.

/// Every variable that is read.
pub const NAMES: [&str; 62] = [
    "API_ANONYMOUS_ROLE",
    "API_REQUESTS_PER_MINUTE",
    "API_TOKENS_FILE",
    "API_TOKEN_HEADER",
    "BUILD_DATE",
    "CANDLE_PATIENCE_SECONDS",
    "CANDLE_SOURCES",
    "COMMIT_SHA",
    "COMPILED_DIR",
    "CONFIG_CACHE_TTL_SECONDS",
    "DATA_DIR",
    "DISK_LOW_WATER_MB",
    "ENABLED_STRATEGIES",
    "GAP_WINDOW",
    "HTTP_ADDR",
    "HTTP_ALLOWED_HOSTS",
    "KUBECONFIG",
    "LEADER_ELECTION",
    "LEADER_ELECTION_ENABLED",
    "LOG_FORMAT",
    "LOG_LEVEL",
    "MAX_CONFIDENCE",
    "METRICS_SYMBOLS",
    "MIN_CONFIDENCE",
    "MODULE_TRUSTED_KEYS",
    "MONGODB_DATABASE",
    "MONGODB_URI",
    "MYSQL_URI",
    "NATS_JOBS_MAX_AGE_HOURS",
    "NATS_JOBS_MAX_BYTES",
    "NATS_PUBLISHER_TOPIC",
    "NATS_PUBLISH_ACTIONS",
    "NATS_REPLICAS",
    "NATS_SIGNALS_MAX_AGE_HOURS",
    "NATS_SIGNALS_MAX_BYTES",
    "NATS_SIGNAL_DELIVERY",
    "NATS_SUBJECT_PREFIX",
    "NATS_TOPIC_INTENTS",
    "NATS_URL",
    "OTEL_ENABLED",
    "POD_NAME",
    "POD_NAMESPACE",
    "RETENTION_AUDITS_DAYS",
    "RETENTION_BACKTESTS_DAYS",
    "RETENTION_COMPILED_DAYS",
    "RETENTION_COSTS_DAYS",
    "RETENTION_DEAD_JOBS_DAYS",
    "RETENTION_FAILURES_DAYS",
    "RETENTION_FINISHED_JOBS_DAYS",
    "RETENTION_MODULES_DAYS",
    "RETENTION_SHADOWS_DAYS",
    "RETENTION_SIGNALS_DAYS",
    "SIGNAL_MAX_AGE_SECONDS",
    "SIGNAL_TIMESTAMP",
    "STRATEGIES_DIR",
    "STRATEGY_BUDGET_MS_PER_MINUTE",
    "STRATEGY_MEMORY_MB",
    "STRATEGY_SLOW_MS",
    "STRATEGY_TIMEOUT_MS",
    "SUPPORTED_SYMBOLS",
    "SUPPORTED_TIMEFRAMES",
    "WEBHOOKS_FILE",
];

/// Up to so many letters may be wrong in a misspelled name.
const MOST_WRONG: usize = 3;

/// The variable that was meant by a name that is none; `None` if it is one, or like none.
pub fn meant_by(name: &str) -> Option<&'static str> {
    if NAMES.contains(&name) {
        return None;
    }
    let given = name.to_ascii_uppercase().replace('-', "_");
    // A short name is another word as soon as two letters differ.
    let most = (given.len() / 4).min(MOST_WRONG);
    let distance = |known: &&str| strsim::damerau_levenshtein(&given, known);
    NAMES.into_iter().filter(|known| distance(known) <= most).min_by_key(distance)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_misspelled_name_is_recognised_and_another_word_is_not() {
        for (given, meant) in [
            ("MYSQL_URL", "MYSQL_URI"),
            ("NATS_URI", "NATS_URL"),
            ("mysql_uri", "MYSQL_URI"),
            ("SUPPORTED_SYMBOL", "SUPPORTED_SYMBOLS"),
            ("LEADER_ELECTION_ENABLE", "LEADER_ELECTION_ENABLED"),
            ("NATS_REPLICSA", "NATS_REPLICAS"),
            ("MONGO_URI", "MONGODB_URI"),
        ] {
            assert_eq!(meant_by(given), Some(meant), "{given}");
        }
        for other in
            ["PATH", "HOME", "HOSTNAME", "MYSQL_PWD", "NATS_USER", "LOG_FILE", "DATA_DIR", "POD_IP", "MAX_MEMORY"]
        {
            assert_eq!(meant_by(other), None, "{other}");
        }
    }

    #[test]
    fn the_names_are_those_of_the_documentation() {
        let page = include_str!("../../../docs/configuration.md");
        let section = page.split("\n### MYSQL_URI").next().unwrap();
        let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
        let named = rows.flat_map(|names| names.split(',').map(|name| name.trim_matches([' ', '`'])));
        let mut documented: BTreeSet<&str> = named.collect();
        // Mentioned with the variable that took its place.
        documented.insert("NATS_PUBLISHER_TOPIC");
        assert_eq!(documented, BTreeSet::from(NAMES));
    }
}
