//! The layouts of a row.

use ta_bot_core::{Candle, Timestamp};

use super::LineProblem;

/// The columns that every layout has beside the open time, in this order.
const COLUMNS: [&str; 6] = ["open_time", "open", "high", "low", "close", "volume"];
/// The names that the column of the open time has in files of other programs, in the order in which they are looked
/// for. pandas leaves the name of an index away.
const TIMES: [&str; 7] = ["open_time_ms", "open_time", "timestamp", "time", "datetime", "date", ""];
/// The names of a column that says when the candle closed.
const CLOSE_TIMES: [&str; 2] = ["close_time", "close_time_ms"];
/// How many columns Binance's klines have.
const BINANCE_COLUMNS: usize = 12;
/// Where Binance's klines have the close time.
const BINANCE_CLOSE_TIME: usize = 6;
/// From this number on, a time is in nanoseconds (1973) rather than in microseconds (the year 5138).
const NANOSECONDS_FROM: i64 = 100_000_000_000_000_000;
/// From this number on, a time is in microseconds (1973) rather than in milliseconds (the year 5138).
const MICROSECONDS_FROM: i64 = 100_000_000_000_000;
/// Below this number, a time is in seconds (the year 5138) rather than in milliseconds (1973).
const MILLISECONDS_FROM: i64 = 100_000_000_000;
/// Below this number, a time in seconds is one in the year 1973 or before.
const SECONDS_FROM: i64 = 100_000_000;

/// Which columns a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// How many columns there are.
    columns: usize,
    /// Where the open time, the prices and the volume are.
    places: [usize; 6],
    /// Where the close time is, if there is one.
    close_time: Option<usize>,
    times: Times,
}

/// How times are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Times {
    /// In milliseconds, as the header says.
    Milliseconds,
    /// In milliseconds, microseconds or nanoseconds: Binance's unit depends on the year of the file.
    Exchange,
    /// In seconds or in any of those, or as a date.
    Any,
}

/// What a row says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Row {
    /// The candle, unchecked.
    pub(super) candle: Candle,
    /// When it closed by the file's own account.
    pub(super) close_time: Option<Timestamp>,
}

impl Layout {
    /// The klines of Binance, without a header.
    const BINANCE: Self = Self {
        columns: BINANCE_COLUMNS,
        places: [0, 1, 2, 3, 4, 5],
        close_time: Some(BINANCE_CLOSE_TIME),
        times: Times::Exchange,
    };

    /// The layout of a file by its first line, and whether that line is a header.
    pub(super) fn of(line: &str) -> Result<(Self, bool), LineProblem> {
        let columns = line.split(',').count();
        let is_row = fields(line).next().is_some_and(|first| first.parse::<f64>().is_ok());
        if is_row && columns == BINANCE_COLUMNS {
            return Ok((Self::BINANCE, false));
        }
        let named = Self::named(fields(line)).map(|layout| (layout, true));
        named.ok_or_else(|| LineProblem::NoHeader { given: shown(line, 60) })
    }

