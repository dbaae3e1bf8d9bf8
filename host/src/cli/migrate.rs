//! `ta-bot migrate`: what an older service left, how it counts here, and the way back.
//!
//! Nothing is changed without `--yes`, and no stream or table in any case: those are seen to by a start of the service.

use std::process::ExitCode;

use ta_bot_core::Timestamp;
use ta_bot_engine::{
    deployments::rollout::RolloutError,
    settings::{
        config_store::{AuditEntry, Author},
        migration::{self, LevelPlan, judge_settings},
        parameters::ParameterError,
    },
};

use super::{
    Session,
    args::{LeftOutWanted, MigrateCommand, MigrateTerms},
    error::{CliError, FAILED},
    modules::name_or_user,
};
use crate::app::{App, found::Found, older};

mod back;
mod level;
mod plan;
mod servers;

/// The reason in the history, if none is given.
const REASON: &str = "migrate";

/// Does what the command says.
pub(super) async fn run(session: Session, command: MigrateCommand) -> Result<ExitCode, CliError> {
    // Boxed, since the future that connects to servers has a large state.
    let (found, app) = Box::pin(open(&session)).await?;
    match command {
        MigrateCommand::Plan(wanted) => {
            let levels = judged(&app, wanted).await?;
            answer(&session, &app, &found, &levels, None).await
        }
        MigrateCommand::Apply { wanted, terms } => apply(&session, &app, &found, wanted, terms).await,
        MigrateCommand::Back { terms } => back::back(&session, &app, &found, terms).await,
    }
}

/// Looks at the servers, and opens the settings with the strategies that they are for.
async fn open(session: &Session) -> Result<(Found, App), CliError> {
    let found = older::look(&session.environment).await.map_err(CliError::of_app)?;
    let app = older::open(&session.environment, &found).await.map_err(CliError::of_app)?;
    // What is judged has to be what is stored now, and not what a file remembers.
    app.analyst.parameters.refresh().await?;
    app.analyst.settings.refresh().await?;
    let problems = session.load_bundled(&app).await?;
    session.note_problems(&problems);
    Ok((found, app))
}

async fn judged(app: &App, wanted: LeftOutWanted) -> Result<Vec<LevelPlan>, CliError> {
    let planned = migration::plan(&app.analyst.parameters, &*app.config, wanted.include_auto_persisted).await;
    planned.map_err(refused)
}

fn refused(error: ParameterError) -> CliError {
    RolloutError::from(error).into()
}

async fn apply(
    session: &Session,
    app: &App,
    found: &Found,
    wanted: LeftOutWanted,
    terms: MigrateTerms,
) -> Result<ExitCode, CliError> {
    let levels = judged(app, wanted).await?;
    if !terms.yes {
        return answer(session, app, found, &levels, Some(Vec::new())).await;
    }
    let written = migration::apply(&app.analyst.parameters, &levels, &author(terms)).await.map_err(refused)?;
    // Judged again, so that the answer says what holds now.
    let levels = judged(app, LeftOutWanted::default()).await?;
    answer(session, app, found, &levels, Some(written)).await
}

fn author(terms: MigrateTerms) -> Author {
    let reason = Some(terms.reason.unwrap_or_else(|| REASON.to_owned()));
    Author { changed_by: name_or_user(terms.by), claimed_by: None, reason, at: Timestamp::now() }
}

/// Writes the plan, with what was written if anything was to be.
async fn answer(
    session: &Session,
    app: &App,
    found: &Found,
    levels: &[LevelPlan],
    written: Option<Vec<AuditEntry>>,
) -> Result<ExitCode, CliError> {
    let fields = app.config.leftovers().await?.settings.unwrap_or_default();
    let mut known: Vec<_> = app.registry.strategies().keys().cloned().collect();
    known.sort();
    let in_use = app.analyst.settings.current();
    let settings = judge_settings(&fields, &in_use.settings, &known);
    let not_enabled = known.iter().filter(|id| !in_use.settings.enables(id)).map(ToString::to_string).collect();
    let view = plan::PlanView::new(session, (levels, &settings, not_enabled), found, written);
    session.output.answer(&view)?;
    Ok(if view.is_whole() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}
