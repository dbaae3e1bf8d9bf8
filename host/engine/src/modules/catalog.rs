//! Modules that are uploaded through the API: accepted, checked in the background, and judged once.
//!
//! An upload is inspected and kept at once. Compiling and asking the module takes seconds to minutes and happens
//! afterwards, one module at a time. All of that happens in [children](ta_bot_wasm::Children) of this process: what
//! they die of is refused, and nothing of it stops the modules that come after it. The replica that took the upload
//! checks it. If it has not done so after ten minutes, perhaps because it ended, the other replicas check it too. The
//! first judgement stays. Every replica compiles admitted modules ahead, so that no candle waits for compilation when
//! one of them is deployed.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use ta_bot_core::{ModuleDigest, Timestamp};
use ta_bot_wasm::{InspectError, Sandbox, StrategyModule};
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{
    modules::{
        arrival::Arrival,
        judge::{NotJudged, judge, unusable},
        module_store::{Judgement, KeptModule, ModuleStore, Upload},
        signature::{ModuleSignature, TrustedKeys},
    },
    support::{backoff::Backoff, room::Room, store_error::StoreError},
};

mod error;
mod removal;

pub use error::{CheckError, UploadError};
pub use removal::RemoveError;

/// How many modules may wait to be checked.
const MOST_WAITING: usize = 32;
/// How long the replica that took an upload has to check it before other replicas check it as well.
const ITS_OWN_REPLICA_FIRST_MS: i64 = 600_000;
/// How many of the newest admitted modules are compiled before somebody deploys them.
const MOST_AHEAD: usize = 32;
/// How often to look for modules that wait, besides the moments at which one is uploaded.
const LOOK: Duration = Duration::from_secs(30);
/// How many times in a row a child may be ended by something else before the module counts as the cause: a machine that
/// runs out of memory ends what takes most of it.
const MOST_UNANSWERED: u32 = 5;
/// The pauses before a check that could not be finished is tried again.
const AGAIN: Backoff = Backoff::new(Duration::from_secs(5), Duration::from_mins(10));

/// The modules that were uploaded.
pub struct Catalog {
    store: Arc<dyn ModuleStore>,
    sandbox: Sandbox,
    trusted: Option<TrustedKeys>,
    /// Whether this process is the only one on its store. If so, nothing is left to others.
    alone: bool,
    /// The folder for modules that arrive.
    arrivals: PathBuf,
    /// Notified when a module was taken here.
    taken: Notify,
    /// The modules that this process has tried to compile ahead.
    ahead: Mutex<HashSet<ModuleDigest>>,
    /// The modules that this process has taken or begun to check, until they are judged.
    begun: Mutex<HashMap<ModuleDigest, Begun>>,
    /// The disk that uploads and their code go to, if it is looked at.
    room: Option<Arc<Room>>,
    /// Allows one upload at a time: its inspection takes up to a quarter of a second and some hundred megabytes, and
    /// the waiting modules are counted before it becomes one of them.
    one: Semaphore,
}

/// A module that this process checks.
#[derive(Default)]
struct Begun {
    /// When the check is tried again.
    next: Option<Instant>,
    pauses: Option<Backoff>,
    /// What was found but could not be stored yet.
    found: Option<Judgement>,
    /// How many children in a row gave no answer.
    unanswered: u32,
}

/// What became of an upload.
#[derive(Debug)]
pub struct Uploaded {
    /// The module.
    pub module: KeptModule,
    /// Whether it was not there before.
    pub is_new: bool,
}

impl Catalog {
    /// Creates a catalog of `store`. `alone` says whether this process is the only one on the store. Signatures are
    /// required if there are trusted keys. Modules that arrive are kept in the folder `arrivals` until they are stored.
    pub fn new(
        store: Arc<dyn ModuleStore>,
        sandbox: Sandbox,
        trusted: Option<TrustedKeys>,
        alone: bool,
        arrivals: PathBuf,
    ) -> Self {
        Self {
            store,
            sandbox,
            trusted,
            alone,
            arrivals,
            taken: Notify::new(),
            ahead: Mutex::default(),
            begun: Mutex::default(),
            room: None,
            one: Semaphore::new(1),
        }
    }

