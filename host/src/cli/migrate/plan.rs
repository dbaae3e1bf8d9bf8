//! What `ta-bot migrate plan` and `apply` answer.

use std::fmt;

use serde::Serialize;
use serde_json::Value as Json;
use ta_bot_engine::settings::{
    config_store::AuditEntry,
    migration::{LevelPlan, SettingMeaning, SettingPlan},
};

use super::{
    level::{ALL, LevelView},
    servers::{StreamView, TablesView},
};
use crate::{
    app::found::Found,
    cli::{
        Session,
        output::{one_line, or_dash, table},
    },
};

/// How many characters of a stored setting the text shows.
const MOST_SHOWN: usize = 60;

/// What an older service left.
#[derive(Serialize)]
pub(super) struct PlanView {
    /// Where the settings are.
    store: String,
    levels: Vec<LevelView>,
    settings: Vec<SettingView>,
    /// The strategies that there are modules of and that the settings do not enable.
    not_enabled: Vec<String>,
    tables: Option<TablesView>,
    stream: Option<StreamView>,
    /// The levels that were written; null for `plan`.
    written: Option<Vec<WrittenView>>,
    /// How many levels are stopped.
    stopped: usize,
}

#[derive(Serialize)]
struct SettingView {
    name: String,
    stored: Json,
    /// Null if there is no such setting.
    in_use: Option<Json>,
    /// `counts`, `without` or `ignored`.
    meaning: &'static str,
    /// The entries that are left out, each with the reason.
    left_out: Vec<(Json, String)>,
}

#[derive(Serialize)]
struct WrittenView {
    strategy: String,
    symbol: Option<String>,
    version: i64,
    before: Option<Json>,
    parameters: Option<Json>,
}

impl PlanView {
    pub(super) fn new(
        session: &Session,
        (levels, settings, not_enabled): (&[LevelPlan], &[SettingPlan], Vec<String>),
        found: &Found,
        written: Option<Vec<AuditEntry>>,
    ) -> Self {
        let environment = &session.environment;
        let levels: Vec<_> = levels.iter().map(LevelView::new).collect();
        Self {
            store: store(environment),
            stopped: levels.iter().filter(|level| level.state == "stopped").count(),
            levels,
            settings: settings.iter().map(SettingView::new).collect(),
            not_enabled,
            tables: found.tables.as_ref().map(TablesView::new),
            stream: found.stream.as_ref().map(StreamView::new),
            written: written.map(|entries| entries.into_iter().filter_map(WrittenView::new).collect()),
        }
    }

    /// Whether nothing stops a level.
    pub(super) const fn is_whole(&self) -> bool {
        self.stopped == 0
    }
}

/// Where the settings are, in words.
pub(super) fn store(environment: &crate::environment::Environment) -> String {
    match &environment.mongo {
        Some(_) => "MongoDB".to_owned(),
        None => format!("{} (MONGODB_URI is unset)", environment.data_dir.display()),
    }
}

impl SettingView {
    fn new(plan: &SettingPlan) -> Self {
        let (meaning, left_out) = match &plan.meaning {
            SettingMeaning::Counts => ("counts", Vec::new()),
            SettingMeaning::Without(left_out) => ("without", left_out.clone()),
            SettingMeaning::Ignored => ("ignored", Vec::new()),
        };
        let SettingPlan { name, stored, in_use, .. } = plan;
        Self { name: name.clone(), stored: stored.clone(), in_use: in_use.clone(), meaning, left_out }
    }

    fn row(&self) -> [String; 4] {
        let shown = |value: &Json| {
            let text = value.to_string();
            match text.char_indices().nth(MOST_SHOWN) {
                Some((end, _)) => format!("{}…", &text[..end]),
                None => text,
            }
        };
        let meaning = match self.meaning {
            "ignored" => "there is no such setting here: not read".to_owned(),
            "without" => {
                let without = self.left_out.iter().map(|(entry, reason)| format!("{entry} ({})", one_line(reason)));
                format!("counts without {}", without.collect::<Vec<_>>().join(", "))
            }
            counts => counts.to_owned(),
        };
        [one_line(&self.name), shown(&self.stored), or_dash(self.in_use.as_ref(), shown), meaning]
    }
}

