use super::*;
use crate::{DeploymentChange, Timestamp};

fn module(name: &str) -> ModuleDigest {
    ModuleDigest::of(name.as_bytes())
}

/// A strategy with this log. It has the bundled module "bundled" unless `bundled` is false.
struct Case {
    strategy: StrategyId,
    current: Deployment,
    entries: Vec<DeploymentEntry>,
    bundled: bool,
    begun: i64,
}

impl Case {
    fn new(deployments: impl IntoIterator<Item = Deployment>) -> Self {
        let strategy: StrategyId = "rsi".parse().unwrap();
        let entry = |(index, deployment)| DeploymentEntry {
            revision: index as i64 + 1,
            from: Timestamp::from_millis(index as i64),
            change: DeploymentChange {
                strategy: strategy.clone(),
                action: DeploymentAction::Activate,
                deployment,
                changed_by: "ann".to_owned(),
                claimed_by: None,
                reason: None,
                at: Timestamp::from_millis(0),
            },
        };
        let entries: Vec<DeploymentEntry> = deployments.into_iter().enumerate().map(entry).collect();
        let current = entries.last().map(|entry| entry.change.deployment.clone()).unwrap_or_default();
        Self { strategy, current, entries, bundled: true, begun: 0 }
    }

    fn not_bundled(self) -> Self {
        Self { bundled: false, ..self }
    }

    fn known(&self) -> Known<'_> {
        let bundled = self.bundled.then(|| module("bundled"));
        let Self { strategy, current, entries, begun, .. } = self;
        Known { strategy, current, entries, bundled, begun: *begun }
    }

    fn next(&self, request: DeploymentRequest, admission: Option<Admission>) -> Result<Deployment, TransitionError> {
        self.known().next(request, admission).map(|(_, deployment)| deployment)
    }

    /// The result of a request that needs no admission.
    fn simply(&self, request: DeploymentRequest) -> Result<Deployment, TransitionError> {
        assert_eq!(self.known().needs_admission(&request), None);
        self.next(request, None)
    }
}

fn of(name: &str) -> Deployment {
    Deployment { module: Some(module(name)), ..Deployment::default() }
}

fn shadowed(name: &str, shadow: &str) -> Deployment {
    Deployment { shadow: Some(Shadow { module: module(shadow), promote: None, unadmitted: false }), ..of(name) }
}

fn quarantined(deployment: Deployment) -> Deployment {
    Deployment { quarantined: Some("it failed".to_owned()), ..deployment }
}

#[test]
fn only_an_admitted_module_is_activated() {
    let case = Case::new([of("old")]);
    let request = DeploymentRequest::activate(Some(module("new")));
    assert_eq!(case.known().needs_admission(&request), Some(module("new")));
    let next = |admission| case.next(request.clone(), admission);
    assert_eq!(next(Some(Admission::Admitted)), Ok(of("new")));
    assert_eq!(next(Some(Admission::Refused)), Err(TransitionError::NotAdmitted(module("new"))));
    assert_eq!(next(Some(Admission::Waiting)), Err(TransitionError::Waiting(module("new"))));
    assert_eq!(next(Some(Admission::NeverChecked)), Err(TransitionError::NeverChecked(module("new"))));
    assert_eq!(next(None), Err(TransitionError::UnknownModule(module("new"))));
}

#[test]
fn the_bundled_module_and_those_that_decided_before_need_no_check() {
    let case = Case::new([of("first"), of("second")]);
    for (name, admission) in [("bundled", Admission::NeverChecked), ("first", Admission::Waiting)] {
        let request = DeploymentRequest::activate(Some(module(name)));
        assert_eq!(case.next(request.clone(), Some(admission)), Ok(of(name)));
        // A module that admission has refused since then is still refused.
        assert_eq!(case.next(request, Some(Admission::Refused)), Err(TransitionError::NotAdmitted(module(name))));
    }
    assert_eq!(case.simply(DeploymentRequest::activate(None)), Ok(Deployment::default()));
    let unbundled = case.not_bundled();
    assert_eq!(
        unbundled.simply(DeploymentRequest::activate(None)),
        Err(TransitionError::NotBundled("rsi".parse().unwrap()))
    );
}

#[test]
fn a_strategy_that_had_no_module_is_enabled_by_its_first() {
    let request = DeploymentRequest::activate(Some(module("new")));
    let enabled = |case: Case| case.next(request.clone(), Some(Admission::Admitted)).map(|next| next.enabled);
    assert_eq!(enabled(Case::new([]).not_bundled()), Ok(Some(true)));
    assert_eq!(enabled(Case::new([])), Ok(None), "the settings go on to say it");
    let disabled = Deployment { enabled: Some(false), ..of("old") };
    assert_eq!(enabled(Case::new([disabled])), Ok(Some(false)));
}

#[test]
fn another_module_begins_without_quarantine_and_shadow() {
    let case = Case::new([quarantined(shadowed("old", "shadow"))]);
    assert_eq!(case.next(DeploymentRequest::activate(Some(module("new"))), Some(Admission::Admitted)), Ok(of("new")));
}

