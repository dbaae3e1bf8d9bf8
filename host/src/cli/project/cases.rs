//! The cases of a project: candles, parameters, and the signals that have to come.

use std::{
    collections::BTreeMap,
    fmt, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use ta_bot_core::{Symbol, Timeframe, Timestamp};
use tempfile::NamedTempFile;

use super::{
    ProjectError,
    signals::{Answers, Candle},
};

/// A file of cases. A field that it does not know is a mistake, never left out in silence.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct Cases {
    pub(in crate::cli) cases: Vec<Case>,
}

/// One case.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct Case {
    pub(in crate::cli) name: String,
    /// Files of candles, named `SYMBOL_TIMEFRAME.csv`.
    pub(in crate::cli) candles: Vec<PathBuf>,
    /// The parameters that differ from their defaults.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(in crate::cli) parameters: Map<String, Json>,
    /// The signals that have to come; `None` if nobody has said it yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) signals: Option<Vec<Expected>>,
}

/// A signal that has to come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::cli) struct Expected {
    #[serde(with = "moment")]
    candle_close: Timestamp,
    /// Needed if there are candles of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    symbol: Option<Symbol>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeframe: Option<Timeframe>,
    /// What else is known of it. Whatever is not named may be anything.
    #[serde(flatten)]
    says: Map<String, Json>,
}

impl Cases {
    /// Reads a file.
    pub(in crate::cli) fn read(path: &Path) -> Result<Self, ProjectError> {
        let text = fs::read_to_string(path).map_err(|reason| ProjectError::unreadable(path, reason))?;
        serde_json::from_str(&text).map_err(|problem| ProjectError::unreadable(path, problem))
    }

    /// Writes the file again, as a whole.
    pub(in crate::cli) fn write(&self, path: &Path) -> Result<(), ProjectError> {
        let text = serde_json::to_string_pretty(self).map_err(io::Error::from);
        let written = text.and_then(|text| replace(path, &(text + "\n")));
        written.map_err(|reason| ProjectError::Unwritten { path: path.to_owned(), reason })
    }
}

/// Puts a file in the place of another one in one step, with the rights of that one.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut beside = NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
    beside.write_all(text.as_bytes())?;
    beside.as_file().set_permissions(fs::metadata(path)?.permissions())?;
    beside.persist(path)?;
    Ok(())
}

/// A moment as text.
mod moment {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};
    use ta_bot_core::Timestamp;

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
    pub(super) fn serialize<S: Serializer>(moment: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(moment)
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(deserializer: D) -> Result<Timestamp, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl Case {
    /// Takes what came as what has to come.
    pub(in crate::cli) fn bless(&mut self, answers: &Answers) {
        let expected = |(candle, says): (&Candle, &Map<String, Json>)| {
            let Candle { close, symbol, timeframe } = candle.clone();
            Expected { candle_close: close, symbol: Some(symbol), timeframe: Some(timeframe), says: says.clone() }
        };
        self.signals = Some(answers.signals.iter().map(expected).collect());
    }

    /// How what came differs from what has to come, a line for each difference.
    pub(in crate::cli) fn differences(&self, answers: &Answers) -> Vec<String> {
        let Some(expected) = &self.signals else {
            return vec![
                "it does not say which signals have to come: look at what comes, and write it by ta-bot test --bless"
                    .to_owned(),
            ];
        };
        let mut unexpected: BTreeMap<&Candle, &Map<String, Json>> = answers.signals.iter().collect();
        let mut differences = answers.failures_in_words();
        for expected in expected {
            let found = unexpected.keys().find(|candle| expected.is_at(candle)).copied().cloned();
            match found.and_then(|candle| unexpected.remove_entry(&candle)) {
                Some((candle, came)) => {
                    let wrong = different(&Json::Object(expected.says.clone()), &Json::Object(came.clone()), "");
                    differences.extend(wrong.iter().map(|wrong| format!("{candle}: {}", wrong.in_words())));
                }
                None => differences.push(expected.missing(answers)),
            }
        }
        let told = |(candle, says): (&Candle, &Map<String, Json>)| {
            format!("{candle}: a signal came that is not expected: {}", in_words(says))
        };
        differences.extend(unexpected.into_iter().map(told));
        differences
    }
}

impl Answers {
    /// The failures, each way in which it failed once, with the first candle.
    fn failures_in_words(&self) -> Vec<String> {
        let mut ways: BTreeMap<&str, Vec<&Candle>> = BTreeMap::new();
        for (candle, why) in &self.failures {
            ways.entry(why).or_default().push(candle);
        }
        let told = |(why, candles): (&str, Vec<&Candle>)| {
            let first = candles.first().map_or_else(String::new, ToString::to_string);
            format!("{first}: it failed here (and on {} more candles): {why}", candles.len().saturating_sub(1))
        };
        ways.into_iter().map(told).collect()
    }
}

impl Expected {
    fn is_at(&self, candle: &Candle) -> bool {
        self.candle_close == candle.close
            && self.symbol.as_ref().is_none_or(|symbol| *symbol == candle.symbol)
            && self.timeframe.is_none_or(|timeframe| timeframe == candle.timeframe)
    }

    /// What to say if it did not come.
    fn missing(&self, answers: &Answers) -> String {
        let why = answers.silent.iter().chain(&answers.failures).find(|(candle, _)| self.is_at(candle));
        let why = why.map_or_else(String::new, |(_, why)| format!(": {why}"));
        let Self { candle_close, symbol, timeframe, says } = self;
        let symbol = symbol.as_ref().map_or_else(String::new, |symbol| format!(" {symbol}"));
        let timeframe = timeframe.map_or_else(String::new, |timeframe| format!(" {timeframe}"));
        format!("{candle_close}{symbol}{timeframe}: no signal came, and this one is expected: {}{why}", in_words(says))
    }
}

impl fmt::Display for Candle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.close, self.symbol, self.timeframe)
    }
}

