//! The log. It goes to stderr, since stdout is for a command's answer.
//!
//! Levels are checked strictly. The usual filters take any word for the name of a module, so `LOG_LEVEL=verbose` would
//! silence the service instead of being refused.

use std::io::{self, IsTerminal as _};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Layer as _, filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::environment::{EnvError, LogFormat};

const ALLOWED: &str =
    "off, error, warn, info, debug or trace, also for a part of it, such as info,ta_bot_engine::signals=debug";

/// Parses `LOG_LEVEL`: levels, and levels of parts of the program, separated by commas.
pub fn filter(text: &str) -> Result<Targets, EnvError> {
    let mut targets = Targets::new();
    for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        let refused = || EnvError { name: "LOG_LEVEL", problem: format!("{entry:?} is not {ALLOWED}") };
        targets = match entry.split_once('=') {
            Some((target, name)) if !target.trim().is_empty() => {
                targets.with_target(target.trim(), level(name).ok_or_else(refused)?)
            }
            Some(_) => return Err(refused()),
            None => targets.with_default(level(entry).ok_or_else(refused)?),
        };
    }
    Ok(targets)
}

/// A level by its name; the names in Python's logging are accepted too.
fn level(name: &str) -> Option<LevelFilter> {
    match name.trim().to_ascii_lowercase().as_str() {
        "off" => Some(LevelFilter::OFF),
        "error" | "critical" => Some(LevelFilter::ERROR),
        "warn" | "warning" => Some(LevelFilter::WARN),
        "info" => Some(LevelFilter::INFO),
        "debug" => Some(LevelFilter::DEBUG),
        "trace" => Some(LevelFilter::TRACE),
        _ => None,
    }
}

/// Starts the log of this process. If one is already running, it stays.
pub fn start(filter: Targets, format: Option<LogFormat>) {
    let terminal = io::stderr().is_terminal();
    let format = format.unwrap_or(if terminal { LogFormat::Text } else { LogFormat::Json });
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let lines = match format {
        LogFormat::Json => lines.json().flatten_event(true).with_filter(filter).boxed(),
        LogFormat::Text => {
            let coloured = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            lines.with_ansi(coloured).with_filter(filter).boxed()
        }
    };
    tracing_subscriber::registry().with(lines).try_init().ok();
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::filter;

    #[test]
    fn levels_of_the_whole_and_of_parts() {
        let read = filter("WARNING, ta_bot_engine::signals=debug").unwrap();
        assert!(read.would_enable("ta_bot", &Level::WARN) && !read.would_enable("ta_bot", &Level::INFO));
        assert!(read.would_enable("ta_bot_engine::signals::relay", &Level::DEBUG));
        assert!(!filter("off").unwrap().would_enable("ta_bot", &Level::ERROR));
    }

    #[test]
    fn a_word_that_is_no_level_is_refused() {
        for text in ["verbose", "info,ta_bot=loud", "=info", "ta_bot="] {
            let error = filter(text).unwrap_err().to_string();
            assert!(error.starts_with("LOG_LEVEL: ") && error.contains("debug"), "{error}");
        }
    }
}