#[test]
fn a_rollback_leads_to_the_module_before_or_to_that_of_a_revision() {
    let case = Case::new([of("first"), of("second"), of("second")]);
    let back = |revision| case.simply(DeploymentRequest::RollBack(revision));
    assert_eq!(back(None), Ok(of("first")));
    assert_eq!(back(Some(2)), Ok(of("second")));
    assert_eq!(back(Some(0)), Ok(Deployment::default()), "before the first entry the bundled module decided");
    assert_eq!(back(Some(9)), Err(TransitionError::UnknownRevision(9)));
    let one = Case::new([of("first")]);
    assert_eq!(one.simply(DeploymentRequest::RollBack(None)), Ok(Deployment::default()));
    let never = Case::new([Deployment { enabled: Some(false), ..Deployment::default() }]);
    assert_eq!(never.simply(DeploymentRequest::RollBack(None)), Err(TransitionError::NothingBefore));
    let unbundled = Case::new([of("first")]).not_bundled();
    assert!(matches!(unbundled.simply(DeploymentRequest::RollBack(None)), Err(TransitionError::NotBundled(_))));
}

#[test]
fn enabling_does_not_end_a_quarantine_and_lifting_does() {
    let case = Case::new([quarantined(of("old"))]);
    assert!(matches!(case.simply(DeploymentRequest::Enable), Err(TransitionError::Quarantined(_))));
    assert_eq!(case.simply(DeploymentRequest::Lift), Ok(of("old")));
    let well = Case::new([of("old")]);
    assert!(matches!(well.simply(DeploymentRequest::Lift), Err(TransitionError::NotQuarantined(_))));
    assert_eq!(well.simply(DeploymentRequest::Enable).map(|next| next.enabled), Ok(Some(true)));
    assert_eq!(well.simply(DeploymentRequest::Disable).map(|next| next.enabled), Ok(Some(false)));
    // Disabling the strategy does not lift its quarantine.
    assert!(case.simply(DeploymentRequest::Disable).unwrap().quarantined.is_some());
}

#[test]
fn a_shadow_is_another_module_and_is_promoted_only_if_admitted() {
    let case = Case::new([of("old")]);
    let shadow =
        |name: &str, promote, unadmitted| DeploymentRequest::Shadow { module: module(name), promote, unadmitted };
    assert_eq!(case.simply(shadow("old", None, false)), Err(TransitionError::DecidesAlready(module("old"))));
    let promotion = Some(Promotion { after: 10, most_differing: 0.1 });
    let next = |promote, unadmitted, admission| {
        case.next(shadow("new", promote, unadmitted), Some(admission)).map(|next| next.shadow.unwrap().unadmitted)
    };
    assert_eq!(next(promotion, false, Admission::Admitted), Ok(false));
    assert_eq!(next(promotion, true, Admission::Admitted), Ok(false), "it is admitted, whatever was allowed");
    assert_eq!(next(None, false, Admission::Refused), Err(TransitionError::NotAdmitted(module("new"))));
    assert_eq!(next(None, true, Admission::Refused), Ok(true));
    assert_eq!(next(promotion, true, Admission::Refused), Err(TransitionError::NeverPromoted(module("new"))));
    assert_eq!(next(None, true, Admission::Waiting), Err(TransitionError::Waiting(module("new"))));
}

#[test]
fn a_shadow_ends_or_decides() {
    let case = Case::new([shadowed("old", "new")]);
    assert_eq!(case.simply(DeploymentRequest::EndShadow), Ok(of("old")));
    assert_eq!(case.known().needs_admission(&DeploymentRequest::Promote), Some(module("new")));
    let promoted = |admission| case.next(DeploymentRequest::Promote, Some(admission));
    assert_eq!(promoted(Admission::Admitted), Ok(of("new")));
    assert_eq!(promoted(Admission::Refused), Err(TransitionError::NotAdmitted(module("new"))));
    let alone = Case::new([of("old")]);
    assert!(matches!(alone.simply(DeploymentRequest::Promote), Err(TransitionError::NoShadow(_))));
    assert!(matches!(alone.simply(DeploymentRequest::EndShadow), Err(TransitionError::NoShadow(_))));
}

#[test]
fn a_quarantine_is_only_for_the_module_that_failed_since_it_was_put_to_work() {
    let request =
        |name: &str, since| DeploymentRequest::Quarantine { module: module(name), since, why: "traps".to_owned() };
    let case = Case { begun: 3, ..Case::new([of("old")]) };
    let why = |name, since| case.simply(request(name, since)).unwrap().quarantined;
    assert_eq!(why("old", 3).as_deref(), Some("traps"));
    assert_eq!(why("old", 2), None, "it was put to work anew since");
    assert_eq!(why("other", 3), None, "another one decides by now");
    let bundled = Case::new([]);
    assert_eq!(bundled.simply(request("bundled", 0)).unwrap().quarantined.as_deref(), Some("traps"));
    let again = Case::new([quarantined(of("old"))]);
    assert_eq!(again.simply(request("old", 0)).unwrap().quarantined.as_deref(), Some("it failed"));
}
