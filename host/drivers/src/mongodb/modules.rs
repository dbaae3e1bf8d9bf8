//! Modules on MongoDB: the bytes as a GridFS file, and a document that says which file holds which digest.
//!
//! Each writer uploads to a file of its own. The document, whose id is the digest, decides which file counts; the other
//! writers remove theirs. A file whose upload was cut off is never named by a document, so it is never read.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::{AsyncReadExt as _, AsyncWriteExt as _, TryStreamExt as _};
use mongodb::{
    bson::{Bson, Document, doc, oid::ObjectId},
    gridfs::GridFsBucket,
    options::GridFsBucketOptions,
};
use serde::Serialize;
use ta_bot_core::{ModuleDigest, Timestamp};
use ta_bot_engine::{
    modules::module_store::{
        Judgement, KeepError, KeptModule, LARGEST_MODULE, ModuleStore, Removal, RemovedModule, There, Upload, admitted,
        verified, what_is_there,
    },
    support::store_error::StoreError,
};

use crate::mongodb::database::{
    Connected, Mongo, NAME, READ_LIMIT, SERVER_LIMIT,
    error::Failure,
    indexes::{MODULES, REMOVED_MODULES},
    value,
};

/// How long the transfer of the bytes may take.
const BYTES_LIMIT: Duration = Duration::from_mins(1);
/// How many bytes are sent at once: several chunks of 255 KiB each.
const PIECE: usize = 4 * 1024 * 1024;

/// Modules on MongoDB.
#[derive(Debug, Clone)]
pub struct MongoModules {
    mongo: Mongo,
}

impl MongoModules {
    /// Modules in this database.
    pub const fn new(mongo: Mongo) -> Self {
        Self { mongo }
    }

    /// Sets a field of a module's document if it is absent. The value is stored as text, so that no key in it can mean
    /// anything to MongoDB.
    async fn note(
        &self,
        field: &'static str,
        digest: ModuleDigest,
        what: &(impl Serialize + Sync),
    ) -> Result<(), StoreError> {
        let text = serde_json::to_string(what)
            .map_err(|error| StoreError::CannotWrite { store: NAME, reason: error.to_string() })?;
        let noted = move |connected: Connected| async move {
            let modules = connected.database.collection::<Document>(MODULES);
            let absent = doc! { "_id": digest.to_string(), field: null };
            modules.update_one(absent, doc! { "$set": { field: text } }).await?;
            Ok(())
        };
        self.mongo.run(READ_LIMIT, noted).await
    }
}

#[async_trait]
impl ModuleStore for MongoModules {
    async fn put(&self, bytes: &[u8]) -> Result<ModuleDigest, KeepError> {
        let digest = admitted(bytes)?;
        // Looked up before the bytes are read, so that only a file that was found damaged is replaced, and not one that
        // another process has stored since.
        let file_of = async move |connected: Connected| {
            Ok(document_of(&connected, digest).await?.and_then(|document| document.get("file").cloned()))
        };
        let seen = self.mongo.run(READ_LIMIT, file_of).await?;
        let damaged = match what_is_there(self, digest).await? {
            There::Whole => return Ok(digest),
            There::Damaged => seen,
            There::Nothing => None,
        };
        let bytes = bytes.to_vec();
        let put = async move |connected: Connected| {
            let file = upload(&connected, digest, &bytes).await?;
            match damaged {
                Some(damaged) => replace(&connected, digest, (damaged, file), bytes.len()).await,
                None => name(&connected, digest, file, bytes.len()).await,
            }
        };
        self.mongo.run(BYTES_LIMIT, put).await?;
        Ok(digest)
    }

    async fn get(&self, digest: ModuleDigest) -> Result<Option<Vec<u8>>, StoreError> {
        let bytes = self.mongo.run(BYTES_LIMIT, move |connected| async move { get(&connected, digest).await }).await?;
        bytes.map(|bytes| verified(NAME, digest, bytes)).transpose()
    }

    async fn note_upload(&self, digest: ModuleDigest, upload: &Upload) -> Result<(), StoreError> {
        self.note("upload", digest, upload).await
    }

