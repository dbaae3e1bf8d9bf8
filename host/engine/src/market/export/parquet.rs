//! Candles as Parquet: a column for each of their numbers, compressed with zstd.

use std::{io, sync::Arc};

use parquet::{
    basic::{Compression, ZstdLevel},
    data_type::{DoubleType, Int64Type},
    errors::ParquetError,
    file::{
        properties::WriterProperties,
        writer::{SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::parser::parse_message_type,
};
use ta_bot_core::Candle;

const SCHEMA: &str = "message candles {
    REQUIRED INT64 open_time (TIMESTAMP(MILLIS, true));
    REQUIRED DOUBLE open;
    REQUIRED DOUBLE high;
    REQUIRED DOUBLE low;
    REQUIRED DOUBLE close;
    REQUIRED DOUBLE volume;
}";
/// What a column of numbers is made of, in the order of the schema.
const NUMBERS: [fn(&Candle) -> f64; 5] =
    [|candle| candle.open, |candle| candle.high, |candle| candle.low, |candle| candle.close, |candle| candle.volume];

/// A Parquet file that is being written.
pub(super) struct ParquetSheet<W: io::Write + Send>(SerializedFileWriter<W>);

impl<W: io::Write + Send> ParquetSheet<W> {
    pub(super) fn begin(out: W) -> io::Result<Self> {
        let schema = parse_message_type(SCHEMA).map_err(failed)?;
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
        SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties)).map(Self).map_err(failed)
    }

    /// Adds candles as a row group of their own.
    pub(super) fn add(&mut self, candles: &[Candle]) -> io::Result<()> {
        if candles.is_empty() {
            return Ok(());
        }
        let mut group = self.0.next_row_group().map_err(failed)?;
        let added = add_columns(&mut group, candles);
        added.and_then(|()| group.close().map(drop)).map_err(failed)
    }

    pub(super) fn end(self) -> io::Result<()> {
        let mut out = self.0.into_inner().map_err(failed)?;
        out.flush()
    }
}

fn add_columns<W: io::Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    candles: &[Candle],
) -> Result<(), ParquetError> {
    if let Some(mut column) = group.next_column()? {
        let opened: Vec<i64> = candles.iter().map(|candle| candle.open_time.millis()).collect();
        column.typed::<Int64Type>().write_batch(&opened, None, None)?;
        column.close()?;
    }
    for number in NUMBERS {
        if let Some(mut column) = group.next_column()? {
            let numbers: Vec<f64> = candles.iter().map(number).collect();
            column.typed::<DoubleType>().write_batch(&numbers, None, None)?;
            column.close()?;
        }
    }
    Ok(())
}

/// The error of the file, if it is one: that the reader of a pipe is gone is no fault of Parquet.
fn failed(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(inner) => inner.downcast::<io::Error>().map_or_else(io::Error::other, |error| *error),
        error => io::Error::other(error),
    }
}
