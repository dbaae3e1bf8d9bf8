//! The log. It goes to stderr, since stdout is for a command's answer.
//!
//! Levels are checked strictly. The usual filters take any word for the name of a module, so `LOG_LEVEL=verbose` would
//! silence the service instead of being refused.
//!
//! Words of strangers get into the log: of a guest, of a request, of a server. What could steer a terminal or forge a
//! line is written in a way that only shows it.

use std::{
    collections::BTreeMap,
    fmt::{self, Debug},
    io::{self, IsTerminal as _, Write},
    mem,
    sync::{Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use ta_bot_core::{visible, visible_json};
use tokio_util::sync::CancellationToken;
use tracing::{
    Event, Level, Subscriber,
    field::Field,
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer, Registry,
    field::MakeExt as _,
    filter::Targets,
    fmt::format::{self, Writer},
    layer::{Context, SubscriberExt as _},
    util::SubscriberInitExt as _,
};

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

/// The parts of the program whose lines do not go to a collector, since sending them would make others.
const SENDING: [&str; 6] = ["ta_bot_drivers::otlp", "h2", "hyper", "hyper_util", "opentelemetry", "tonic"];

/// Takes the lines of the log to a collector, as soon as there is a way.
static TO_COLLECTOR: OnceLock<Box<dyn Layer<Registry> + Send + Sync>> = OnceLock::new();

/// Sends the lines of the log to a collector too, from now on. Only the first call counts.
pub fn send_to(collector: Box<dyn Layer<Registry> + Send + Sync>) {
    TO_COLLECTOR.set(collector).ok();
}

/// How many warnings and errors one place in the program may log in a period.
const LINES: u32 = 30;
/// The length of a period.
const PERIOD: Duration = Duration::from_mins(1);

/// What each place in the program has logged.
static FLOOD: Mutex<BTreeMap<&'static str, Place>> = Mutex::new(BTreeMap::new());

/// A place that logs warnings or errors.
struct Place {
    began: Instant,
    written: u32,
    withheld: u64,
}

/// Keeps an outage from becoming a flood: after some lines, more from the same place in the program are only counted.
/// It is around a layer and not a filter of it: the registry takes a filter that looks at the event itself, and not
/// only at its place, for one that has refused the next event too.
struct Bounded<L>(L);

impl<S: Subscriber, L: Layer<S>> Layer<S> for Bounded<L> {
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        // A more severe level is a smaller one.
        if *metadata.level() > Level::WARN || admits(metadata.name(), Instant::now()) {
            self.0.on_event(event, context);
        }
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        self.0.on_new_span(attributes, id, context);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        self.0.on_record(id, values, context);
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        self.0.on_enter(id, context);
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        self.0.on_exit(id, context);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        self.0.on_close(id, context);
    }
}

/// Whether a place, which is known by its file and line, may log another line now.
fn admits(place: &'static str, now: Instant) -> bool {
    let mut places = FLOOD.lock().unwrap_or_else(PoisonError::into_inner);
    let place = places.entry(place).or_insert(Place { began: now, written: 0, withheld: 0 });
    if now.duration_since(place.began) >= PERIOD {
        (place.began, place.written) = (now, 0);
    }
    let admitted = place.written < LINES;
    place.written += u32::from(admitted);
    place.withheld += u64::from(!admitted);
    admitted
}

/// Tells how many lines were withheld, once a period, until `stop` is cancelled.
pub async fn tell_of_withheld(stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(PERIOD)).await.is_some() {
        for (place, withheld) in withheld() {
            let place = place.trim_start_matches("event ");
            tracing::warn!(place, withheld, "more lines of one kind were withheld");
        }
    }
}

/// How many lines each place has withheld since it was asked last.
fn withheld() -> Vec<(&'static str, u64)> {
    let mut places = FLOOD.lock().unwrap_or_else(PoisonError::into_inner);
    let counts = places.iter_mut().map(|(name, place)| (*name, mem::take(&mut place.withheld)));
    counts.filter(|(_, withheld)| *withheld > 0).collect()
}

/// Passes lines on to [`TO_COLLECTOR`].
struct ToCollector;

impl Layer<Registry> for ToCollector {
    fn on_event(&self, event: &Event<'_>, context: Context<'_, Registry>) {
        if let Some(collector) = TO_COLLECTOR.get() {
            collector.on_event(event, context);
        }
    }
}

/// Starts the log of this process. If one is already running, it stays. If it may go to a collector too, see
/// [`send_to`].
pub fn start(filter: Targets, format: Option<LogFormat>, may_be_sent: bool) {
    let terminal = io::stderr().is_terminal();
    let format = format.unwrap_or(if terminal { LogFormat::Text } else { LogFormat::Json });
    let lines = match format {
        LogFormat::Json => Bounded(json(|| Seen(io::stderr()))).with_filter(filter.clone()).boxed(),
        LogFormat::Text => {
            let coloured = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            Bounded(text(io::stderr, coloured)).with_filter(filter.clone()).boxed()
        }
    };
    let sent = SENDING.iter().fold(filter, |filter, part| filter.with_target(*part, LevelFilter::OFF));
    let sent = may_be_sent.then(|| ToCollector.with_filter(sent));
    tracing_subscriber::registry().with(sent).with(lines).try_init().ok();
}

