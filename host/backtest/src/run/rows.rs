//! The signals of a run, for people and their tools.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Lines, Write},
    path::PathBuf,
    sync::Arc,
    vec,
};

use parquet::{
    basic::{Compression, ZstdLevel},
    data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type},
    errors::ParquetError,
    file::{
        properties::WriterProperties,
        writer::{SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::parser::parse_message_type,
};
use serde::{Deserialize, de::Error as _};
use ta_bot_core::{Action, StrategyId, Symbol, Timeframe, Timestamp};

use super::kept::{Kept, KeptError};

/// The columns of a CSV. None of their values holds a comma, a quote or a line break.
const HEADER: &str = "strategy,symbol,timeframe,candle_close,action,confidence,strength,price,stop_loss,take_profit,\
                      signal_id,module_digest,parameter_hash";
const SCHEMA: &str = "message signals {
    REQUIRED BINARY strategy (UTF8);
    REQUIRED BINARY symbol (UTF8);
    REQUIRED BINARY timeframe (UTF8);
    REQUIRED INT64 candle_close (TIMESTAMP(MILLIS, true));
    REQUIRED BINARY action (UTF8);
    REQUIRED DOUBLE confidence;
    REQUIRED BINARY strength (UTF8);
    REQUIRED DOUBLE price;
    OPTIONAL DOUBLE stop_loss;
    OPTIONAL DOUBLE take_profit;
    REQUIRED BINARY signal_id (UTF8);
    REQUIRED BINARY module_digest (UTF8);
    REQUIRED BINARY parameter_hash (UTF8);
    REQUIRED BINARY message (UTF8);
}";
/// How many signals a row group of a Parquet file has.
const ROW_GROUP: usize = 8192;

/// What a signal says, without the strategy's own words and readings.
#[derive(Debug, Clone, PartialEq)]
pub struct SignalRow {
    /// The strategy that decided.
    pub strategy: StrategyId,
    /// The symbol of the candle.
    pub symbol: Symbol,
    /// The timeframe of the candle.
    pub timeframe: Timeframe,
    /// When the candle closed.
    pub candle_close: Timestamp,
    /// What to do.
    pub action: Action,
    /// How sure the strategy is, from 0 to 1.
    pub confidence: f64,
    /// How strong it says that the signal is.
    pub strength: String,
    /// The price that it is about.
    pub price: f64,
    /// The price at which a position is closed at a loss.
    pub stop_loss: Option<f64>,
    /// The price at which a position is closed at a profit.
    pub take_profit: Option<f64>,
    /// Its identity, as live.
    pub signal_id: String,
    /// The digest of the module.
    pub module_digest: String,
    /// The hash of its parameters.
    pub parameter_hash: String,
    /// The message as it would have been sent.
    pub message: String,
}

/// The parts of a message that a row has.
#[derive(Deserialize)]
struct Message {
    strategy: StrategyId,
    symbol: Symbol,
    timeframe: Timeframe,
    action: String,
    confidence: f64,
    strength: String,
    price: f64,
    stop_loss: Option<f64>,
    take_profit: Option<f64>,
    signal_id: String,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    provenance: Origin,
}

#[derive(Deserialize)]
struct Origin {
    candle_close: i64,
    module_digest: String,
    parameter_hash: String,
}

/// In which form signals are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalFile {
    /// A table as text.
    Csv,
    /// Each message as it would have been sent, a line each.
    Jsonl,
    /// Parquet: the same table, and the messages.
    Parquet,
}

/// The signals of a run, in the order of series and time; those of one candle in the order of the modules of the plan.
pub struct SignalRows {
    units: vec::IntoIter<PathBuf>,
    open: Option<(PathBuf, Lines<BufReader<File>>)>,
}

impl SignalRows {
    /// The signals that are kept.
    pub fn of(kept: &Kept) -> Result<Self, KeptError> {
        Ok(Self { units: kept.units()?.into_iter(), open: None })
    }

    fn next_line(&mut self) -> Result<Option<(PathBuf, String)>, KeptError> {
        loop {
            if let Some((path, lines)) = &mut self.open {
                match lines.next() {
                    Some(Ok(line)) => return Ok(Some((path.clone(), line))),
                    Some(Err(reason)) => return Err(KeptError::Io { path: path.clone(), reason }),
                    None => self.open = None,
                }
            }
            let Some(path) = self.units.next() else { return Ok(None) };
            let opened = File::open(&path).map(|file| BufReader::new(file).lines());
            let mut lines = opened.map_err(|reason| KeptError::Io { path: path.clone(), reason })?;
            // What is known of the unit.
            lines.next();
            self.open = Some((path, lines));
        }
    }
}

impl Iterator for SignalRows {
    type Item = Result<SignalRow, KeptError>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.next_line().transpose()?;
        Some(line.and_then(|(path, line)| {
            let row = SignalRow::read(line);
            row.map_err(|error| KeptError::Damaged { path, reason: error.to_string() })
        }))
    }
}

