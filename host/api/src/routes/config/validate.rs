//! A dry run of a configuration.
//!
//! Neighbours of the service ask here before they act, and take a failed validation for a conflict. So a configuration
//! that would be refused is an answer like any other, and one that this service can't judge is not a failed one.

use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use ta_bot_core::{ParameterProblem, ProblemKind, StrategyId, Symbol};
use ta_bot_engine::settings::{
    config_store::{ConfigKey, MAX_NAME},
    parameters::{Change, Merge, ParameterError},
};
use utoipa::ToSchema;

use super::{Shared, change::warnings};
use crate::{
    answer::{Answer, Envelope},
    error::ApiError,
    problem::Problem,
    request::{
        fields::Fields,
        refusals::GuestRefusals,
        target::known,
        write::{Given, WriteRequest, author},
    },
    views::warning::WarningView,
};

/// How many errors an answer lists.
const MOST: usize = 100;

/// The configuration to check.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "describes the body, which is read field by field to report every problem")]
pub(super) struct ValidateBody {
    /// The strategy; without one, or with one of another service, nothing is judged.
    strategy_id: Option<String>,
    /// The symbol; null or absent for all symbols.
    symbol: Option<String>,
    /// Values by name.
    #[schema(value_type = Object)]
    parameters: Given,
}

/// What would become of a configuration.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ValidationView {
    /// Whether a write of it would be taken; also true if it is not judged here, and then a warning says so.
    validation_passed: bool,
    /// The same as `validation_passed`.
    valid: bool,
    strategy_id: Option<String>,
    symbol: Option<String>,
    /// The parameters that would be stored; null if they would be refused or are not judged.
    #[schema(value_type = Option<Object>)]
    parameters: Value,
    /// Why a write of it would be refused, at most the first 100.
    errors: Vec<ValidationError>,
    /// How many errors there are.
    error_count: usize,
    /// What to know of values that would be taken all the same.
    warnings: Vec<WarningView>,
    /// What to change, in words, for each error that shows it.
    suggested_fixes: Vec<String>,
    /// Always empty: this service knows no configuration but its own.
    #[schema(value_type = Vec<Object>)]
    conflicts: [Value; 0],
}

/// Why a configuration would be refused.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ValidationError {
    /// The parameter; `*` if the values are refused in combination.
    field: String,
    message: String,
    /// `UNKNOWN_PARAMETER`, `INVALID_TYPE`, `OUT_OF_RANGE`, or `REFUSED_BY_STRATEGY` for a rule across parameters.
    code: &'static str,
    /// A value that would be taken; null if none can be guessed.
    suggested_value: Value,
}

impl From<&ParameterProblem> for ValidationError {
    fn from(problem: &ParameterProblem) -> Self {
        let ParameterProblem { parameter, given, allowed, kind, suggested } = problem;
        let (code, message) = match kind {
            ProblemKind::Unknown => ("UNKNOWN_PARAMETER", format!("{parameter}: {allowed}")),
            ProblemKind::WrongType => ("INVALID_TYPE", format!("{parameter} is {given}, and must be {allowed}")),
            ProblemKind::OutOfRange => ("OUT_OF_RANGE", format!("{parameter} is {given}, and must be {allowed}")),
        };
        Self { field: parameter.clone(), message, code, suggested_value: suggested.clone().unwrap_or_default() }
    }
}

impl ValidationError {
    fn of_strategy(reason: &str) -> Self {
        Self {
            field: "*".to_owned(),
            message: format!("the strategy refuses these parameters together: {reason}"),
            code: "REFUSED_BY_STRATEGY",
            suggested_value: Value::Null,
        }
    }

    /// What to change, in words.
    fn fix(&self) -> Option<String> {
        match (self.code, &self.suggested_value) {
            ("UNKNOWN_PARAMETER", _) => Some(format!("leave {} out", self.field)),
            (_, Value::Null) => None,
            (_, value) => Some(format!("set {} to {value}", self.field)),
        }
    }
}

