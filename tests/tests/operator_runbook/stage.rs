//! The folder from which the test's `kubectl`, `curl`, `nc`, `mysql` and `gh` know the cluster, and in which the
//! commands run.

use std::{
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use ta_bot_test_servers::Port;
use ta_bot_tests::{binary::ta_bot, root};
use tempfile::TempDir;

use crate::objects::{NAME, NAMESPACE};

/// The ports that operators forward to.
const FORWARDED: [u16; 2] = [8080, 9090];

/// The folder of the commands that stand before those of the system.
pub(crate) fn bin() -> PathBuf {
    root().join("tests/tests/operator_runbook/bin").canonicalize().unwrap()
}

/// What the commands know.
#[derive(Debug)]
pub(crate) struct Stage {
    folder: TempDir,
    /// Local ports that stand for those of `port-forward`.
    _local: Vec<Port>,
}

/// A pod, as `exec`, `logs`, `port-forward` and `top` need it.
#[derive(Debug)]
pub(crate) struct OnStage<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    pub(crate) address: SocketAddr,
    pub(crate) log: &'a Path,
    pub(crate) pid: u32,
    /// The variables of its process.
    pub(crate) environment: Vec<(String, String)>,
}

/// What the test itself needs to know of a replica.
#[derive(Debug)]
pub(crate) struct OfReplica {
    pub(crate) url: String,
    pub(crate) pid: String,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        for name in ["pods", "services", "local", "tools", "blocks", "work/docs"] {
            fs::create_dir_all(path.join(name)).unwrap();
        }
        let local = FORWARDED.map(|port| {
            let reserved = Port::reserve().unwrap();
            fs::write(path.join("local").join(port.to_string()), format!("{}\n", reserved.address())).unwrap();
            reserved
        });
        // The commands in a pod find the service's own binary beside the test's.
        std::os::unix::fs::symlink(ta_bot(), path.join("tools/ta-bot")).unwrap();
        let copied = std::process::Command::new("cp").arg("-r").arg(root().join("k8s")).arg(path.join("work")).status();
        assert!(copied.unwrap().success(), "the manifests can't be copied");
        std::os::unix::fs::symlink(root().join("scripts"), path.join("work/scripts")).unwrap();
        fs::write(path.join("hosts"), "").unwrap();
        Self { folder, _local: local.into() }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The folder in which the commands run: it looks like the root of a clone of this repository.
    pub(crate) fn work(&self) -> PathBuf {
        self.path().join("work")
    }

    /// The folder for the blocks and what they print.
    pub(crate) fn blocks(&self) -> PathBuf {
        self.path().join("blocks")
    }

    /// What the commands need in their environment.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let path = env::var("PATH").unwrap_or_default();
        let real = |name: &str| {
            let found = env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
            found.unwrap_or_else(|| panic!("{name} is not installed: run `make test-setup`")).display().to_string()
        };
        let folders = [bin(), self.path().join("tools")].map(|folder| folder.display().to_string()).join(":");
        vec![
            ("PATH", format!("{folders}:{path}")),
            ("STAGE", self.path().display().to_string()),
            ("REAL_CURL", real("curl")),
            ("REAL_KUBECTL", real("kubectl")),
        ]
    }

    /// Says where a name of the cluster leads.
    pub(crate) fn host(&self, name: &str, port: u16, address: SocketAddr) {
        let hosts = self.path().join("hosts");
        let text = fs::read_to_string(&hosts).unwrap() + &format!("{name} {port} {address}\n");
        fs::write(hosts, text).unwrap();
    }

    /// Says to which pods a Service leads: those whose names begin so.
    pub(crate) fn service(&self, namespace: &str, name: &str, pods: &str) {
        let folder = self.path().join("services").join(namespace);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), format!("{pods}\n")).unwrap();
    }

    /// Puts a pod on the stage.
    pub(crate) fn enter(&self, pod: &OnStage<'_>) {
        // It gets its name when it is complete.
        let folder = self.path().join("pods").join(pod.namespace);
        let new = folder.join(format!("new.{}", pod.name));
        fs::create_dir_all(&new).unwrap();
        fs::write(new.join("address"), format!("{}\n", pod.address)).unwrap();
        fs::write(new.join("pid"), format!("{}\n", pod.pid)).unwrap();
        let variables = pod.environment.iter();
        let lines: String = variables.flat_map(|(name, value)| [name.as_str(), "=", value, "\n"]).collect();
        fs::write(new.join("environment"), lines).unwrap();
        std::os::unix::fs::symlink(pod.log, new.join("log")).unwrap();
        fs::rename(new, folder.join(pod.name)).unwrap();
    }

    /// The replicas that are on the stage.
    pub(crate) fn replicas(&self) -> Vec<OfReplica> {
        let folders =
            fs::read_dir(self.path().join("pods").join(NAMESPACE)).unwrap().map(|entry| entry.unwrap().path());
        let ours = folders.filter(|folder| folder.file_name().unwrap().to_str().unwrap().starts_with(NAME));
        let read = |folder: &Path, name: &str| fs::read_to_string(folder.join(name)).unwrap().trim().to_owned();
        ours.map(|folder| OfReplica { url: format!("http://{}", read(&folder, "address")), pid: read(&folder, "pid") })
            .collect()
    }

    /// Takes a pod from the stage.
    pub(crate) fn leave(&self, namespace: &str, name: &str) {
        fs::remove_dir_all(self.path().join("pods").join(namespace).join(name)).unwrap();
    }
}
