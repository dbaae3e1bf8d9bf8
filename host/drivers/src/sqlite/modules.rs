//! Modules in the embedded database.

use async_trait::async_trait;
use serde::Serialize;
use sqlx::{Row as _, sqlite::SqliteRow};
use ta_bot_core::{ModuleDigest, Timestamp};
use ta_bot_engine::{
    modules::module_store::{
        Judgement, KeepError, KeptModule, ModuleStore, Removal, RemovedModule, There, Upload, admitted, verified,
        what_is_there,
    },
    support::store_error::StoreError,
};

use crate::sqlite::database::{Database, NAME, row};

/// The embedded store of modules.
#[derive(Debug, Clone)]
pub struct SqliteModules {
    database: Database,
}

impl SqliteModules {
    /// Modules in `database`.
    pub const fn new(database: Database) -> Self {
        Self { database }
    }

    /// Writes what is known about a module as JSON.
    async fn note(
        &self,
        sql: &'static str,
        digest: ModuleDigest,
        what: &(impl Serialize + Sync),
    ) -> Result<(), StoreError> {
        let written = async {
            let text = serde_json::to_string(what).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
            let mut transaction = self.database.begin().await?;
            sqlx::query(sql).bind(text).bind(digest.to_string()).execute(&mut *transaction).await?;
            transaction.commit().await
        };
        self.database.write(1, written).await
    }
}

#[async_trait]
impl ModuleStore for SqliteModules {
    async fn put(&self, bytes: &[u8]) -> Result<ModuleDigest, KeepError> {
        let digest = admitted(bytes)?;
        // Checked first, so that the bytes need not go through the one connection that writes.
        if let There::Whole = what_is_there(self, digest).await? {
            return Ok(digest);
        }
        let written = async {
            let mut transaction = self.database.begin().await?;
            let sql = "INSERT INTO strategy_modules (digest, size, kept_at, bytes) VALUES (?, ?, ?, ?)
                       ON CONFLICT (digest) DO UPDATE SET size = excluded.size, bytes = excluded.bytes";
            let query = sqlx::query(sql).bind(digest.to_string()).bind(bytes.len() as i64);
            query.bind(Timestamp::now().millis()).bind(bytes).execute(&mut *transaction).await?;
            transaction.commit().await
        };
        self.database.write(1, written).await?;
        Ok(digest)
    }

    async fn get(&self, digest: ModuleDigest) -> Result<Option<Vec<u8>>, StoreError> {
        let read = async {
            let query = sqlx::query("SELECT bytes FROM strategy_modules WHERE digest = ?").bind(digest.to_string());
            let found = query.fetch_optional(self.database.readers()).await?;
            found.map(|row| row.try_get::<Vec<u8>, _>("bytes")).transpose()
        };
        let bytes = self.database.read(read).await?;
        bytes.map(|bytes| verified(NAME, digest, bytes)).transpose()
    }

    async fn note_upload(&self, digest: ModuleDigest, upload: &Upload) -> Result<(), StoreError> {
        let sql = "INSERT INTO uploaded_modules (upload, digest)
                   SELECT ?, digest FROM strategy_modules WHERE digest = ? ON CONFLICT (digest) DO NOTHING";
        self.note(sql, digest, upload).await
    }

    async fn judge(&self, digest: ModuleDigest, judgement: &Judgement) -> Result<(), StoreError> {
        let sql = "UPDATE uploaded_modules SET judgement = ? WHERE digest = ? AND judgement IS NULL";
        self.note(sql, digest, judgement).await
    }

    async fn find(&self, digest: ModuleDigest) -> Result<Option<KeptModule>, StoreError> {
        let found = async {
            let sql = "SELECT digest, size, kept_at, upload, judgement
                       FROM strategy_modules LEFT JOIN uploaded_modules USING (digest) WHERE digest = ?";
            let found = sqlx::query(sql).bind(digest.to_string()).fetch_optional(self.database.readers()).await?;
            found.as_ref().map(kept).transpose()
        };
        self.database.read(found).await
    }

    async fn list(&self) -> Result<Vec<KeptModule>, StoreError> {
        let listed = async {
            let sql = "SELECT digest, size, kept_at, upload, judgement
                       FROM strategy_modules LEFT JOIN uploaded_modules USING (digest) ORDER BY digest";
            let rows = sqlx::query(sql).fetch_all(self.database.readers()).await?;
            rows.iter().map(kept).collect()
        };
        self.database.read(listed).await
    }

    async fn remove(&self, digest: ModuleDigest, removal: &Removal) -> Result<bool, StoreError> {
        let removed = async {
            let text = serde_json::to_string(removal).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
            let mut transaction = self.database.begin().await?;
            let noted = "INSERT INTO removed_modules (digest, size, upload, removal)
                         SELECT digest, size, upload, ? FROM strategy_modules LEFT JOIN uploaded_modules USING (digest)
                         WHERE digest = ?";
            let query = sqlx::query(noted).bind(text).bind(digest.to_string());
            let noted = query.execute(&mut *transaction).await?.rows_affected();
            for sql in
                ["DELETE FROM uploaded_modules WHERE digest = ?", "DELETE FROM strategy_modules WHERE digest = ?"]
            {
                sqlx::query(sql).bind(digest.to_string()).execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
            Ok(noted > 0)
        };
        self.database.write(1, removed).await
    }

    async fn removed(&self, most: u32) -> Result<Vec<RemovedModule>, StoreError> {
        let listed = async {
            let sql = "SELECT digest, size, upload, removal FROM removed_modules ORDER BY id DESC LIMIT ?";
            let rows = sqlx::query(sql).bind(most).fetch_all(self.database.readers()).await?;
            rows.iter().map(removed).collect()
        };
        self.database.read(listed).await
    }
}

fn removed(found: &SqliteRow) -> Result<RemovedModule, sqlx::Error> {
    let removal: String = found.try_get("removal")?;
    let removal = serde_json::from_str(&removal);
    Ok(RemovedModule {
        digest: row::parsed(found, "digest")?,
        size: found.try_get::<i64, _>("size")?.unsigned_abs(),
        // Why a module was removed may be that this can't be read.
        upload: upload(found).ok().flatten(),
        removal: removal
            .map_err(|error| sqlx::Error::ColumnDecode { index: "removal".to_owned(), source: Box::new(error) })?,
    })
}

fn kept(found: &SqliteRow) -> Result<KeptModule, sqlx::Error> {
    Ok(KeptModule {
        digest: row::parsed(found, "digest")?,
        size: found.try_get::<i64, _>("size")?.unsigned_abs(),
        kept_at: row::moment(found, "kept_at")?,
        upload: upload(found)?,
        judgement: found.try_get::<Option<String>, _>("judgement")?.as_deref().map(Judgement::read),
    })
}

fn upload(found: &SqliteRow) -> Result<Option<Upload>, sqlx::Error> {
    let text: Option<String> = found.try_get("upload")?;
    let read = text.map(|text| serde_json::from_str(&text)).transpose();
    read.map_err(|error| sqlx::Error::ColumnDecode { index: "upload".to_owned(), source: Box::new(error) })
}
