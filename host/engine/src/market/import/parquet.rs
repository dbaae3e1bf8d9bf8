//! The rows of a Parquet file, as other programs write it.
//!
//! Its columns are found by their names, like those of a table in text, and each row is read like a line: so both have
//! the same rules. A number is turned into a text and back on the way, which keeps it to the last bit.

use std::{fs::File, panic};

use parquet::{
    basic::{LogicalType, TimeUnit},
    errors::ParquetError,
    file::{
        metadata::ParquetMetaData,
        reader::{FileReader as _, SerializedFileReader},
    },
    record::Field,
    schema::types::ColumnDescriptor,
};
use ta_bot_core::Timestamp;

use super::{CandleFile, FileProblem, LineProblem, Progress, check::FileOrder, row::Layout, source::TEXT_LIMIT};

/// How often the progress is told.
const ROWS_AT_ONCE: u64 = 10_000;

/// Reads the rows of a file into candles. Their numbers begin with 1.
pub(super) fn parse(
    file: File,
    series: FileOrder,
    progress: &mut dyn FnMut(Progress),
) -> Result<CandleFile, FileProblem> {
    let total = file.metadata().map_err(super::source::read_problem)?.len();
    // The library panics on some files that are damaged. Nothing that it had in hand is used after that.
    let reading = panic::AssertUnwindSafe(|| read(file, total, series, progress));
    panic::catch_unwind(reading).unwrap_or_else(|_| Err(damaged("its pages contradict each other")))
}

fn read(
    file: File,
    total: u64,
    mut series: FileOrder,
    progress: &mut dyn FnMut(Progress),
) -> Result<CandleFile, FileProblem> {
    let reader = SerializedFileReader::new(file).map_err(|error| problem(&error))?;
    let metadata = reader.metadata();
    within_limit(metadata)?;
    let schema = metadata.file_metadata().schema_descr();
    if let Some(nested) = schema.root_schema().get_fields().iter().find(|column| !column.is_primitive()) {
        let told = format!("has a column {:?} that holds more than one value: leave it away", nested.name());
        return Err(FileProblem::Parquet(told));
    }
    let columns: Vec<_> = schema.columns().to_vec();
    let layout = Layout::named(columns.iter().map(|column| column.name())).ok_or_else(|| {
        let names: Vec<&str> = columns.iter().map(|column| column.name()).take(20).collect();
        FileProblem::Parquet(format!(
            "has the columns {names:?}: it needs one of the time (open_time_ms, open_time, timestamp, time, datetime or \
             date), then open, high, low, close and volume"
        ))
    })?;
    let rows = u64::try_from(metadata.file_metadata().num_rows()).unwrap_or_default().max(1);
    for (row, number) in reader.get_row_iter(None).map_err(|error| problem(&error))?.zip(1_u64..) {
        let row = row.map_err(|error| problem(&error))?;
        let texts: Result<Vec<String>, LineProblem> = row
            .get_column_iter()
            .zip(&columns)
            .enumerate()
            .map(|(place, ((_, field), column))| text(field, column, layout.is_time(place) && layout.takes_dates()))
            .collect();
        let read = texts.and_then(|texts| layout.row_of(&texts.iter().map(String::as_str).collect::<Vec<_>>()));
        series.take(number, read)?;
        if number % ROWS_AT_ONCE == 0 {
            progress(Progress { read: (u128::from(total) * u128::from(number) / u128::from(rows)) as u64, total });
        }
    }
    progress(Progress { read: total, total });
    series.finish()
}

/// A file of a few megabytes can hold a thousand times its own size.
fn within_limit(metadata: &ParquetMetaData) -> Result<(), FileProblem> {
    let sizes = metadata.row_groups().iter().map(|group| u64::try_from(group.total_byte_size()).unwrap_or(u64::MAX));
    let size = sizes.fold(0, u64::saturating_add);
    if size > TEXT_LIMIT { Err(FileProblem::TooLarge { limit: TEXT_LIMIT }) } else { Ok(()) }
}

/// A value as a line would have it. A moment is a date if that is allowed, so that its unit is beyond doubt; otherwise
/// it is in milliseconds.
fn text(field: &Field, column: &ColumnDescriptor, as_date: bool) -> Result<String, LineProblem> {
    let millis = match (field, column.logical_type_ref()) {
        (Field::TimestampMillis(millis), _) => Some(*millis),
        (Field::TimestampMicros(micros), _) => Some(whole_millis(*micros, 1_000)?),
        (Field::Long(nanos), Some(LogicalType::Timestamp(moment))) if moment.unit == TimeUnit::NANOS => {
            Some(whole_millis(*nanos, 1_000_000)?)
        }
        _ => None,
    };
    Ok(match (millis, field) {
        (Some(millis), _) if as_date => Timestamp::from_millis(millis).to_string(),
        (Some(millis), _) => millis.to_string(),
        (None, Field::Null) => String::new(),
        (None, Field::Str(text)) => text.clone(),
        (None, Field::Double(number)) => number.to_string(),
        (None, Field::Float(number)) => number.to_string(),
        (None, other) => other.to_string(),
    })
}

/// A moment in milliseconds, if it is a whole number of them: a candle opens at one.
fn whole_millis(given: i64, in_a_millisecond: i64) -> Result<i64, LineProblem> {
    if given % in_a_millisecond == 0 {
        Ok(given / in_a_millisecond)
    } else {
        Err(LineProblem::NotATime { given: given.to_string() })
    }
}

fn problem(error: &ParquetError) -> FileProblem {
    match error {
        ParquetError::NYI(_) => FileProblem::Parquet(format!(
            "can't be read here ({error}): write it without compression, or with snappy or zstd"
        )),
        _ => damaged(&error.to_string()),
    }
}

fn damaged(told: &str) -> FileProblem {
    FileProblem::Parquet(format!("is damaged ({told}): fetch it again"))
}
