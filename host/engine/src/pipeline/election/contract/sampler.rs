//! Watches several leaderships all the time.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use super::candidate::Candidate;
use crate::pipeline::leadership::Leadership;

/// A thread that looks for two candidates that lead at once.
pub struct Sampler {
    watched: Arc<Mutex<Vec<Leadership>>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<String>>>,
}

/// How often it looks at least, even if the machine gives it no time before it is told to end.
const LOOKS: usize = 10;

impl Sampler {
    /// Looks from now on. It has looked once when this returns.
    pub fn of(candidates: &[&Candidate]) -> Self {
        let watched: Vec<_> = candidates.iter().map(|candidate| candidate.leadership.clone()).collect();
        let watched = Arc::new(Mutex::new(watched));
        let ends = Arc::new(AtomicBool::new(false));
        let (all, end) = (Arc::clone(&watched), Arc::clone(&ends));
        let (looked, first_look) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut overlaps = Vec::new();
            let mut looks = 0;
            while looks < LOOKS || !end.load(Ordering::Acquire) {
                overlaps.extend(overlap(&all.lock().unwrap()));
                if looks == 0 {
                    looked.send(()).unwrap();
                }
                looks += 1;
                thread::sleep(Duration::from_micros(500));
            }
            overlaps
        });
        first_look.recv().unwrap();
        Self { watched, ends, thread: Some(thread) }
    }

    /// Looks at this candidate too.
    pub fn add(&self, candidate: &Candidate) {
        self.add_leadership(&candidate.leadership);
    }

    /// Looks at this leadership too.
    pub fn add_leadership(&self, leadership: &Leadership) {
        self.watched.lock().unwrap().push(leadership.clone());
    }

    /// Ends the sampler, and checks that no two candidates led at once.
    #[track_caller]
    pub fn assert_one_at_a_time(mut self) {
        self.ends.store(true, Ordering::Release);
        let overlaps = self.thread.take().unwrap().join().unwrap();
        assert!(overlaps.is_empty(), "{overlaps:?}");
    }
}

/// Two candidates that lead at the same time, if there are any: the first one still leads in the same term after the
/// other was seen to lead.
fn overlap(all: &[Leadership]) -> Option<String> {
    let terms: Vec<_> = all.iter().map(Leadership::term).collect();
    let mut leaders = terms.iter().enumerate().filter(|(_, term)| term.is_some());
    let ((one, term), (other, _)) = (leaders.next()?, leaders.next()?);
    (all[one].term() == *term).then(|| format!("{} and {} lead", all[one].identity, all[other].identity))
}
