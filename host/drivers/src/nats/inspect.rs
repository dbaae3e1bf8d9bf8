//! What an operator would look at on NATS: whether it answers, stores messages, grants the rights that the service
//! needs, and whether the streams keep what counts as published.
//!
//! No stream is made or changed. An empty message goes to a subject that nobody reads, since NATS says only then
//! whether it may be published to.

use std::time::Duration;

use async_nats::{
    ConnectError, ConnectErrorKind,
    jetstream::stream::{Config, Info},
};
use ta_bot_engine::support::checkup::{Checkup, Finding, within};

use super::{
    bounds::Bounds,
    bus::{DUPLICATE_WINDOW, SignalRoute, StreamPlan, StreamStep, losses, plan_stream},
    connection::{
        ANSWER, EventSubjects, NAMESPACE, Nats, NatsAddress, NatsError,
        once::Complaints,
        room::{full, store_if_there},
    },
    job_queue,
};
use crate::causes::with_causes;

/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(12);
/// How long a complaint of the server may take from the connection to us.
const COMPLAINT: Duration = Duration::from_millis(50);

const CONNECTION: &str = "answer";
const SERVER_VERSION: &str = "version";
const RIGHTS: &str = "rights";
const JETSTREAM: &str = "jetstream";
const STORAGE: &str = "storage";
const SIGNALS: &str = "signals";
const JOBS: &str = "jobs";
const COPIES: &str = "copies";

/// The names of the checks, in order.
pub const CHECKS: [&str; 8] = [CONNECTION, SERVER_VERSION, RIGHTS, JETSTREAM, STORAGE, SIGNALS, JOBS, COPIES];

const HAVE_IT_ANSWER: &str =
    "start NATS, and let host and port of NATS_URL lead to it: look at its name, network policy and firewall";
const MAKE_ROOM: &str =
    "give JetStream and its account more room (max_file_store), free its disk, or delete streams that nobody needs";
const OLDEST: (u64, u64) = (2, 10);

/// What the service does with NATS.
#[derive(Debug, Clone)]
pub struct Use<'a> {
    /// The servers.
    pub address: &'a NatsAddress,
    /// The subjects on which candle events come in.
    pub events: &'a EventSubjects,
    /// The way on which signals go out.
    pub signals: &'a SignalRoute,
    /// The bounds of the stream of jobs.
    pub jobs: Bounds,
}

/// Looks at NATS.
pub async fn inspect(usage: &Use<'_>) -> Vec<Finding> {
    within(LIMIT, &CHECKS, HAVE_IT_ANSWER, async |checkup| {
        let complaints = Complaints::default();
        let nats = match Nats::connect_once(usage.address, NAMESPACE, &complaints).await {
            Ok(nats) => nats,
            Err(error) => {
                return checkup.wrong(
                    CONNECTION,
                    format!("{}: {}", usage.address, with_causes(&error)),
                    connecting(&error),
                );
            }
        };
        checkup.ok(CONNECTION, format!("{} answers", usage.address));
        version(&nats, checkup);
        let asked = ask(&nats, usage, checkup).await;
        tokio::time::sleep(COMPLAINT).await;
        rights(&complaints, checkup);
        match asked {
            Ok(()) => {
                if checkup.is_one_wrong() {
                    checkup.not_checked(STORAGE, "a right is missing");
                } else {
                    storage(&nats, checkup).await;
                }
                signals(&nats, usage.signals, checkup).await;
                jobs(&nats, usage.jobs, checkup).await;
            }
            Err(_) if complaints.heard().iter().any(|said| said.contains("$JS.")) => {}
            Err(error) => checkup.wrong(
                JETSTREAM,
                reason(&error),
                "run NATS with JetStream (nats-server --jetstream), and let the account use it",
            ),
        }
    })
    .await
}

/// What to do if there is no connection.
fn connecting(error: &ConnectError) -> &'static str {
    match error.kind() {
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
            "correct user and password, or the token, in NATS_URL, percent-encoded (@ is %40)"
        }
        ConnectErrorKind::Tls => "let NATS_URL begin with tls:// if the server wants TLS, and trust its certificate",
        _ => HAVE_IT_ANSWER,
    }
}

/// What an error says, without whose it is.
fn reason(error: &NatsError) -> String {
    match error {
        NatsError::Away(reason) | NatsError::Refused(reason) | NatsError::Full(reason) => reason.clone(),
        NatsError::NotConnected | NatsError::NoStream(_) => error.to_string(),
    }
}

