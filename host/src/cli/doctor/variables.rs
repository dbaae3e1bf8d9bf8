//! The environment: what a start would refuse, what is misspelled, and who could call.

use std::{
    collections::BTreeSet,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use ta_bot_api::access::Access;
use ta_bot_engine::support::checkup::{Checkup, Finding, within};
use tokio::net::TcpStream;

use super::{LIMIT, Surroundings, data};
use crate::{
    cli::serve::reachable,
    environment::{
        EnvError,
        names::{NAMES, meant_by},
    },
};

const VARIABLES: &str = "variables";
const SPELLING: &str = "spelling";
const ACCESS: &str = "access";
const ADDRESS: &str = "address";

/// The names of the checks, in order.
pub(super) const CHECKS: [&str; 4] = [VARIABLES, SPELLING, ACCESS, ADDRESS];

/// How long somebody on this machine may take to accept a connection.
const CONNECTING: Duration = Duration::from_secs(1);

pub(super) async fn look(surroundings: &Surroundings) -> Vec<Finding> {
    within(LIMIT, &CHECKS, "try again", async |checkup| {
        variables(surroundings, checkup);
        spelling(checkup);
        access(surroundings, checkup);
        match surroundings.unusable(&["HTTP_ADDR"]) {
            Some(name) => checkup.not_checked(ADDRESS, format!("{name} can't be used")),
            None => address(surroundings, checkup).await,
        }
    })
    .await
}

fn variables(surroundings: &Surroundings, checkup: &mut Checkup) {
    for EnvError { name, problem } in &surroundings.errors {
        let fix = format!("correct {name}, or unset it; docs/configuration.md says what each variable takes");
        checkup.wrong(VARIABLES, format!("{name}: {problem}"), fix);
    }
    for EnvError { name, problem } in &surroundings.environment.warnings {
        let fix = format!("correct {name}, or leave it if other services need it so");
        checkup.warning(VARIABLES, format!("{name}: {problem}"), fix);
    }
    for name in NAMES {
        if std::env::var_os(name).is_some_and(|value| value.to_str().is_none()) {
            let found = format!("{name} holds bytes that are no text (UTF-8), and counts as unset");
            checkup.wrong(VARIABLES, found, format!("set {name} to a text, or unset it"));
        }
    }
    if !checkup.has(VARIABLES) {
        let set = NAMES.iter().filter(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty())).count();
        checkup.ok(VARIABLES, format!("{set} are set, and all can be used"));
    }
}

/// Names that nobody reads, and that look like one that is not set.
fn spelling(checkup: &mut Checkup) {
    let is_set = |name: &str| std::env::var_os(name).is_some();
    let given: BTreeSet<String> = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect();
    for name in given {
        if let Some(meant) = meant_by(&name).filter(|meant| !is_set(meant)) {
            checkup.warning(
                SPELLING,
                format!("{name} is set, which TA Bot does not know, and {meant} is not"),
                format!("rename {name} to {meant}, if that is meant"),
            );
        }
    }
    if !checkup.has(SPELLING) {
        checkup.ok(SPELLING, "no name looks like a misspelled one");
    }
}

fn access(surroundings: &Surroundings, checkup: &mut Checkup) {
    if let Some(name) = surroundings.unusable(&["HTTP_ADDR", "API_ANONYMOUS_ROLE", "HTTP_ALLOWED_HOSTS"]) {
        return checkup.not_checked(ACCESS, format!("{name} can't be used"));
    }
    let environment = &surroundings.environment;
    let (has_tokens, role) = (environment.tokens_file.is_some(), environment.anonymous_role);
    if let Err(error) = Access::check(has_tokens, role, environment.http_addr.ip()) {
        let fix = "give tokens by API_TOKENS_FILE, or set API_ANONYMOUS_ROLE to viewer or trader";
        return checkup.wrong(ACCESS, error.to_string(), fix);
    }
    let role = role.map_or("nothing that needs a role", |role| role.as_str());
    let tokens = if has_tokens { "there are tokens" } else { "there are no tokens" };
    checkup.ok(ACCESS, format!("{tokens}; a request without one may do: {role}"));
}

/// Whether the service can listen where it has to. A service that listens already is found by its lock.
async fn address(surroundings: &Surroundings, checkup: &mut Checkup) {
    let address = surroundings.environment.http_addr;
    if let Err(error) = TcpListener::bind(SocketAddr::new(address.ip(), 0)) {
        let fix = "set HTTP_ADDR to an address of this machine, such as 127.0.0.1:8080 or 0.0.0.0:8080";
        return checkup.wrong(ADDRESS, format!("nobody can listen on {}: {error}", address.ip()), fix);
    }
    let is_taken = tokio::time::timeout(CONNECTING, TcpStream::connect(reachable(address))).await;
    let is_taken = address.port() != 0 && is_taken.is_ok_and(|connected| connected.is_ok());
    match (is_taken, data::serving(&surroundings.environment.data_dir)) {
        (false, _) => checkup.ok(ADDRESS, format!("{address} is free")),
        (true, Some(true)) => {
            checkup.ok(ADDRESS, format!("somebody listens on {address}, as the service of DATA_DIR does"));
        }
        (true, None) => checkup.not_checked(ADDRESS, format!("somebody listens on {address}; {}", data::UNKNOWN)),
        (true, Some(false)) => checkup.wrong(
            ADDRESS,
            format!("somebody else listens on {address}: no service runs on DATA_DIR"),
            "stop what listens there (ss -ltnp), or give HTTP_ADDR another port",
        ),
    }
}
