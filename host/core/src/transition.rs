//! The next deployment of a strategy: what a request turns the current one into, or why it is refused.
//!
//! The caller reads what the decision depends on ([`Known`]) and applies the result. Nothing here reads a store or
//! loads a module, so every case can be tested with plain values.

use thiserror::Error;

use crate::{
    Deployment, DeploymentAction, DeploymentEntry, ModuleDigest, Promotion, RequestedLevels, Shadow, StrategyId,
    deployment::held_at,
};

/// A requested change of a strategy's deployment.
#[derive(Debug, Clone, PartialEq)]
pub enum DeploymentRequest {
    /// This module decides from now on.
    Activate {
        /// The module; `None` is the bundled one.
        module: Option<ModuleDigest>,
        /// What levels of the strategy's parameters hold from then on; others stay as they are.
        parameters: RequestedLevels,
    },
    /// The module of this revision decides again; `None` is the module before the current one. Levels of parameters
    /// that deployments have changed since hold again what they held.
    RollBack(Option<i64>),
    /// The strategy evaluates candles, whatever the application's settings say.
    Enable,
    /// The strategy evaluates no candles.
    Disable,
    /// The strategy leaves quarantine.
    Lift,
    /// This module evaluates the same candles without publishing anything.
    Shadow {
        /// The module.
        module: ModuleDigest,
        /// The condition for automatic promotion, if there is one.
        promote: Option<Promotion>,
        /// Whether a module that admission refused is accepted.
        unadmitted: bool,
    },
    /// The shadow stops.
    EndShadow,
    /// The shadow decides from now on.
    Promote,
    /// The module failed too often and should be quarantined.
    Quarantine {
        /// The module that failed. If another one decides by the time of the request, nothing changes.
        module: ModuleDigest,
        /// The revision from which on its failures were counted. If the module has been activated or let out of
        /// quarantine since then, nothing changes.
        since: i64,
        /// How it failed.
        why: String,
    },
}

impl DeploymentRequest {
    /// This module decides from now on, with the parameters that are stored; `None` is the bundled one.
    pub const fn activate(module: Option<ModuleDigest>) -> Self {
        Self::Activate { module, parameters: RequestedLevels::new() }
    }
}

/// The result of admission for a stored module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It may decide.
    Admitted,
    /// It may not decide.
    Refused,
    /// It was uploaded and is being checked.
    Waiting,
    /// It was never uploaded, so it was never checked.
    NeverChecked,
}

/// What the next deployment depends on, besides the request.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The strategy.
    pub strategy: &'a StrategyId,
    /// The deployment of the newest entry.
    pub current: &'a Deployment,
    /// The strategy's entries, oldest first.
    pub entries: &'a [DeploymentEntry],
    /// The module bundled with the service, if there is one.
    pub bundled: Option<ModuleDigest>,
    /// The revision at which the current module was last activated or let out of quarantine; see
    /// [`DeploymentLog::begun`](crate::DeploymentLog::begun).
    pub begun: i64,
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TransitionError {
    /// The module is not stored.
    #[error("there is no module {0}: upload it first")]
    UnknownModule(ModuleDigest),
    /// Admission is still checking the module.
    #[error(
        "the module {0} is still being checked: wait until it is admitted, which GET /api/v1/modules/{0} and `ta-bot \
         modules show {0}` say"
    )]
    Waiting(ModuleDigest),
    /// The module is stored but was never uploaded.
    #[error("the module {0} came with another version of the service and was never checked: upload it first")]
    NeverChecked(ModuleDigest),
    /// Admission refused the module.
    #[error("the module {0} was refused by admission; GET /api/v1/modules/{0} and `ta-bot modules show {0}` say why")]
    NotAdmitted(ModuleDigest),
    /// Admission refused the module, so it may run as a shadow but is never promoted.
    #[error(
        "admission refused the module {0}, so a shadow of it is never promoted: leave out promote_after and promote_at_most \
         (--promote-after and --promote-at-most)"
    )]
    NeverPromoted(ModuleDigest),
    /// The service has no bundled module for the strategy.
    #[error("no module of {0} came with the service: name one by its digest")]
    NotBundled(StrategyId),
    /// There is no earlier module.
    #[error("there is nothing to go back to")]
    NothingBefore,
    /// The strategy has no entry with this revision.
    #[error("the strategy has no entry {0} to go back to")]
    UnknownRevision(i64),
    /// The strategy is quarantined, and enabling it does not lift that.
    #[error("{0} is quarantined: lift that first, or activate another module")]
    Quarantined(StrategyId),
    /// The strategy is not in quarantine.
    #[error("{0} is not quarantined")]
    NotQuarantined(StrategyId),
    /// The strategy has no shadow.
    #[error("no module looks on beside the one of {0}: begin with the action shadow, or `ta-bot modules shadow`")]
    NoShadow(StrategyId),
    /// The module already decides.
    #[error("the module {0} decides already: a shadow is another one")]
    DecidesAlready(ModuleDigest),
}