/// A signal in a few words.
pub(in crate::cli) fn in_words(says: &Map<String, Json>) -> String {
    const FIELDS: [&str; 5] = ["action", "confidence", "price", "stop_loss", "take_profit"];
    let told = FIELDS.iter().filter_map(|field| Some((field, says.get(*field).filter(|value| !value.is_null())?)));
    let word = |(field, value): (&&str, &Json)| match value.as_str() {
        Some(text) => text.to_owned(),
        None => format!("{field} {value}"),
    };
    told.map(word).collect::<Vec<_>>().join(", ")
}

/// A field that differs.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::cli) struct Different {
    /// The field, such as `metadata.channel_high`.
    pub(in crate::cli) field: String,
    pub(in crate::cli) expected: Json,
    /// `None` if there is no such field.
    pub(in crate::cli) came: Option<Json>,
}

impl Different {
    fn in_words(&self) -> String {
        let Self { field, expected, came } = self;
        match came {
            Some(came) => format!("{field} = {expected} is expected, and {came} came"),
            None => format!("{field} = {expected} is expected, and the signal has no such field"),
        }
    }
}

/// Where a value differs from what is expected of it. Of an object, only the fields that are expected count.
pub(in crate::cli) fn different(expected: &Json, came: &Json, path: &str) -> Vec<Different> {
    match (expected, came) {
        (Json::Object(expected), Json::Object(came)) => {
            let of_field = |(name, expected): (&String, &Json)| {
                let field = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                match came.get(name) {
                    Some(came) => different(expected, came, &field),
                    None => vec![Different { field, expected: expected.clone(), came: None }],
                }
            };
            expected.iter().flat_map(of_field).collect()
        }
        (expected, came) if are_equal(expected, came) => Vec::new(),
        (expected, came) => {
            vec![Different { field: path.to_owned(), expected: expected.clone(), came: Some(came.clone()) }]
        }
    }
}

/// Whether two values are equal. A number is the same however it is written, with a point or without.
fn are_equal(one: &Json, other: &Json) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Midnight of 2026-01-01.
    const MIDNIGHT: i64 = 1_767_225_600_000;

    /// Signals of candles that closed so many hours after midnight.
    fn answers(signals: &[(i64, Json)]) -> Answers {
        let candle = |close: i64| Candle {
            close: Timestamp::from_millis(MIDNIGHT + close * 3_600_000),
            symbol: "BTCUSDT".parse().unwrap(),
            timeframe: Timeframe::H1,
        };
        let signals = signals.iter().map(|(close, says)| (candle(*close), says.as_object().unwrap().clone()));
        Answers {
            candles: 10,
            signals: signals.collect(),
            silent: [(candle(9), "it needs more".to_owned())].into(),
            failures: BTreeMap::new(),
        }
    }

    fn case(signals: &Json) -> Case {
        serde_json::from_value(json!({"name": "one", "candles": ["BTCUSDT_1h.csv"], "signals": signals})).unwrap()
    }

    #[test]
    fn only_the_fields_that_are_expected_are_compared() {
        let came = answers(&[(1, json!({"action": "buy", "price": 100.0, "metadata": {"high": 2.5, "low": 1}}))]);
        let at = "2026-01-01T01:00:00Z";
        let sound = json!([{"candle_close": at, "action": "buy", "price": 100, "metadata": {"high": 2.5}}]);
        assert_eq!(case(&sound).differences(&came), [""; 0]);
        let wrong = json!([{"candle_close": at, "action": "sell", "stoploss": 1, "metadata": {"high": 2.6}}]);
        let told = case(&wrong).differences(&came).join("\n");
        for part in [
            "action = \"sell\" is expected, and \"buy\" came",
            "stoploss = 1 is expected, and the signal has no such field",
            "metadata.high = 2.6 is expected, and 2.5 came",
        ] {
            assert!(told.contains(part), "{part:?} is not in {told}");
        }
    }

    #[test]
    fn all_signals_have_to_come_and_no_others() {
        let came = answers(&[(1, json!({"action": "buy"}))]);
        let none = case(&json!([])).differences(&came);
        assert!(none[0].contains("BTCUSDT 1h: a signal came that is not expected: buy"), "{none:?}");
        let late = json!([{"candle_close": "2026-01-01T01:00:00Z"}, {"candle_close": "2026-01-01T09:00:00Z"}]);
        let missing = case(&late).differences(&came);
        assert!(missing.len() == 1 && missing[0].ends_with("it needs more"), "{missing:?}");
    }

    #[test]
    fn what_is_blessed_is_expected() {
        let came = answers(&[(1, json!({"action": "buy", "confidence": 0.1 + 0.2}))]);
        let mut case = Case { signals: None, ..case(&json!([])) };
        assert!(case.differences(&came)[0].contains("--bless"));
        case.bless(&came);
        let again: Case = serde_json::from_str(&serde_json::to_string(&case).unwrap()).unwrap();
        assert_eq!(again.differences(&came), [""; 0]);
    }

    #[test]
    fn a_misspelt_field_of_a_case_is_named() {
        let error = serde_json::from_value::<Case>(json!({"name": "one", "candles": [], "parameter": {}})).unwrap_err();
        assert!(error.to_string().contains("unknown field `parameter`"), "{error}");
    }
}
