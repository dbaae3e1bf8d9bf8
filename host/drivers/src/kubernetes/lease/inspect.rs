//! What an operator would look at in the Kubernetes API: whether it answers, what this account may do with the Lease,
//! and who holds it. Nothing is changed: the server is asked to try, and not to do.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use chrono::DateTime;
use kube::{Client, api::GetParams, client::Body};
use ta_bot_core::Timestamp;
use ta_bot_engine::{
    pipeline::election::{Timing, Word, inspect::tell_holder},
    support::checkup::{Checkup, Finding, within},
};

use super::{
    NAME,
    api::{LeaseApi, LeaseError},
    client,
    record::created,
};
use crate::causes::with_causes;

/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(12);
/// How long one call may take.
const CALL: Duration = Duration::from_secs(4);
/// The `Date` of an answer has whole seconds.
const DATE_STEP: Duration = Duration::from_secs(1);

const ANSWER: &str = "answer";
const CLOCK: &str = "clock";
const RIGHTS: &str = "rights";
const HOLDER: &str = "holder";

/// The names of the checks, in order.
pub const CHECKS: [&str; 4] = [ANSWER, CLOCK, RIGHTS, HOLDER];

const HAVE_IT_ANSWER: &str = "let this process reach the Kubernetes API: look at KUBECONFIG or the service account \
                              (automountServiceAccountToken), its token, and the network policy (ports 443, 6443)";

/// Looks at the Lease of a namespace; `None` means the account's own.
pub async fn inspect(namespace: Option<String>, kubeconfig: Option<&Path>, identity: &str) -> Vec<Finding> {
    within(LIMIT, &CHECKS, HAVE_IT_ANSWER, async |checkup| {
        let client = match client(kubeconfig).await {
            Ok(client) => client,
            Err(error) => return checkup.wrong(ANSWER, error.to_string(), HAVE_IT_ANSWER),
        };
        let api = LeaseApi::new(client.clone(), namespace);
        if let Err(error) = answer(&client, api.namespace(), checkup).await {
            return checkup.wrong(ANSWER, error, HAVE_IT_ANSWER);
        }
        look(&api, identity, checkup).await;
    })
    .await
}

/// Asks for the Lease, and notes the time of the answer, whatever it says.
async fn answer(client: &Client, namespace: &str, checkup: &mut Checkup) -> Result<(), String> {
    let path = format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases");
    let request = kube::core::Request::new(path).get(NAME, &GetParams::default());
    let request = request.map_err(|error| with_causes(&error))?.map(Body::from);
    let asked = Instant::now();
    let answered = tokio::time::timeout(CALL, client.send(request)).await;
    let answered = answered.map_err(|_| format!("the Kubernetes API did not answer within {} s", CALL.as_secs()))?;
    let answered = answered.map_err(|error| with_causes(&error))?;
    let status = answered.status();
    let date = answered.headers().get("date").and_then(|date| date.to_str().ok());
    let date = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok());
    if status == 401 {
        return Err("the Kubernetes API does not know this account (401 Unauthorized)".to_owned());
    }
    if status.is_server_error() {
        return Err(format!("the Kubernetes API answers {status}"));
    }
    checkup.ok(ANSWER, format!("the Kubernetes API answers, for the namespace {namespace}"));
    match date {
        Some(date) => {
            let ahead = date.timestamp_millis().saturating_sub(Timestamp::now().millis());
            checkup.clock(CLOCK, ahead, asked.elapsed() + DATE_STEP);
        }
        None => checkup.not_checked(CLOCK, "its answer has no date"),
    }
    Ok(())
}

/// Tries every verb that the election needs.
async fn look(api: &LeaseApi, identity: &str, checkup: &mut Checkup) {
    let wanted = created(&Word::first(identity, Timing::default().lease()));
    let found = match api.get(CALL).await {
        Ok(found) => {
            tell_holder("the Lease", found.as_ref().map(|record| &record.word), HOLDER, checkup);
            found
        }
        Err(error) => {
            refused(&error, checkup);
            checkup.not_checked(HOLDER, "the Lease can't be read");
            None
        }
    };
    if let Err(error) = api.could_create(&wanted, CALL).await {
        refused(&error, checkup);
    }
    // One that is changed at this moment could be changed: the answer of a conflict comes after the rights.
    let update = found.as_ref().map_or(&wanted, |record| &record.rest);
    if let Err(error) = api.could_update(update, CALL).await {
        refused(&error, checkup);
    }
    if let Err(error) = api.states(CALL).await {
        refused(&error, checkup);
    }
    if !checkup.has(RIGHTS) {
        checkup.ok(RIGHTS, format!("the account may get, create, update and watch {NAME}"));
    }
}

fn refused(error: &LeaseError, checkup: &mut Checkup) {
    match error {
        LeaseError::Denied { verb, namespace, said } => checkup.wrong(
            RIGHTS,
            format!("the account may not {} the Lease {NAME} in {namespace}: {said}", verb.as_str()),
            format!("give its Role in {namespace} the verb {} of leases, as k8s/base/rbac.yaml does", verb.as_str()),
        ),
        other => checkup.wrong(RIGHTS, other.to_string(), "make the namespace of POD_NAMESPACE, or correct its name"),
    }
}
