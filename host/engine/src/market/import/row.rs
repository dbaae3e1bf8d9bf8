//! The two layouts of a row.

use ta_bot_core::{Candle, Timestamp};

use super::LineProblem;

/// The first columns of both layouts. Ours calls the first one `open_time_ms`.
const COLUMNS: [&str; 6] = ["open_time", "open", "high", "low", "close", "volume"];
/// How many columns Binance's klines have.
const BINANCE_COLUMNS: usize = 12;
/// From this number on, a time is in microseconds (1973) rather than in milliseconds (the year 5138).
const MICROSECONDS_FROM: i64 = 100_000_000_000_000;
/// Below this number, a time is in seconds (the year 5138) rather than in milliseconds (1973).
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// Which columns a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// Six columns, times in milliseconds.
    Ours,
    /// Twelve columns, times in milliseconds or microseconds.
    Binance,
}

impl Layout {
    /// The layout of a file by its first line, and whether that line is a header.
    pub(super) fn of(line: &str) -> Result<(Self, bool), LineProblem> {
        let columns = line.split(',').count();
        let is_row = fields(line).next().is_some_and(|first| first.parse::<f64>().is_ok());
        if is_row && columns == BINANCE_COLUMNS {
            return Ok((Self::Binance, false));
        }
        let name = |field: &str| field.to_ascii_lowercase().replace([' ', '-'], "_");
        let mut names = fields(line).map(name);
        let first = names.next().unwrap_or_default();
        let is_header =
            ["open_time", "open_time_ms"].contains(&first.as_str()) && names.take(5).eq(COLUMNS[1..].iter().copied());
        match columns {
            6 if is_header => Ok((Self::Ours, true)),
            BINANCE_COLUMNS if is_header => Ok((Self::Binance, true)),
            _ => Err(LineProblem::NoHeader { given: shown(line, 60) }),
        }
    }

    const fn columns(self) -> usize {
        match self {
            Self::Ours => 6,
            Self::Binance => BINANCE_COLUMNS,
        }
    }

    /// The candle of a row, unchecked.
    pub(super) fn candle(self, line: &str) -> Result<Candle, LineProblem> {
        let mut found = [""; 6];
        let mut given = 0;
        for field in fields(line) {
            if let Some(slot) = found.get_mut(given) {
                *slot = field;
            }
            given += 1;
        }
        if given != self.columns() {
            return Err(LineProblem::Columns { given, expected: self.columns() });
        }
        let number = |index: usize| {
            let given = found[index];
            given
                .parse::<f64>()
                .map_err(|_| LineProblem::NotANumber { column: COLUMNS[index], given: shown(given, 40) })
        };
        Ok(Candle {
            open_time: self.open_time(found[0])?,
            open: number(1)?,
            high: number(2)?,
            low: number(3)?,
            close: number(4)?,
            volume: number(5)?,
        })
    }

    fn open_time(self, field: &str) -> Result<Timestamp, LineProblem> {
        let not_a_time = |_| LineProblem::NotATime { given: shown(field, 40) };
        let given: i64 = field.parse().map_err(not_a_time)?;
        if given < MILLISECONDS_FROM {
            return Err(LineProblem::TooEarly { given });
        }
        if self == Self::Ours || given < MICROSECONDS_FROM {
            return Ok(Timestamp::from_millis(given));
        }
        if given % 1000 == 0 {
            return Ok(Timestamp::from_millis(given / 1000));
        }
        Err(LineProblem::NotATime { given: format!("{field} (in microseconds)") })
    }
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
