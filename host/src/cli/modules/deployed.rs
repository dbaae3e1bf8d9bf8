//! Changes which module decides for a strategy, as the API does, and shows it.

use std::{fmt, fs, path::Path};

use serde::Serialize;
use ta_bot_api::views::deployment::{
    BUNDLED, DeployedView, DeploymentDetail, DeploymentEntryView, DeploymentView, ShadowView,
};
use ta_bot_core::{DeploymentRequest, RequestedLevels, StrategyId, Timestamp, requested_levels};
use ta_bot_engine::{deployments::rollout::Deployed, settings::config_store::Author};

use super::{name_or_user, named, open, require};
use crate::{
    app::App,
    cli::{
        Session,
        args::{ChangeWanted, Chosen, Digits, ShadowTerms},
        error::CliError,
        output::{note, one_line, or_dash, short, table},
        strategies::yes_or_no,
    },
};

/// Lets a module decide, with the parameters of a file if one is given.
pub(super) async fn activate(
    session: &Session,
    strategy: &StrategyId,
    module: &Chosen,
    parameters: Option<&Path>,
    change: ChangeWanted,
) -> Result<(), CliError> {
    let parameters = parameters.map(levels_of).transpose()?.unwrap_or_default();
    let app = open(session).await?;
    let module = match module {
        Chosen::Bundled => None,
        Chosen::Kept(digits) => Some(named::find(&app, digits).await?.digest),
    };
    change_in(session, &app, strategy, DeploymentRequest::Activate { module, parameters }, change).await
}

/// Reads the file of the parameters that come with a module.
fn levels_of(file: &Path) -> Result<RequestedLevels, CliError> {
    let refused = |problem: String| CliError::Usage(format!("--parameters {}: {problem}", file.display()));
    let text = fs::read_to_string(file).map_err(|error| refused(error.to_string()))?;
    let given = serde_json::from_str(&text).map_err(|error| refused(format!("it is no JSON: {error}")))?;
    requested_levels(&given).map_err(refused)
}

/// Lets a module look at candles beside the one that decides.
pub(super) async fn shadow(
    session: &Session,
    strategy: &StrategyId,
    module: &Digits,
    terms: &ShadowTerms,
    change: ChangeWanted,
) -> Result<(), CliError> {
    let app = open(session).await?;
    let module = named::find(&app, module).await?.digest;
    let wanted = DeploymentRequest::Shadow { module, promote: terms.promotion(), unadmitted: terms.unadmitted };
    change_in(session, &app, strategy, wanted, change).await
}

/// Changes what is deployed.
pub(super) async fn change(
    session: &Session,
    strategy: &StrategyId,
    wanted: DeploymentRequest,
    change: ChangeWanted,
) -> Result<(), CliError> {
    let app = open(session).await?;
    change_in(session, &app, strategy, wanted, change).await
}

async fn change_in(
    session: &Session,
    app: &App,
    strategy: &StrategyId,
    wanted: DeploymentRequest,
    change: ChangeWanted,
) -> Result<(), CliError> {
    let ChangeWanted { by, reason, revision, validate_only } = change;
    let author = Author { changed_by: name_or_user(by), claimed_by: None, reason, at: Timestamp::now() };
    let rollout = &app.analyst.rollout;
    let deployed = rollout.change(strategy, wanted, revision, validate_only, author).await?;
    let told = if matches!(deployed, Deployed::Added(_)) { app.tell_of_deployment().await } else { Ok(()) };
    session.output.answer(&Changed(DeployedView::new(rollout, strategy, &deployed)))?;
    if let Err(error) = told {
        note(&format!(
            "warning: the replicas were not told ({error}); they follow by CONFIG_CACHE_TTL_SECONDS, and decide rightly \
             before"
        ));
    }
    Ok(())
}

/// Shows the changes that led to what is deployed.
pub(super) async fn history(session: &Session, strategy: &StrategyId, limit: u32) -> Result<(), CliError> {
    let app = open(session).await?;
    require(&app, strategy)?;
    session.output.answer(&History(DeploymentDetail::of(&app.analyst.rollout, strategy, limit as usize)))
}

#[derive(Serialize)]
#[serde(transparent)]
struct Changed(DeployedView);

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DeployedView { outcome, entry, deployment } = &self.0;
        write_deployment(f, deployment)?;
        match entry {
            Some(DeploymentEntryView { revision, action, decides_from, .. }) => write!(
                f,
                "\nDone: {action}, revision {revision}. It holds for candles that close from {decides_from} on; what is \
                 under way ends as it began."
            ),
            None if *outcome == DeployedView::VALID => {
                write!(f, "\nNothing speaks against it, and nothing was changed.")
            }
            None => write!(f, "\nIt was so already, and nothing was changed."),
        }
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct History(DeploymentDetail);

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DeploymentDetail { deployment, history } = &self.0;
        write_deployment(f, deployment)?;
        if history.is_empty() {
            return write!(f, "\nNothing was ever changed.");
        }
        let header = ["revision", "action", "from candle close", "module", "shadow", "enabled", "by", "at", "reason"];
        let text = |text: &Option<String>| or_dash(text.as_deref(), one_line);
        let row = |entry: &DeploymentEntryView| {
            [
                entry.revision.to_string(),
                entry.action.to_owned(),
                entry.decides_from.clone(),
                entry.module.as_deref().map_or_else(|| BUNDLED.to_owned(), short),
                or_dash(entry.shadow.as_ref(), |shadow| {
                    let admission = if shadow.unadmitted { " (unadmitted)" } else { "" };
                    format!("{}{admission}", short(&shadow.module))
                }),
                or_dash(entry.enabled, |enabled| yes_or_no(enabled).to_owned()),
                entry.claimed_by.as_ref().map_or_else(
                    || one_line(&entry.changed_by),
                    |claimed| one_line(&format!("{} (claims {claimed})", entry.changed_by)),
                ),
                entry.changed_at.clone(),
                text(&entry.reason),
            ]
        };
        write!(f, "\n{}", table(&header, &[0], history.iter().map(row)))
    }
}

fn write_deployment(f: &mut fmt::Formatter<'_>, view: &DeploymentView) -> fmt::Result {
    let version = or_dash(view.version.as_deref(), one_line);
    let origin = if view.bundled { ", the bundled one" } else { "" };
    writeln!(f, "  strategy    {} {version}", view.strategy_id)?;
    writeln!(f, "  module      {}{origin}", or_dash(view.module.as_deref(), str::to_owned))?;
    writeln!(f, "  enabled     {}", yes_or_no(view.enabled))?;
    if let Some(why) = &view.quarantined {
        writeln!(f, "  quarantine  {}", one_line(why))?;
    }
    if let Some(shadow) = &view.shadow {
        write_shadow(f, shadow)?;
    }
    writeln!(f, "  revision    {}", view.revision)
}

/// Writes which module is the shadow, and when it is to decide.
pub(super) fn write_shadow(f: &mut fmt::Formatter<'_>, shadow: &ShadowView) -> fmt::Result {
    writeln!(f, "  shadow      {}", shadow.module)?;
    match (shadow.promote_after, shadow.promote_at_most) {
        _ if shadow.unadmitted => writeln!(f, "  promotion   never: admission refused it"),
        (Some(after), Some(share)) => {
            writeln!(f, "  promotion   by itself after {after} candles, if at most a share of {share} of them differs")
        }
        _ => writeln!(f, "  promotion   by hand"),
    }
}
