//! Calls about the one Lease. Each call has a time limit, and each failure is worded so that an operator can act on it.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Api, Client,
    api::{PostParams, WatchEvent, WatchParams},
};
use ta_bot_engine::pipeline::election::{Record, Register, RegisterError, States, Word};
use thiserror::Error;

use super::{
    NAME,
    record::{created, record, replaced},
};
use crate::causes::with_causes;

/// How long one watch lasts before the next one starts.
const WATCH_SECONDS: u32 = 20;

/// What a call does with the Lease, named like the verbs of the Role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Create,
    Update,
    Watch,
}

impl Verb {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Create => "create",
            Self::Update => "update",
            Self::Watch => "watch",
        }
    }
}

/// Why a call about the Lease failed.
#[derive(Debug, Error)]
pub(super) enum LeaseError {
    #[error("the Kubernetes API did not answer within {limit:?} ({} the Lease {namespace}/{NAME})", .verb.as_str())]
    Silent { verb: Verb, namespace: String, limit: Duration },
    #[error(
        "this service account may not {0} the Lease {NAME} in the namespace {namespace} (the Kubernetes API says: {said}). \
         Its Role there needs the rule {{apiGroups: [coordination.k8s.io], resources: [leases], {1}verbs: [{0}]}}, as in \
         k8s/base/rbac.yaml", .verb.as_str(), restriction(*.verb)
    )]
    Denied { verb: Verb, namespace: String, said: String },
    #[error("can't {} the Lease {namespace}/{NAME}: {said}", .verb.as_str())]
    Failed { verb: Verb, namespace: String, said: String },
}

/// The restriction by name that a rule for `verb` can have. A rule for `create` has none: it can't know the name of an
/// object that does not exist yet.
fn restriction(verb: Verb) -> String {
    if verb == Verb::Create { String::new() } else { format!("resourceNames: [{NAME}], ") }
}

impl From<LeaseError> for RegisterError {
    fn from(error: LeaseError) -> Self {
        Self(error.to_string())
    }
}

/// The Lease of one namespace.
#[derive(Clone)]
pub struct LeaseApi {
    api: Api<Lease>,
    namespace: String,
}

impl LeaseApi {
    /// The Lease of a namespace; `None` means the client's own.
    pub fn new(client: Client, namespace: Option<String>) -> Self {
        let namespace = namespace.unwrap_or_else(|| client.default_namespace().to_owned());
        Self { api: Api::namespaced(client, &namespace), namespace }
    }

    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Returns the Lease as it is now, or `None` if there is none.
    pub(super) async fn get(&self, limit: Duration) -> Result<Option<Record<Lease>>, LeaseError> {
        let found = self.within(limit, Verb::Get, self.api.get_opt(NAME)).await?;
        let found = found.map_err(|error| self.failed(Verb::Get, &error))?;
        Ok(found.map(record))
    }

    /// Asks whether the Lease could be created, without creating it. Returns false if there is one already.
    pub(super) async fn could_create(&self, lease: &Lease, limit: Duration) -> Result<bool, LeaseError> {
        let parameters = PostParams { dry_run: true, ..PostParams::default() };
        let created = self.within(limit, Verb::Create, self.api.create(&parameters, lease)).await?;
        Ok(self.unless_first(Verb::Create, created)?.is_some())
    }

    /// Asks whether the Lease could be replaced by what it is, without doing so.
    pub(super) async fn could_update(&self, lease: &Lease, limit: Duration) -> Result<(), LeaseError> {
        let parameters = PostParams { dry_run: true, ..PostParams::default() };
        let written = self.within(limit, Verb::Update, self.api.replace(NAME, &parameters, lease)).await?;
        self.unless_first(Verb::Update, written).map(drop)
    }

