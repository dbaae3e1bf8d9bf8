use std::{collections::BTreeSet, sync::Arc};

use ta_bot_core::{Deployment, DeploymentChange};
use ta_bot_wasm::Limits;

use super::*;
use crate::{
    deployments::log::contract::{add, change},
    modules::module_store::Upload,
    signals::outbox::{FinishedJob, contract::finished},
    sqlite::{deployments::SqliteDeployments, retention::SqliteRetention},
    testing::{Engine, settings},
};

/// The bytes of the module that makes the signals of the contract.
const MADE_SIGNALS: &[u8] = b"module";
const AN_HOUR: i64 = 3_600_000;

struct Parts {
    engine: Engine,
    unused: UnusedModules,
    deployments: Arc<SqliteDeployments>,
}

async fn parts() -> Parts {
    let engine = Engine::new(settings()).await;
    let sandbox = Sandbox::new(Limits::default(), None).unwrap();
    let deployments = Arc::new(SqliteDeployments::new(engine.database.clone()));
    let unused = UnusedModules {
        catalog: Arc::new(Catalog::new(engine.modules.clone(), sandbox, None, true, engine.folder.path().to_owned())),
        registry: Arc::clone(&engine.registry),
        deployments: Arc::clone(&deployments) as _,
        signals: Arc::new(SqliteRetention::new(engine.database.clone())),
    };
    Parts { engine, unused, deployments }
}

impl Parts {
    async fn upload(&self, bytes: &[u8]) -> ModuleDigest {
        let digest = self.engine.modules.put(bytes).await.unwrap();
        let upload = Upload { by: "ann".to_owned(), at: Timestamp::now(), signed_by: None };
        self.engine.modules.note_upload(digest, &upload).await.unwrap();
        digest
    }

    /// Has modules decide for RSI, one after the other.
    async fn deploy(&self, modules: &[ModuleDigest]) {
        for module in modules {
            let deployment = Deployment { module: Some(*module), ..Deployment::default() };
            add(&*self.deployments, &DeploymentChange { deployment, ..change("rsi", 0) }).await;
        }
    }

    async fn left(&self) -> BTreeSet<ModuleDigest> {
        self.engine.modules.list().await.unwrap().into_iter().map(|module| module.digest).collect()
    }

    async fn prune(&self, before: Timestamp) -> u64 {
        let due = self.unused.due(Kind::Modules, before, 100).await.unwrap();
        let removed = self.unused.prune(Kind::Modules, before, 100).await.unwrap();
        assert_eq!(due, removed);
        removed
    }
}

#[tokio::test]
async fn what_nothing_names_goes_after_a_while_and_what_came_with_the_service_stays() {
    let parts = parts().await;
    let rejected = parts.upload(b"rejected").await;
    let bundled = parts.engine.modules.put(b"bundled").await.unwrap();
    assert_eq!(parts.prune(Timestamp::now().plus_millis(-AN_HOUR)).await, 0, "it has just come");
    assert_eq!(parts.left().await, [rejected, bundled].into());
    assert_eq!(parts.prune(Timestamp::now().plus_millis(AN_HOUR)).await, 1);
    assert_eq!(parts.left().await, [bundled].into());
    let removed = parts.unused.catalog.removed(5).await.unwrap();
    assert_eq!((removed[0].digest, removed[0].removal.by.as_str()), (rejected, "ta-bot"));
    assert!(removed[0].removal.reason.as_ref().unwrap().contains("RETENTION_MODULES_DAYS"));
}

#[tokio::test]
async fn what_is_deployed_or_could_be_again_stays() {
    let parts = parts().await;
    let [first, second, third] = [parts.upload(b"1").await, parts.upload(b"2").await, parts.upload(b"3").await];
    parts.deploy(&[first, second, third, third, third, third]).await;
    assert_eq!(parts.prune(Timestamp::now().plus_millis(AN_HOUR)).await, 1);
    assert_eq!(parts.left().await, [second, third].into(), "one decides, and one can be gone back to");
    // An operator may not remove them either, and is told why.
    let removal = Removal { by: "ann".to_owned(), at: Timestamp::now(), reason: None };
    let log = parts.unused.unnamed(Timestamp::now()).await.unwrap().1;
    for (module, revision) in [(second, 2), (third, 6)] {
        let refused = parts.unused.catalog.remove(module, &removal, &log, &*parts.unused.signals).await.unwrap_err();
        let named = matches!(&refused, RemoveError::InUse { revision: named, .. } if *named == revision);
        assert!(named && refused.to_string().contains("of rsi"), "{refused}");
    }
}

#[tokio::test]
async fn what_made_a_signal_stays_as_long_as_that() {
    let parts = parts().await;
    let made = parts.upload(MADE_SIGNALS).await;
    let [second, third] = [parts.upload(b"2").await, parts.upload(b"3").await];
    parts.deploy(&[made, second, third, third, third]).await;
    let now = Timestamp::now();
    let revision = parts.unused.unnamed(now).await.unwrap().1.revision();
    let done = FinishedJob { revision, ..finished("BTCUSDT", 1, &["rsi"]) };
    let ids = parts.engine.outbox.commit(&[done], now).await.unwrap().new;
    parts.engine.outbox.mark_published(&[ids[0].to_string()], now).await.unwrap();
    let later = now.plus_millis(AN_HOUR);
    assert_eq!(parts.prune(later).await, 0);
    let removal = Removal { by: "ann".to_owned(), at: now, reason: None };
    let log = parts.unused.unnamed(now).await.unwrap().1;
    let refused = parts.unused.catalog.remove(made, &removal, &log, &*parts.unused.signals).await.unwrap_err();
    assert_eq!(refused.code(), "module_of_signals");
    assert!(refused.to_string().contains(ids[0].as_str()), "{refused}");
    assert_eq!(parts.unused.signals.prune(Kind::Signals, later, 10).await.unwrap(), 1);
    assert_eq!(parts.prune(later).await, 1);
    assert_eq!(parts.left().await, [second, third].into());
}
