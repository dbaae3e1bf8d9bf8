//! `ta-bot migrate back`: what has to be done to go back to the older service, and its documents as they were.

use std::{fmt, process::ExitCode};

use serde::Serialize;
use serde_json::Value as Json;
use ta_bot_core::{SwitchState, Symbol};
use ta_bot_engine::settings::{
    config_store::Replaced,
    parameters::{JudgedLevel, Meaning},
};

use super::{
    author,
    level::ALL,
    plan::store,
    servers::{StreamView, TablesView},
};
use crate::{
    app::{App, found::Found},
    cli::{
        Session,
        args::MigrateTerms,
        error::CliError,
        output::{one_line, or_dash, table},
    },
};

/// The id of the document of settings that is made here. The older service's has another one.
const SETTINGS_MADE_HERE: &str = "application";

/// Says what has to be done, and puts documents back if that is wanted.
pub(super) async fn back(
    session: &Session,
    app: &App,
    found: &Found,
    terms: MigrateTerms,
) -> Result<ExitCode, CliError> {
    let replaced = app.config.replaced().await?;
    let levels = app.analyst.parameters.judge_all();
    let mut view = BackView::new(session, &replaced, &levels, found);
    view.settings_made_here = settings_made_here(app).await?;
    if terms.yes {
        let author = author(terms);
        for (level, shown) in replaced.iter().zip(&mut view.levels) {
            let put = app.config.put_back(level, &author).await;
            shown.put_back = put.map_err(ta_bot_engine::deployments::rollout::RolloutError::from)?.is_some();
        }
        view.is_done = true;
    }
    session.output.answer(&view)?;
    Ok(ExitCode::SUCCESS)
}

/// Whether the document of settings was made here, and the older service has none.
async fn settings_made_here(app: &App) -> Result<bool, CliError> {
    let fields = app.config.leftovers().await?.settings.unwrap_or_default();
    Ok(fields.get("_id").and_then(Json::as_str) == Some(SETTINGS_MADE_HERE) && !fields.contains_key("symbols"))
}

/// The way back to the older service.
#[derive(Serialize)]
struct BackView {
    store: String,
    /// The levels that were changed here, with what the older service had there.
    levels: Vec<BackLevel>,
    /// Levels that are stored here and not among them: the older service's own, and those that were made here.
    others: usize,
    /// Levels that are paused. The older service has no pauses.
    paused: Vec<(String, Option<String>)>,
    /// Whether the document of settings was made here.
    settings_made_here: bool,
    tables: Option<TablesView>,
    stream: Option<StreamView>,
    /// Whether documents were put back.
    #[serde(rename = "applied")]
    is_done: bool,
}

#[derive(Serialize)]
struct BackLevel {
    strategy: String,
    symbol: Option<String>,
    collection: &'static str,
    changed_by: String,
    changed_at: String,
    reason: Option<String>,
    version: i64,
    /// What it holds now.
    parameters: Option<Json>,
    /// What it held.
    before: Option<Json>,
    /// The whole document, in MongoDB's extended JSON; null if it was not kept.
    document: Option<Json>,
    put_back: bool,
}

impl BackLevel {
    fn new(replaced: &Replaced) -> Self {
        let Replaced { key, collection, change, document, parameters } = replaced;
        Self {
            strategy: key.strategy.to_string(),
            symbol: key.symbol.as_ref().map(Symbol::to_string),
            collection,
            changed_by: change.author.changed_by.clone(),
            changed_at: change.author.at.to_string(),
            reason: change.author.reason.clone(),
            version: change.version,
            parameters: change.new.clone(),
            before: parameters.clone(),
            document: document.clone(),
            put_back: false,
        }
    }

    fn row(&self) -> [String; 7] {
        let text = |json: &Option<Json>| or_dash(json.as_ref(), |json| one_line(&json.to_string()));
        [
            self.strategy.clone(),
            self.symbol.clone().unwrap_or_else(|| ALL.to_owned()),
            text(&self.before),
            text(&self.parameters),
            one_line(&self.changed_by),
            self.changed_at.clone(),
            or_dash(self.reason.as_deref(), one_line),
        ]
    }
}

impl BackView {
    fn new(session: &Session, replaced: &[Replaced], levels: &[JudgedLevel], found: &Found) -> Self {
        let is_paused = |level: &&JudgedLevel| {
            level.parameters.iter().any(|judged| judged.meaning == Meaning::Switch(SwitchState::Off))
        };
        let paused = levels
            .iter()
            .filter(is_paused)
            .map(|level| (level.key.strategy.to_string(), level.key.symbol.as_ref().map(Symbol::to_string)));
        let others = levels.iter().filter(|level| !replaced.iter().any(|replaced| replaced.key == level.key));
        Self {
            store: store(&session.environment),
            levels: replaced.iter().map(BackLevel::new).collect(),
            others: others.count(),
            paused: paused.collect(),
            settings_made_here: false,
            tables: found.tables.as_ref().map(TablesView::new),
            stream: found.stream.as_ref().map(StreamView::new),
            is_done: false,
        }
    }

    fn write_levels(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.levels.is_empty() {
            return writeln!(f, "No document of an older service in {} was changed.", self.store);
        }
        let header = ["strategy", "level", "before", "now", "by", "at", "reason"];
        writeln!(f, "Levels of {} that were changed here:\n", self.store)?;
        writeln!(f, "{}", table(&header, &[], self.levels.iter().map(BackLevel::row)))?;
        if self.is_done {
            let done = self.levels.iter().filter(|level| level.put_back).count();
            writeln!(f, "\n{done} of them are as they were. The history has both.")?;
        } else {
            writeln!(f, "\nPut them back with --yes. --json shows the whole documents.")?;
        }
        for level in self.levels.iter().filter(|level| level.document.is_none()) {
            writeln!(
                f,
                "\nThe document of {} in {} was not kept, since an earlier version changed it: set its parameters by hand.",
                level.strategy, level.collection
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for BackView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_levels(f)?;
        writeln!(
            f,
            "\nThe way back:\n\n  1. Stop this service, then start the older one: together they would both publish.\n  \
             2. Parameters: the older service's rules never read stored ones, so its documents matter to those who look \
             at them."
        )?;
        if self.others > 0 {
            writeln!(f, "     {} other levels may stay as they are.", self.others)?;
        }
        for (strategy, symbol) in &self.paused {
            let level = symbol.as_deref().unwrap_or(ALL);
            writeln!(f, "     {strategy} is paused here for {level}. The older service knows no pause and runs it.")?;
        }
        if self.settings_made_here {
            writeln!(
                f,
                "  3. Settings: the document was made here, and the older service does not find its fields in it: remove it \
                 from app_config (_id \"{SETTINGS_MADE_HERE}\")."
            )?;
        } else {
            writeln!(f, "  3. Settings: nothing. What was changed here lies beside the older service's own fields.")?;
        }
        if self.tables.is_some() {
            writeln!(
                f,
                "  4. MySQL: nothing. The tables of TA Bot (ta_bot_…, finished_jobs, dead_jobs, begun_series) and its \
                 columns in signals may stay: they are nullable, and the older service writes rows without them."
            )?;
        }
        if let Some(stream) = &self.stream {
            write!(f, "  5. NATS: {}", stream.way_back())?;
        }
        Ok(())
    }
}
