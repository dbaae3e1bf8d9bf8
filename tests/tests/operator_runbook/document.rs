//! The commands of `docs/RUNBOOK.md`, and what it says that they print.
//!
//! A section is what stands beneath a heading. Each of its fenced blocks of `bash` is followed by a block of `text`,
//! with nothing but empty lines between: what a terminal shows of it. In the text, `…` stands for anything within a
//! line, and a line that is nothing but `…` for any number of lines. Other fenced blocks, such as the manifest of a
//! file, have another language and are not run.

use std::fs;

use ta_bot_tests::root;

/// A fenced block of commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    /// The number of its first line in the document.
    pub(crate) line: usize,
    pub(crate) commands: String,
    /// What it prints, if all is as the document assumes.
    pub(crate) expected: String,
}

/// What stands beneath a heading, up to the next one.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) heading: String,
    pub(crate) blocks: Vec<Block>,
}

/// The sections of the runbook that have commands, in their order.
pub(crate) fn runbook() -> Vec<Section> {
    let text = fs::read_to_string(root().join("docs/RUNBOOK.md")).unwrap();
    let sections = sections(&text);
    sections.into_iter().filter(|section| !section.blocks.is_empty()).collect()
}

/// A block that has been read as far as its commands go.
struct Begun {
    line: usize,
    commands: String,
}

/// The sections of a document.
///
/// # Panics
///
/// If a block of commands is not followed by what it prints.
pub(crate) fn sections(text: &str) -> Vec<Section> {
    let mut sections = vec![Section { heading: String::new(), blocks: Vec::new() }];
    let mut begun: Option<Begun> = None;
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let content: Vec<&str> = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
            let content: String = content.iter().flat_map(|line| [line, "\n"]).collect();
            match (language, begun.take()) {
                ("bash", None) => begun = Some(Begun { line: index + 2, commands: content }),
                ("text", Some(Begun { line, commands })) => {
                    sections.last_mut().unwrap().blocks.push(Block { line, commands, expected: content });
                }
                (_, Some(Begun { line, .. })) => panic!("line {line}: the runbook does not say what this prints"),
                _ => {}
            }
        } else if let Some(Begun { line, .. }) = begun.as_ref().filter(|_| !line.trim().is_empty()) {
            panic!("line {line}: what these commands print has to stand right after them, in a block of text");
        } else if line.starts_with("##") {
            let heading = line.trim_start_matches('#').trim().to_owned();
            sections.push(Section { heading, blocks: Vec::new() });
        }
    }
    assert!(begun.is_none(), "the last block of the runbook does not say what it prints");
    sections
}

/// Whether what was printed is what was expected.
pub(crate) fn fits(expected: &str, printed: &str) -> bool {
    let lines = |text: &str| text.trim_end().lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
    lines_fit(&lines(expected), &lines(printed))
}

fn lines_fit(expected: &[String], printed: &[String]) -> bool {
    let Some((first, rest)) = expected.split_first() else { return printed.is_empty() };
    if first.trim() == "…" {
        return (0..=printed.len()).any(|skipped| lines_fit(rest, &printed[skipped..]));
    }
    printed.split_first().is_some_and(|(line, more)| line_fits(first, line) && lines_fit(rest, more))
}

fn line_fits(expected: &str, printed: &str) -> bool {
    let Some((before, rest)) = expected.split_once('…') else { return expected == printed };
    let Some(printed) = printed.strip_prefix(before) else { return false };
    (0..=printed.len()).filter(|at| printed.is_char_boundary(*at)).any(|at| line_fits(rest, &printed[at..]))
}

#[test]
fn what_varies_is_left_open_and_nothing_else() {
    assert!(fits("a\nb\n", "a  \nb\n\n"));
    assert!(!fits("a\n", "a\nb\n") && !fits("a\nb\n", "a\n") && !fits("", "a") && !fits("a", ""));
    assert!(fits("p…-… x", "pod-1 x") && fits("p… x", "p x") && !fits("p… x", "pod y"));
    assert!(fits("…\nb\n…", "a\na\nb\n") && fits("…", "") && !fits("…\nb", "a\nb\nc"));
    assert!(fits("ü…", "üä"));
}

#[test]
fn a_block_has_its_expectation_right_after_it() {
    let text = "# T\n\n## One\nwords\n```bash\ntrue\n```\n\n```text\nx\n```\n### Two\n```sql\nSELECT 1\n```\n";
    let found = sections(text);
    assert_eq!(found.iter().map(|section| &section.heading[..]).collect::<Vec<_>>(), ["", "One", "Two"]);
    let block = Block { line: 6, commands: "true\n".to_owned(), expected: "x\n".to_owned() };
    assert_eq!((&found[1].blocks, found[2].blocks.len()), (&vec![block], 0));
    for wrong in
        ["```bash\ntrue\n```\n", "```bash\na\n```\nwords\n```text\nx\n```\n", "```bash\na\n```\n```bash\nb\n```\n"]
    {
        assert!(std::panic::catch_unwind(|| sections(wrong)).is_err(), "{wrong}");
    }
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let kept = |letter: &char| letter.is_alphanumeric() || ['-', '_', ' '].contains(letter);
    let anchor =
        |line: &str| line.trim_start_matches('#').trim().to_lowercase().chars().filter(kept).collect::<String>();
    headings.map(|line| anchor(line).replace(' ', "-")).collect()
}

#[test]
fn every_link_of_the_runbook_leads_somewhere() {
    let docs = root().join("docs");
    let text = fs::read_to_string(docs.join("RUNBOOK.md")).unwrap();
    let mut count = 0;
    for link in text.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(link, _)| link)) {
        let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
        let page = docs.join(if file.is_empty() { "RUNBOOK.md" } else { file });
        let page = fs::read_to_string(&page).unwrap_or_else(|error| panic!("{link}: {error}"));
        assert!(anchor.is_empty() || anchors(&page).iter().any(|known| known == anchor), "{link}: no such heading");
        count += 1;
    }
    assert!(count > 100, "{count} links");
}