/// The log as JSON.
fn json<S, W>(writer: W) -> impl tracing_subscriber::Layer<S> + Send + Sync
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
    W: for<'a> tracing_subscriber::fmt::MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(writer)
}

/// The log as text for people.
fn text<S, W>(writer: W, coloured: bool) -> impl tracing_subscriber::Layer<S> + Send + Sync
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
    W: for<'a> tracing_subscriber::fmt::MakeWriter<'a> + Send + Sync + 'static,
{
    let fields = format::debug_fn(write_field).delimited(" ");
    tracing_subscriber::fmt::layer().fmt_fields(fields).with_writer(writer).with_ansi(coloured)
}

/// Writes a field as the log does by itself, except for what can't be seen.
fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> fmt::Result {
    let value = format!("{value:?}");
    let value = visible(&value);
    match field.name() {
        "message" => writer.write_str(&value),
        name if writer.has_ansi_escapes() => write!(writer, "\u{1b}[3m{name}\u{1b}[0m\u{1b}[2m=\u{1b}[0m{value}"),
        name => write!(writer, "{name}={value}"),
    }
}

/// Writes each line of JSON so that every character can be seen.
struct Seen<W>(W);

impl<W: Write> Write for Seen<W> {
    /// A line comes as a whole.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write_all(visible_json(&String::from_utf8_lossy(line)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// A log that is kept.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written of a line with such words in every place that a line has for words.
    fn logged(
        words: &str,
        layer: impl FnOnce(Kept) -> Box<dyn tracing_subscriber::Layer<Registry> + Send + Sync>,
    ) -> String {
        let kept = Kept::default();
        let subscriber = Registry::default().with(layer(kept.clone()));
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("job", strategy = %words);
            let _entered = span.enter();
            let error = io::Error::other(words.to_owned());
            tracing::warn!(shown = %words, debugged = ?words, text = words, %error, "said {words}");
        });
        let bytes = kept.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    const HOSTILE: &str = "x\u{1b}[2J\u{9b}1m\r\n2031-01-01T00:00:00Z ERROR forged\u{202e}\u{2066}\u{2028}";

    #[test]
    fn a_guest_s_words_forge_no_line_of_the_text_log() {
        let line = logged(HOSTILE, |kept| text(move || kept.clone(), false).boxed());
        assert_eq!(line.matches('\n').count(), 1, "{line:?}");
        assert!(!line.trim_end_matches('\n').contains(|c: char| c.is_control()), "{line:?}");
        assert!(!line.contains(['\u{202e}', '\u{2066}', '\u{2028}']), "{line:?}");
        assert!(
            line.contains("said x\\u{1b}[2J") && line.contains("shown=x\\u{1b}") && line.contains("job{"),
            "{line:?}"
        );
        let usual = logged("two words", |kept| text(move || kept.clone(), false).boxed());
        assert!(usual.contains("said two words shown=two words debugged=\"two words\" text=\"two words\""), "{usual}");
    }

    #[test]
    fn in_json_they_are_the_same_words() {
        let line = logged(HOSTILE, |kept| json(move || Seen(kept.clone())).boxed());
        assert_eq!(line.matches('\n').count(), 1, "{line:?}");
        assert!(!line.trim_end_matches('\n').contains(|c: char| c.is_control()), "{line:?}");
        assert!(!line.contains(['\u{202e}', '\u{2066}', '\u{2028}']), "{line:?}");
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["shown"], HOSTILE);
    }

    /// Other lines come as before, also those beside a filter for a collector.
    #[test]
    fn a_flood_silences_nothing_else() {
        let kept = Kept::default();
        let writer = kept.clone();
        let lines = Bounded(text(move || writer.clone(), false)).with_filter(filter("info").unwrap());
        let sent = Some(ToCollector.with_filter(filter("info").unwrap()));
        tracing::subscriber::with_default(Registry::default().with(sent).with(lines), || {
            for index in 0..100 {
                tracing::warn!(index, "a flood");
                tracing::info!(index, "an hour strikes");
            }
        });
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert_eq!((text.matches("a flood").count(), text.matches("an hour").count()), (LINES as usize, 100));
    }

    #[test]
    fn a_flood_is_some_lines_and_a_count() {
        let now = Instant::now();
        let written = |place, now| (0..5_794).filter(|_| admits(place, now)).count();
        assert_eq!(written("event a", now), LINES as usize);
        assert_eq!(written("event b", now), LINES as usize, "one place does not silence another");
        assert_eq!(written("event a", now + PERIOD), LINES as usize);
        let of_a = || withheld().into_iter().find(|(place, _)| *place == "event a");
        assert_eq!(of_a(), Some(("event a", 2 * (5_794 - u64::from(LINES)))));
        assert_eq!(of_a(), None, "it is told once");
    }

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
