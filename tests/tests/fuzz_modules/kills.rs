//! The service and its children are killed at random moments of uploads: no module is lost, none is stuck, and none is
//! judged twice differently. `UPLOADS=200` uploads more modules than the few that every run of the tests does.

use std::{collections::BTreeMap, env, process::Command, time::Duration};

use serde_json::Value as Json;
use ta_bot_core::ModuleDigest;
use ta_bot_tests::{built_in, chance::Chance};

use crate::service::{Home, Service, children};

/// How many modules are uploaded if `UPLOADS` does not say it.
const MODULES: usize = 24;

/// Versions of a strategy, which differ in a version of their own.
fn modules() -> Vec<Vec<u8>> {
    let ids = built_in::ids().unwrap();
    let count = env::var("UPLOADS").map_or(MODULES, |text| text.parse().unwrap());
    ids.iter().cycle().take(count).enumerate().map(|(index, id)| other(&built_in::bytes(id).unwrap(), index)).collect()
}

/// The same component with a section of its own at the end, which means nothing.
fn other(bytes: &[u8], index: usize) -> Vec<u8> {
    let name = format!("x{index:04}");
    let mut bytes = bytes.to_vec();
    bytes.extend([0, name.len() as u8 + 1, name.len() as u8]);
    bytes.extend(name.as_bytes());
    bytes
}

/// Kills a child of the service, if there is one.
fn kill_a_child(service: &Service, chance: &mut Chance) -> bool {
    let children = children(service.pid());
    if children.is_empty() {
        return false;
    }
    let child = children[chance.below(children.len() as u64) as usize];
    // It may have ended meanwhile.
    Command::new("kill").args(["-KILL", &child.to_string()]).output().is_ok_and(|done| done.status.success())
}

/// What is known of every uploaded module: `None` while it is not judged.
async fn judgements(service: &Service) -> BTreeMap<String, Option<(Json, Json)>> {
    let list = service.get("/api/v1/modules").await;
    let modules = list["data"].as_array().unwrap().iter();
    let of = |module: &Json| {
        let judged = (module["state"] != "checking").then(|| (module["state"].clone(), module["checked_at"].clone()));
        (module["digest"].as_str().unwrap().to_owned(), judged)
    };
    modules.map(of).collect()
}

#[tokio::test]
async fn killed_at_random_moments_of_uploads_no_module_is_lost_stuck_or_judged_twice() {
    let home = Home::new();
    let mut chance = Chance::new(15);
    let mut known: BTreeMap<String, (Json, Json)> = BTreeMap::new();
    let (mut killed_services, mut killed_children) = (0, 0);
    let mut service = home.start();
    let mut taken = Vec::new();
    for bytes in modules() {
        // A third of the uploads meet the end of the service, a third that of a child.
        let digest = ModuleDigest::of(&bytes);
        match chance.below(3) {
            0 => {
                let moment = chance.millis(0, 300);
                let uploaded = tokio::select! {
                    uploaded = service.upload(&bytes) => uploaded.is_ok_and(|answer| answer.status.is_success()),
                    // The random moment is the point of this wait: there is no condition to wait for.
                    () = tokio::time::sleep(moment) => false,
                };
                service.kill();
                killed_services += 1;
                service = home.start();
                // One that was answered is kept; one that was not may be, and is sent again.
                if uploaded {
                    assert!(judgements(&service).await.contains_key(&digest.to_string()), "{digest} is lost");
                } else {
                    assert!(service.upload(&bytes).await.unwrap().status.is_success());
                }
            }
            1 => {
                // A child that is killed while it inspects is no refusal: the upload is sent again.
                let killer = async {
                    tokio::time::sleep(chance.millis(0, 200)).await;
                    kill_a_child(&service, &mut Chance::new(1))
                };
                let (answer, killed) = tokio::join!(service.upload(&bytes), killer);
                killed_children += usize::from(killed);
                let answer = answer.unwrap();
                if !answer.status.is_success() {
                    assert_eq!(answer.status, 503, "{}", answer.body);
                    assert!(service.upload(&bytes).await.unwrap().status.is_success());
                }
            }
            _ => assert!(service.upload(&bytes).await.unwrap().status.is_success()),
        }
        taken.push(digest);
        for (digest, judged) in judgements(&service).await {
            let Some(judged) = judged else { continue };
            let first = known.entry(digest.clone()).or_insert_with(|| judged.clone());
            assert_eq!(*first, judged, "{digest} was judged twice");
        }
    }
    println!("{killed_services} services and {killed_children} children were killed");
    assert!(killed_services > 3, "{killed_services} kills show little");
    // One whose child was killed is tried again, after a pause.
    let all = async {
        for digest in &taken {
            let module = service.judged(*digest).await;
            assert_eq!(module["state"], "admitted", "{module}");
            if let Some((_, at)) = known.get(&digest.to_string()) {
                assert_eq!(module["checked_at"], *at, "{digest} was judged twice");
            }
        }
    };
    tokio::time::timeout(Duration::from_mins(5), all).await.expect("a module is stuck");
}
