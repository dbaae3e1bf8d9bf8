//! What the columns of a table of candles hold.
//!
//! The tables are the extractor's, and so are the types of their columns. A number that a column would change is
//! refused with the column and the remedy: candles that were changed on their way to the store give other signals, and
//! nobody would know why.

use std::collections::BTreeMap;

use sqlx::{MySqlConnection, Row as _};
use ta_bot_core::{Candle, Timeframe};
use ta_bot_engine::support::store_error::StoreError;

use crate::mysql::database::{NAME, klines::table};

/// How much a column may change a number, as a share of it: what the arithmetic of `f64` adds and takes by itself, in
/// the seventeenth digit. A number with fifteen digits or fewer is changed by nothing so small.
const NOISE: f64 = 4e-15;
/// The most digits that a DECIMAL has.
const MOST_DIGITS: usize = 65;

/// The columns of a table.
#[derive(Debug)]
pub(super) struct Columns {
    timeframe: Timeframe,
    types: BTreeMap<String, Type>,
}

/// The type of a column.
#[derive(Debug, Clone, PartialEq)]
struct Type {
    holds: Holds,
    /// As the server writes it, such as `decimal(20,8)`.
    name: String,
}

/// Which numbers a type holds.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Holds {
    /// Numbers with so many digits, of which so many are decimals.
    Decimal { digits: usize, decimals: usize },
    /// Every `f64`.
    Double,
    /// Every `f32`.
    Single,
}

impl Columns {
    /// The columns that the table of a timeframe has. Columns that nobody needs may be missing.
    pub(super) async fn read(connection: &mut MySqlConnection, timeframe: Timeframe) -> Result<Self, sqlx::Error> {
        let sql = "SELECT CAST(column_name AS CHAR) AS `name`, CAST(data_type AS CHAR) AS `kind`,
                          CAST(column_type AS CHAR) AS `type`,
                          CAST(COALESCE(numeric_precision, 0) AS SIGNED) AS `digits`,
                          CAST(COALESCE(numeric_scale, 0) AS SIGNED) AS `decimals`
                   FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ?";
        let mut types = BTreeMap::new();
        for row in sqlx::query(sql).bind(table(timeframe)).fetch_all(connection).await? {
            let [digits, decimals] = ["digits", "decimals"].map(|name| row.try_get::<i64, _>(name));
            let (digits, decimals) = (digits? as usize, decimals? as usize);
            let holds = match row.try_get::<String, _>("kind")?.to_ascii_lowercase().as_str() {
                "float" => Holds::Single,
                "decimal" | "tinyint" | "smallint" | "mediumint" | "int" | "bigint" => {
                    Holds::Decimal { digits, decimals }
                }
                _ => Holds::Double,
            };
            types.insert(row.try_get("name")?, Type { holds, name: row.try_get("type")? });
        }
        Ok(Self { timeframe, types })
    }

    /// The names of the columns, in order.
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.types.keys()
    }

    /// The text of a number as it is written into a column, and the number that is read from there again. Returns an
    /// error if the column can't hold it.
    pub(super) fn stored(&self, column: &str, candle: &Candle, value: f64) -> Result<(f64, String), StoreError> {
        let known = self.types.get(column);
        let holds = known.map_or(Holds::Double, |of| of.holds);
        holds.stored(value).ok_or_else(|| {
            let of = known.map_or("", |of| of.name.as_str());
            self.refused((column, of), candle, value)
        })
    }

    fn refused(&self, (column, of): (&str, &str), candle: &Candle, value: f64) -> StoreError {
        let (table, timeframe, opened) = (table(self.timeframe), self.timeframe, candle.open_time);
        let wider = Holds::wide_enough(value);
        let reason = format!(
            "the {timeframe} candle that opened {opened} has {value} for the column {column} of {table}, which is \
             {of} and would keep another number. Have the column widened, with its owner's consent, such as ALTER \
             TABLE {table} MODIFY {column} {wider} NOT NULL; or keep these candles in the embedded store, without \
             MYSQL_URI. Nothing was written"
        );
        StoreError::DoesNotFit { store: NAME, reason }
    }
}

