//! Whether a disk has room for what can wait.
//!
//! Commits can't wait. So before the disk is full, what can wait stops: uploads of modules, and, if they go to the same
//! disk, bundles of failures and comparisons of shadows. It goes on by itself when there is clearly more room again.

use std::{
    io,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The share of the disk that is left to what can't wait, unless something else is set: one part of this many.
const SHARE: u64 = 20;
/// The most that is left to it then, in bytes.
const MOST_OF_SHARE: u64 = 512 << 20;

/// Below how much free room what can wait stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LowWater {
    /// Below a twentieth of the disk, or 512 MiB if that is less.
    #[default]
    Share,
    /// Below so many bytes.
    Bytes(u64),
    /// Never.
    Off,
}

/// What was last found out about a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Measured {
    /// How many bytes may still be written; `None` if that is not known.
    pub free: Option<u64>,
    /// The size of the disk in bytes; `None` if that is not known.
    pub size: Option<u64>,
    /// Below how many free bytes what can wait stops; `None` if it never does, or the size is not known.
    pub mark: Option<u64>,
    /// Whether what can wait has to wait. What is not known stops nothing.
    pub is_low: bool,
}

/// The room on the disk of a folder.
#[derive(Debug)]
pub struct Room {
    folder: PathBuf,
    low_water: LowWater,
    measured: Mutex<Measured>,
}

impl LowWater {
    const fn mark(self, size: u64) -> Option<u64> {
        let share = size / SHARE;
        match self {
            Self::Share => Some(if share < MOST_OF_SHARE { share } else { MOST_OF_SHARE }),
            Self::Bytes(bytes) => Some(bytes),
            Self::Off => None,
        }
    }
}

impl Room {
    /// The room for a folder, of which nothing is known yet.
    pub fn of(folder: PathBuf, low_water: LowWater) -> Self {
        Self { folder, low_water, measured: Mutex::default() }
    }

    /// Measures the disk. This may block for as long as the disk hangs.
    pub fn measure(&self) -> io::Result<Measured> {
        let asked = rustix::fs::statvfs(&self.folder);
        let known = asked
            .as_ref()
            .ok()
            .map(|disk| (disk.f_bavail.saturating_mul(disk.f_frsize), disk.f_blocks.saturating_mul(disk.f_frsize)));
        let (measured, was_low) = self.take(known);
        if measured.is_low != was_low {
            let Measured { free, mark, .. } = measured;
            if measured.is_low {
                tracing::error!(
                    folder = %self.folder.display(), free, mark,
                    "the disk of DATA_DIR is nearly full: uploads wait, and so does what is stored beside signals there; \
                     make room on it"
                );
            } else {
                tracing::info!(folder = %self.folder.display(), free, "the disk of DATA_DIR has room again");
            }
        }
        asked.map(|_| measured).map_err(Into::into)
    }

    /// What was last found out.
    pub fn measured(&self) -> Measured {
        *self.lock()
    }

    /// Whether what can wait has to wait, as of the last measurement.
    pub fn is_low(&self) -> bool {
        self.lock().is_low
    }

    /// The folder whose disk it is.
    pub const fn folder(&self) -> &PathBuf {
        &self.folder
    }

    /// Takes the free bytes and the size of the disk. Returns what is known now, and whether it was low before. To be
    /// no longer low it takes a quarter more than the mark, so that it does not go to and fro.
    fn take(&self, known: Option<(u64, u64)>) -> (Measured, bool) {
        let mut measured = self.lock();
        let was_low = measured.is_low;
        let mark = known.and_then(|(_, size)| self.low_water.mark(size));
        let is_low = known
            .zip(mark)
            .is_some_and(|((free, _), mark)| free < if was_low { mark.saturating_add(mark / 4) } else { mark });
        *measured = Measured { free: known.map(|(free, _)| free), size: known.map(|(_, size)| size), mark, is_low };
        (*measured, was_low)
    }

    /// A poisoned lock is fine: the value is only replaced as a whole.
    fn lock(&self) -> MutexGuard<'_, Measured> {
        self.measured.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn room(low_water: LowWater) -> Room {
        Room::of(std::env::temp_dir(), low_water)
    }

    fn low(room: &Room, free: u64, size: u64) -> bool {
        room.take(Some((free * MIB, size * MIB))).0.is_low
    }

    #[test]
    fn the_mark_is_a_share_of_a_small_disk_and_the_same_for_all_large_ones() {
        assert_eq!(
            [100, 10_240, 1 << 20].map(|size| LowWater::Share.mark(size * MIB)),
            [5, 512, 512].map(|mark| Some(mark * MIB))
        );
        assert_eq!((LowWater::Bytes(7).mark(100), LowWater::Off.mark(100)), (Some(7), None));
    }

    #[test]
    fn it_takes_more_than_the_mark_to_go_on() {
        let room = room(LowWater::Bytes(100 * MIB));
        let seen = [101, 100, 99, 100, 124, 125, 110, 99].map(|free| low(&room, free, 1000));
        assert_eq!(seen, [false, false, true, true, true, false, false, true]);
        assert!(room.is_low());
    }

    #[test]
    fn what_is_not_known_stops_nothing() {
        let room = room(LowWater::Bytes(100 * MIB));
        assert!(low(&room, 1, 1000));
        assert_eq!(room.take(None), (Measured::default(), true));
        assert!(!low(&super::tests::room(LowWater::Off), 0, 1000));
        assert!(Room::of("/there/is/no/such/folder".into(), LowWater::Share).measure().is_err());
    }

    #[test]
    fn a_real_disk_is_measured() {
        let measured = room(LowWater::Share).measure().unwrap();
        assert!(measured.size >= measured.free && measured.mark.is_some());
        assert!(room(LowWater::Bytes(u64::MAX)).measure().unwrap().is_low);
    }
}
