//! A running service: whether it answers, is of this version, and is able to do its work.

use std::time::{Duration, Instant};

use serde_json::Value as Json;
use ta_bot_core::Timestamp;
use ta_bot_engine::support::checkup::{Checkup, Finding, within};

use crate::cli::http::{Address, Answer, Asked, ask};

mod health;

use health::Health;

const ANSWER: &str = "answer";
const CLOCK: &str = "clock";
const VERSION: &str = "version";
const READY: &str = "ready";
const ABILITIES: &str = "abilities";
const STORES: &str = "stores";
const LEADER: &str = "leader";
const FEEDS: &str = "feeds";
const MODULES: &str = "modules";
const PARAMETERS: &str = "parameters";
const FILES: &str = "files";
const METRICS: &str = "metrics";

/// The names of the checks, in order.
pub(super) const CHECKS: [&str; 12] =
    [ANSWER, CLOCK, VERSION, READY, ABILITIES, STORES, LEADER, FEEDS, MODULES, PARAMETERS, FILES, METRICS];

/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(12);
/// How long one answer may take.
const ONE: Duration = Duration::from_secs(5);
/// The `Date` of an answer has whole seconds.
const DATE_STEP: Duration = Duration::from_secs(1);

const HAVE_IT_ANSWER: &str =
    "start the service, or correct --url or TA_BOT_URL: it is the address that the service says it listens on";

/// Looks at the service at that address; `None` if there is none to ask.
pub(super) async fn look(address: Option<&Address>) -> Option<Vec<Finding>> {
    let address = address?;
    let looked = within(LIMIT, &CHECKS, HAVE_IT_ANSWER, async |checkup| {
        let asked = Instant::now();
        let answer = match get(address, "/health").await {
            Ok(answer) => answer,
            Err(error) => return checkup.wrong(ANSWER, format!("{address}: {error}"), HAVE_IT_ANSWER),
        };
        let took = asked.elapsed();
        let Some(health) = Health::read(&answer.body) else {
            let found = format!("{address}/health answers {}, and not as TA Bot does", answer.status);
            return checkup.wrong(ANSWER, found, HAVE_IT_ANSWER);
        };
        checkup.ok(ANSWER, format!("{address} answers"));
        match answer.date {
            Some(date) => {
                let ahead = date.millis().saturating_sub(Timestamp::now().millis());
                checkup.clock(CLOCK, ahead, took + DATE_STEP);
            }
            None => checkup.not_checked(CLOCK, "its answer has no date"),
        }
        health.tell(checkup);
        ready(address, checkup).await;
        metrics(address, checkup).await;
    });
    Some(looked.await)
}

async fn ready(address: &Address, checkup: &mut Checkup) {
    let answer = match get(address, "/ready").await {
        Ok(answer) => answer,
        Err(error) => return checkup.not_checked(READY, error),
    };
    if answer.status == 200 {
        return checkup.ok(READY, "requests may be sent to it");
    }
    let read: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
    let parts = read["not_ready"].as_array().map(Vec::as_slice).unwrap_or_default();
    let word = |part: &Json, name: &str| part[name].as_str().unwrap_or("?").to_owned();
    let reasons: Vec<String> =
        parts.iter().map(|part| format!("{}: {}", word(part, "part"), word(part, "reason"))).collect();
    let found = if reasons.is_empty() { format!("/ready answers {}", answer.status) } else { reasons.join("; ") };
    checkup.wrong(READY, found, "wait if it has just started; else mend what it names, and it gets ready by itself");
}

async fn metrics(address: &Address, checkup: &mut Checkup) {
    match get(address, "/metrics").await {
        Ok(answer) if answer.status == 200 && answer.body.windows(8).any(|word| word == b"\nta_bot_") => {
            checkup.ok(METRICS, "there are metrics of TA Bot");
        }
        Ok(answer) => checkup.wrong(
            METRICS,
            format!("/metrics answers {} without a metric of TA Bot", answer.status),
            "ask the service itself, and no proxy before it",
        ),
        Err(error) => checkup.not_checked(METRICS, error),
    }
}

/// The answer to a request, within its limit.
async fn get(address: &Address, path: &str) -> Result<Answer, String> {
    ask(address, Asked::get(path), ONE).await
}
