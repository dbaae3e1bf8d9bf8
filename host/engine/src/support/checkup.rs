//! What an inspection found: a line for each thing that was looked at, and what to do about it.
//!
//! What could not be looked at is told as that. It never looks like what is in order.

use std::time::Duration;

use serde::Serialize;

/// What a check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is as it has to be.
    Ok,
    /// The service works, and somebody should look after it.
    Warning,
    /// The service does not work, or not for long.
    Wrong,
    /// It could not be found out.
    NotChecked,
}

/// What was found by one check. One check may find several things.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The name of the check, which is unique among those of its subject.
    pub check: &'static str,
    /// What it says.
    pub verdict: Verdict,
    /// What was found; for a check that was not made, why.
    pub found: String,
    /// What to do about it; `None` if there is nothing to do.
    pub fix: Option<String>,
}

/// The findings about one subject, while they are gathered.
#[derive(Debug)]
pub struct Checkup {
    checks: &'static [&'static str],
    findings: Vec<Finding>,
}

impl Checkup {
    /// Nothing is found yet. `checks` are those of the subject, in the order in which they are told.
    pub const fn new(checks: &'static [&'static str]) -> Self {
        Self { checks, findings: Vec::new() }
    }

    /// It is as it has to be.
    pub fn ok(&mut self, check: &'static str, found: impl Into<String>) {
        self.add(check, Verdict::Ok, found.into(), None);
    }

    /// The service works with it, and somebody should look after it.
    pub fn warning(&mut self, check: &'static str, found: impl Into<String>, fix: impl Into<String>) {
        self.add(check, Verdict::Warning, found.into(), Some(fix.into()));
    }

    /// The service does not work with it, or not for long.
    pub fn wrong(&mut self, check: &'static str, found: impl Into<String>, fix: impl Into<String>) {
        self.add(check, Verdict::Wrong, found.into(), Some(fix.into()));
    }

    /// It could not be found out.
    pub fn not_checked(&mut self, check: &'static str, why: impl Into<String>) {
        self.add(check, Verdict::NotChecked, why.into(), None);
    }

    /// A difference between this machine's clock and another one, which may be off by `uncertain` on the way. What is
    /// decided by the time of day, such as whether a candle has closed, must not differ between replicas and servers.
    pub fn clock(&mut self, check: &'static str, ahead_ms: i64, uncertain: Duration) {
        let uncertain = i64::try_from(uncertain.as_millis()).unwrap_or(i64::MAX);
        let off = ahead_ms.saturating_abs().saturating_sub(uncertain).max(0);
        let seconds = ahead_ms.saturating_abs() as f64 / 1000.0;
        let way = if ahead_ms >= 0 { "ahead of" } else { "behind" };
        let found = format!("its clock is {seconds:.1} s {way} this machine's");
        let fix = "set both clocks by NTP (chronyc tracking, timedatectl)";
        match off {
            WRONG_MS.. => self.wrong(check, found, fix),
            WARNING_MS..WRONG_MS => self.warning(check, found, fix),
            _ => self.ok(check, "its clock agrees with this machine's"),
        }
    }

    /// Whether a check has found something.
    pub fn has(&self, check: &str) -> bool {
        self.findings.iter().any(|finding| finding.check == check)
    }

    /// Whether something is wrong so far.
    pub fn is_one_wrong(&self) -> bool {
        self.findings.iter().any(|finding| finding.verdict == Verdict::Wrong)
    }

    /// The findings in the order of the checks. Checks that found nothing were not made, because of the one that is
    /// wrong.
    pub fn finish(mut self) -> Vec<Finding> {
        let last = |verdict| self.findings.iter().rfind(|finding| finding.verdict == verdict);
        let why = match (last(Verdict::Wrong), last(Verdict::NotChecked)) {
            (Some(wrong), _) => format!("{} is wrong", wrong.check),
            (None, Some(unknown)) => unknown.found.clone(),
            (None, None) => "it was not reached".to_owned(),
        };
        for check in self.checks {
            if !self.has(check) {
                self.not_checked(check, why.clone());
            }
        }
        let place = |finding: &Finding| self.checks.iter().position(|check| *check == finding.check);
        self.findings.sort_by_key(place);
        self.findings
    }

    fn add(&mut self, check: &'static str, verdict: Verdict, found: String, fix: Option<String>) {
        debug_assert!(self.checks.contains(&check), "{check} is none of {:?}", self.checks);
        self.findings.push(Finding { check, verdict, found, fix });
    }
}

/// From how far apart clocks are worth a warning: replicas leave each other's signals alone for as long.
const WARNING_MS: i64 = 2_000;
/// From how far apart they are wrong: an unfinished candle is waited for no longer.
const WRONG_MS: i64 = 10_000;

/// Makes the checks of a subject within a limit. If it takes longer, the check that was under way is wrong, and those
/// after it were not made. `remedy` is what to do then.
pub async fn within(
    limit: Duration,
    checks: &'static [&'static str],
    remedy: &str,
    work: impl AsyncFnOnce(&mut Checkup),
) -> Vec<Finding> {
    let mut checkup = Checkup::new(checks);
    if tokio::time::timeout(limit, work(&mut checkup)).await.is_err()
        && let Some(check) = checks.iter().find(|check| !checkup.has(check))
    {
        checkup.wrong(check, format!("there was no answer within {} s", limit.as_secs()), remedy);
    }
    checkup.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHECKS: [&str; 3] = ["answer", "clock", "rights"];

    fn verdicts(findings: &[Finding]) -> Vec<(&str, Verdict)> {
        findings.iter().map(|finding| (finding.check, finding.verdict)).collect()
    }

    #[test]
    fn what_was_not_looked_at_is_told_with_the_reason() {
        let mut checkup = Checkup::new(&CHECKS);
        checkup.ok("rights", "all");
        checkup.wrong("answer", "no", "start it");
        let found = checkup.finish();
        let expected = [("answer", Verdict::Wrong), ("clock", Verdict::NotChecked), ("rights", Verdict::Ok)];
        assert_eq!(verdicts(&found), expected);
        assert_eq!(found[1].found, "answer is wrong");
    }

    #[test]
    fn clocks_may_differ_by_what_the_way_takes() {
        let of = |ahead, uncertain| {
            let mut checkup = Checkup::new(&CHECKS);
            checkup.clock("clock", ahead, Duration::from_millis(uncertain));
            checkup.finish().into_iter().find(|finding| finding.check == "clock").unwrap()
        };
        for (ahead, uncertain, verdict) in [
            (0, 0, Verdict::Ok),
            (-1_999, 0, Verdict::Ok),
            (3_000, 1_001, Verdict::Ok),
            (-2_000, 0, Verdict::Warning),
            (600_000, 5, Verdict::Wrong),
            (i64::MIN, 0, Verdict::Wrong),
        ] {
            assert_eq!(of(ahead, uncertain).verdict, verdict, "{ahead}");
        }
        assert!(of(-600_000, 5).found.contains("600.0 s behind"));
    }

    #[tokio::test]
    async fn a_subject_that_hangs_is_wrong_at_the_check_that_was_under_way() {
        let found = within(Duration::from_millis(20), &CHECKS, "start it", async |checkup| {
            checkup.ok("answer", "yes");
            std::future::pending::<()>().await;
        });
        let found = found.await;
        let expected = [("answer", Verdict::Ok), ("clock", Verdict::Wrong), ("rights", Verdict::NotChecked)];
        assert_eq!(verdicts(&found), expected);
        assert!(found[1].found.contains("no answer") && found[1].fix.as_deref() == Some("start it"));
    }
}