impl SignalRow {
    fn read(message: String) -> serde_json::Result<Self> {
        let read: Message = serde_json::from_str(&message)?;
        let provenance = read.metadata.provenance;
        Ok(Self {
            strategy: read.strategy,
            symbol: read.symbol,
            timeframe: read.timeframe,
            candle_close: Timestamp::from_millis(provenance.candle_close),
            action: read.action.parse().map_err(serde_json::Error::custom)?,
            confidence: read.confidence,
            strength: read.strength,
            price: read.price,
            stop_loss: read.stop_loss,
            take_profit: read.take_profit,
            signal_id: read.signal_id,
            module_digest: provenance.module_digest,
            parameter_hash: provenance.parameter_hash,
            message,
        })
    }
}

/// Why signals were not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// They can't be read.
    #[error(transparent)]
    Kept(#[from] KeptError),
    /// They can't be written.
    #[error(transparent)]
    Write(#[from] io::Error),
}

impl SignalFile {
    /// Writes signals, and returns how many.
    pub fn write(self, rows: SignalRows, out: &mut (impl Write + Send)) -> Result<u64, WriteError> {
        match self {
            Self::Csv => {
                writeln!(out, "{HEADER}")?;
                each(rows, |row| writeln!(out, "{}", csv(row)))
            }
            Self::Jsonl => each(rows, |row| writeln!(out, "{}", row.message)),
            Self::Parquet => write_parquet(rows, out),
        }
    }
}

fn each(rows: SignalRows, mut write: impl FnMut(&SignalRow) -> io::Result<()>) -> Result<u64, WriteError> {
    let mut count = 0;
    for row in rows {
        write(&row?)?;
        count += 1;
    }
    Ok(count)
}

fn csv(row: &SignalRow) -> String {
    let number = |number: Option<f64>| number.map(|number| number.to_string()).unwrap_or_default();
    [
        row.strategy.to_string(),
        row.symbol.to_string(),
        row.timeframe.to_string(),
        row.candle_close.to_string(),
        row.action.as_str().to_owned(),
        row.confidence.to_string(),
        row.strength.clone(),
        row.price.to_string(),
        number(row.stop_loss),
        number(row.take_profit),
        row.signal_id.clone(),
        row.module_digest.clone(),
        row.parameter_hash.clone(),
    ]
    .join(",")
}

fn write_parquet(rows: SignalRows, out: &mut (impl Write + Send)) -> Result<u64, WriteError> {
    let schema = parse_message_type(SCHEMA).map_err(failed)?;
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
    let mut sheet = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties)).map_err(failed)?;
    let (mut count, mut group) = (0, Vec::with_capacity(ROW_GROUP));
    let mut rows = rows.peekable();
    while let Some(row) = rows.next() {
        group.push(row?);
        if group.len() == ROW_GROUP || rows.peek().is_none() {
            let mut writer = sheet.next_row_group().map_err(failed)?;
            add(&mut writer, &group).and_then(|()| writer.close().map(drop)).map_err(failed)?;
            count += group.len() as u64;
            group.clear();
        }
    }
    sheet.close().map_err(failed)?;
    Ok(count)
}

/// A column of a Parquet file, in the order of the schema.
enum Column {
    Text(fn(&SignalRow) -> &str),
    Moment(fn(&SignalRow) -> i64),
    Number(fn(&SignalRow) -> f64),
    Level(fn(&SignalRow) -> Option<f64>),
}

const COLUMNS: [Column; 14] = [
    Column::Text(|row| row.strategy.as_str()),
    Column::Text(|row| row.symbol.as_str()),
    Column::Text(|row| row.timeframe.as_str()),
    Column::Moment(|row| row.candle_close.millis()),
    Column::Text(|row| row.action.as_str()),
    Column::Number(|row| row.confidence),
    Column::Text(|row| &row.strength),
    Column::Number(|row| row.price),
    Column::Level(|row| row.stop_loss),
    Column::Level(|row| row.take_profit),
    Column::Text(|row| &row.signal_id),
    Column::Text(|row| &row.module_digest),
    Column::Text(|row| &row.parameter_hash),
    Column::Text(|row| &row.message),
];

fn add<W: Write + Send>(group: &mut SerializedRowGroupWriter<'_, W>, rows: &[SignalRow]) -> Result<(), ParquetError> {
    for of in COLUMNS {
        let Some(mut column) = group.next_column()? else { break };
        match of {
            Column::Text(of) => {
                let texts: Vec<ByteArray> = rows.iter().map(|row| ByteArray::from(of(row))).collect();
                column.typed::<ByteArrayType>().write_batch(&texts, None, None)?;
            }
            Column::Moment(of) => {
                let moments: Vec<i64> = rows.iter().map(of).collect();
                column.typed::<Int64Type>().write_batch(&moments, None, None)?;
            }
            Column::Number(of) => {
                let numbers: Vec<f64> = rows.iter().map(of).collect();
                column.typed::<DoubleType>().write_batch(&numbers, None, None)?;
            }
            Column::Level(of) => {
                let levels: Vec<f64> = rows.iter().filter_map(of).collect();
                let present: Vec<i16> = rows.iter().map(|row| i16::from(of(row).is_some())).collect();
                column.typed::<DoubleType>().write_batch(&levels, Some(&present), None)?;
            }
        }
        column.close()?;
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
