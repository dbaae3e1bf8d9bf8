//! What the names of Binance's archives say: `BTCUSDT-15m-2026-01.zip`, `BTCUSDT-15m-2026-01-31.csv`.

use std::path::Path;

use ta_bot_core::{Symbol, Timeframe};

use super::FileProblem;

/// Which series a file holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wanted {
    pub(super) symbol: Symbol,
    pub(super) timeframe: Timeframe,
}

/// What a name says.
#[derive(Debug, PartialEq, Eq)]
struct Name {
    symbol: Symbol,
    /// The timeframe as it stands there, and as one of ours.
    interval: String,
    timeframe: Option<Timeframe>,
}

/// The series of a file: what the caller says, else what its name says. Beside it is a remark, if the name says another
/// symbol: exchanges rename symbols, so that may be meant.
pub(super) fn wanted(
    path: &Path,
    symbol: Option<&Symbol>,
    timeframe: Option<Timeframe>,
) -> Result<(Wanted, Option<String>), FileProblem> {
    let named = Name::of(path);
    let missing = match (symbol, timeframe) {
        (None, None) => "--symbol and --timeframe",
        (None, _) => "--symbol",
        (_, None) => "--timeframe",
        (Some(symbol), Some(timeframe)) if named.is_none() => {
            return Ok((Wanted { symbol: symbol.clone(), timeframe }, None));
        }
        _ => "",
    };
    let Name { symbol: of_name, interval, timeframe: known } = named.ok_or(FileProblem::Unnamed(missing))?;
    let timeframe = match (timeframe, known) {
        (Some(timeframe), Some(known)) if timeframe == known => timeframe,
        (Some(timeframe), _) => return Err(FileProblem::NamedOtherwise { named: interval, timeframe }),
        (None, Some(known)) => known,
        (None, None) => return Err(FileProblem::NoTimeframe { named: interval }),
    };
    let symbol = symbol.unwrap_or(&of_name);
    let remark =
        (*symbol != of_name).then(|| format!("its name says {of_name}, and its candles are taken for {symbol}"));
    Ok((Wanted { symbol: symbol.clone(), timeframe }, remark))
}

impl Name {
    fn of(path: &Path) -> Option<Self> {
        let stem = path.file_name()?.to_str()?.split('.').next()?;
        let parts: Vec<&str> = stem.split('-').collect();
        let (symbol, interval, date) = match parts.as_slice() {
            [symbol, interval, date @ ..] => (symbol, *interval, date),
            _ => return None,
        };
        let is_number = |text: &str, digits: usize| text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
        let is_date = match date {
            [year, month] => is_number(year, 4) && is_number(month, 2),
            [year, month, day] => is_number(year, 4) && is_number(month, 2) && is_number(day, 2),
            _ => false,
        };
        let unit = interval.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let is_interval = unit.len() < interval.len() && ["s", "m", "h", "d", "w", "mo", "M"].contains(&unit);
        let symbol = symbol.parse().ok().filter(|_| is_date && is_interval)?;
        Some(Self { symbol, interval: interval.to_owned(), timeframe: interval.parse().ok() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, symbol: Option<&str>, timeframe: Option<Timeframe>) -> Result<(String, Option<String>), String> {
        let symbol = symbol.map(|symbol| symbol.parse().unwrap());
        let found = wanted(Path::new(name), symbol.as_ref(), timeframe).map_err(|problem| problem.to_string())?;
        let (Wanted { symbol, timeframe }, remark) = found;
        Ok((format!("{symbol} {timeframe}"), remark))
    }

    #[test]
    fn a_name_of_binances_says_the_series() {
        for (name, expected) in [
            ("BTCUSDT-15m-2026-01.zip", "BTCUSDT 15m"),
            ("/somewhere/1000SHIBUSDT-1h-2018-02-09.csv", "1000SHIBUSDT 1h"),
            ("BTCUSD_PERP-1w-2024-12.CSV", "BTCUSD_PERP 1w"),
        ] {
            assert_eq!(of(name, None, None), Ok((expected.to_owned(), None)), "{name}");
        }
        let other = of("MATICUSDT-1d-2024-01.zip", Some("POLUSDT"), None).unwrap();
        assert_eq!(other.0, "POLUSDT 1d");
        assert!(other.1.unwrap().contains("MATICUSDT"));
    }

    #[test]
    fn what_the_name_does_not_say_has_to_be_given() {
        let m15 = Some(Timeframe::M15);
        for name in
            ["candles.csv", "BTCUSDT_15m.csv", "BTCUSDT-15m.csv", "BTCUSDT-15m-2026.csv", "BTCUSDT-x-2026-01.csv"]
        {
            assert_eq!(of(name, Some("BTCUSDT"), m15), Ok(("BTCUSDT 15m".to_owned(), None)), "{name}");
            for (symbol, timeframe, told) in [
                (None, None, "give --symbol and --timeframe"),
                (None, m15, "give --symbol:"),
                (Some("BTCUSDT"), None, "give --timeframe:"),
            ] {
                assert!(of(name, symbol, timeframe).unwrap_err().starts_with(told), "{name}");
            }
        }
    }

    #[test]
    fn a_name_that_contradicts_is_refused() {
        let told = of("BTCUSDT-1mo-2025-01.csv", Some("BTCUSDT"), Some(Timeframe::M1)).unwrap_err();
        assert!(told.contains("its name says 1mo, and --timeframe says 1m"), "{told}");
        let told = of("BTCUSDT-1mo-2025-01.csv", Some("BTCUSDT"), None).unwrap_err();
        assert!(told.contains("1mo") && told.contains("there are 1m, 3m"), "{told}");
        assert!(of("BTCUSDT-1s-2025-01.csv", None, None).unwrap_err().contains("1s"));
    }
}
