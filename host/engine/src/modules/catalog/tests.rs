use std::time::Duration;

use ta_bot_core::DeploymentLog;
use ta_bot_wasm::{Children, Limits};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    modules::{module_store::Removal, signature::PrivateKey},
    sqlite::retention::SqliteRetention,
    testing::{Engine, settings, strategy},
};

/// The upload of these bytes.
async fn send(catalog: &Catalog, bytes: &[u8], signature: Option<ModuleSignature>) -> Result<Uploaded, UploadError> {
    let mut arrival = catalog.arrival().await?;
    arrival.add(bytes).unwrap();
    catalog.upload(arrival, signature, "ann".to_owned()).await
}

/// A catalog on the modules of an engine.
fn catalog(engine: &Engine, trusted: Option<TrustedKeys>) -> Arc<Catalog> {
    let sandbox = Sandbox::new(Limits::default(), None).unwrap();
    Arc::new(Catalog::new(engine.modules.clone(), sandbox, trusted, true, engine.folder.path().to_owned()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_is_checked_once_and_admitted() {
    let engine = Engine::new(settings()).await;
    let catalog = catalog(&engine, None);
    let upload = async || send(&catalog, &strategy("rsi"), None).await.unwrap();
    let first = upload().await;
    assert!(first.is_new && first.module.waits());
    let stop = CancellationToken::new();
    let running = tokio::spawn(Arc::clone(&catalog).run(stop.clone()));
    let judged = async {
        loop {
            let kept = catalog.find(first.module.digest).await.unwrap().unwrap();
            if !kept.waits() {
                return kept;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let kept = tokio::time::timeout(Duration::from_mins(5), judged).await.unwrap();
    assert!(kept.judgement.as_ref().unwrap().admits(), "{kept:?}");
    let again = upload().await;
    assert!(!again.is_new && again.module.judgement == kept.judgement);
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn bytes_that_are_no_component_are_refused_and_not_kept() {
    let engine = Engine::new(settings()).await;
    let catalog = catalog(&engine, None);
    for wrong in [Vec::new(), b"no component".to_vec(), strategy("rsi")[..100].to_vec()] {
        let refused = send(&catalog, &wrong, None).await;
        assert!(matches!(refused, Err(UploadError::Refused(_))), "{:?}", refused.map(|uploaded| uploaded.is_new));
    }
    assert_eq!(catalog.uploaded().await.unwrap(), []);
}

#[tokio::test]
async fn a_module_needs_a_good_signature_if_keys_are_trusted() {
    let engine = Engine::new(settings()).await;
    let key = PrivateKey::generate().unwrap();
    let catalog = catalog(&engine, TrustedKeys::new(vec![key.public()]));
    let upload = async |signature| send(&catalog, &strategy("rsi"), signature).await;
    assert!(matches!(upload(None).await, Err(UploadError::NotSigned)));
    let digest = ModuleDigest::of(&strategy("rsi"));
    let stranger = PrivateKey::generate().unwrap().sign(digest);
    assert!(matches!(upload(Some(stranger)).await, Err(UploadError::Signature(_))));
    assert_eq!(catalog.uploaded().await.unwrap(), []);
    let kept = upload(Some(key.sign(digest))).await.unwrap().module;
    assert_eq!(kept.upload.unwrap().signed_by, Some(key.public().to_string()));
}

#[tokio::test]
async fn modules_are_found_by_the_first_digits_of_their_digest() {
    let engine = Engine::new(settings()).await;
    let digest = engine.keep(&strategy("rsi"), true).await;
    let catalog = catalog(&engine, None);
    let found = async |digits: &str| catalog.beginning_with(digits).await.unwrap().len();
    assert_eq!((found(&digest.to_string()[..8]).await, found("0000000000").await), (1, 0));
}

/// A catalog whose children run this program.
fn with_children(engine: &Engine, program: &str, trusted: Option<TrustedKeys>) -> Catalog {
    let sandbox = Sandbox::new(Limits::default(), None).unwrap().with_children(Children::of(program.into()));
    Catalog::new(engine.modules.clone(), sandbox, trusted, true, engine.folder.path().to_owned())
}

#[tokio::test]
async fn nothing_reads_a_module_before_its_signature_is_good() {
    let engine = Engine::new(settings()).await;
    let (key, other) = (PrivateKey::generate().unwrap(), PrivateKey::generate().unwrap());
    // This child dies of every module.
    let catalog = with_children(&engine, "/bin/false", TrustedKeys::new(vec![key.public()]));
    let digest = ModuleDigest::of(b"deep");
    let upload = async |signature| send(&catalog, b"deep", signature).await;
    assert!(matches!(upload(None).await, Err(UploadError::NotSigned)));
    assert!(matches!(upload(Some(other.sign(digest))).await, Err(UploadError::Signature(_))));
    let refused = upload(Some(key.sign(digest))).await;
    assert!(matches!(refused, Err(UploadError::Refused(InspectError::Crashed(_)))), "{:?}", refused.err());
}

#[tokio::test]
async fn a_child_that_gives_no_answer_is_no_verdict_until_it_has_given_none_for_long() {
    let engine = Engine::new(settings()).await;
    let catalog = with_children(&engine, "/no/such/program", None);
    let refused = send(&catalog, &strategy("rsi"), None).await;
    assert!(matches!(refused, Err(UploadError::Store(StoreError::Unavailable { .. }))), "{:?}", refused.err());

    let digest = engine.modules.put(&strategy("rsi")).await.unwrap();
    let upload = Upload { by: "ann".to_owned(), at: Timestamp::now(), signed_by: None };
    engine.modules.note_upload(digest, &upload).await.unwrap();
    let kept = async || catalog.find(digest).await.unwrap().unwrap();
    for _ in 1..MOST_UNANSWERED {
        let problem = catalog.check_now(kept().await).await.unwrap_err();
        assert!(matches!(problem, CheckError::NotJudged(NotJudged::Unanswered(_))), "{problem}");
        assert!(kept().await.waits());
    }
    let judged = catalog.check_now(kept().await).await.unwrap().judgement.unwrap();
    assert!(matches!(&judged, Judgement::Unusable { code, .. } if code == "too_costly"), "{judged:?}");
}

#[tokio::test]
async fn what_kills_its_child_is_refused_and_keeps_no_other_from_being_checked() {
    let engine = Engine::new(settings()).await;
    let catalog = Arc::new(with_children(&engine, "/bin/false", None));
    let mut waiting = Vec::new();
    for bytes in [&b"one"[..], b"two"] {
        let digest = engine.modules.put(bytes).await.unwrap();
        let upload = Upload { by: "ann".to_owned(), at: Timestamp::now(), signed_by: None };
        engine.modules.note_upload(digest, &upload).await.unwrap();
        waiting.push(digest);
    }
    catalog.check_waiting().await.unwrap();
    for digest in waiting {
        let judged = catalog.find(digest).await.unwrap().unwrap().judgement.unwrap();
        assert!(matches!(&judged, Judgement::Unusable { code, .. } if code == "crashed_the_inspection"), "{judged:?}");
    }
}

#[tokio::test]
async fn an_uploaded_module_can_be_removed_whatever_its_bytes_are() {
    let engine = Engine::new(settings()).await;
    let catalog = catalog(&engine, None);
    let log = DeploymentLog::default();
    let signals = SqliteRetention::new(engine.database.clone());
    let removal = Removal { by: "ann".to_owned(), at: Timestamp::now(), reason: None };
    let unknown = ModuleDigest::of(b"never kept");
    assert!(matches!(catalog.remove(unknown, &removal, &log, &signals).await, Err(RemoveError::Unknown(_))));
    let digest = engine.modules.put(b"no module").await.unwrap();
    assert!(matches!(catalog.remove(digest, &removal, &log, &signals).await, Err(RemoveError::Bundled(_))));
    let upload = Upload { by: "bob".to_owned(), at: Timestamp::now(), signed_by: None };
    engine.modules.note_upload(digest, &upload).await.unwrap();
    assert_eq!(catalog.remove(digest, &removal, &log, &signals).await.unwrap().digest, digest);
    assert_eq!(catalog.find(digest).await.unwrap(), None);
    assert_eq!(catalog.removed(5).await.unwrap()[0].removal, removal);
}
