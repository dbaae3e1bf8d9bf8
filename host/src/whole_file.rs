//! Files that are replaced as a whole: whenever the process is killed, there is the one before or the new one.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

/// For the owner only.
const MODE: u32 = 0o600;

/// Writes a file beside the one of this name, and then puts it in its place, onto the disk.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Of several processes each writes its own.
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = Path::new(&beside);
    let written = write(beside, bytes).and_then(|()| fs::rename(beside, path));
    if written.is_err() {
        // It may not even be there; the error that counts is the one above.
        let _ = fs::remove_file(beside);
    }
    written?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(MODE).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