    /// The layout of a file whose columns have these names.
    pub(super) fn named<'a>(columns: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let name = |field: &str| field.to_ascii_lowercase().replace([' ', '-'], "_");
        let names: Vec<String> = columns.into_iter().map(name).collect();
        let place = |wanted: &str| names.iter().position(|name| name == wanted);
        let time_name = TIMES.into_iter().find(|name| place(name).is_some())?;
        let mut places = [place(time_name)?, 0, 0, 0, 0, 0];
        for (slot, wanted) in places.iter_mut().zip(COLUMNS).skip(1) {
            *slot = place(wanted)?;
            // Of two columns of one name, nobody can know which one is meant.
            if names.iter().filter(|name| *name == wanted).count() > 1 {
                return None;
            }
        }
        let times = match time_name {
            "open_time_ms" => Times::Milliseconds,
            "open_time" if names.len() == BINANCE_COLUMNS => Times::Exchange,
            _ => Times::Any,
        };
        let close_time = CLOSE_TIMES.into_iter().find_map(place);
        places[1..].is_sorted().then_some(Self { columns: names.len(), places, close_time, times })
    }

    /// What a row says.
    pub(super) fn row(self, line: &str) -> Result<Row, LineProblem> {
        self.row_of(&fields(line).collect::<Vec<_>>())
    }

    /// What a row of these fields says.
    pub(super) fn row_of(self, found: &[&str]) -> Result<Row, LineProblem> {
        if found.len() != self.columns {
            return Err(LineProblem::Columns { given: found.len(), expected: self.columns });
        }
        let number = |index: usize| {
            let given = found[self.places[index]];
            given
                .parse::<f64>()
                .map_err(|_| LineProblem::NotANumber { column: COLUMNS[index], given: shown(given, 40) })
        };
        let candle = Candle {
            open_time: self.time(found[self.places[0]])?,
            open: number(1)?,
            high: number(2)?,
            low: number(3)?,
            close: number(4)?,
            volume: number(5)?,
        };
        let close_time = self.close_time.map(|place| close_time(found[place])).transpose()?;
        Ok(Row { candle, close_time })
    }

    /// Whether the open time is in this column.
    pub(super) const fn is_time(self, column: usize) -> bool {
        self.places[0] == column
    }

    /// Whether the file's own times may be given as a date.
    pub(super) fn takes_dates(self) -> bool {
        self.times == Times::Any
    }

    fn time(self, field: &str) -> Result<Timestamp, LineProblem> {
        let given = match (field.parse::<i64>(), self.times) {
            (Ok(given), _) => given,
            (Err(_), Times::Any) => match whole(field) {
                Some(given) => given,
                None => {
                    return Timestamp::from_date(field).ok_or_else(|| LineProblem::NoDate { given: shown(field, 40) });
                }
            },
            (Err(_), _) => return Err(LineProblem::NotATime { given: shown(field, 40) }),
        };
        let of_unit = |unit: &str, in_a_millisecond: i64| {
            let is_whole = given % in_a_millisecond == 0;
            let odd = || LineProblem::NotATime { given: format!("{field} (in {unit})") };
            is_whole.then(|| Timestamp::from_millis(given / in_a_millisecond)).ok_or_else(odd)
        };
        match (given, self.times) {
            (..SECONDS_FROM, _) => Err(LineProblem::TooEarly { given }),
            (..MILLISECONDS_FROM, Times::Any) => Ok(Timestamp::from_millis(given * 1_000)),
            (..MILLISECONDS_FROM, _) => Err(LineProblem::TooEarly { given }),
            (..MICROSECONDS_FROM, _) | (_, Times::Milliseconds) => Ok(Timestamp::from_millis(given)),
            (..NANOSECONDS_FROM, _) => of_unit("microseconds", 1_000),
            _ => of_unit("nanoseconds", 1_000_000),
        }
    }
}

/// When a candle closed. The last unit of its time is enough, so the rest of a millisecond is left out.
fn close_time(field: &str) -> Result<Timestamp, LineProblem> {
    let bad = || LineProblem::NoCloseTime { given: shown(field, 40) };
    let Ok(given) = field.parse::<i64>() else {
        return Timestamp::from_date(field).ok_or_else(bad);
    };
    Ok(Timestamp::from_millis(match given {
        ..SECONDS_FROM => return Err(bad()),
        SECONDS_FROM..MILLISECONDS_FROM => given * 1_000,
        MILLISECONDS_FROM..MICROSECONDS_FROM => given,
        MICROSECONDS_FROM..NANOSECONDS_FROM => given / 1_000,
        _ => given / 1_000_000,
    }))
}

/// A whole number that is written with a decimal point or an exponent, as programs do that keep times as `f64`.
fn whole(field: &str) -> Option<i64> {
    let number: f64 = field.parse().ok()?;
    (number.is_finite() && number.fract() == 0.0 && number.abs() < 9e18).then_some(number as i64)
}

/// The fields of a line. None of them can hold a comma, so quotes around them mean nothing.
fn fields(line: &str) -> impl Iterator<Item = &str> {
    line.split(',').map(|field| {
        let field = field.trim();
        field.strip_prefix('"').and_then(|field| field.strip_suffix('"')).unwrap_or(field)
    })
}

/// The beginning of what was given, for an error message.
fn shown(given: &str, letters: usize) -> String {
    given.chars().take(letters).collect()
}
