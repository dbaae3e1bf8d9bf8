//! How replicas elect their leader.

use super::{Election, Environment, Reader, servers::ABSENT};
#[cfg(feature = "kubernetes")]
use {super::LeasePlace, std::path::PathBuf};

const NAME: &str = "LEADER_ELECTION";
/// The name of before there was more than one way.
const OLD_NAME: &str = "LEADER_ELECTION_ENABLED";

/// The ways to elect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Kubernetes,
    Mysql,
    Nats,
}

impl Way {
    /// Whether this build has a client for it.
    const fn is_built(self) -> bool {
        match self {
            Self::Kubernetes => cfg!(feature = "kubernetes"),
            Self::Mysql => cfg!(feature = "mysql"),
            Self::Nats => cfg!(feature = "nats"),
        }
    }
}

impl<Get: Fn(&str) -> Option<String>> Reader<Get> {
    /// Reads how a leader is elected. With an election the stores must be shared: replicas with a store of their own
    /// would disagree.
    #[cfg_attr(
        not(any(feature = "mysql", feature = "nats")),
        allow(unused_variables, reason = "no way of this build has its address elsewhere")
    )]
    pub(super) fn election(&mut self, environment: &Environment) -> Option<Election> {
        let (name, way) = self.way()?;
        if !way.is_built() {
            self.refuse(name, ABSENT.to_owned());
            return None;
        }
        for shared in ["MYSQL_URI", "MONGODB_URI", "NATS_URL"] {
            if self.given(shared).is_none() {
                let remedy = "replicas share it: set it, or LEADER_ELECTION=none (LEADER_ELECTION_ENABLED=false) for a \
                              single process";
                self.refuse(shared, remedy.to_owned());
            }
        }
        match way {
            #[cfg(feature = "kubernetes")]
            Way::Kubernetes => {
                let kubeconfig = self.given("KUBECONFIG").map(PathBuf::from);
                Some(Election::Kubernetes(LeasePlace { namespace: self.given("POD_NAMESPACE"), kubeconfig }))
            }
            #[cfg(feature = "mysql")]
            Way::Mysql => environment.mysql.clone().map(|uri| Election::Mysql(Box::new(uri))),
            #[cfg(feature = "nats")]
            Way::Nats => {
                let nats = environment.nats.as_ref()?;
                Some(Election::Nats { address: nats.address.clone(), replicas: nats.jobs.replicas })
            }
            #[cfg(not(all(feature = "kubernetes", feature = "mysql", feature = "nats")))]
            _ => None,
        }
    }

    /// The way to elect, and the variable that chose it; `None` without an election.
    fn way(&mut self) -> Option<(&'static str, Way)> {
        let is_old_given = self.given(OLD_NAME).is_some();
        let is_enabled = self.switch(OLD_NAME);
        let Some(given) = self.given(NAME) else { return is_enabled.then_some((OLD_NAME, Way::Kubernetes)) };
        let way = match given.trim().to_ascii_lowercase().as_str() {
            "kubernetes" => Some(Way::Kubernetes),
            "mysql" => Some(Way::Mysql),
            "nats" => Some(Way::Nats),
            "none" => None,
            _ => {
                self.refuse(NAME, format!("{given:?} is none of kubernetes, mysql, nats and none"));
                return None;
            }
        };
        // Who has set both has forgotten one of them, and the wrong one would let every replica lead.
        if is_old_given && is_enabled != way.is_some() {
            self.refuse(NAME, format!("{given:?} contradicts {OLD_NAME}={is_enabled}: unset {OLD_NAME}"));
            return None;
        }
        way.map(|way| (NAME, way))
    }
}
