//! `ta-bot doctor`: looks at everything that a service of this environment needs, says what is wrong, and what to do.
//!
//! It runs before the first start as well as beside a service, and changes nothing. Each subject is looked at by
//! itself and within a time limit, so that one that is away or hangs hides no other.

use std::{process::ExitCode, time::Duration};

use ta_bot_engine::support::checkup::{Checkup, Finding};

use super::{
    args::Options,
    error::{CliError, FAILED},
    http::{Address, URL},
    output::Output,
};
use crate::{
    app::inspection,
    environment::{EnvError, Environment},
    logging,
};

mod data;
mod machine;
mod modules;
mod report;
mod service;
mod tokens;
mod variables;

use report::{Report, Subject};

/// How long files and folders may take to answer.
const LIMIT: Duration = Duration::from_secs(12);

/// What the environment says, and what of it can't be used.
struct Surroundings {
    environment: Environment,
    errors: Vec<EnvError>,
}

impl Surroundings {
    /// Reads the environment, applies the options on top of it, and starts the log if one is asked for.
    fn read(options: &Options) -> Self {
        let (mut environment, mut errors) = Environment::read_all(|name| std::env::var(name).ok());
        if let Some(folder) = &options.data_dir {
            environment.data_dir.clone_from(folder);
        }
        if let Some(folder) = &options.strategies_dir {
            environment.strategies_dir.clone_from(folder);
        }
        let level = std::env::var("LOG_LEVEL").ok().filter(|level| !level.trim().is_empty());
        match logging::filter(level.as_deref().unwrap_or("off")) {
            Ok(filter) => logging::start(filter, environment.log_format, false),
            Err(error) => errors.push(error),
        }
        Self { environment, errors }
    }

