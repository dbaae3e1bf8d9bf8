//! The file of receivers.
//!
//! It holds secrets: those that sign, and URLs, since one of Slack or Telegram is all that a stranger needs to write
//! there. So nobody else may read the file, and no error repeats more of it than names.

use std::{
    fmt,
    fs::{self, File, Metadata},
    io::{self, Read as _},
    net::IpAddr,
    os::unix::fs::MetadataExt as _,
    path::Path,
};

use http::Uri;
use ta_bot_core::{StrategyId, Symbol, Timeframe};
use ta_bot_engine::signals::{actions::PublishedActions, outbox::StoredSignal};
use thiserror::Error;
use url::{Host, Url};

use super::{format::Format, guard::Guard, signature::Secret};

mod read;
#[cfg(test)]
mod tests;

/// More bytes than any file of receivers has.
const MOST_BYTES: u64 = 1024 * 1024;
/// The most receivers. Each has connections and a cursor of its own.
pub const MOST_RECEIVERS: usize = 64;

/// Why the file can't be used.
#[derive(Debug, Error)]
pub enum ReceiversError {
    /// The file can't be read.
    #[error("it can't be read: {0}")]
    Read(#[from] io::Error),
    /// The file is longer than any file of receivers.
    #[error("it has more than {most} bytes: it is no file of receivers")]
    TooLarge {
        /// The most bytes.
        most: u64,
    },
    /// Somebody else may read the file, or replace it.
    #[error("others may {may} {what} (its mode is {mode:o}), and it holds secrets: run {remedy} on it")]
    Open {
        /// Read or write.
        may: &'static str,
        /// The file or its folder.
        what: &'static str,
        /// Its permissions.
        mode: u32,
        /// The command that closes it.
        remedy: &'static str,
    },
    /// What is in the file can't be used; each problem is listed.
    #[error("{}", .0.join("; "))]
    Problems(Vec<String>),
}

/// A receiver of signals.
#[derive(Clone, PartialEq, Eq)]
pub struct Receiver {
    /// Its name, under which is kept how far it has come.
    pub name: String,
    /// Where it is. It may hold a secret.
    pub(super) url: Url,
    /// The same, for requests.
    pub(super) uri: Uri,
    /// What requests are signed with, if they are.
    pub(super) secret: Option<Secret>,
    /// The shape of what it gets.
    pub(super) format: Format,
    /// Which signals it gets.
    pub(super) filter: Filter,
    /// Whether it may have an address that is not public.
    pub(super) allow_private: bool,
    /// Whether it gets signals that are too old to be published when their turn comes.
    pub(super) takes_late: bool,
}

/// Which signals a receiver gets. All conditions must hold; an absent one always does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    pub(super) strategies: Option<Vec<StrategyId>>,
    pub(super) symbols: Option<Vec<Symbol>>,
    pub(super) timeframes: Option<Vec<Timeframe>>,
    pub(super) actions: PublishedActions,
}

impl Receiver {
    /// The name of the machine, which is the only part of the URL that may be shown.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Which addresses it may have.
    pub fn guard(&self) -> Guard {
        Guard { allow_private: self.allow_private, is_plain: self.url.scheme() == "http" }
    }

    /// The name under which is kept how far it has come.
    pub fn reader(&self) -> String {
        reader_of(&self.name)
    }
}

/// The name under which is kept how far a receiver of this name has come.
pub fn reader_of(receiver: &str) -> String {
    format!("webhook:{receiver}")
}

impl fmt::Debug for Receiver {
    /// Shows neither the URL nor the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.name, self.host())
    }
}

impl Filter {
    /// Whether the receiver gets this signal.
    pub fn includes(&self, signal: &StoredSignal) -> bool {
        fn listed<T: PartialEq>(list: Option<&Vec<T>>, value: &T) -> bool {
            list.is_none_or(|list| list.contains(value))
        }
        listed(self.strategies.as_ref(), &signal.strategy)
            && listed(self.symbols.as_ref(), &signal.symbol)
            && listed(self.timeframes.as_ref(), &signal.timeframe)
            && self.actions.includes(&signal.action)
    }
}

/// The address of a URL that names one instead of a machine.
fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

/// Reads the file, unless others may read or write it. A receiver without `actions` gets those that are `published`.
pub fn read(path: &Path, published: &PublishedActions) -> Result<Vec<Receiver>, ReceiversError> {
    let file = File::open(path)?;
    ours_alone(&file.metadata()?)?;
    // What is in a folder can be replaced by whoever may write the folder, unless its sticky bit is set.
    let folder = fs::canonicalize(path)?.parent().map(fs::metadata).transpose()?;
    folder.as_ref().map_or(Ok(()), no_others_write)?;
    let mut text = String::new();
    if file.take(MOST_BYTES + 1).read_to_string(&mut text)? as u64 > MOST_BYTES {
        return Err(ReceiversError::TooLarge { most: MOST_BYTES });
    }
    read::receivers(&text, published).map_err(ReceiversError::Problems)
}

/// The group may read: a Secret of Kubernetes is mounted like that for a user who is not root.
fn ours_alone(file: &Metadata) -> Result<(), ReceiversError> {
    const OTHERS_READ: u32 = 0o004;
    const OTHERS_WRITE: u32 = 0o022;
    let mode = file.mode() & 0o7777;
    let open = |may| ReceiversError::Open { may, what: "the file", mode, remedy: "chmod go-w,o-r" };
    match (mode & OTHERS_READ, mode & OTHERS_WRITE) {
        (0, 0) => Ok(()),
        (0, _) => Err(open("write")),
        _ => Err(open("read")),
    }
}

fn no_others_write(folder: &Metadata) -> Result<(), ReceiversError> {
    const OTHERS_WRITE: u32 = 0o022;
    const STICKY: u32 = 0o1000;
    let mode = folder.mode() & 0o7777;
    let is_safe = mode & OTHERS_WRITE == 0 || mode & STICKY != 0;
    let open = ReceiversError::Open { may: "write", what: "its folder", mode, remedy: "chmod go-w" };
    if is_safe { Ok(()) } else { Err(open) }
}
