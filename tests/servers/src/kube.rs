//! The Kubernetes API: `kube-apiserver` with its etcd, and no controllers.

use std::{
    ffi::OsString,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;
use tokio::{net::TcpStream, process::Command};

use crate::{
    find, folder,
    port::{Port, with_free_port},
    process::{Probe, Process, controls},
};

const ADMIN_TOKEN: &str = "token-of-admin";
/// Name, token and groups of each user. Tests decide what the groups may do: at first only the admin may do anything.
const USERS: [(&str, &str, &str); 4] = [
    (KubeApi::ADMIN, ADMIN_TOKEN, "system:masters"),
    (KubeApi::ALICE, "token-of-alice", ""),
    (KubeApi::BOB, "token-of-bob", ""),
    (KubeApi::SERVICE_ACCOUNT, "token-of-service-account", "system:serviceaccounts,system:serviceaccounts:ta-bot"),
];

/// A Kubernetes API server with role-based access control.
#[derive(Debug)]
pub struct KubeApi {
    process: Process<Ready>,
    ca: String,
    ca_path: PathBuf,
    // Ends after the API server, and before the folder is removed.
    _etcd: Process<Connect>,
    _folder: TempDir,
}

controls!(KubeApi);

impl KubeApi {
    /// May do everything.
    pub const ADMIN: &str = "admin";
    /// A user without rights of its own.
    pub const ALICE: &str = "alice";
    /// Another user without rights of its own.
    pub const BOB: &str = "bob";
    /// Named like the service account `ta-bot` of the namespace `ta-bot`; bindings to that account apply to it.
    pub const SERVICE_ACCOUNT: &str = "system:serviceaccount:ta-bot:ta-bot";

    /// Starts an API server with only the namespaces that it creates itself.
    pub async fn start() -> Result<Self> {
        let etcd = find::in_cache("etcd")?;
        let program = find::in_cache("kube-apiserver-1.20.2")?;
        let folder = folder::new("kube")?;
        let etcd = with_free_port(async |port| {
            let arguments = etcd_arguments(folder.path(), &port, &Port::reserve()?);
            Process::start("etcd", (etcd.clone(), arguments), folder.path(), port, Connect).await
        })
        .await?;
        let tokens: Vec<String> =
            USERS.iter().map(|(name, token, groups)| format!("{token},{name},{name},\"{groups}\"\n")).collect();
        fs::write(folder.path().join("tokens.csv"), tokens.concat())?;
        let certificate = folder.path().join("certs/apiserver.crt");
        let process = with_free_port(async |port| {
            let arguments = arguments(folder.path(), etcd.address(), &port);
            let probe = Ready { curl: find::system("curl")?, certificate: certificate.clone() };
            Process::start("kube-apiserver", (program.clone(), arguments), folder.path(), port, probe).await
        })
        .await?;
        // The server signed a certificate for itself and appended the one of its authority.
        let chain = fs::read_to_string(&certificate)?;
        let last = chain.rfind("-----BEGIN CERTIFICATE-----").context("the server's certificate is empty")?;
        let ca = chain[last..].to_owned();
        let ca_path = folder.path().join("ca.crt");
        fs::write(&ca_path, &ca)?;
        Ok(Self { process, ca, ca_path, _etcd: etcd, _folder: folder })
    }

    /// The server's URL.
    pub fn url(&self) -> String {
        format!("https://{}", self.address())
    }

    /// The certificate of the server's authority, as PEM.
    pub fn ca(&self) -> &str {
        &self.ca
    }

    /// The file with [`Self::ca`].
    pub fn ca_path(&self) -> &Path {
        &self.ca_path
    }

    /// The bearer token of a user.
    pub fn token(&self, user: &str) -> Result<&'static str> {
        let found = USERS.iter().find(|(name, ..)| *name == user);
        found.map(|(_, token, _)| *token).with_context(|| format!("there is no user {user}"))
    }

    /// The kubeconfig of a user.
    pub fn kubeconfig(&self, user: &str) -> Result<String> {
        self.kubeconfig_at(self.address(), user)
    }

    /// The kubeconfig of a user for another address, such as that of a [`Proxy`](crate::Proxy).
    pub fn kubeconfig_at(&self, address: SocketAddr, user: &str) -> Result<String> {
        let token = self.token(user)?;
        let ca = self.ca_path.display();
        Ok(format!(
            r#"apiVersion: v1
kind: Config
current-context: test
clusters:
  - name: test
    cluster: {{server: "https://{address}", certificate-authority: "{ca}"}}
users:
  - name: "{user}"
    user: {{token: "{token}"}}
contexts:
  - name: test
    context: {{cluster: test, user: "{user}"}}
"#
        ))
    }
}

fn etcd_arguments(folder: &Path, port: &Port, peers: &Port) -> Vec<OsString> {
    let (clients, peers) = (port.number(), peers.number());
    let mut data = OsString::from("--data-dir=");
    data.push(folder.join("etcd"));
    let rest = [
        format!("--listen-client-urls=http://127.0.0.1:{clients}"),
        format!("--advertise-client-urls=http://127.0.0.1:{clients}"),
        // This etcd has no peers, but listens for them regardless.
        format!("--listen-peer-urls=http://127.0.0.1:{peers}"),
        format!("--initial-advertise-peer-urls=http://127.0.0.1:{peers}"),
        format!("--initial-cluster=default=http://127.0.0.1:{peers}"),
    ];
    rest.into_iter().map(OsString::from).chain([data]).collect()
}

fn arguments(folder: &Path, etcd: SocketAddr, port: &Port) -> Vec<OsString> {
    let folder = folder.display();
    // The key that the server makes for its certificate also signs the tokens of service accounts.
    let key = format!("{folder}/certs/apiserver.key");
    let arguments = [
        format!("--etcd-servers=http://{etcd}"),
        format!("--secure-port={}", port.number()),
        format!("--cert-dir={folder}/certs"),
        format!("--token-auth-file={folder}/tokens.csv"),
        format!("--service-account-key-file={key}"),
        format!("--service-account-signing-key-file={key}"),
    ];
    let rest = [
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        "--insecure-port=0",
        "--service-account-issuer=https://k",
        "--authorization-mode=RBAC",
        "--service-cluster-ip-range=10.96.0.0/24",
        // Without controllers no namespace gets a service account.
        "--disable-admission-plugins=ServiceAccount",
        "--allow-privileged=true",
    ];
    arguments.into_iter().map(OsString::from).chain(rest.map(OsString::from)).collect()
}

#[derive(Debug)]
struct Connect;

impl Probe for Connect {
    async fn check(&self, address: SocketAddr) -> Result<()> {
        // A connection is enough, because the API server waits for etcd by itself.
        TcpStream::connect(address).await?;
        Ok(())
    }
}

/// Asks with curl, because a TLS client would be a lot to build for one request.
#[derive(Debug)]
struct Ready {
    curl: PathBuf,
    certificate: PathBuf,
}

impl Probe for Ready {
    async fn check(&self, address: SocketAddr) -> Result<()> {
        let mut command = Command::new(&self.curl);
        command.args(["--silent", "--show-error", "--noproxy", "*", "--cacert"]).arg(&self.certificate);
        command
            .arg("--header")
            .arg(format!("Authorization: Bearer {ADMIN_TOKEN}"))
            .arg(format!("https://{address}/readyz"));
        let output = command.kill_on_drop(true).output().await?;
        let (answer, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(answer == "ok", "/readyz says: {answer}{error}");
        Ok(())
    }
}
