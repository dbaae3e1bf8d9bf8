//! What the service account may do: exactly what the election needs.

use std::{collections::BTreeSet, sync::Arc};

use k8s_openapi::api::{coordination::v1::Lease, rbac::v1::Role};
use kube::{
    Api,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::json;
use ta_bot_drivers::kubernetes::lease::NAME;
use ta_bot_engine::pipeline::election::contract::until;

use super::cluster::Cluster;

const NAMED: &str = "verbs: [get, update, watch]";

async fn server() -> Arc<ta_bot_test_servers::KubeApi> {
    Cluster::shared().await.server
}

/// A cluster whose Role lacks a verb.
async fn without(verb: &str) -> Cluster {
    let change = |rbac: String| {
        let lacking = if verb == "create" {
            rbac.replace("verbs: [create]", "verbs: [deletecollection]")
        } else {
            let rest: Vec<_> = ["get", "update", "watch"].into_iter().filter(|known| *known != verb).collect();
            rbac.replace(NAMED, &format!("verbs: [{}]", rest.join(", ")))
        };
        assert_ne!(lacking, rbac, "the manifest has other rules than this test knows");
        lacking
    };
    Cluster::with_rbac(server().await, change).await
}

#[tokio::test]
async fn each_verb_that_lacks_is_named_with_the_rule_that_gives_it() {
    for verb in ["get", "create", "update"] {
        let cluster = without(verb).await;
        let candidate = cluster.candidate("first").await;
        until(&format!("{verb} is denied"), || candidate.failures(verb) > 1).await;
        let problem = candidate.leadership.problem().unwrap();
        let restricted = if verb == "create" { "" } else { "resourceNames: [ta-bot-leader], " };
        let rule = format!("{{apiGroups: [coordination.k8s.io], resources: [leases], {restricted}verbs: [{verb}]}}");
        let named = format!("may not {verb} the Lease ta-bot-leader in the namespace {}", cluster.namespace);
        assert!(problem.contains(&rule) && problem.contains(&named), "{problem}");
        assert!(problem.contains("system:serviceaccount:"), "what the API says is in it: {problem}");
        assert!(!problem.contains(&cluster.token), "a token is in it: {problem}");
        if verb == "update" {
            // It created the Lease but can't renew it.
            until("the term ends", || candidate.events("lost") == 1).await;
            assert_eq!((candidate.events("begun"), candidate.leadership.term()), (1, None));
        } else {
            assert_eq!(candidate.events("begun"), 0);
        }
        candidate.stop().await;
    }
}

#[tokio::test]
async fn without_watch_the_election_works() {
    let cluster = without("watch").await;
    let first = cluster.candidate("first").await;
    first.leads().await;
    let second = cluster.candidate("second").await;
    until("watch is denied", || second.failures("watch") > 0).await;
    until("the other is known", || second.leadership.leader().is_some()).await;
    tokio::join!(first.stop(), second.leads());
    assert_eq!((second.leadership.problem(), second.events("begun")), (None, 1));
    second.stop().await;
}

/// The Role of the manifests allows what is used and nothing else.
#[tokio::test]
async fn the_role_gives_nothing_else() {
    let cluster = Cluster::shared().await;
    let candidate = cluster.candidate("first").await;
    candidate.leads().await;
    let leases: Api<Lease> = Api::namespaced(cluster.client().await, &cluster.namespace);
    let denied = |result: kube::Result<()>| match result {
        Err(kube::Error::Api(status)) => assert!(status.is_forbidden(), "{status:?}"),
        other => panic!("not denied: {other:?}"),
    };
    denied(leases.list(&ListParams::default()).await.map(drop));
    denied(leases.list(&ListParams::default().fields(&format!("metadata.name={NAME}"))).await.map(drop));
    denied(leases.get("other").await.map(drop));
    denied(leases.delete(NAME, &kube::api::DeleteParams::default()).await.map(drop));
    let patch = Patch::Merge(json!({"metadata": {"labels": {"a": "b"}}}));
    denied(leases.patch(NAME, &PatchParams::default(), &patch).await.map(drop));
    denied(
        Api::<Role>::namespaced(cluster.client().await, &cluster.namespace)
            .list(&ListParams::default())
            .await
            .map(drop),
    );
    let elsewhere: Api<Lease> = Api::namespaced(cluster.client().await, "kube-system");
    denied(elsewhere.get(NAME).await.map(drop));
    leases.get(NAME).await.unwrap();
    candidate.stop().await;

    // The verbs that this test knows are those of the manifest.
    let roles: Api<Role> = Api::namespaced(cluster.leases().into_client(), &cluster.namespace);
    let rules = roles.get("petrosa-ta-bot").await.unwrap().rules.unwrap();
    let verbs: BTreeSet<_> = rules.iter().flat_map(|rule| &rule.verbs).map(String::as_str).collect();
    assert_eq!(verbs, BTreeSet::from(["create", "get", "update", "watch"]));
}
