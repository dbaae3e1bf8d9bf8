//! The text of a file, plain or zipped, with its progress.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek as _},
    path::Path,
};

use zip::{ZipArchive, result::ZipError};

use super::{FileProblem, Progress};

/// How much text a file may hold, in bytes: some ten million candles of Binance's. A zip of a few megabytes can hold a
/// thousand times its own size.
pub(super) const TEXT_LIMIT: u64 = 2 << 30;
/// How much is read at once.
const BUFFER: usize = 256 << 10;
/// How files in other compressed formats begin.
const PACKERS: [(&[u8], &str); 5] = [
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
];

/// How a Parquet file begins.
const PARQUET: &[u8] = b"PAR1";

/// Opens a file, if it is a Parquet file.
pub(super) fn parquet(path: &Path) -> Result<Option<File>, FileProblem> {
    let mut file = File::open(path).map_err(read_problem)?;
    let mut beginning = Vec::new();
    (&mut file).take(PARQUET.len() as u64).read_to_end(&mut beginning).map_err(read_problem)?;
    file.rewind().map_err(read_problem)?;
    Ok((beginning == PARQUET).then_some(file))
}

/// Calls `work` with the text of a file.
pub(super) fn with_text<T>(
    path: &Path,
    limit: u64,
    progress: &mut dyn FnMut(Progress),
    work: impl FnOnce(&mut dyn BufRead) -> Result<T, FileProblem>,
) -> Result<T, FileProblem> {
    let file = File::open(path).map_err(read_problem)?;
    let metadata = file.metadata().map_err(read_problem)?;
    if metadata.is_dir() {
        return Err(FileProblem::Directory);
    }
    let mut start = BufReader::with_capacity(BUFFER, file);
    let beginning = start.fill_buf().map_err(read_problem)?;
    if let Some((_, packer)) = PACKERS.iter().find(|(beginning_of, _)| beginning.starts_with(beginning_of)) {
        return Err(FileProblem::Packed(packer));
    }
    if beginning.starts_with(b"PK\x03\x04") || beginning.starts_with(b"PK\x05\x06") {
        return with_zipped(start.into_inner(), limit, progress, work);
    }
    let total = metadata.len();
    if total > limit {
        return Err(FileProblem::TooLarge { limit });
    }
    work(&mut counted(start, total, limit, progress))
}

fn with_zipped<T>(
    mut file: File,
    limit: u64,
    progress: &mut dyn FnMut(Progress),
    work: impl FnOnce(&mut dyn BufRead) -> Result<T, FileProblem>,
) -> Result<T, FileProblem> {
    file.rewind().map_err(read_problem)?;
    let mut archive = ZipArchive::new(BufReader::with_capacity(BUFFER, file)).map_err(|error| zip_problem(&error))?;
    let index = only_file(&archive)?;
    let entry = archive.by_index(index).map_err(|error| zip_problem(&error))?;
    let total = entry.size();
    if total > limit {
        return Err(FileProblem::TooLarge { limit });
    }
    work(&mut counted(entry, total, limit, progress))
}

/// The index of the one file in the archive. The entries that macOS adds to its archives do not count.
fn only_file<R: Read + io::Seek>(archive: &ZipArchive<R>) -> Result<usize, FileProblem> {
    let is_file = |name: &str| {
        let base = name.rsplit('/').next().unwrap_or_default();
        !(base.is_empty() || base.starts_with('.') || name.starts_with("__MACOSX/"))
    };
    let names: Vec<_> = archive.file_names().map(Result::unwrap_or_default).collect();
    let mut files = names.iter().enumerate().filter(|(_, name)| is_file(name));
    match (files.next(), files.next()) {
        (Some((index, _)), None) => Ok(index),
        (None, _) => Err(FileProblem::Zip("holds no file: give one with one CSV in it".to_owned())),
        (Some((_, first)), Some((_, second))) => {
            let more = files.count();
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            Err(FileProblem::Zip(format!("holds {first:?}, {second:?}{more}: give one with one CSV in it")))
        }
    }
}

/// A reader that reports its progress, and stops if the text is longer than allowed, whatever the archive says.
struct Counted<'a, R> {
    inner: R,
    progress: &'a mut dyn FnMut(Progress),
    read: u64,
    total: u64,
    limit: u64,
}

fn counted<R: Read>(inner: R, total: u64, limit: u64, progress: &mut dyn FnMut(Progress)) -> BufReader<Counted<'_, R>> {
    BufReader::with_capacity(BUFFER, Counted { inner, progress, read: 0, total, limit })
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read += count as u64;
        if self.read > self.limit {
            return Err(io::Error::other(OverLimit(self.limit)));
        }
        (self.progress)(Progress { read: self.read, total: self.total });
        Ok(count)
    }
}

/// Carries the limit that was exceeded through the reader's error.
#[derive(Debug, thiserror::Error)]
#[error("more than {0} bytes")]
struct OverLimit(u64);

/// What a read error means.
pub(super) fn read_problem(error: io::Error) -> FileProblem {
    if let Some(OverLimit(limit)) = error.get_ref().and_then(|inner| inner.downcast_ref()) {
        return FileProblem::TooLarge { limit: *limit };
    }
    match error.kind() {
        io::ErrorKind::NotFound => FileProblem::Missing,
        io::ErrorKind::IsADirectory => FileProblem::Directory,
        // Errors from unpacking a zip; plain files have no such errors.
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => {
            FileProblem::Zip(format!("is damaged ({error}): fetch it again"))
        }
        _ => FileProblem::Unreadable(error),
    }
}

fn zip_problem(error: &ZipError) -> FileProblem {
    FileProblem::Zip(match error {
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => "is locked with a password: unlock it".to_owned(),
        ZipError::UnsupportedArchive(_) | ZipError::CompressionMethodNotSupported(_) => {
            format!("can't be unpacked here ({error}): pack it in the usual way, or give the CSV itself")
        }
        _ => format!("is damaged ({error}): fetch it again"),
    })
}