    async fn judge(&self, digest: ModuleDigest, judgement: &Judgement) -> Result<(), StoreError> {
        self.note("judgement", digest, judgement).await
    }

    async fn find(&self, digest: ModuleDigest) -> Result<Option<KeptModule>, StoreError> {
        let find =
            |connected: Connected| async move { document_of(&connected, digest).await?.as_ref().map(kept).transpose() };
        self.mongo.run(READ_LIMIT, find).await
    }

    async fn list(&self) -> Result<Vec<KeptModule>, StoreError> {
        let list = |connected: Connected| async move {
            let modules = connected.database.collection::<Document>(MODULES);
            let found = modules.find(doc! {}).sort(doc! { "_id": 1 }).max_time(SERVER_LIMIT).await?;
            let documents: Vec<Document> = found.try_collect().await?;
            documents.iter().map(kept).collect()
        };
        self.mongo.run(READ_LIMIT, list).await
    }

    async fn remove(&self, digest: ModuleDigest, removal: &Removal) -> Result<bool, StoreError> {
        let text = serde_json::to_string(removal)
            .map_err(|error| StoreError::CannotWrite { store: NAME, reason: error.to_string() })?;
        let at = removal.at;
        let remove = move |connected: Connected| async move { remove(&connected, digest, text, at).await };
        self.mongo.run(BYTES_LIMIT, remove).await
    }

    async fn removed(&self, most: u32) -> Result<Vec<RemovedModule>, StoreError> {
        let list = move |connected: Connected| async move {
            let removed = connected.database.collection::<Document>(REMOVED_MODULES);
            let newest = removed.find(doc! {}).sort(doc! { "at": -1, "_id": -1 }).limit(i64::from(most));
            let documents: Vec<Document> = newest.max_time(SERVER_LIMIT).await?.try_collect().await?;
            documents.iter().map(removed_module).collect()
        };
        self.mongo.run(READ_LIMIT, list).await
    }
}

/// Removes a module: first the document, by which it is found, and then its file. Only the process that removes the
/// document records the removal.
async fn remove(connected: &Connected, digest: ModuleDigest, removal: String, at: Timestamp) -> Result<bool, Failure> {
    let modules = connected.database.collection::<Document>(MODULES);
    let Some(document) = modules.find_one_and_delete(doc! { "_id": digest.to_string() }).await? else {
        return Ok(false);
    };
    let known = |field: &str| document.get(field).cloned().unwrap_or(Bson::Null);
    let removed = doc! {
        "digest": digest.to_string(), "size": known("size"), "upload": known("upload"), "removal": removal,
        "at": value::from_moment(at),
    };
    connected.database.collection::<Document>(REMOVED_MODULES).insert_one(removed).await?;
    // A file that stays takes room and does no other harm.
    if let Err(error) = bucket(connected).delete(known("file")).await {
        tracing::warn!(module = %digest, %error, "the file of a removed module can't be removed");
    }
    Ok(true)
}

fn removed_module(document: &Document) -> Result<RemovedModule, Failure> {
    let digest = document.get_str("digest").ok().and_then(|digest| digest.parse().ok());
    let removal = document.get_str("removal").ok().and_then(|text| serde_json::from_str(text).ok());
    if let (Some(digest), Some(removal)) = (digest, removal) {
        let upload = document.get_str("upload").ok().and_then(|text| serde_json::from_str(text).ok());
        let size = value::whole(document, "size").unwrap_or_default().unsigned_abs();
        return Ok(RemovedModule { digest, size, upload, removal });
    }
    let id = document.get("_id").unwrap_or(&Bson::Null);
    Err(Failure::Corrupt(format!("the document {id} of {REMOVED_MODULES} is none of a removed module: remove it")))
}

fn bucket(connected: &Connected) -> GridFsBucket {
    connected.database.gridfs_bucket(GridFsBucketOptions::builder().bucket_name(MODULES.to_owned()).build())
}

