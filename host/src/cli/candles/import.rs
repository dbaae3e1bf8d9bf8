//! `ta-bot candles import`: files of candles into the store.

use std::fmt;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use ta_bot_core::{Symbol, Timeframe, Timestamp};
use ta_bot_engine::market::{
    candle_store::Inserted,
    candles::Candles,
    import::{BadRow, FileHole, FileSummary, Files, Gathered, ImportError, gather},
};

use crate::cli::{
    Session,
    args::FilesWanted,
    error::{CliError, shown},
    output::or_dash,
};

/// How many of the stored candles that differ are named.
const MOST_DIFFERENT: usize = 20;
/// How many holes and bad rows the text names. The answer in JSON has more.
const MOST_TOLD: usize = 10;

impl From<FilesWanted> for Files {
    fn from(FilesWanted { files, symbol, timeframe, skip_bad }: FilesWanted) -> Self {
        Self { paths: files, symbol, timeframe, skip_bad }
    }
}

/// Imports files.
pub(in crate::cli) async fn import(session: Session, files: Files) -> Result<(), CliError> {
    let app = session.open().await?;
    let gathered = read(files, session.output.json).await?;
    let mut series = Vec::with_capacity(gathered.len());
    for gathered in gathered {
        let inserted = app.candles.insert(&gathered.symbol, gathered.timeframe, &gathered.candles).await?;
        let different = if inserted.different > 0 { different(&app.candles, &gathered).await? } else { Vec::new() };
        series.push(Imported::new(gathered, inserted, &different));
    }
    session.output.answer(&Imports { series })
}

/// Reads files with a progress bar, which hides itself if stderr is not a terminal.
pub(in crate::cli) async fn read(files: Files, is_quiet: bool) -> Result<Vec<Gathered>, CliError> {
    let bar = if is_quiet { ProgressBar::hidden() } else { ProgressBar::new(0) };
    bar.set_style(style());
    let told = bar.clone();
    let reading = move || {
        gather(&files, Timestamp::now(), &mut |path, progress| {
            told.set_message(path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default());
            told.set_length(progress.total.max(progress.read));
            told.set_position(progress.read);
        })
    };
    let gathered = tokio::task::spawn_blocking(reading).await;
    bar.finish_and_clear();
    Ok(gathered.map_err(|error| ImportError::Stopped(error.to_string()))??)
}

fn style() -> ProgressStyle {
    let template = ProgressStyle::with_template("reading {msg} {bar:40} {bytes}/{total_bytes}");
    template.unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// The first of the stored candles that have other numbers than the files.
async fn different(candles: &Candles, gathered: &Gathered) -> Result<Vec<Timestamp>, CliError> {
    let mut different = Vec::new();
    for part in gathered.candles.chunks(5_000) {
        let ([first, ..], [.., last]) = (part, part) else { break };
        let opened = first.open_time..last.open_time.plus_millis(1);
        let stored = candles.opened_within(&gathered.symbol, gathered.timeframe, opened).await?;
        for row in stored {
            let ours = part.binary_search_by_key(&row.candle.open_time, |candle| candle.open_time);
            if ours.is_ok_and(|place| part[place] != row.candle) {
                different.push(row.candle.open_time);
            }
            if different.len() == MOST_DIFFERENT {
                return Ok(different);
            }
        }
    }
    Ok(different)
}

/// What an import did, for each series.
struct Imports {
    series: Vec<Imported>,
}

/// An import of one series is that series; of several, it is a list.
impl Serialize for Imports {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Several<'a> {
            series: &'a [Imported],
        }
        match self.series.as_slice() {
            [only] => only.serialize(serializer),
            series => Several { series }.serialize(serializer),
        }
    }
}

/// What an import did to one series.
#[derive(Serialize)]
struct Imported {
    /// The first file, and all of them with what each holds.
    file: String,
    files: Vec<FileView>,
    symbol: Symbol,
    timeframe: Timeframe,
    rows: u64,
    new: u64,
    same: u64,
    different: u64,
    /// The first of the stored candles that differ, by opening time.
    different_at: Vec<String>,
    missing: u64,
    holes: u64,
    /// The oldest holes.
    holes_at: Vec<HoleView>,
    /// How many rows were left out because they are no candles.
    skipped: u64,
    first_open: String,
    last_open: String,
    /// The opening time of the candle that was left out because it is still open.
    still_open: Option<String>,
}

#[derive(Serialize)]
struct FileView {
    file: String,
    rows: u64,
    first_open: String,
    last_open: String,
    skipped: u64,
    bad_rows: Vec<BadRowView>,
    remark: Option<String>,
}

#[derive(Serialize)]
struct BadRowView {
    line: u64,
    problem: String,
}

