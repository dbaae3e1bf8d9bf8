//! A Kubernetes API with the project's own manifests in it, and candidates.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    coordination::v1::{Lease, LeaseSpec},
    core::v1::ServiceAccount,
};
use kube::{
    Api, Client, Config,
    api::PostParams,
    config::{KubeConfigOptions, Kubeconfig},
};
use ta_bot_drivers::kubernetes::lease::{self, LeaseApi, NAME};
use ta_bot_engine::pipeline::election::contract::Candidate;
use ta_bot_test_servers::KubeApi;
use ta_bot_tests::{kubectl::kubectl, root};
use tokio::sync::OnceCell;

/// The namespace and the service account in the manifests.
const NAMESPACE: &str = "petrosa-apps";
const ACCOUNT: &str = "petrosa-ta-bot";

static SHARED: OnceCell<Arc<KubeApi>> = OnceCell::const_new();
static NAMESPACES: AtomicU32 = AtomicU32::new(0);

/// A namespace in which the service may do what the manifests allow.
pub(super) struct Cluster {
    pub(super) server: Arc<KubeApi>,
    pub(super) namespace: String,
    pub(super) token: String,
    admin: Client,
}

impl Cluster {
    /// A new namespace on a shared server that no test harms.
    pub(super) async fn shared() -> Self {
        let server = SHARED.get_or_init(async || Arc::new(KubeApi::start().await.unwrap())).await;
        Self::on(Arc::clone(server)).await
    }

    /// A new namespace on this server.
    pub(super) async fn on(server: Arc<KubeApi>) -> Self {
        Self::with_rbac(server, |rbac| rbac).await
    }

    /// Like [`Self::on`], with other rights than the manifests give.
    pub(super) async fn with_rbac(server: Arc<KubeApi>, change: impl FnOnce(String) -> String) -> Self {
        let namespace = format!("test-{}", NAMESPACES.fetch_add(1, Ordering::Relaxed));
        let manifest = |name: &str| std::fs::read_to_string(root().join("k8s/base").join(name)).unwrap();
        let (account, rbac) = (manifest("serviceaccount.yaml"), change(manifest("rbac.yaml")));
        let made = format!("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {NAMESPACE}\n");
        let all = [made, account, rbac].join("---\n");
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config");
        std::fs::write(&config, server.kubeconfig(KubeApi::ADMIN).unwrap()).unwrap();
        let apply = ["--kubeconfig", config.to_str().unwrap(), "apply", "--filename", "-"];
        kubectl(&apply, &all.replace(NAMESPACE, &namespace)).await.unwrap();
        let admin = client(&server.kubeconfig(KubeApi::ADMIN).unwrap()).await;
        let token = token(&admin, &namespace).await;
        Self { server, namespace, token, admin }
    }

    /// A client with the rights of the service.
    pub(super) async fn client(&self) -> Client {
        self.client_at(self.server.address()).await
    }

    /// Like [`Self::client`], by the address of a proxy.
    pub(super) async fn client_at(&self, address: SocketAddr) -> Client {
        let config = self.server.kubeconfig_at(address, KubeApi::ADMIN).unwrap();
        client(&config.replace(self.server.token(KubeApi::ADMIN).unwrap(), &self.token)).await
    }

    /// A candidate that takes part from now on.
    pub(super) async fn candidate(&self, name: &str) -> Candidate {
        self.candidate_by(self.client().await, name)
    }

    pub(super) fn candidate_by(&self, client: Client, name: &str) -> Candidate {
        Candidate::start(self.register(client), name)
    }

    /// The Lease as this client reaches it.
    pub(super) fn register(&self, client: Client) -> LeaseApi {
        LeaseApi::new(client, Some(self.namespace.clone()))
    }

    /// The API of Leases, with the rights of the admin.
    pub(super) fn leases(&self) -> Api<Lease> {
        Api::namespaced(self.admin.clone(), &self.namespace)
    }

    /// What the Lease says; `None` if there is no Lease.
    pub(super) async fn lease(&self) -> Option<LeaseSpec> {
        self.leases().get_opt(NAME).await.unwrap()?.spec
    }
}

async fn client(kubeconfig: &str) -> Client {
    let config = Kubeconfig::from_yaml(kubeconfig).unwrap();
    let config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.unwrap();
    lease::client_of(config).unwrap()
}

/// A token of the service account, as a pod gets one.
async fn token(admin: &Client, namespace: &str) -> String {
    let accounts: Api<ServiceAccount> = Api::namespaced(admin.clone(), namespace);
    let request = TokenRequest { spec: TokenRequestSpec::default(), ..TokenRequest::default() };
    let made = accounts.create_token_request(ACCOUNT, &PostParams::default(), &request).await.unwrap();
    made.status.unwrap().token
}