async fn document_of(connected: &Connected, digest: ModuleDigest) -> Result<Option<Document>, Failure> {
    let modules = connected.database.collection::<Document>(MODULES);
    Ok(modules.find_one(doc! { "_id": digest.to_string() }).max_time(SERVER_LIMIT).await?)
}

/// Uploads bytes to a file of their own.
async fn upload(connected: &Connected, digest: ModuleDigest, bytes: &[u8]) -> Result<ObjectId, Failure> {
    let file = ObjectId::new();
    let mut upload = bucket(connected).open_upload_stream(digest.to_string()).id(file.into()).await?;
    for piece in bytes.chunks(PIECE) {
        upload.write_all(piece).await?;
    }
    upload.close().await?;
    Ok(file)
}

/// Makes a file the file of a module that has none yet.
async fn name(connected: &Connected, digest: ModuleDigest, file: ObjectId, size: usize) -> Result<(), Failure> {
    let modules = connected.database.collection::<Document>(MODULES);
    let document = doc! {
        "_id": digest.to_string(), "file": file, "size": size as i64, "kept_at": value::from_moment(Timestamp::now()),
    };
    let Err(error) = modules.insert_one(document).await else { return Ok(()) };
    let failure = Failure::from(error);
    if !failure.is_duplicate() {
        // It is not known whether the document was written, so the file stays: it may be the one that counts.
        return Err(failure);
    }
    bucket(connected).delete(Bson::ObjectId(file)).await?;
    Ok(())
}

/// Makes a file the file of a module whose current one is damaged, and removes the damaged one. If the document names
/// another file by now, or no longer exists, the new file is treated as if there had been no damage.
async fn replace(
    connected: &Connected,
    digest: ModuleDigest,
    (damaged, file): (Bson, ObjectId),
    size: usize,
) -> Result<(), Failure> {
    let modules = connected.database.collection::<Document>(MODULES);
    let named = doc! { "_id": digest.to_string(), "file": damaged.clone() };
    let replaced = modules.update_one(named, doc! { "$set": { "file": file, "size": size as i64 } }).await?;
    if replaced.matched_count == 0 {
        return name(connected, digest, file, size).await;
    }
    // The damaged file may be gone, which can be what was wrong with it.
    if let Err(error) = bucket(connected).delete(damaged).await {
        tracing::debug!(module = %digest, %error, "the damaged file can't be removed");
    }
    Ok(())
}

async fn get(connected: &Connected, digest: ModuleDigest) -> Result<Option<Vec<u8>>, Failure> {
    let Some(document) = document_of(connected, digest).await? else { return Ok(None) };
    let file = document.get("file").cloned().unwrap_or(Bson::Null);
    let mut bytes = Vec::new();
    // One byte more than may be kept: a damaged file can't fill the memory.
    let download = bucket(connected).open_download_stream(file).await?;
    download.take(LARGEST_MODULE as u64 + 1).read_to_end(&mut bytes).await?;
    Ok(Some(bytes))
}

fn kept(document: &Document) -> Result<KeptModule, Failure> {
    let digest = document.get_str("_id").ok();
    let size = value::whole(document, "size");
    let upload = match document.get("upload") {
        None | Some(Bson::Null) => Ok(None),
        Some(Bson::String(text)) => serde_json::from_str(text).map(Some).map_err(drop),
        Some(_) => Err(()),
    };
    let judgement = match document.get("judgement") {
        None | Some(Bson::Null) => None,
        Some(stored) => Some(Judgement::read(stored.as_str().unwrap_or_default())),
    };
    let moment = value::moment(document, &["kept_at"]);
    let digest = digest.and_then(|digest| digest.parse().ok());
    if let (Some(digest), Some(size), Some(kept_at), Ok(upload)) = (digest, size, moment, upload) {
        return Ok(KeptModule { digest, size: size.unsigned_abs(), kept_at, upload, judgement });
    }
    let id = document.get("_id").unwrap_or(&Bson::Null);
    Err(Failure::Corrupt(format!("the document {id} of {MODULES} is none of a module: remove it")))
}