impl TransitionError {
    /// A stable code for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownModule(_) => "unknown_module",
            Self::Waiting(_) => "being_checked",
            Self::NotAdmitted(_) | Self::NeverChecked(_) | Self::NeverPromoted(_) => "not_admitted",
            Self::NotBundled(_) => "not_bundled",
            Self::NothingBefore | Self::UnknownRevision(_) => "unknown_version",
            Self::Quarantined(_) => "quarantined",
            Self::NotQuarantined(_) => "not_quarantined",
            Self::NoShadow(_) => "no_shadow",
            Self::DecidesAlready(_) => "decides_already",
        }
    }
}

impl Known<'_> {
    /// The module whose admission [`next`](Self::next) needs for this request, if there is one.
    pub fn needs_admission(&self, request: &DeploymentRequest) -> Option<ModuleDigest> {
        match request {
            DeploymentRequest::Activate { module, .. } => *module,
            DeploymentRequest::Promote => self.current.shadow.as_ref().map(|shadow| shadow.module),
            DeploymentRequest::Shadow { module, .. } if self.deciding() != Some(*module) => Some(*module),
            _ => None,
        }
    }

    /// The levels of parameters that change with the request, with what they are to hold: those that an activation
    /// names, or, for a rollback, those that deployments have changed since.
    pub fn levels(&self, request: &DeploymentRequest) -> Result<RequestedLevels, TransitionError> {
        match request {
            DeploymentRequest::Activate { parameters, .. } => Ok(parameters.clone()),
            DeploymentRequest::RollBack(revision) => Ok(held_at(self.entries, self.target(*revision)?.1)),
            _ => Ok(RequestedLevels::new()),
        }
    }

    /// Applies the request to the current deployment. `admission` is the result for the module that
    /// [`needs_admission`](Self::needs_admission) returns; `None` means that this module is not stored.
    pub fn next(
        &self,
        request: DeploymentRequest,
        admission: Option<Admission>,
    ) -> Result<(DeploymentAction, Deployment), TransitionError> {
        use DeploymentAction as A;
        let current = self.current.clone();
        Ok(match request {
            DeploymentRequest::Activate { module, .. } => {
                if let Some(module) = module {
                    self.check(module, admission)?;
                }
                (A::Activate, self.with_module(module)?)
            }
            DeploymentRequest::RollBack(revision) => (A::RollBack, self.with_module(self.target(revision)?.0)?),
            DeploymentRequest::Promote => {
                let shadow = current.shadow.ok_or_else(|| TransitionError::NoShadow(self.strategy.clone()))?;
                self.check(shadow.module, admission)?;
                (A::Promote, self.with_module(Some(shadow.module))?)
            }
            DeploymentRequest::Enable if current.quarantined.is_some() => {
                return Err(TransitionError::Quarantined(self.strategy.clone()));
            }
            DeploymentRequest::Enable => (A::Enable, Deployment { enabled: Some(true), ..current }),
            DeploymentRequest::Disable => (A::Disable, Deployment { enabled: Some(false), ..current }),
            DeploymentRequest::Lift if current.quarantined.is_none() => {
                return Err(TransitionError::NotQuarantined(self.strategy.clone()));
            }
            DeploymentRequest::Lift => (A::Lift, Deployment { quarantined: None, ..current }),
            DeploymentRequest::EndShadow if current.shadow.is_none() => {
                return Err(TransitionError::NoShadow(self.strategy.clone()));
            }
            DeploymentRequest::EndShadow => (A::EndShadow, Deployment { shadow: None, ..current }),
            DeploymentRequest::Shadow { module, promote, unadmitted } => {
                if self.deciding() == Some(module) {
                    return Err(TransitionError::DecidesAlready(module));
                }
                let unadmitted = match self.check(module, admission) {
                    Err(TransitionError::NotAdmitted(_)) if unadmitted && promote.is_some() => {
                        return Err(TransitionError::NeverPromoted(module));
                    }
                    Err(TransitionError::NotAdmitted(_)) if unadmitted => true,
                    checked => checked.map(|()| false)?,
                };
                let shadow = Some(Shadow { module, promote, unadmitted });
                (A::Shadow, Deployment { enabled: self.enabled(), shadow, ..current })
            }
            DeploymentRequest::Quarantine { module, since, why } => {
                // Every further failure requests this again, and another module may have been deployed in the meantime.
                let is_over = current.quarantined.is_some() || self.deciding() != Some(module) || self.begun > since;
                let quarantined = if is_over { current.quarantined.clone() } else { Some(why) };
                (A::Quarantine, Deployment { quarantined, ..current })
            }
        })
    }

    /// Checks that the module is admitted. The bundled module and those that have decided before need no completed
    /// check, but are refused if admission refused them.
    fn check(&self, module: ModuleDigest, admission: Option<Admission>) -> Result<(), TransitionError> {
        let is_known = self.bundled == Some(module)
            || self.entries.iter().any(|entry| entry.change.deployment.module == Some(module));
        match admission.ok_or(TransitionError::UnknownModule(module))? {
            Admission::Admitted => Ok(()),
            Admission::Refused => Err(TransitionError::NotAdmitted(module)),
            Admission::Waiting | Admission::NeverChecked if is_known => Ok(()),
            Admission::Waiting => Err(TransitionError::Waiting(module)),
            Admission::NeverChecked => Err(TransitionError::NeverChecked(module)),
        }
    }

    /// The deployment with another module, which starts without quarantine and without a shadow.
    fn with_module(&self, module: Option<ModuleDigest>) -> Result<Deployment, TransitionError> {
        if module.is_none() && self.bundled.is_none() {
            return Err(TransitionError::NotBundled(self.strategy.clone()));
        }
        let enabled = self.enabled();
        Ok(Deployment { module, enabled, quarantined: None, shadow: None, parameters: Vec::new() })
    }

    /// Whether the strategy is enabled from now on: as before, except that a strategy gets enabled with its first
    /// module.
    fn enabled(&self) -> Option<bool> {
        let had_one =
            self.bundled.is_some() || self.entries.iter().any(|entry| entry.change.deployment.module.is_some());
        self.current.enabled.or((!had_one).then_some(true))
    }

    /// The module that decides now.
    fn deciding(&self) -> Option<ModuleDigest> {
        self.current.module.or(self.bundled)
    }

    /// The module to go back to, of which `None` is the bundled one, and the revision at which it decided.
    fn target(&self, revision: Option<i64>) -> Result<(Option<ModuleDigest>, i64), TransitionError> {
        // Before the first entry, the bundled module decided.
        const BEFORE_ALL: (Option<ModuleDigest>, i64) = (None, 0);
        let of = |entry: &DeploymentEntry| (entry.change.deployment.module, entry.revision);
        match revision {
            Some(0) => Ok(BEFORE_ALL),
            Some(revision) => {
                let entry = self.entries.iter().find(|entry| entry.revision == revision);
                entry.map(of).ok_or(TransitionError::UnknownRevision(revision))
            }
            None => {
                let other = self.entries.iter().rev().map(of).find(|(module, _)| *module != self.current.module);
                let bundled = self.current.module.is_some().then_some(BEFORE_ALL);
                other.or(bundled).ok_or(TransitionError::NothingBefore)
            }
        }
    }
}

#[cfg(test)]
mod tests;