    /// The first of these variables that can't be used.
    fn unusable(&self, names: &[&'static str]) -> Option<&'static str> {
        names.iter().find(|name| self.errors.iter().any(|error| error.name == **name)).copied()
    }

    /// What was found, unless one of the variables that it depends on can't be used: then nothing can be said.
    async fn unless_unusable<T>(
        &self,
        variables: &[&'static str],
        otherwise: impl FnOnce(&str) -> T,
        looked: impl Future<Output = T>,
    ) -> T {
        match self.unusable(variables) {
            Some(name) => otherwise(&format!("{name} can't be used")),
            None => looked.await,
        }
    }
}

/// None of the checks was made, for this reason.
fn none_made(checks: &'static [&'static str], why: &str) -> Vec<Finding> {
    let mut checkup = Checkup::new(checks);
    for check in checks {
        checkup.not_checked(check, why);
    }
    checkup.finish()
}

/// The subjects in the order in which they are told, each with its checks.
#[cfg(all(test, feature = "kubernetes", feature = "mongodb", feature = "mysql", feature = "nats"))]
fn all_checks() -> Vec<(&'static str, &'static [&'static str])> {
    let mut all: Vec<(&'static str, &'static [&'static str])> =
        vec![("environment", &variables::CHECKS), ("machine", &machine::CHECKS), ("data", &data::CHECKS)];
    all.extend([("tokens", &tokens::CHECKS[..]), ("webhooks", &inspection::WEBHOOKS), ("modules", &modules::CHECKS)]);
    all.extend(inspection::SERVERS);
    all.extend([("configuration", &inspection::CONFIGURATION[..]), ("candles", &inspection::CANDLES)]);
    all.push(("service", &service::CHECKS));
    all
}

/// Looks at everything, and says what was found. The exit code says whether something is wrong.
pub(super) async fn run(options: &Options, url: Option<String>, output: Output) -> Result<ExitCode, CliError> {
    let url = url.or_else(|| std::env::var(URL).ok()).filter(|url| !url.trim().is_empty());
    let address = url.map(|url| url.parse::<Address>()).transpose().map_err(CliError::Usage)?;
    let surroundings = Surroundings::read(options);
    // Boxed, since the future that connects to every server has a large state.
    let report = Box::pin(gather(&surroundings, address.as_ref())).await;
    output.answer(&report)?;
    Ok(if report.is_one_wrong() { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
}

async fn gather(surroundings: &Surroundings, address: Option<&Address>) -> Report {
    const ELECTION: [&str; 2] = ["LEADER_ELECTION", "LEADER_ELECTION_ENABLED"];
    const ON_NATS: [&str; 12] = [
        "NATS_URL",
        "NATS_SUBJECT_PREFIX",
        "NATS_TOPIC_INTENTS",
        "NATS_PUBLISHER_TOPIC",
        "NATS_SIGNAL_DELIVERY",
        "NATS_SIGNALS_MAX_BYTES",
        "NATS_SIGNALS_MAX_AGE_HOURS",
        "NATS_JOBS_MAX_BYTES",
        "NATS_JOBS_MAX_AGE_HOURS",
        "NATS_REPLICAS",
        "LEADER_ELECTION",
        "LEADER_ELECTION_ENABLED",
    ];
    const STORED: [&str; 4] = ["MYSQL_URI", "MONGODB_URI", "SUPPORTED_SYMBOLS", "SUPPORTED_TIMEFRAMES"];
    let environment = &surroundings.environment;
    let unread = |why: &str| Some(none_made(&["answer"], why));
    let (environs, machine, data, tokens, webhooks, modules, sqlite, mysql, mongodb, nats, election, stored, service) = tokio::join!(
        variables::look(surroundings),
        machine::look(),
        data::look(environment),
        tokens::look(environment),
        inspection::webhooks(environment),
        modules::look(environment),
        inspection::sqlite(environment),
        surroundings.unless_unusable(&["MYSQL_URI"], unread, inspection::mysql(environment)),
        surroundings.unless_unusable(&["MONGODB_URI"], unread, inspection::mongodb(environment)),
        surroundings.unless_unusable(&ON_NATS, unread, inspection::nats(environment)),
        surroundings.unless_unusable(
            &ELECTION,
            |why| Some(("election", none_made(&["answer"], why))),
            inspection::election(environment),
        ),
        surroundings.unless_unusable(
            &STORED,
            |why| (none_made(&inspection::CONFIGURATION, why), none_made(&inspection::CANDLES, why)),
            inspection::stored(environment),
        ),
        service::look(address),
    );
    let (configuration, candles) = stored;
    let (elected_in, election) = election.unzip();
    let subjects = [
        ("environment", Some(environs)),
        ("machine", Some(machine)),
        ("data", Some(data)),
        ("tokens", tokens),
        ("webhooks", webhooks),
        ("modules", Some(modules)),
        ("sqlite", Some(sqlite)),
        ("mysql", mysql),
        ("mongodb", mongodb),
        ("nats", nats),
        (elected_in.unwrap_or("election"), election),
        ("configuration", Some(configuration)),
        ("candles", Some(candles)),
        ("service", service),
    ];
    let named = subjects.into_iter().filter_map(|(name, findings)| Some(Subject { name, findings: findings? }));
    Report::new(named.collect(), address.map(ToString::to_string))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(all(feature = "kubernetes", feature = "mongodb", feature = "mysql", feature = "nats"))]
    fn the_page_names_every_check_and_no_other() {
        let page = include_str!("../../../docs/doctor.md");
        let table = page.split("\n## Every check\n").nth(1).unwrap();
        let rows = table.lines().filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split(" | ");
            let (subject, check) = (cells.next()?.trim_matches('`'), cells.next()?.trim_matches('`'));
            Some(format!("{subject} {check}"))
        });
        let expected =
            all_checks().into_iter().flat_map(|(subject, checks)| checks.iter().map(move |c| format!("{subject} {c}")));
        assert_eq!(rows.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }

    #[test]
    fn what_depends_on_a_wrong_variable_is_not_checked() {
        let (environment, errors) =
            Environment::read_all(|name| (name == "MYSQL_URI").then(|| "postgres://u:secret@h/d".to_owned()));
        let surroundings = Surroundings { environment, errors };
        assert_eq!(surroundings.unusable(&["NATS_URL", "MYSQL_URI"]), Some("MYSQL_URI"));
        assert_eq!(surroundings.unusable(&["NATS_URL"]), None);
    }
}