    /// Refuses uploads while the disk has little room.
    #[must_use]
    pub fn with_room(self, room: Arc<Room>) -> Self {
        Self { room: Some(room), ..self }
    }

    /// Finds out whether the disk has room for an upload.
    async fn see_to_room(&self) -> Result<(), UploadError> {
        let Some(room) = self.room.clone() else { return Ok(()) };
        // What can't be found out stops nothing; whoever writes finds out.
        let Ok(Ok(measured)) = tokio::task::spawn_blocking(move || room.measure()).await else { return Ok(()) };
        if !measured.is_low {
            return Ok(());
        }
        let megabytes = |bytes: Option<u64>| bytes.unwrap_or_default() >> 20;
        Err(UploadError::NoRoom { free: megabytes(measured.free), mark: megabytes(measured.mark) })
    }

    /// Reads the signature of an upload from the text of its header. If no keys are trusted, the signature is ignored;
    /// if some are, it is required.
    pub fn read_signature(&self, text: Option<&str>) -> Result<Option<ModuleSignature>, UploadError> {
        match (&self.trusted, text) {
            (None, _) => Ok(None),
            (Some(_), None) => Err(UploadError::NotSigned),
            (Some(_), Some(text)) => Ok(Some(text.parse()?)),
        }
    }

    /// A place for the bytes of a module that is uploaded, if the disk has room for them.
    pub async fn arrival(&self) -> Result<Arrival, UploadError> {
        self.see_to_room().await?;
        Ok(Arrival::in_folder(&self.arrivals)?)
    }

    /// Takes a module. The same bytes again change nothing, unless the kept bytes were damaged. Once begun, this has
    /// to run to its end.
    pub async fn upload(
        &self,
        mut arrival: Arrival,
        signature: Option<ModuleSignature>,
        by: String,
    ) -> Result<Uploaded, UploadError> {
        let _one = self.one.acquire().await;
        let digest = arrival.digest()?;
        // Nobody reads the bytes of somebody who has no key.
        let signed_by = self.signer(digest, signature)?;
        let sandbox = self.sandbox.clone();
        let read = move || match arrival.inspect(&sandbox)? {
            Err(InspectError::Unanswered(reason)) => Err(given_up(&reason).into()),
            Err(refused) => Err(UploadError::Refused(refused)),
            // Only now is it worth the memory.
            Ok(_) => Ok(arrival.read()?),
        };
        let bytes = tokio::task::spawn_blocking(read).await.map_err(|error| given_up(&error.to_string()))??;
        if let Some(module) = self.store.find(digest).await?
            && module.upload.is_some()
        {
            // This repairs bytes that were damaged, and lets a check that could not read them go on.
            self.store.put(&bytes).await?;
            if module.waits() {
                self.check_soon(digest);
            }
            return Ok(Uploaded { module, is_new: false });
        }
        if self.store.list().await?.iter().filter(|module| module.waits()).count() >= MOST_WAITING {
            return Err(UploadError::Full);
        }
        // Whoever sends it again after it was removed wants it judged anew.
        self.sandbox.forget(digest);
        self.store.put(&bytes).await?;
        let upload = Upload { by, at: Timestamp::now(), signed_by };
        self.store.note_upload(digest, &upload).await?;
        tracing::info!(module = %digest, by = %upload.by, bytes = bytes.len(), "module uploaded");
        self.check_soon(digest);
        let module = self.store.find(digest).await?.ok_or_else(|| gone(digest))?;
        Ok(Uploaded { module, is_new: true })
    }

    /// Has a module checked here as soon as its turn comes, even if an earlier attempt was put off.
    fn check_soon(&self, digest: ModuleDigest) {
        let mut begun = self.lock();
        let begun = begun.entry(digest).or_default();
        (begun.next, begun.pauses) = (None, None);
        self.taken.notify_one();
    }

    /// The key that vouches for the module, if one is required.
    fn signer(&self, digest: ModuleDigest, signature: Option<ModuleSignature>) -> Result<Option<String>, UploadError> {
        let Some(trusted) = &self.trusted else { return Ok(None) };
        let signature = signature.ok_or(UploadError::NotSigned)?;
        Ok(Some(trusted.verify(digest, &signature)?.to_string()))
    }