#[derive(Serialize)]
struct HoleView {
    from: String,
    until: String,
    missing: u64,
    /// The files that it lies between, if it does not lie within one.
    between: Option<[String; 2]>,
}

impl From<FileSummary> for FileView {
    fn from(FileSummary { path, rows, first, last, skipped, remark, .. }: FileSummary) -> Self {
        let bad_row = |BadRow { line, problem }: BadRow| BadRowView { line, problem: problem.to_string() };
        Self {
            file: shown(&path),
            rows,
            first_open: first.to_string(),
            last_open: last.to_string(),
            skipped: skipped.count,
            bad_rows: skipped.named.into_iter().map(bad_row).collect(),
            remark,
        }
    }
}

impl From<FileHole> for HoleView {
    fn from(FileHole { hole, between }: FileHole) -> Self {
        Self {
            from: hole.from.to_string(),
            until: hole.until.to_string(),
            missing: hole.missing,
            between: between.map(|(before, after)| [shown(&before), shown(&after)]),
        }
    }
}

impl Imported {
    fn new(gathered: Gathered, inserted: Inserted, different: &[Timestamp]) -> Self {
        let Gathered { symbol, timeframe, candles, files, holes, hole_count, missing } = gathered;
        let open = |place: usize| candles.get(place).map(|candle| candle.open_time.to_string()).unwrap_or_default();
        let still_open = files.iter().filter_map(|file| file.still_open).max();
        Self {
            file: files.first().map(|file| shown(&file.path)).unwrap_or_default(),
            symbol,
            timeframe,
            rows: candles.len() as u64,
            new: inserted.new,
            same: inserted.same,
            different: inserted.different,
            different_at: different.iter().map(ToString::to_string).collect(),
            missing,
            holes: hole_count,
            holes_at: holes.into_iter().map(HoleView::from).collect(),
            skipped: files.iter().map(|file| file.skipped.count).sum(),
            first_open: open(0),
            last_open: open(candles.len().saturating_sub(1)),
            still_open: still_open.map(|open| open.to_string()),
            files: files.into_iter().map(FileView::from).collect(),
        }
    }

    /// The rest of the line of a number, which names some of what was counted.
    fn named(count: u64, names: Vec<String>) -> String {
        let more = count.saturating_sub(names.len() as u64);
        let more = if more > 0 { vec![format!("and {more} more")] } else { Vec::new() };
        let lines = names.into_iter().chain(more).map(|name| format!("\n                {name}"));
        lines.collect()
    }

    fn told_holes(&self) -> String {
        let told = |HoleView { from, until, missing, between }: &HoleView| {
            let between = between.as_ref().map(|[before, after]| format!(", between {before} and {after}"));
            format!("{missing} from {from} until {until}{}", between.unwrap_or_default())
        };
        Self::named(self.holes, self.holes_at.iter().take(MOST_TOLD).map(told).collect())
    }

    fn told_bad_rows(&self) -> String {
        let of_file = |file: &FileView| {
            let told = |row: &BadRowView| format!("{} line {}: {}", file.file, row.line, row.problem);
            file.bad_rows.iter().map(told).collect::<Vec<_>>()
        };
        Self::named(self.skipped, self.files.iter().flat_map(of_file).take(MOST_TOLD).collect())
    }

    fn told_different(&self) -> String {
        let Self { symbol, timeframe, .. } = self;
        if self.different == 0 {
            return String::new();
        }
        let named = self.different_at.iter().take(MOST_TOLD).map(|open| format!("opened {open}")).collect();
        format!(
            "  (what was stored is kept; if the files are right: ta-bot candles replace FILE... --symbol {symbol} \
             --timeframe {timeframe}){}",
            Self::named(self.different, named)
        )
    }
}

impl fmt::Display for Imports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, imported) in self.series.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "\n\n" })?;
            imported.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { symbol, timeframe, rows, new, same, different, missing, skipped, first_open, last_open, .. } = self;
        writeln!(f, "{symbol} {timeframe}: {rows} closed candles, opened from {first_open} to {last_open}")?;
        for file in self.files.iter().filter(|file| file.remark.is_some()) {
            writeln!(f, "  note        {}: {}", file.file, file.remark.as_deref().unwrap_or_default())?;
        }
        writeln!(f, "  new         {new}\n  same        {same}\n  different   {different}{}", self.told_different())?;
        writeln!(f, "  missing     {missing}{}", self.told_holes())?;
        if *skipped > 0 {
            writeln!(f, "  bad rows    {skipped}, left out{}", self.told_bad_rows())?;
        }
        writeln!(
            f,
            "  still open  {}",
            or_dash(self.still_open.as_ref(), |open| format!("1, opened {open} (left out)"))
        )?;
        write!(f, "Next: ta-bot analyze {symbol} {timeframe}")
    }
}
