//! The metrics on their way to those who asked for them.
//!
//! Metrics can be megabytes, and anybody may ask for them. A text that is still on its way to a client that reads
//! slowly, or not at all, stays in memory. So if several are, the next client gets the newest of these once more.

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

use axum::body::Bytes;

/// How many different texts are on their way before one is used again.
const MOST: usize = 4;
/// How old a text may be that is used again. Slow clients are given up before there are many more than [`MOST`].
const OLDEST: Duration = Duration::from_secs(5);

/// The texts that are on their way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scrapes(Arc<Mutex<Vec<Weak<Scrape>>>>);

/// A text on its way, for as long as it is held.
#[derive(Debug)]
pub(super) struct Scrape {
    pub(super) text: Bytes,
    at: Instant,
}

impl Scrapes {
    /// The text that `make` makes, or one that is on its way. Texts are made one after the other.
    pub(super) fn take<E>(&self, make: impl FnOnce() -> Result<String, E>) -> Result<Arc<Scrape>, E> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|scrape| scrape.strong_count() > 0);
        if kept.len() >= MOST
            && let Some(newest) = kept.last().and_then(Weak::upgrade)
            && newest.at.elapsed() < OLDEST
        {
            return Ok(newest);
        }
        let scrape = Arc::new(Scrape { text: make()?.into(), at: Instant::now() });
        kept.push(Arc::downgrade(&scrape));
        Ok(scrape)
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, convert::Infallible};

    use super::*;

    #[test]
    fn a_crowd_shares_a_text() {
        let (scrapes, made) = (Scrapes::default(), Cell::new(0));
        let make = || {
            made.set(made.get() + 1);
            Ok::<_, Infallible>(made.get().to_string())
        };
        for _ in 0..10 {
            scrapes.take(make).unwrap();
        }
        assert_eq!(made.get(), 10, "none of them was held, so each was new");
        let mut held: Vec<_> = (0..100).map(|_| scrapes.take(make).unwrap()).collect();
        assert_eq!((made.get(), &held[99].text[..]), (10 + MOST, &b"14"[..]));
        held.truncate(MOST - 1);
        assert_eq!(scrapes.take(make).unwrap().text, "15");
    }
}
