//! The bad inputs, and what each door that takes rows has to say of them.

use ta_bot_core::{Candle, Symbol, Timeframe, Timestamp};

pub(crate) const M15: Timeframe = Timeframe::M15;

/// What a door says of a candle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Says {
    /// It is a candle.
    Taken,
    /// It is none, with this code and these first words.
    Refused(&'static str, &'static str),
    /// There is no such candle, and nothing to name.
    Nothing,
    /// The input can't come in here, for this reason.
    NoSuchInput(#[allow(dead_code, reason = "for whoever reads the table")] &'static str),
}

use Says::{NoSuchInput, Nothing, Refused, Taken};

/// A row of a candle, as somebody else writes it. A number that is missing is NaN.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) candle: Candle,
    /// When it was written, in seconds after the candle's close.
    pub(crate) written: i64,
}

/// A bad input, or one that only looks bad.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// The rows that come in place of a sound candle.
    pub(crate) rows: fn(Candle) -> Vec<Row>,
    /// What the import of a file says.
    pub(crate) in_file: Says,
    /// What a read of the embedded store says.
    pub(crate) in_sqlite: Says,
    /// What a read of the extractor's tables says, and so all that a service on them does.
    pub(crate) in_mysql: Says,
}

impl Case {
    /// The symbol of the case, so that all of them can be in one store.
    pub(crate) fn symbol(&self) -> Symbol {
        let letters = self.name.to_ascii_uppercase().replace(' ', "");
        format!("{letters}USDT").parse().unwrap()
    }
}

/// A code of files: the import has no codes, since a file is imported whole or not at all.
const OF_FILE: &str = "file";
const UNDATED_FILE: Says = NoSuchInput("a file does not say when a row was written");
const UNDATED_STORE: Says = NoSuchInput("the embedded store does not say when a row was written");
const ONE_ROW: Says = NoSuchInput("the embedded store keeps one row of a candle, the first");

const ZERO: Says = Refused("unsound", "close is 0: a price is above zero");
const NEGATIVE: Says = Refused("unsound", "low is -1: a price is above zero");
const MISSING: Says = Refused("unsound", "close is NaN: give a finite number");
const INFINITE: Says = Refused("unsound", "volume is inf: give a finite number");
const UPSIDE_DOWN: Says = Refused("unsound", "high 1 and low 2 do not enclose open ");
const NEGATIVE_VOLUME: Says = Refused("unsound", "volume is -5: a volume is zero or above");
const OFF_GRID: Says = Refused("off_grid", "the open time is ");
const UNFINISHED: Says = Refused("unfinished", "the row was written at ");
const CONTRADICTED: Says = Refused("contradicted", "there are 2 rows with other numbers of this candle");

pub(crate) static CASES: [Case; 12] = [
    case("zero price", |sound| one(Candle { close: 0.0, ..sound }), [ZERO, ZERO, ZERO]),
    case("negative price", |sound| one(Candle { low: -1.0, ..sound }), [NEGATIVE, NEGATIVE, NEGATIVE]),
    case(
        "missing number",
        |sound| one(Candle { close: f64::NAN, ..sound }),
        [MISSING, NoSuchInput("no column of the embedded store may be empty"), MISSING],
    ),
    case(
        "infinite",
        |sound| one(Candle { volume: f64::INFINITY, ..sound }),
        [INFINITE, INFINITE, NoSuchInput("a decimal is finite")],
    ),
    case("upside down", |sound| one(Candle { high: 1.0, low: 2.0, ..sound }), [UPSIDE_DOWN, UPSIDE_DOWN, UPSIDE_DOWN]),
    case(
        "minus volume",
        |sound| one(Candle { volume: -5.0, ..sound }),
        [NEGATIVE_VOLUME, NEGATIVE_VOLUME, NEGATIVE_VOLUME],
    ),
    case("off grid", |sound| one(later(sound, 7_000)), [OFF_GRID, OFF_GRID, OFF_GRID]),
    case("unfinished", |sound| vec![Row { candle: sound, written: -1 }], [UNDATED_FILE, UNDATED_STORE, UNFINISHED]),
    case("twice", |sound| [one(sound), one(sound)].concat(), [Taken, ONE_ROW, Taken]),
    case(
        "contradicted",
        |sound| [one(sound), one(Candle { volume: 77.0, ..sound })].concat(),
        [CONTRADICTED, ONE_ROW, CONTRADICTED],
    ),
    case("absent", |_| Vec::new(), [Nothing, Nothing, Nothing]),
    // Some 25 hours later, which no clock reaches while the test runs.
    case(
        "future",
        |sound| one(later(sound, 100 * M15.millis())),
        [Refused(OF_FILE, "the candle opens "), Nothing, Nothing],
    ),
];

const fn case(name: &'static str, rows: fn(Candle) -> Vec<Row>, [in_file, in_sqlite, in_mysql]: [Says; 3]) -> Case {
    Case { name, rows, in_file, in_sqlite, in_mysql }
}

fn one(candle: Candle) -> Vec<Row> {
    vec![Row { candle, written: 7 }]
}

fn later(candle: Candle, millis: i64) -> Candle {
    Candle { open_time: candle.open_time.plus_millis(millis), ..candle }
}

/// The end of the newest candle that is over.
pub(crate) fn newest_close() -> Timestamp {
    M15.open_of(Timestamp::now())
}

/// How many cases have a code by what a door says of them.
pub(crate) fn coded(says: fn(&Case) -> Says, code: &str) -> u64 {
    CASES.iter().filter(|case| matches!(says(case), Refused(of_case, _) if of_case == code)).count() as u64
}
