//! Tests the probes on real stores, with a queue that can be closed and a leadership that can be taken away.

use super::*;
use crate::{
    pipeline::job_queue::local::LocalQueue,
    support::abilities::State,
    testing::{Engine, settings},
};

fn probes(engine: &Engine, leadership: Leadership) -> Probes {
    let metrics = Arc::clone(&engine.analyst.metrics);
    Probes {
        abilities: Arc::clone(&engine.analyst.abilities),
        candles: Arc::clone(&engine.candles),
        settings: Arc::clone(&engine.analyst.settings),
        outbox: Arc::clone(&engine.outbox),
        queue: Arc::new(LocalQueue::new(Arc::clone(&metrics))),
        bus: Arc::clone(&engine.bus),
        leadership,
        metrics,
    }
}

/// The abilities that are there, and those that are not.
fn known(probes: &Probes) -> (Vec<&'static str>, Vec<State>) {
    let (able, lacking): (Vec<State>, Vec<State>) =
        probes.abilities.all().into_iter().partition(|state| state.able == Some(true));
    (able.iter().map(|state| state.ability.as_str()).collect(), lacking)
}

#[tokio::test]
async fn every_ability_of_a_sound_service_is_found_without_any_work() {
    let engine = Engine::new(settings()).await;
    let probes = probes(&engine, Leadership::single_node("here".to_owned()));
    assert_eq!(known(&probes).0, [""; 0], "nothing is known before");
    probes.probe(true).await;
    assert_eq!(known(&probes), (vec!["leader", "queue", "read_candles", "commit", "publish"], Vec::new()));
}

#[tokio::test]
async fn a_leader_that_is_gone_is_missed_and_found_again() {
    let engine = Engine::new(settings()).await;
    let (leadership, tell) = Leadership::told();
    let probes = probes(&engine, leadership);
    probes.probe(true).await;
    assert_eq!(
        (known(&probes).0.len(), known(&probes).1[0].able),
        (4, None),
        "a replica that starts does not know yet"
    );
    probes.probe(false).await;
    let (able, lacking) = known(&probes);
    assert_eq!((able.len(), lacking[0].ability), (4, Ability::Leader));
    let trouble = lacking[0].trouble.as_ref().unwrap();
    assert!(trouble.reason.contains("no replica that leads") && trouble.remedy.contains("election"), "{trouble:?}");
    tell(true);
    probes.probe(true).await;
    assert_eq!(known(&probes).1, []);
}

#[tokio::test]
async fn a_store_that_is_gone_is_found_within_one_round() {
    let engine = Engine::new(settings()).await;
    let probes = probes(&engine, Leadership::single_node("here".to_owned()));
    engine.database.close().await;
    probes.probe(true).await;
    let (_, lacking) = known(&probes);
    let lacking: Vec<_> = lacking.iter().map(|state| (state.ability, state.trouble.is_some())).collect();
    assert_eq!(lacking, [(Ability::ReadCandles, true), (Ability::Commit, true)]);
}

/// What real work has just said need not be probed, and must not be overwritten.
#[tokio::test]
async fn what_has_just_been_done_is_not_probed() {
    let engine = Engine::new(settings()).await;
    let probes = probes(&engine, Leadership::single_node("here".to_owned()));
    probes.abilities.failed(Ability::Publish, trouble(Ability::Publish, &"no room"));
    probes.probe(true).await;
    let (able, lacking) = known(&probes);
    assert_eq!((able.len(), lacking[0].ability), (4, Ability::Publish));
}
