use ta_bot_wasm::Limits;

use crate::sqlite::{Database, modules::SqliteModules};
use tempfile::TempDir;

use super::*;

struct Bench {
    store: Arc<SqliteModules>,
    loader: ModuleLoader,
    copies: Copies,
    _folder: TempDir,
}

/// A bench whose loader keeps copies of what is in its store.
async fn bench() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteModules::new(Database::open(folder.path()).await.unwrap()));
    let registry = Arc::new(Registry::new());
    let sandbox = Sandbox::new(Limits::default(), None).unwrap();
    let copies = Copies::of(folder.path());
    let loader = ModuleLoader::new(store.clone(), registry, sandbox).with_copies(copies.clone());
    Bench { store, loader, copies, _folder: folder }
}

impl Bench {
    async fn copy(&self, wanted: &[ModuleDigest]) -> Result<(), String> {
        self.loader.copy(self.copies.clone(), wanted.into()).await
    }

    fn copied(&self, modules: &[ModuleDigest]) -> Vec<bool> {
        modules.iter().map(|digest| self.copies.get(*digest).is_some()).collect()
    }
}

#[tokio::test]
async fn what_can_not_be_copied_keeps_no_other_from_being_and_is_tried_again() {
    let bench = bench().await;
    let modules = [&b"absent"[..], b"one", b"two"].map(ModuleDigest::of);
    for bytes in [b"one", b"two"] {
        bench.store.put(bytes).await.unwrap();
    }
    let problem = bench.copy(&modules).await.unwrap_err();
    assert_eq!(problem, format!("the module {} is not kept here", modules[0]));
    assert_eq!(bench.copied(&modules), [false, true, true]);

    bench.store.put(b"absent").await.unwrap();
    bench.copy(&modules).await.unwrap();
    assert_eq!(bench.copied(&modules), [true, true, true]);
    bench.copy(&modules[..1]).await.unwrap();
    assert_eq!(bench.copied(&modules), [true, false, false], "no others stay");
    bench.copy(&modules).await.unwrap();
    assert_eq!(bench.copied(&modules), [true, true, true], "what is gone is copied again");
}

#[tokio::test]
async fn a_copy_is_loaded_where_the_store_does_not_have_the_module() {
    let bench = bench().await;
    let module = ModuleDigest::of(b"no component");
    assert!(matches!(bench.loader.get(module).await, Err(LoadingError::Unknown(unknown)) if unknown == module));
    bench.copies.retain(&[module]).unwrap();
    bench.copies.keep(&[module], 0, b"no component").unwrap();
    let loaded = bench.loader.get(module).await;
    assert!(
        matches!(loaded, Err(LoadingError::Unusable { module: tried, .. }) if tried == module),
        "its bytes were tried"
    );
}
