//! What was found, as text for people and as JSON.

use std::fmt;

use serde::{Serialize, Serializer, ser::SerializeSeq as _};
use ta_bot_engine::support::checkup::{Finding, Verdict};

use crate::cli::output::one_line;

/// What was found of one subject.
pub(super) struct Subject {
    pub(super) name: &'static str,
    pub(super) findings: Vec<Finding>,
}

/// Everything that was found.
#[derive(Serialize)]
pub(super) struct Report {
    version: &'static str,
    /// The running service that was asked; null if none was.
    service: Option<String>,
    #[serde(serialize_with = "flat")]
    findings: Vec<Subject>,
    counts: Counts,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Counts {
    ok: usize,
    warning: usize,
    wrong: usize,
    not_checked: usize,
}

/// A finding on its own, as programs read it.
#[derive(Serialize)]
struct Line<'a> {
    subject: &'static str,
    #[serde(flatten)]
    finding: &'a Finding,
}

fn flat<S: Serializer>(subjects: &[Subject], serializer: S) -> Result<S::Ok, S::Error> {
    let mut list = serializer.serialize_seq(None)?;
    for subject in subjects {
        for finding in &subject.findings {
            list.serialize_element(&Line { subject: subject.name, finding })?;
        }
    }
    list.end()
}

impl Report {
    pub(super) fn new(findings: Vec<Subject>, service: Option<String>) -> Self {
        let mut counts = Counts::default();
        for finding in findings.iter().flat_map(|subject| &subject.findings) {
            *match finding.verdict {
                Verdict::Ok => &mut counts.ok,
                Verdict::Warning => &mut counts.warning,
                Verdict::Wrong => &mut counts.wrong,
                Verdict::NotChecked => &mut counts.not_checked,
            } += 1;
        }
        Self { version: env!("CARGO_PKG_VERSION"), service, findings, counts }
    }

    pub(super) const fn is_one_wrong(&self) -> bool {
        self.counts.wrong > 0
    }
}

const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "ok",
        Verdict::Warning => "warning",
        Verdict::Wrong => "wrong",
        Verdict::NotChecked => "not checked",
    }
}

fn is_unknown(finding: &Finding) -> bool {
    finding.verdict == Verdict::NotChecked
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = || self.findings.iter().flat_map(|subject| &subject.findings);
        let verdicts = all().map(|finding| word(finding.verdict).len()).max().unwrap_or_default();
        let checks = all().map(|finding| finding.check.len()).max().unwrap_or_default();
        for Subject { name, findings } in &self.findings {
            writeln!(f, "{name}")?;
            // What was not looked at for one reason takes one line.
            for alike in findings.chunk_by(|one, next| is_unknown(one) && is_unknown(next) && one.found == next.found) {
                let Some((Finding { check, verdict, found, fix }, others)) = alike.split_first() else { continue };
                let mut found = one_line(found);
                if !others.is_empty() {
                    let others: Vec<&str> = others.iter().map(|finding| finding.check).collect();
                    found = format!("{found}; not checked either: {}", others.join(", "));
                }
                writeln!(f, "  {:verdicts$}  {check:checks$}  {found}", word(*verdict))?;
                if let Some(fix) = fix {
                    writeln!(f, "  {:verdicts$}  {:checks$}  fix: {}", "", "", one_line(fix))?;
                }
            }
        }
        let Counts { ok, warning, wrong, not_checked } = &self.counts;
        let warnings = if *warning == 1 { "warning" } else { "warnings" };
        write!(f, "\n{ok} ok, {warning} {warnings}, {wrong} wrong, {not_checked} not checked")?;
        if self.service.is_none() {
            write!(f, "\nNo running service was asked: --url http://127.0.0.1:8080 asks one")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ta_bot_engine::support::checkup::Checkup;

    use super::*;

    fn report() -> Report {
        let mut checkup = Checkup::new(&["answer", "rights", "clock", "version"]);
        checkup.ok("answer", "it\nanswers");
        checkup.wrong("rights", "none", "grant some");
        Report::new(vec![Subject { name: "mysql", findings: checkup.finish() }], None)
    }

    #[test]
    fn a_line_says_what_was_found_and_the_next_one_what_to_do() {
        let text = report().to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "mysql");
        assert_eq!(lines[1], "  ok           answer   it answers");
        assert_eq!(lines[2], "  wrong        rights   none");
        assert_eq!(lines[3].trim(), "fix: grant some");
        assert_eq!(lines[3].find("fix"), lines[2].find("none"));
        assert_eq!(lines[4], "  not checked  clock    rights is wrong; not checked either: version");
        assert!(text.contains("\n1 ok, 0 warnings, 1 wrong, 2 not checked\n"), "{text}");
    }

    #[test]
    fn programs_read_one_list() {
        let json = serde_json::to_value(report()).unwrap();
        let line = &json["findings"][1];
        assert_eq!(
            *line,
            serde_json::json!({
                "subject": "mysql", "check": "rights", "verdict": "wrong", "found": "none", "fix": "grant some",
            })
        );
        assert_eq!(json["findings"][2]["verdict"], "not_checked");
        assert_eq!(json["counts"]["wrong"], 1);
    }
}
