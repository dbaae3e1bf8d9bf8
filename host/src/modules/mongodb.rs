//! Modules on MongoDB: the bytes as a GridFS file, and a document that says which file holds which digest.
//!
//! Each writer uploads to a file of its own, and the document, whose id is the digest, decides whose counts; the others
//! remove theirs. A file that was cut off in the middle is never named by a document, so it is never read.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::{AsyncReadExt as _, AsyncWriteExt as _, TryStreamExt as _};
use mongodb::{
    bson::{Bson, Document, doc, oid::ObjectId},
    gridfs::GridFsBucket,
    options::GridFsBucketOptions,
};
use ta_bot_core::{ModuleDigest, Timestamp};

use super::{KeepError, KeptModule, LARGEST_MODULE, ModuleStore, admitted, verified};
use crate::{
    mongo::{Connected, Mongo, NAME, READ_LIMIT, SERVER_LIMIT, error::Failure, indexes::MODULES, value},
    store::StoreError,
};

/// How long the bytes may take on their way.
const BYTES_LIMIT: Duration = Duration::from_mins(1);
/// How many bytes are sent at once: some chunks, which have 255 KiB each.
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
}

#[async_trait]
impl ModuleStore for MongoModules {
    async fn put(&self, bytes: &[u8]) -> Result<ModuleDigest, KeepError> {
        let digest = admitted(bytes)?;
        let kept = |connected: Connected| async move { Ok(document_of(&connected, digest).await?.is_some()) };
        if self.mongo.run(READ_LIMIT, kept).await? {
            return Ok(digest);
        }
        let bytes = bytes.to_vec();
        let put = |connected: Connected| async move { put(&connected, digest, &bytes).await };
        self.mongo.run(BYTES_LIMIT, put).await?;
        Ok(digest)
    }

    async fn get(&self, digest: ModuleDigest) -> Result<Option<Vec<u8>>, StoreError> {
        let bytes = self.mongo.run(BYTES_LIMIT, move |connected| async move { get(&connected, digest).await }).await?;
        bytes.map(|bytes| verified(NAME, digest, bytes)).transpose()
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
}

fn bucket(connected: &Connected) -> GridFsBucket {
    connected.database.gridfs_bucket(GridFsBucketOptions::builder().bucket_name(MODULES.to_owned()).build())
}

async fn document_of(connected: &Connected, digest: ModuleDigest) -> Result<Option<Document>, Failure> {
    let modules = connected.database.collection::<Document>(MODULES);
    Ok(modules.find_one(doc! { "_id": digest.to_string() }).max_time(SERVER_LIMIT).await?)
}

async fn put(connected: &Connected, digest: ModuleDigest, bytes: &[u8]) -> Result<(), Failure> {
    let (bucket, file) = (bucket(connected), ObjectId::new());
    let mut upload = bucket.open_upload_stream(digest.to_string()).id(file.into()).await?;
    for piece in bytes.chunks(PIECE) {
        upload.write_all(piece).await?;
    }
    upload.close().await?;
    let modules = connected.database.collection::<Document>(MODULES);
    let document = doc! {
        "_id": digest.to_string(), "file": file, "size": bytes.len() as i64,
        "kept_at": value::from_moment(Timestamp::now()),
    };
    let Err(error) = modules.insert_one(document).await else { return Ok(()) };
    let failure = Failure::from(error);
    if !failure.is_duplicate() {
        // Whether the document was written is not known, so the file stays: it may be the one that counts.
        return Err(failure);
    }
    bucket.delete(Bson::ObjectId(file)).await?;
    Ok(())
}

async fn get(connected: &Connected, digest: ModuleDigest) -> Result<Option<Vec<u8>>, Failure> {
    let Some(document) = document_of(connected, digest).await? else { return Ok(None) };
    let file = document.get("file").cloned().unwrap_or(Bson::Null);
    let mut bytes = Vec::new();
    // One more than may be kept: a damaged file can't fill the memory.
    let download = bucket(connected).open_download_stream(file).await?;
    download.take(LARGEST_MODULE as u64 + 1).read_to_end(&mut bytes).await?;
    Ok(Some(bytes))
}

fn kept(document: &Document) -> Result<KeptModule, Failure> {
    let (digest, size) = (document.get_str("_id").ok(), value::whole(document, "size"));
    match (digest.and_then(|digest| digest.parse().ok()), size, value::moment(document, &["kept_at"])) {
        (Some(digest), Some(size), Some(kept_at)) => Ok(KeptModule { digest, size: size.unsigned_abs(), kept_at }),
        _ => Err(Failure::Corrupt(format!("the document {document} of {MODULES} is none of a module: remove it"))),
    }
}
