//! `ta-bot strategies docs`: a page for each strategy, with a chart of a signal that it really gives on the candles.
//!
//! Everything on a page comes from the place that is authoritative for it: the module's own description, the comment
//! above its rule, and evaluations in the sandbox. The same modules, sources and candles give the same bytes, so that a
//! test can tell whether the pages in a repository are current.

use std::{fmt, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use ta_bot_core::ApplicationSettings;
use ta_bot_engine::modules::{bundled::load_folder, registry::Registry};
use ta_bot_wasm::{Children, Limits, Sandbox, StrategyModule};

use crate::{
    cli::{
        Session,
        args::DocsWanted,
        error::{CliError, DocsError, shown},
        nothing_in, problems,
    },
    environment::Environment,
};

mod chart;
mod folder;
mod index;
mod market;
mod page;
mod rule;
mod scan;
mod text;

use folder::{Folder, Pages, Written};
use index::Entry;
pub(in crate::cli) use market::{Market, named};
use scan::Scan;

/// The mark in the pages and charts that this command wrote, so that it may remove them.
const MARK: &str = "<!-- Written by `ta-bot strategies docs`";
/// The smallest time limit of an evaluation: a page must not depend on how busy the machine was.
const PATIENCE: Duration = Duration::from_secs(20);

pub(in crate::cli) fn docs(session: &Session, wanted: &DocsWanted) -> Result<(), CliError> {
    let market = Market::read(&wanted.candles)?;
    let registry = load(session)?;
    let settings = default_settings()?;
    let strategies = registry.strategies();
    let bar = progress(session, strategies.len() as u64);
    let mut pages = Pages::new();
    let mut entries = Vec::new();
    for module in strategies.values() {
        entries.push(document(module, &market, &settings, wanted, &mut pages)?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    pages.insert("README.md".to_owned(), index::index(&entries, &market, &settings));
    let folder = Folder::new(&wanted.output, pages);
    let written = if wanted.check { folder.check()? } else { folder.write()? };
    session.output.answer(&Done { folder: shown(&wanted.output), checked: wanted.check, written })
}

/// Compiles the strategies in the folder. All of them have to load: the page of a module that can't be used would be
/// missing.
fn load(session: &Session) -> Result<Registry, CliError> {
    let environment = &session.environment;
    let path = &environment.strategies_dir;
    if let Some(problem) = nothing_in(path) {
        return Err(CliError::NoStrategies { path: path.clone(), problem });
    }
    let limits = Limits { timeout: environment.limits.timeout.max(PATIENCE), ..environment.limits };
    let sandbox = Sandbox::new(limits, None)?.with_children(Children::of_this_program());
    let registry = Registry::new();
    load_folder(&registry, &sandbox, path);
    let problems = problems(&registry);
    if problems.is_empty() { Ok(registry) } else { Err(DocsError::Modules(problems).into()) }
}

/// The settings that the service comes with, and so the bounds of confidence, whatever this environment sets.
pub(in crate::cli) fn default_settings() -> Result<ApplicationSettings, CliError> {
    Ok(Environment::read(|_| None).map_err(CliError::Environment)?.settings)
}

/// Makes the page of one strategy and, if it gives a signal, its chart.
fn document(
    module: &StrategyModule,
    market: &Market,
    settings: &ApplicationSettings,
    wanted: &DocsWanted,
    pages: &mut Pages,
) -> Result<Entry, DocsError> {
    let description = module.description();
    let id = &description.id;
    let rule = wanted.sources.as_ref().map(|sources| rule::rule(sources, id)).transpose()?;
    let scan = Scan::of(module, market, settings)?;
    if let Some(found) = &scan.found {
        let svg = chart::draw(id, found, market.series(found.series));
        let svg = svg.map_err(|reason| DocsError::Chart { strategy: id.clone(), reason: reason.to_string() })?;
        pages.insert(format!("{id}.svg"), svg);
    }
    pages.insert(format!("{id}.md"), page::page(description, rule.as_deref(), &scan, market));
    Ok(Entry::new(description, &scan))
}

/// A bar, which hides itself if stderr is not a terminal.
fn progress(session: &Session, strategies: u64) -> ProgressBar {
    let bar = if session.output.json { ProgressBar::hidden() } else { ProgressBar::new(strategies) };
    let style = ProgressStyle::with_template("strategies {bar:40} {pos}/{len}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

#[derive(Serialize)]
struct Done {
    folder: String,
    /// Whether the folder was only checked.
    checked: bool,
    #[serde(flatten)]
    written: Written,
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { folder, checked, written: Written { files, changed, removed, foreign } } = self;
        if *checked {
            return write!(f, "{folder}: {files} files, all current");
        }
        writeln!(f, "{folder}: {files} files, {} of them changed", changed.len())?;
        for (what, names) in
            [("changed", changed), ("removed", removed), ("not written by this command, left", foreign)]
        {
            for name in names {
                writeln!(f, "  {what}  {name}")?;
            }
        }
        Ok(())
    }
}
