//! Puts files of one series together.

use std::path::{Path, PathBuf};

use ta_bot_core::{Candle, Hole, Symbol, Timeframe, Timestamp};

use super::{CandleFile, ImportError, Progress, Skipped, names::wanted, read_with};

/// How many holes are listed.
const MOST_HOLES: usize = 100;

/// Which files to read, and as what.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// The files, in any order.
    pub paths: Vec<PathBuf>,
    /// Whose candles they hold; `None` if their names say it.
    pub symbol: Option<Symbol>,
    /// Of which timeframe; `None` if their names say it.
    pub timeframe: Option<Timeframe>,
    /// Whether bad rows are left out and named, instead of keeping everything out.
    pub skip_bad: bool,
}

/// The candles of one series, from one file or several.
#[derive(Debug, Clone, PartialEq)]
pub struct Gathered {
    /// Whose candles they are.
    pub symbol: Symbol,
    /// Their timeframe.
    pub timeframe: Timeframe,
    /// Closed candles, oldest first, each once, at least one.
    pub candles: Vec<Candle>,
    /// What each file holds, in the order of their candles.
    pub files: Vec<FileSummary>,
    /// The oldest holes between these candles, at most a hundred.
    pub holes: Vec<FileHole>,
    /// How many holes there are.
    pub hole_count: u64,
    /// How many candles are missing in them.
    pub missing: u64,
}

/// What one file holds.
#[derive(Debug, Clone, PartialEq)]
pub struct FileSummary {
    /// Which file.
    pub path: PathBuf,
    /// How many closed candles it holds.
    pub rows: u64,
    /// When the first of them opened.
    pub first: Timestamp,
    /// When the last of them opened.
    pub last: Timestamp,
    /// When its last candle opened, if that is still open and was left out.
    pub still_open: Option<Timestamp>,
    /// The rows that were left out.
    pub skipped: Skipped,
    /// What its name says otherwise, if so.
    pub remark: Option<String>,
}

/// Candles that are missing between two that the files hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileHole {
    /// From when to when.
    pub hole: Hole,
    /// The file before and the file after it, if it lies between two.
    pub between: Option<(PathBuf, PathBuf)>,
}

/// A file that was read, and as what.
struct Read {
    series: (Symbol, Timeframe),
    summary: FileSummary,
    candles: Vec<Candle>,
}

/// Reads and checks files as of `now`, and puts those of one series together. If any of them is wrong, the error names
/// each that is. Blocks.
pub fn gather(
    files: &Files,
    now: Timestamp,
    progress: &mut dyn FnMut(&Path, Progress),
) -> Result<Vec<Gathered>, ImportError> {
    let mut read = Vec::new();
    let mut wrong = Vec::new();
    for path in &files.paths {
        match one(path, files, now, progress) {
            Ok(file) => read.push(file),
            Err(error) => wrong.push(error),
        }
    }
    match wrong.pop() {
        None => {}
        Some(only) if wrong.is_empty() => return Err(only),
        Some(last) => {
            wrong.push(last);
            return Err(ImportError::Several(wrong));
        }
    }
    read.sort_by(|one, other| (&one.series, one.summary.first).cmp(&(&other.series, other.summary.first)));
    let mut gathered = Vec::new();
    let mut rest = read.into_iter().peekable();
    while let Some(first) = rest.next() {
        let mut of_series = vec![first];
        while let Some(next) = rest.next_if(|next| next.series == of_series[0].series) {
            of_series.push(next);
        }
        gathered.push(together(of_series)?);
    }
    Ok(gathered)
}

fn one(
    path: &Path,
    files: &Files,
    now: Timestamp,
    progress: &mut dyn FnMut(&Path, Progress),
) -> Result<Read, ImportError> {
    let of_file = |problem| ImportError::File { path: path.to_owned(), problem };
    let (wanted, remark) = wanted(path, files.symbol.as_ref(), files.timeframe).map_err(of_file)?;
    let file = read_with(path, wanted.timeframe, now, files.skip_bad, &mut |read| progress(path, read))?;
    let CandleFile { candles, still_open, skipped, .. } = file;
    let open = |candle: Option<&Candle>| candle.map_or(Timestamp::from_millis(0), |candle| candle.open_time);
    let summary = FileSummary {
        path: path.to_owned(),
        rows: candles.len() as u64,
        first: open(candles.first()),
        last: open(candles.last()),
        still_open,
        skipped,
        remark,
    };
    Ok(Read { series: (wanted.symbol, wanted.timeframe), summary, candles })
}

/// Puts the files of one series together. The same candle in two of them counts once.
fn together(files: Vec<Read>) -> Result<Gathered, ImportError> {
    let (symbol, timeframe) = files[0].series.clone();
    let mut summaries = Vec::with_capacity(files.len());
    let mut all: Vec<(Candle, usize)> = Vec::new();
    for (index, file) in files.into_iter().enumerate() {
        summaries.push(file.summary);
        all.extend(file.candles.into_iter().map(|candle| (candle, index)));
    }
    all.sort_by_key(|(candle, _)| candle.open_time);
    let contradict = |pair: &&[(Candle, usize)]| pair[0].0.open_time == pair[1].0.open_time && pair[0].0 != pair[1].0;
    if let Some(pair) = all.windows(2).find(contradict) {
        let more = all.windows(2).filter(contradict).count() as u64 - 1;
        let [one, other] = [&pair[0], &pair[1]].map(|(_, index)| summaries[*index].path.clone());
        return Err(ImportError::Contradicting { one, other, timeframe, open: pair[0].0.open_time, more });
    }
    all.dedup_by_key(|(candle, _)| candle.open_time);
    let hole = |pair: &[(Candle, usize)]| {
        let from = timeframe.close_of(pair[0].0.open_time);
        let until = pair[1].0.open_time;
        let missing = ((until.millis() - from.millis()) / timeframe.millis()).unsigned_abs();
        let between =
            (pair[0].1 != pair[1].1).then(|| (summaries[pair[0].1].path.clone(), summaries[pair[1].1].path.clone()));
        (missing > 0).then_some(FileHole { hole: Hole { from, until, missing }, between })
    };
    let (mut hole_count, mut missing, mut holes) = (0, 0, Vec::new());
    for found in all.windows(2).filter_map(hole) {
        hole_count += 1;
        missing += found.hole.missing;
        if holes.len() < MOST_HOLES {
            holes.push(found);
        }
    }
    let candles = all.into_iter().map(|(candle, _)| candle).collect();
    Ok(Gathered { symbol, timeframe, candles, files: summaries, holes, hole_count, missing })
}