impl Holds {
    /// The text to write, and what is read again; `None` if that would be another number.
    fn stored(self, value: f64) -> Option<(f64, String)> {
        if !value.is_finite() {
            return None;
        }
        let shortest = value.to_string();
        match self {
            Self::Double => Some((value, shortest)),
            Self::Single => is_same(value, f64::from(value as f32)).then(|| (f64::from(value as f32), shortest)),
            Self::Decimal { digits, decimals } => {
                let text = if decimals_of(&shortest) <= decimals { shortest } else { format!("{value:.decimals$}") };
                let kept: f64 = text.parse().ok()?;
                let whole = text.trim_start_matches('-').split('.').next().unwrap_or_default();
                let fits = whole == "0" || whole.len() <= digits.saturating_sub(decimals);
                (fits && is_same(value, kept)).then_some((kept, text))
            }
        }
    }

    /// A type that holds the number, with room for others like it.
    fn wide_enough(value: f64) -> String {
        let shortest = if value.is_finite() { value.to_string() } else { String::new() };
        let whole = shortest.trim_start_matches('-').split('.').next().unwrap_or_default().len().max(12);
        let decimals = decimals_of(&shortest).next_multiple_of(4).max(16);
        // No DECIMAL reaches over more digits than this, and then only a DOUBLE holds the number.
        if whole + decimals > MOST_DIGITS || decimals > 30 {
            return "DOUBLE".to_owned();
        }
        format!("DECIMAL({}, {decimals})", whole + decimals)
    }
}

/// How many decimals a plain number has.
fn decimals_of(text: &str) -> usize {
    text.split_once('.').map_or(0, |(_, decimals)| decimals.len())
}

/// Whether two numbers are the same but for noise.
fn is_same(value: f64, kept: f64) -> bool {
    (value - kept).abs() <= NOISE * value.abs()
}

#[cfg(test)]
mod tests {
    use ta_bot_core::Timestamp;

    use super::*;

    const USUAL: Holds = Holds::Decimal { digits: 20, decimals: 8 };

    #[test]
    fn what_a_column_can_not_hold_is_refused() {
        for (holds, good) in [
            (USUAL, 1e-8),
            (USUAL, 0.123_456_78),
            (USUAL, 0.0),
            (USUAL, 999_999_999_999.0),
            (USUAL, 0.1 + 0.2),
            (USUAL, 67_123.45),
            (Holds::Decimal { digits: 28, decimals: 16 }, 1.481_6e-8),
            (Holds::Decimal { digits: 8, decimals: 8 }, 0.5),
            (Holds::Decimal { digits: 10, decimals: 0 }, 7.0),
            (Holds::Double, 1.481_6e-300),
            (Holds::Single, 0.5),
        ] {
            let (kept, text) = holds.stored(good).unwrap_or_else(|| panic!("{holds:?} {good}"));
            assert!(is_same(good, kept) && text.parse::<f64>() == Ok(kept), "{holds:?} {good}: {text}");
        }
        for (holds, bad) in [
            (USUAL, 1.481_6e-8),
            (USUAL, 0.123_456_789),
            (USUAL, 1e-12),
            (USUAL, 1e12),
            (USUAL, f64::NAN),
            (USUAL, f64::INFINITY),
            (Holds::Decimal { digits: 8, decimals: 8 }, 1.5),
            (Holds::Decimal { digits: 10, decimals: 0 }, 7.5),
            (Holds::Single, 0.1),
            (Holds::Double, f64::NAN),
        ] {
            assert_eq!(holds.stored(bad), None, "{holds:?} {bad}");
        }
    }

    #[test]
    fn a_refusal_names_the_column_and_the_remedy() {
        let of = Type { holds: USUAL, name: "decimal(20,8)".to_owned() };
        let columns = Columns { timeframe: Timeframe::M15, types: [("close_price".to_owned(), of)].into() };
        let price = 1.481_6e-8;
        let open_time = Timestamp::from_millis(0);
        let candle = Candle { open_time, open: price, high: price, low: price, close: price, volume: 1.0 };
        let told = columns.stored("close_price", &candle, price).unwrap_err().to_string();
        for expected in [
            "1970-01-01T00:00:00+00:00",
            "0.000000014816 for the column close_price of klines_m15",
            "decimal(20,8)",
            "ALTER TABLE klines_m15 MODIFY close_price DECIMAL(28, 16) NOT NULL",
            "Nothing was written",
        ] {
            assert!(told.contains(expected), "{told}");
        }
        assert_eq!(columns.stored("unknown", &candle, price).unwrap(), (price, "0.000000014816".to_owned()));
    }

    #[test]
    fn the_wider_type_holds_the_number() {
        assert_eq!(Holds::wide_enough(1e12), "DECIMAL(29, 16)");
        assert_eq!(Holds::wide_enough(1.5e-19), "DECIMAL(32, 20)");
        assert_eq!(Holds::wide_enough(1.5e-200), "DOUBLE");
    }
}