    /// Reports the states of the Lease from now on, until the watch ends.
    pub(super) async fn states(&self, limit: Duration) -> Result<States<Lease>, LeaseError> {
        let parameters = WatchParams::default().fields(&format!("metadata.name={NAME}")).timeout(WATCH_SECONDS);
        // With version 0 the server first sends whatever state it has at hand, so no list call is needed.
        let opened = self.within(limit, Verb::Watch, self.api.watch(&parameters, "0")).await?;
        let events = opened.map_err(|error| self.failed(Verb::Watch, &error))?;
        let this = self.clone();
        Ok(events.filter_map(move |event| std::future::ready(this.state(event))).boxed())
    }

    /// The state that an event reports, if it reports one.
    fn state(&self, event: kube::Result<WatchEvent<Lease>>) -> Option<Result<Option<Record<Lease>>, RegisterError>> {
        match event {
            Ok(WatchEvent::Added(lease) | WatchEvent::Modified(lease)) => Some(Ok(Some(record(lease)))),
            Ok(WatchEvent::Deleted(_)) => Some(Ok(None)),
            Ok(WatchEvent::Bookmark(_)) => None,
            Ok(WatchEvent::Error(status)) => Some(Err(self.failed(Verb::Watch, &kube::Error::Api(status)).into())),
            Err(error) => Some(Err(self.failed(Verb::Watch, &error).into())),
        }
    }

    async fn within<T>(&self, limit: Duration, verb: Verb, call: impl Future<Output = T>) -> Result<T, LeaseError> {
        let Ok(answer) = tokio::time::timeout(limit, call).await else {
            return Err(LeaseError::Silent { verb, namespace: self.namespace.clone(), limit });
        };
        Ok(answer)
    }

    fn unless_first(&self, verb: Verb, written: kube::Result<Lease>) -> Result<Option<Record<Lease>>, LeaseError> {
        match written {
            Ok(lease) => Ok(Some(record(lease))),
            // Another process changed, created or deleted the Lease since it was read.
            Err(kube::Error::Api(status)) if status.is_conflict() || status.is_already_exists() => Ok(None),
            Err(kube::Error::Api(status)) if verb == Verb::Update && status.is_not_found() => Ok(None),
            Err(error) => Err(self.failed(verb, &error)),
        }
    }

    fn failed(&self, verb: Verb, error: &kube::Error) -> LeaseError {
        let namespace = self.namespace.clone();
        match error {
            kube::Error::Api(status) if status.is_forbidden() => {
                LeaseError::Denied { verb, namespace, said: status.message.clone() }
            }
            // The text of the error itself says everything twice.
            kube::Error::Api(status) => LeaseError::Failed { verb, namespace, said: status.message.clone() },
            error => LeaseError::Failed { verb, namespace, said: with_causes(error) },
        }
    }
}

#[async_trait]
impl Register for LeaseApi {
    type Rest = Lease;
    const WAY: &'static str = "kubernetes";
    const WHAT: &'static str = "the Lease";

    fn place(&self) -> String {
        format!("the namespace {}", self.namespace)
    }

    async fn read(&self, limit: Duration) -> Result<Option<Record<Lease>>, RegisterError> {
        Ok(self.get(limit).await?)
    }

    async fn create(&self, word: &Word, limit: Duration) -> Result<Option<Record<Lease>>, RegisterError> {
        let (parameters, lease) = (PostParams::default(), created(word));
        let created = self.within(limit, Verb::Create, self.api.create(&parameters, &lease)).await?;
        Ok(self.unless_first(Verb::Create, created)?)
    }

    async fn replace(
        &self,
        record: &Record<Lease>,
        word: &Word,
        limit: Duration,
    ) -> Result<Option<Record<Lease>>, RegisterError> {
        // The Lease carries its version, and the server refuses to replace another one.
        let (parameters, lease) = (PostParams::default(), replaced(&record.rest, word));
        let written = self.within(limit, Verb::Update, self.api.replace(NAME, &parameters, &lease)).await?;
        Ok(self.unless_first(Verb::Update, written)?)
    }

    async fn watch(&self, limit: Duration) -> Result<Option<States<Lease>>, RegisterError> {
        Ok(Some(self.states(limit).await?))
    }
}
