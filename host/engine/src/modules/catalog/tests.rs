use std::time::Duration;

use ta_bot_wasm::Limits;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    modules::signature::PrivateKey,
    testing::{Engine, settings, strategy},
};

/// A catalog on the modules of an engine.
fn catalog(engine: &Engine, trusted: Option<TrustedKeys>) -> Arc<Catalog> {
    let sandbox = Sandbox::new(Limits::default(), None).unwrap();
    Arc::new(Catalog::new(engine.modules.clone(), sandbox, trusted, true))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_is_checked_once_and_admitted() {
    let engine = Engine::new(settings()).await;
    let catalog = catalog(&engine, None);
    let upload = async || catalog.upload(strategy("rsi"), None, "ann".to_owned()).await.unwrap();
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
        let refused = catalog.upload(wrong, None, "ann".to_owned()).await;
        assert!(matches!(refused, Err(UploadError::Refused(_))), "{:?}", refused.map(|uploaded| uploaded.is_new));
    }
    assert_eq!(catalog.uploaded().await.unwrap(), []);
}

#[tokio::test]
async fn a_module_needs_a_good_signature_if_keys_are_trusted() {
    let engine = Engine::new(settings()).await;
    let key = PrivateKey::generate().unwrap();
    let catalog = catalog(&engine, TrustedKeys::new(vec![key.public()]));
    let upload = async |signature| catalog.upload(strategy("rsi"), signature, "ann".to_owned()).await;
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