fn version(nats: &Nats, checkup: &mut Checkup) {
    let version = nats.client().server_info().version;
    let mut numbers = version.split('.').map(str::parse::<u64>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) if (major, minor) < OLDEST => checkup.warning(
            SERVER_VERSION,
            format!("NATS {version} is older than 2.10, with which nobody has tried it"),
            "upgrade NATS to 2.10 or newer",
        ),
        (Some(Ok(_)), Some(Ok(_))) => checkup.ok(SERVER_VERSION, format!("NATS {version}")),
        _ => checkup.not_checked(SERVER_VERSION, format!("it says that it is {version:?}, which names no version")),
    }
}

/// Asks for all that the service asks for. The answer of `JetStream` comes after the server's complaints.
async fn ask(nats: &Nats, usage: &Use<'_>, checkup: &mut Checkup) -> Result<(), NatsError> {
    let client = nats.client();
    let mut subscriptions = Vec::new();
    for subject in usage.events.patterns().iter().cloned().chain([nats.subject("notices")]) {
        subscriptions.extend(client.subscribe(subject).await.ok());
    }
    client.publish(nats.subject("doctor"), "".into()).await.ok();
    nats.ask().await?;
    drop(subscriptions);
    checkup.ok(JETSTREAM, "it answers");
    Ok(())
}

fn rights(complaints: &Complaints, checkup: &mut Checkup) {
    let heard = complaints.heard();
    for said in &heard {
        checkup.wrong(
            RIGHTS,
            said,
            "let the user of NATS_URL publish to ta-bot.>, evaluator.bot-ta-analysis.verdict, $JS.API.> and $JS.ACK.>, \
             and subscribe to the subjects of NATS_SUBJECT_PREFIX, ta-bot.notices and _INBOX.>",
        );
    }
    if heard.is_empty() {
        checkup.ok(RIGHTS, "the server complains of nothing that was asked for");
    }
}

/// Whether messages are stored, as far as that can be found out without making a stream.
async fn storage(nats: &Nats, checkup: &mut Checkup) {
    const CROWDED: u64 = 90;
    let account = match super::connection::within(nats.jetstream().query_account()).await {
        Ok(account) => account,
        Err(error) => return checkup.not_checked(STORAGE, reason(&error)),
    };
    let most = account.limits.max_storage.and_then(|most| u64::try_from(most).ok()).filter(|most| *most > 0);
    let found = most.map_or_else(
        || format!("{} bytes are stored", account.storage),
        |most| format!("{} of {most} bytes are stored", account.storage),
    );
    match store_if_there(nats).await {
        Err(error @ (NatsError::Full(_) | NatsError::Refused(_))) => {
            return checkup.wrong(STORAGE, reason(&error), MAKE_ROOM);
        }
        Err(error) => return checkup.not_checked(STORAGE, reason(&error)),
        Ok(()) => {}
    }
    match most {
        Some(most) if account.storage >= most => checkup.wrong(STORAGE, found, MAKE_ROOM),
        Some(most) if account.storage.saturating_mul(100) >= most.saturating_mul(CROWDED) => {
            checkup.warning(STORAGE, found, MAKE_ROOM);
        }
        _ => checkup.ok(STORAGE, found),
    }
}

/// The stream of signals, and those of others that store what is passed on to readers.
async fn signals(nats: &Nats, route: &SignalRoute, checkup: &mut Checkup) {
    let plan = match plan_stream(nats.clone(), route.clone(), ANSWER).await {
        Ok(plan) => plan,
        Err(error) => return checkup.not_checked(SIGNALS, reason(&error)),
    };
    for copy in &plan.copies {
        for loss in &copy.losses {
            checkup.warning(
                COPIES,
                format!("{} stores the signals, too, and may lose some: {loss}", copy.name),
                format!("correct it with `nats stream edit {}`; the stream of TA Bot has all signals", copy.name),
            );
        }
    }
    if !checkup.has(COPIES) {
        let names = plan.copies.iter().map(|copy| copy.name.as_str()).collect::<Vec<_>>().join(", ");
        let found = if names.is_empty() { "no other stream stores the signals".to_owned() } else { names };
        checkup.ok(COPIES, found);
    }
    match plan.step {
        StreamStep::Make => checkup.ok(SIGNALS, format!("there is no {} yet: the first start makes it", plan.stream)),
        StreamStep::OnlyPart(ref names) => checkup.wrong(
            SIGNALS,
            format!("{} take only a part of the subject of signals, and no stream takes the rest", names.join(", ")),
            "add the whole subject to one of them, or delete them: TA Bot makes its own",
        ),
        StreamStep::Nothing | StreamStep::Adjust { .. } | StreamStep::OfOthers => {
            match super::connection::within(nats.jetstream().get_stream(&plan.stream)).await {
                Ok(stream) => stream_of_signals(&plan, stream.cached_info(), checkup),
                Err(error) => checkup.not_checked(SIGNALS, reason(&error)),
            }
        }
    }
}