impl WrittenView {
    fn new(entry: AuditEntry) -> Option<Self> {
        let key = entry.key?;
        Some(Self {
            strategy: key.strategy.to_string(),
            symbol: key.symbol.map(|symbol| symbol.to_string()),
            version: entry.version,
            before: entry.old,
            parameters: entry.new,
        })
    }

    fn row(&self) -> [String; 4] {
        let text = |json: &Option<Json>| or_dash(json.as_ref(), |json| one_line(&json.to_string()));
        let level = self.symbol.clone().unwrap_or_else(|| ALL.to_owned());
        [self.strategy.clone(), level, self.version.to_string(), text(&self.parameters)]
    }
}

impl fmt::Display for PlanView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(written) = self.written.as_ref().filter(|written| !written.is_empty()) {
            let header = ["strategy", "level", "version", "parameters"];
            writeln!(f, "Written:\n\n{}\n", table(&header, &[2], written.iter().map(WrittenView::row)))?;
        }
        self.write_levels(f)?;
        self.write_settings(f)?;
        if let Some(tables) = &self.tables {
            writeln!(f, "\n{tables}")?;
        }
        if let Some(stream) = &self.stream {
            writeln!(f, "\n{stream}")?;
        }
        self.write_next(f)
    }
}

impl PlanView {
    fn write_levels(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.levels.is_empty() {
            return writeln!(f, "{} holds no parameters of strategies.", self.store);
        }
        let header = ["strategy", "level", "version", "state", "count", "same", "unknown", "unfit", "apply"];
        writeln!(f, "Levels in {}:\n", self.store)?;
        writeln!(f, "{}", table(&header, &[2, 4, 5, 6, 7], self.levels.iter().map(LevelView::row)))?;
        let header = ["strategy", "level", "parameter", "stored", "instead of", "meaning"];
        let rows = self.levels.iter().flat_map(LevelView::parameter_rows);
        writeln!(f, "\nTheir parameters:\n\n{}", table(&header, &[3, 4], rows))?;
        for level in &self.levels {
            if let Some(reason) = &level.decide {
                writeln!(f, "\n{}, {}: {}", level.strategy, level.level(), one_line(reason))?;
            }
        }
        Ok(())
    }

    fn write_settings(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.settings.is_empty() {
            return writeln!(f, "\nNo settings of the application are stored: those of the environment count.");
        }
        let header = ["setting", "stored", "in use", "meaning"];
        writeln!(f, "\nSettings, which count in place of the environment's:\n")?;
        writeln!(f, "{}", table(&header, &[], self.settings.iter().map(SettingView::row)))?;
        if !self.not_enabled.is_empty() {
            writeln!(
                f,
                "\nThere are modules of these strategies, too, and they are not enabled: {}",
                self.not_enabled.join(", ")
            )?;
        }
        Ok(())
    }

    fn write_next(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |step: &str| self.levels.iter().filter(|level| level.step == step).count();
        let (write, decide) = (of("write"), of("decide"));
        match &self.written {
            Some(written) if !written.is_empty() => writeln!(
                f,
                "\nA service that runs follows within CONFIG_CACHE_TTL_SECONDS, or at once by POST \
                 /api/v1/strategies/cache/refresh. What was there before: \"ta-bot migrate back\""
            )?,
            Some(_) if write > 0 => writeln!(f, "\nNothing was changed. Do it with --yes")?,
            _ => writeln!(f, "\nNothing was changed.")?,
        }
        if write > 0 {
            writeln!(f, "Levels that \"ta-bot migrate apply --yes\" writes again: {write}")?;
        }
        if decide > 0 {
            writeln!(
                f,
                "Levels that are yours to decide: {decide}. PUT /api/v1/strategies/ID/config (or …/config/SYMBOL) with \
                 parameters that the strategy takes"
            )?;
        }
        write!(f, "Levels that stop their strategy: {}", self.stopped)
    }
}