    /// Every module that was uploaded, by digest.
    pub async fn uploaded(&self) -> Result<Vec<KeptModule>, StoreError> {
        let mut modules = self.store.list().await?;
        modules.retain(|module| module.upload.is_some());
        Ok(modules)
    }

    /// What is known about a module, including bundled ones.
    pub async fn find(&self, digest: ModuleDigest) -> Result<Option<KeptModule>, StoreError> {
        self.store.find(digest).await
    }

    /// The modules whose digests begin with these digits, including bundled ones.
    pub async fn beginning_with(&self, digits: &str) -> Result<Vec<KeptModule>, StoreError> {
        let mut modules = self.store.list().await?;
        modules.retain(|module| module.digest.to_string().starts_with(digits));
        Ok(modules)
    }

    /// Checks a module in this process and waits for the result, unless the module is already judged. Returns what is
    /// known about it afterwards: if another process was quicker, that judgement stays.
    pub async fn check_now(&self, module: KeptModule) -> Result<KeptModule, CheckError> {
        if !module.waits() {
            return Ok(module);
        }
        let digest = module.digest;
        self.check(digest).await?;
        Ok(self.store.find(digest).await?.ok_or_else(|| gone(digest))?)
    }

    /// The bytes of a module, as they were uploaded.
    pub async fn bytes(&self, digest: ModuleDigest) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(digest).await
    }

    /// Checks the modules that wait, until `stop` is cancelled. A check under way is not waited for: nothing of it is
    /// kept before it ends.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        stop.run_until_cancelled(self.check_on()).await;
    }

    async fn check_on(&self) {
        loop {
            let pause = self.check_waiting().await.unwrap_or_else(|error| {
                tracing::warn!(%error, "can't look for uploaded modules; trying again later");
                LOOK
            });
            tokio::select! {
                () = self.taken.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Checks the modules that wait, oldest first. Returns how long to wait before looking again.
    async fn check_waiting(&self) -> Result<Duration, StoreError> {
        let before: Vec<ModuleDigest> = self.lock().keys().copied().collect();
        let modules = self.store.list().await?;
        let mut waiting: Vec<KeptModule> = modules.iter().filter(|module| module.waits()).cloned().collect();
        waiting.sort_by_key(|module| module.upload.as_ref().map(|upload| upload.at));
        // Forget the modules that another replica has judged. One that was taken meanwhile is not in `before` and
        // stays.
        let over = before.into_iter().filter(|digest| waiting.iter().all(|module| module.digest != *digest));
        over.for_each(|digest| drop(self.lock().remove(&digest)));
        let mut pause = LOOK;
        for KeptModule { digest, upload, kept_at, .. } in waiting {
            let since = upload.map_or(kept_at, |upload| upload.at);
            let left_alone = Timestamp::now() >= since.plus_millis(ITS_OWN_REPLICA_FIRST_MS);
            match self.lock().get(&digest).map(|begun| begun.next) {
                Some(Some(next)) if next > Instant::now() => {
                    pause = pause.min(next - Instant::now());
                    continue;
                }
                Some(_) => {}
                None if self.alone || left_alone => {}
                None => continue,
            }
            // A module that can't be checked does not keep the others from being checked.
            if let Err(error) = self.check(digest).await {
                let again = self.put_off(digest);
                tracing::warn!(module = %digest, %error, ?again, "a module could not be checked; trying again later");
                pause = pause.min(again);
            }
        }
        self.compile_ahead(&modules).await;
        Ok(pause)
    }

    /// Compiles the admitted modules that are not compiled here yet, newest first. If the store fails, a module is
    /// tried again. If a module does not compile, it is not: the operator who deploys it is told.
    async fn compile_ahead(&self, modules: &[KeptModule]) {
        let admitted = modules.iter().filter(|module| module.judgement.as_ref().is_some_and(Judgement::admits));
        let mut admitted: Vec<_> = admitted.filter(|module| !self.sandbox.has_compiled(module.digest)).collect();
        admitted.sort_by_key(|module| Reverse(module.upload.as_ref().map(|upload| upload.at)));
        for KeptModule { digest, .. } in admitted.into_iter().take(MOST_AHEAD) {
            if self.is_done_ahead(*digest) {
                continue;
            }
            let bytes = match self.store.get(*digest).await {
                Ok(Some(bytes)) => bytes,
                Ok(None) => continue,
                Err(error) => {
                    tracing::warn!(module = %digest, %error, "an admitted module can't be read");
                    continue;
                }
            };
            let sandbox = self.sandbox.clone();
            let loaded = tokio::task::spawn_blocking(move || StrategyModule::load(&sandbox, &bytes).map(drop)).await;
            match loaded {
                Ok(Ok(())) => tracing::info!(module = %digest, "admitted module compiled"),
                failed => tracing::warn!(module = %digest, ?failed, "an admitted module can't be compiled here"),
            }
            self.ahead.lock().unwrap_or_else(PoisonError::into_inner).insert(*digest);
        }
    }

    fn is_done_ahead(&self, digest: ModuleDigest) -> bool {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner).contains(&digest)
    }

    /// Checks a module and records what was found.
    async fn check(&self, digest: ModuleDigest) -> Result<(), CheckError> {
        let found = self.lock().entry(digest).or_default().found.take();
        let judgement = if let Some(found) = found {
            found
        } else {
            // Another replica may have been quicker while this one checked other modules.
            if self.store.find(digest).await?.is_none_or(|module| !module.waits()) {
                return Ok(());
            }
            let Some(bytes) = self.store.get(digest).await? else { return Ok(()) };
            match judged(self.sandbox.clone(), bytes).await {
                Err(CheckError::NotJudged(NotJudged::Unanswered(reason))) => self.unanswered(digest, reason)?,
                judged => judged?,
            }
        };
        if let Err(error) = self.store.judge(digest, &judgement).await {
            self.lock().entry(digest).or_default().found = Some(judgement);
            return Err(error.into());
        }
        self.lock().remove(&digest);
        tracing::info!(module = %digest, admitted = judgement.admits(), "uploaded module checked");
        Ok(())
    }

    /// Counts a child that gave no answer. After some in a row the module is refused.
    fn unanswered(&self, digest: ModuleDigest, reason: String) -> Result<Judgement, CheckError> {
        let mut begun = self.lock();
        let begun = begun.entry(digest).or_default();
        begun.unanswered += 1;
        if begun.unanswered < MOST_UNANSWERED {
            return Err(NotJudged::Unanswered(reason).into());
        }
        let problem = InspectError::TooCostly(format!("this machine has: {MOST_UNANSWERED} times in a row, {reason}"));
        Ok(unusable(problem.code(), &problem.to_string()))
    }

    /// Puts a check off. Returns for how long.
    fn put_off(&self, digest: ModuleDigest) -> Duration {
        let mut begun = self.lock();
        let begun = begun.entry(digest).or_default();
        let pause = begun.pauses.get_or_insert(AGAIN).pause();
        begun.next = Some(Instant::now() + pause);
        pause
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ModuleDigest, Begun>> {
        // A poisoned lock is fine: each entry is changed in one step.
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has a module judged in a thread of its own, which the end of the process does not wait for. A problem of the host is
/// an error and not a judgement: it says nothing about the module.
async fn judged(sandbox: Sandbox, bytes: Vec<u8>) -> Result<Judgement, CheckError> {
    let (done, answer) = oneshot::channel();
    let thread = std::thread::Builder::new().name("admission".to_owned());
    let work = move || {
        // Nobody waits any more if the process is ending.
        let _ = done.send(judge(&sandbox, &bytes));
    };
    thread.spawn(work).map_err(CheckError::NoThread)?;
    Ok(answer.await.map_err(|_| CheckError::Panicked)??)
}

fn gone(digest: ModuleDigest) -> StoreError {
    StoreError::Unavailable { store: "modules", reason: format!("{digest} was removed while it was uploaded") }
}

fn given_up(reason: &str) -> StoreError {
    StoreError::Unavailable { store: "modules", reason: format!("the inspection was given up: {reason}") }
}

#[cfg(test)]
mod tests;