/// Checks a configuration as PUT would, and stores nothing.
///
/// The status is 200 for a configuration that would be refused, too. A configuration without a strategy, or of a
/// strategy that is not one of this service, passes with a warning that it is not judged here.
#[utoipa::path(
    post,
    path = "/api/v1/config/validate",
    tag = "configuration",
    request_body = ValidateBody,
    responses((status = 200, body = Envelope<ValidationView>), GuestRefusals)
)]
pub(super) async fn validate(
    State(services): Shared,
    request: WriteRequest,
) -> Result<Answer<ValidationView>, ApiError> {
    const KNOWN: [&str; 5] = ["strategy_id", "symbol", "parameters", "changed_by", "reason"];
    let mut fields = Fields::new(request.body.required()?, &KNOWN)?;
    let name = fields.text("strategy_id", MAX_NAME);
    let given = fields.take("parameters").unwrap_or(Value::Null);
    let parameters = given.as_object().cloned();
    if parameters.is_none() {
        fields.refuse(Problem::new("parameters", &given, "an object of values by name"));
    }
    let author = author(&mut fields, &request.sender);
    let Some(strategy) = ours(&services, name.as_deref())? else {
        // A symbol of another service's strategy is not judged either.
        fields.finish(parameters)?;
        let warnings = vec![WarningView::not_judged(name.as_deref())];
        return Ok(Answer::new(ValidationView::passed(name, None, warnings)));
    };
    let symbol: Option<Symbol> = fields.parsed("symbol");
    let parameters = fields.finish(parameters)?;
    let key = ConfigKey { strategy, symbol };
    let warnings = warnings(&services, &key, &parameters).await;
    let view = ValidationView::passed(Some(key.strategy.to_string()), key.symbol.as_ref(), warnings);
    let change = Change { key, parameters, merge: Merge::Replace, expected: None, validate_only: true, author };
    let check = async move {
        match services.parameters.change(change).await {
            Ok(_) => Ok(ValidationView { parameters: given, ..view }),
            Err(ParameterError::Invalid(problems)) => Ok(view.failed(&problems)),
            Err(ParameterError::Refused(reason)) => Ok(view.refused(&reason)),
            Err(other) => Err(other.into()),
        }
    };
    request.turns.take()?.run(check).await.map(Answer::new)
}

/// The strategy that a request names, if it is one of this service.
fn ours(services: &crate::Services, name: Option<&str>) -> Result<Option<StrategyId>, ApiError> {
    let Some(Ok(strategy)) = name.map(str::parse::<StrategyId>) else { return Ok(None) };
    match known(services, &strategy) {
        Ok(_) => Ok(Some(strategy)),
        Err(ApiError::UnknownStrategy(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

impl ValidationView {
    fn passed(strategy: Option<String>, symbol: Option<&Symbol>, warnings: Vec<WarningView>) -> Self {
        Self {
            validation_passed: true,
            valid: true,
            strategy_id: strategy,
            symbol: symbol.map(ToString::to_string),
            parameters: Value::Null,
            errors: Vec::new(),
            error_count: 0,
            warnings,
            suggested_fixes: Vec::new(),
            conflicts: [],
        }
    }

    fn failed(self, problems: &[ParameterProblem]) -> Self {
        let errors = problems.iter().take(MOST).map(ValidationError::from).collect();
        Self { error_count: problems.len(), ..self.with(errors) }
    }

    fn refused(self, reason: &str) -> Self {
        Self { error_count: 1, ..self.with(vec![ValidationError::of_strategy(reason)]) }
    }

    fn with(self, errors: Vec<ValidationError>) -> Self {
        let suggested_fixes = errors.iter().filter_map(ValidationError::fix).collect();
        Self { validation_passed: false, valid: false, errors, suggested_fixes, ..self }
    }
}