fn stream_of_signals(plan: &StreamPlan, info: &Info, checkup: &mut Checkup) {
    let config: &Config = &info.config;
    let name = &plan.stream;
    let edit = format!("`nats stream edit {name}`; a start of TA Bot sets `discard new` and its own bounds");
    for loss in losses(config) {
        checkup.wrong(SIGNALS, format!("{name} may lose what counts as published: {loss}"), edit.clone());
    }
    if config.no_ack {
        checkup.wrong(SIGNALS, format!("{name} acknowledges nothing: no signal counts as sent"), edit.clone());
    }
    if let Some(full) = full(info) {
        let fix = format!(
            "raise its bounds: NATS_SIGNALS_MAX_BYTES, or `nats stream edit {name}`; or let it forget old signals \
             (`nats stream purge {name} --keep N`)"
        );
        checkup.wrong(SIGNALS, full, fix);
    }
    if config.duplicate_window < DUPLICATE_WINDOW {
        let hours = config.duplicate_window.as_secs() / 3600;
        let found = format!("{name} knows ids for {hours} h: a signal that is sent again after that is stored twice");
        checkup.warning(SIGNALS, found, format!("`nats stream edit {name} --dupe-window 72h`"));
    }
    let is_passed_on = config.republish.as_ref().map(|republish| &republish.destination);
    if plan.step == StreamStep::OfOthers && is_passed_on != plan.passes_on_to.as_ref() {
        checkup.wrong(SIGNALS, format!("{name} passes nothing on to readers"), edit.clone());
    }
    if checkup.has(SIGNALS) {
        return;
    }
    match &plan.step {
        StreamStep::Adjust { .. } => checkup.warning(
            SIGNALS,
            format!("{name} is not as this version and its variables want it"),
            "restart TA Bot, which changes it; `ta-bot migrate plan` says how",
        ),
        _ => checkup.ok(SIGNALS, format!("{name} holds {} signals", info.state.messages)),
    }
}

/// The stream of jobs.
async fn jobs(nats: &Nats, bounds: Bounds, checkup: &mut Checkup) {
    let (name, subject) = (nats.stream_name("jobs"), nats.subject("jobs.>"));
    let there = match nats.streams_of(&subject).await {
        Ok(there) => there,
        Err(error) => return checkup.not_checked(JOBS, reason(&error)),
    };
    if let Some(other) = there.iter().find(|stream| stream.config.name != name) {
        return checkup.wrong(
            JOBS,
            format!("{} takes the subject {subject}, which is that of {name}", other.config.name),
            format!("take the subject {subject} out of {}", other.config.name),
        );
    }
    let Some(info) = there.first() else {
        return checkup.ok(JOBS, format!("there is no {name} yet: the first start makes it"));
    };
    if let Some(misfit) = job_queue::misfit(&info.config) {
        return checkup.wrong(JOBS, misfit, format!("`nats stream rm {name}`: TA Bot makes it again, and so the jobs"));
    }
    if let Some(full) = full(info) {
        let fix =
            "start more replicas, which take jobs out, or raise NATS_JOBS_MAX_BYTES; the sweep adds the jobs later";
        return checkup.wrong(JOBS, full, fix);
    }
    let mut wanted = info.config.clone();
    bounds.apply(&mut wanted);
    if wanted == info.config {
        checkup.ok(JOBS, format!("{name} holds {} jobs", info.state.messages));
    } else {
        checkup.warning(
            JOBS,
            format!("{name} has other bounds than the variables say"),
            "restart TA Bot, which sets them",
        );
    }
}
