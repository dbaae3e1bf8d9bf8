//! Looks at several leaderships all the time.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use ta_bot::leadership::Leadership;

use super::cluster::Candidate;

/// A thread that looks for two that lead at once.
pub(super) struct Sampler {
    watched: Arc<Mutex<Vec<Leadership>>>,
    ends: Arc<AtomicBool>,
    samples: Arc<AtomicU64>,
    thread: Option<JoinHandle<Vec<String>>>,
}

impl Sampler {
    pub(super) fn of(candidates: &[&Candidate]) -> Self {
        let watched: Vec<_> = candidates.iter().map(|candidate| candidate.leadership.clone()).collect();
        let (watched, ends) = (Arc::new(Mutex::new(watched)), Arc::new(AtomicBool::new(false)));
        let samples = Arc::new(AtomicU64::new(0));
        let (all, end, count) = (Arc::clone(&watched), Arc::clone(&ends), Arc::clone(&samples));
        let thread = thread::spawn(move || {
            let mut overlaps = Vec::new();
            while !end.load(Ordering::Acquire) {
                overlaps.extend(overlap(&all.lock().unwrap()));
                count.fetch_add(1, Ordering::Relaxed);
                thread::sleep(Duration::from_micros(500));
            }
            overlaps
        });
        Self { watched, ends, samples, thread: Some(thread) }
    }

    pub(super) fn add(&self, candidate: &Candidate) {
        self.watched.lock().unwrap().push(candidate.leadership.clone());
    }

    /// Ends it. Nobody led beside another.
    #[track_caller]
    pub(super) fn assert_one_at_a_time(mut self) {
        self.ends.store(true, Ordering::Release);
        let overlaps = self.thread.take().unwrap().join().unwrap();
        assert!(self.samples.load(Ordering::Relaxed) > 10, "it hardly looked");
        assert!(overlaps.is_empty(), "{overlaps:?}");
    }
}

/// Two that lead at the same time, if there are: the first still leads by the same term after the other was seen to.
fn overlap(all: &[Leadership]) -> Option<String> {
    let terms: Vec<_> = all.iter().map(Leadership::term).collect();
    let mut leaders = terms.iter().enumerate().filter(|(_, term)| term.is_some());
    let ((one, term), (other, _)) = (leaders.next()?, leaders.next()?);
    (all[one].term() == *term).then(|| format!("{} and {} lead", all[one].identity, all[other].identity))
}
