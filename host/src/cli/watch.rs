//! `ta-bot watch`: builds a project again whenever a file is saved, and shows what that changed on candles.
//!
//! Files are looked at by their size and the time of their last change. A project has some hundred files, so looking
//! ten times a second costs nothing, and it works on every file system and with every way in which editors save.

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant, SystemTime},
};

use serde::Serialize;
use serde_json::{Map, Value as Json};
use ta_bot_core::{Timestamp, millis};
use ta_bot_engine::market::history::History;

use super::{
    Session,
    args::{Setting, WatchWanted},
    error::CliError,
    output::{line, plain},
    project::{
        Component, Project, Purpose,
        cases::{different, in_words},
        need,
        signals::{Answers, Candle},
    },
    strategies::docs::Market,
};

/// How often files are looked at.
const PACE: Duration = Duration::from_millis(100);
/// How many signals are shown of each kind.
const MOST_TOLD: usize = 20;

/// The files that are looked at.
type Seen = BTreeMap<PathBuf, (SystemTime, u64)>;
/// What the signals said, by their candles.
type Signals = BTreeMap<Candle, Map<String, Json>>;

/// Watches until the reader is gone or the process ends.
pub(super) fn watch(session: &Session, wanted: &WatchWanted) -> Result<(), CliError> {
    let project = Project::open(&wanted.folder)?;
    need(&project, Purpose::Build, false, |_| ())?;
    let watch = &project.recipe.watch;
    let own: Vec<_> = watch.candles.iter().map(|file| project.path(file)).collect();
    let candles = if wanted.candles.is_empty() { &own } else { &wanted.candles };
    let history = Market::read(candles)?.into_history();
    let sources: Vec<_> = watch.sources.iter().map(|source| project.path(source)).collect();
    let set = wanted.set.iter().map(|Setting { name, value }| (name.clone(), value.clone())).collect();
    let mut before: Option<Signals> = None;
    loop {
        let seen = settled(&sources);
        let round = Round::make(session, &project, (&history, &set), before.as_ref());
        if !line(&round.shown(session.output.json)?)? {
            return Ok(());
        }
        before = round.signals.or(before);
        while look(&sources) == seen {
            thread::sleep(PACE);
        }
    }
}

/// The files, once nothing changes any more: an editor may save several files, or one in several steps.
fn settled(sources: &[PathBuf]) -> Seen {
    let mut seen = look(sources);
    loop {
        thread::sleep(PACE);
        let now = look(sources);
        if now == seen {
            return seen;
        }
        seen = now;
    }
}

/// All files of these files and folders. One that is away at this moment is left out, and noticed when it is back.
fn look(sources: &[PathBuf]) -> Seen {
    let mut seen = Seen::new();
    for source in sources {
        gather(source, &mut seen).ok();
    }
    seen
}

fn gather(path: &Path, seen: &mut Seen) -> io::Result<()> {
    // What tools leave there is no source.
    const LEFT_OUT: [&str; 3] = ["node_modules", "__pycache__", "target"];
    let about = fs::metadata(path)?;
    if !about.is_dir() {
        seen.insert(path.to_owned(), (about.modified()?, about.len()));
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if !LEFT_OUT.iter().any(|left_out| entry.file_name() == *left_out) {
            gather(&entry.path(), seen).ok();
        }
    }
    Ok(())
}

/// One build, and what came of it.
#[derive(Serialize)]
struct Round {
    at: String,
    /// Why there is no answer, if so.
    problem: Option<String>,
    build_ms: f64,
    /// From the component to its signals.
    signals_ms: f64,
    candles: usize,
    /// How many signals there are.
    count: usize,
    /// How many evaluations failed, and how the first one did.
    failures: usize,
    first_failure: Option<String>,
    changes: Changes,
    #[serde(skip)]
    signals: Option<Signals>,
}

/// What differs from the build before. After the first build everything came.
#[derive(Default, Serialize)]
struct Changes {
    came: Vec<String>,
    went: Vec<String>,
    changed: Vec<String>,
}

impl Round {
    fn make(
        session: &Session,
        project: &Project,
        question: (&History, &Map<String, Json>),
        before: Option<&Signals>,
    ) -> Self {
        let begun = Instant::now();
        let built = project.build();
        let build_ms = millis(begun.elapsed());
        let begun = Instant::now();
        let asked = built.map_err(CliError::from).and_then(|()| ask(session, project, question));
        let signals_ms = millis(begun.elapsed());
        let at = Timestamp::now().to_string();
        let empty = |problem| Self {
            at: at.clone(),
            problem,
            build_ms,
            signals_ms,
            candles: 0,
            count: 0,
            failures: 0,
            first_failure: None,
            changes: Changes::default(),
            signals: None,
        };
        match asked {
            Err(error) => empty(Some(error.to_string())),
            Ok(Answers { candles, signals, failures, .. }) => Self {
                candles,
                count: signals.len(),
                failures: failures.len(),
                first_failure: failures.iter().next().map(|(candle, why)| format!("{candle}: {why}")),
                changes: Changes::between(before.unwrap_or(&Signals::new()), &signals),
                signals: Some(signals),
                ..empty(None)
            },
        }
    }

