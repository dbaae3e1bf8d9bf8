//! The next deployment of a strategy: what a request makes of the present one, or why it is refused.
//!
//! The caller reads what the decision depends on ([`Known`]) and carries the answer out. Nothing here asks a store or
//! loads a module, so that every case is a plain table of values.

use thiserror::Error;

use crate::{Deployment, DeploymentAction, DeploymentEntry, ModuleDigest, Promotion, Shadow, StrategyId};

/// What somebody asks of a strategy's deployment.
#[derive(Debug, Clone, PartialEq)]
pub enum DeploymentRequest {
    /// This module decides from now on; `None` stands for the bundled one.
    Activate(Option<ModuleDigest>),
    /// The module of this revision decides again; `None` stands for the one before the present one.
    RollBack(Option<i64>),
    /// The strategy looks at candles, whatever the application's settings say.
    Enable,
    /// The strategy looks at no candles.
    Disable,
    /// The strategy leaves its quarantine.
    Lift,
    /// This module looks at the same candles and publishes nothing.
    Shadow {
        /// The module.
        module: ModuleDigest,
        /// When the shadow is promoted without being asked.
        promote: Option<Promotion>,
        /// Whether a module that admission refused may look.
        unadmitted: bool,
    },
    /// No module looks beside the one that decides.
    EndShadow,
    /// The shadow decides from now on.
    Promote,
    /// The module failed too often.
    Quarantine {
        /// The module that failed. If another one decides by now, nothing changes.
        module: ModuleDigest,
        /// The revision from which on its failures count. If the module was put to work anew since, nothing changes.
        since: i64,
        /// How it failed.
        why: String,
    },
}

/// What admission has said of a module that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It may decide.
    Admitted,
    /// It may not decide.
    Refused,
    /// It was uploaded and is being checked.
    Waiting,
    /// It was never uploaded, so nobody checked it.
    NeverChecked,
}

/// What the next deployment depends on, beside the request.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The strategy.
    pub strategy: &'a StrategyId,
    /// The deployment by the newest entry.
    pub current: &'a Deployment,
    /// The strategy's entries, oldest first.
    pub entries: &'a [DeploymentEntry],
    /// The module that came with the service, if there is one.
    pub bundled: Option<ModuleDigest>,
    /// The revision with which the present module was put to work.
    pub begun: i64,
}

/// Why there is no next deployment.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TransitionError {
    /// No such module is kept.
    #[error("there is no module {0}: upload it first")]
    UnknownModule(ModuleDigest),
    /// Admission has not come to its end.
    #[error(
        "the module {0} is still being checked: wait until it is admitted, which GET /api/v1/modules/{0} and `ta-bot \
         modules show {0}` say"
    )]
    Waiting(ModuleDigest),
    /// It is kept, but nobody uploaded it.
    #[error("the module {0} came with another version of the service and was never checked: upload it first")]
    NeverChecked(ModuleDigest),
    /// Admission refused it.
    #[error("the module {0} was refused by admission; GET /api/v1/modules/{0} and `ta-bot modules show {0}` say why")]
    NotAdmitted(ModuleDigest),
    /// Admission refused it, so it may look but is never promoted.
    #[error(
        "admission refused the module {0}, so a shadow of it is never promoted: leave out promote_after and promote_at_most \
         (--promote-after and --promote-at-most)"
    )]
    NeverPromoted(ModuleDigest),
    /// No module of the strategy came with the service.
    #[error("no module of {0} came with the service: name one by its digest")]
    NotBundled(StrategyId),
    /// Nothing was deployed before.
    #[error("there is nothing to go back to")]
    NothingBefore,
    /// There is no such entry.
    #[error("the strategy has no entry {0} to go back to")]
    UnknownRevision(i64),
    /// Enabling alone does not end a quarantine.
    #[error("{0} is quarantined: lift that first, or activate another module")]
    Quarantined(StrategyId),
    /// The strategy is not in quarantine.
    #[error("{0} is not quarantined")]
    NotQuarantined(StrategyId),
    /// The strategy has no shadow.
    #[error("no module looks on beside the one of {0}: begin with the action shadow, or `ta-bot modules shadow`")]
    NoShadow(StrategyId),
    /// The module decides already.
    #[error("the module {0} decides already: a shadow is another one")]
    DecidesAlready(ModuleDigest),
}

impl TransitionError {
    /// A stable word for programs.
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
    /// The module whose admission [`next`](Self::next) has to know for this request, if there is one.
    pub fn needs_admission(&self, request: &DeploymentRequest) -> Option<ModuleDigest> {
        match request {
            DeploymentRequest::Activate(module) => *module,
            DeploymentRequest::Promote => self.current.shadow.as_ref().map(|shadow| shadow.module),
            DeploymentRequest::Shadow { module, .. } if self.deciding() != Some(*module) => Some(*module),
            _ => None,
        }
    }

    /// What the request makes of the deployment. `admission` is that of the module which
    /// [`needs_admission`](Self::needs_admission) names; `None` means that no such module is kept.
    pub fn next(
        &self,
        request: DeploymentRequest,
        admission: Option<Admission>,
    ) -> Result<(DeploymentAction, Deployment), TransitionError> {
        use DeploymentAction as A;
        let current = self.current.clone();
        Ok(match request {
            DeploymentRequest::Activate(module) => {
                if let Some(module) = module {
                    self.check(module, admission)?;
                }
                (A::Activate, self.with_module(module)?)
            }
            DeploymentRequest::RollBack(revision) => (A::RollBack, self.with_module(self.before(revision)?)?),
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
                // Each failure asks for it, and somebody may have put another module in its place meanwhile.
                let is_over = current.quarantined.is_some() || self.deciding() != Some(module) || self.begun > since;
                let quarantined = if is_over { current.quarantined.clone() } else { Some(why) };
                (A::Quarantine, Deployment { quarantined, ..current })
            }
        })
    }

    /// A module has to be admitted, except the bundled one and those that have decided before.
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

    /// Another module begins without quarantine and without a shadow.
    fn with_module(&self, module: Option<ModuleDigest>) -> Result<Deployment, TransitionError> {
        if module.is_none() && self.bundled.is_none() {
            return Err(TransitionError::NotBundled(self.strategy.clone()));
        }
        Ok(Deployment { module, enabled: self.enabled(), quarantined: None, shadow: None })
    }

    /// Whether the strategy looks at candles from now on: as before, but a strategy that had no module begins to.
    fn enabled(&self) -> Option<bool> {
        let had_one =
            self.bundled.is_some() || self.entries.iter().any(|entry| entry.change.deployment.module.is_some());
        self.current.enabled.or((!had_one).then_some(true))
    }

    /// The module that decides now.
    fn deciding(&self) -> Option<ModuleDigest> {
        self.current.module.or(self.bundled)
    }

    /// The module to go back to; `None` stands for the bundled one.
    fn before(&self, revision: Option<i64>) -> Result<Option<ModuleDigest>, TransitionError> {
        let module = |entry: &DeploymentEntry| entry.change.deployment.module;
        match revision {
            Some(0) => Ok(None),
            Some(revision) => {
                let entry = self.entries.iter().find(|entry| entry.revision == revision);
                entry.map(module).ok_or(TransitionError::UnknownRevision(revision))
            }
            None => {
                let other = self.entries.iter().rev().map(module).find(|module| *module != self.current.module);
                // Before the first entry the bundled module decided.
                let bundled = self.current.module.is_some().then_some(None);
                other.or(bundled).ok_or(TransitionError::NothingBefore)
            }
        }
    }
}

#[cfg(test)]
mod tests;