    fn shown(&self, json: bool) -> Result<String, CliError> {
        if json {
            serde_json::to_string(self).map_err(|error| CliError::Output(error.into()))
        } else {
            Ok(self.to_string())
        }
    }
}

/// What the component says on these candles, with these parameters and the defaults of the others.
fn ask(
    session: &Session,
    project: &Project,
    (history, set): (&History, &Map<String, Json>),
) -> Result<Answers, CliError> {
    let component = Component::load(project, &session.environment)?;
    let refused = |problem| CliError::Usage(format!("--set: {problem}"));
    let parameters = component.parameters(set).map_err(refused)?;
    Ok(component.ask(&parameters, history))
}

impl Changes {
    fn between(before: &Signals, now: &Signals) -> Self {
        let only_in = |these: &Signals, those: &Signals| {
            let these = these.iter().filter(|(candle, _)| !those.contains_key(*candle));
            these.map(|(candle, says)| format!("{candle}: {}", in_words(says))).collect()
        };
        let changed = before.iter().filter_map(|(candle, old)| {
            let wrong = different(&Json::Object(old.clone()), &Json::Object(now.get(candle)?.clone()), "");
            let told = wrong.iter().map(|wrong| {
                let now = wrong.came.as_ref().map_or_else(|| "nothing".to_owned(), Json::to_string);
                format!("{} {} → {now}", wrong.field, wrong.expected)
            });
            (!wrong.is_empty()).then(|| format!("{candle}: {}", told.collect::<Vec<_>>().join(", ")))
        });
        Self { came: only_in(now, before), went: only_in(before, now), changed: changed.collect() }
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, problem, build_ms, signals_ms, candles, count, failures, first_failure, changes, .. } = self;
        if let Some(problem) = problem {
            return write!(f, "{at}  {}", plain(problem));
        }
        let (build, asked) = (build_ms / 1000.0, signals_ms / 1000.0);
        write!(f, "{at}  built in {build:.2} s, asked in {asked:.2} s: {count} signals on {candles} candles")?;
        if let Some(first) = first_failure {
            write!(f, "\n  FAILED on {failures} candles, first on {}", plain(first))?;
        }
        for (word, told) in [("came", &changes.came), ("went", &changes.went), ("changed", &changes.changed)] {
            for one in told.iter().take(MOST_TOLD) {
                write!(f, "\n  {word:<8} {}", plain(one))?;
            }
            if told.len() > MOST_TOLD {
                write!(f, "\n  {word:<8} {} more", told.len() - MOST_TOLD)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use ta_bot_core::Timeframe;

    use super::*;

    fn signals(all: &[(i64, f64)]) -> Signals {
        let symbol: ta_bot_core::Symbol = "BTCUSDT".parse().unwrap();
        let candle = |close: i64| Candle {
            close: Timestamp::from_millis(close * 3_600_000),
            symbol: symbol.clone(),
            timeframe: Timeframe::H1,
        };
        let says = |confidence: f64| json!({"action": "buy", "confidence": confidence}).as_object().unwrap().clone();
        all.iter().map(|(close, confidence)| (candle(*close), says(*confidence))).collect()
    }

    #[test]
    fn what_came_went_and_changed_is_told() {
        let changes =
            Changes::between(&signals(&[(1, 0.7), (2, 0.7), (3, 0.7)]), &signals(&[(2, 0.8), (3, 0.7), (4, 0.9)]));
        assert_eq!(changes.went, ["1970-01-01T01:00:00+00:00 BTCUSDT 1h: buy, confidence 0.7"]);
        assert_eq!(changes.changed, ["1970-01-01T02:00:00+00:00 BTCUSDT 1h: confidence 0.7 → 0.8"]);
        assert_eq!(changes.came, ["1970-01-01T04:00:00+00:00 BTCUSDT 1h: buy, confidence 0.9"]);
    }

    #[test]
    fn a_saved_a_new_and_a_removed_file_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let sources = [folder.path().join("src"), folder.path().join("absent")];
        fs::create_dir_all(sources[0].join("node_modules")).unwrap();
        fs::write(sources[0].join("rule.js"), "one").unwrap();
        let first = look(&sources);
        assert_eq!(first.len(), 1);
        fs::write(sources[0].join("node_modules/other.js"), "no source").unwrap();
        assert_eq!(look(&sources), first);
        fs::write(sources[0].join("rule.js"), "longer").unwrap();
        let second = look(&sources);
        assert_ne!(second, first);
        fs::write(&sources[1], "new").unwrap();
        assert_eq!(look(&sources).len(), 2);
        fs::remove_file(sources[0].join("rule.js")).unwrap();
        assert_eq!(look(&sources).len(), 1);
    }
}
