//! What a module would have changed if it had decided.

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use axum::extract::State;
use serde::Serialize;
use serde_json::json;
use ta_bot_core::{ModuleDigest, Symbol};
use utoipa::ToSchema;

use super::{deployment::Name, shadow::DifferenceOnCandle};
use crate::{
    comparison::Comparison,
    http::{
        Services,
        answer::{Answer, Envelope},
        error::ApiError,
        fields::Fields,
        openapi::GuestRefusals,
        problem::Problem,
        write::{Shared, WriteRequest},
    },
    impact::{Cost, Question, Report},
    registry::Progress,
};

/// What the path ends with. It runs a module that may not be admitted, so it needs an operator.
pub(in crate::http) const CANDIDATE: &str = "/candidate";
const CANDLES: RangeInclusive<u32> = 1..=1000;
const DEFAULT_CANDLES: u32 = 100;
const EXAMPLES: RangeInclusive<u32> = 0..=100;
const DEFAULT_EXAMPLES: u32 = 20;
const SECONDS: RangeInclusive<u32> = 1..=60;
/// How many symbols can be named.
const MOST_SYMBOLS: usize = 1000;

/// Which module, and on what.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "describes the body; it is read field by field so that every problem is named")]
pub(super) struct CandidateBody {
    /// SHA-256 of a module that is kept, admitted or not.
    module: String,
    /// How many of the last closed candles of each series, 1 to 1000; 100 where absent.
    candles: Option<u32>,
    /// How many examples of each kind of difference, 0 to 100; 20 where absent.
    examples: Option<u32>,
    /// Only these of the scheduled symbols.
    symbols: Option<Vec<String>>,
    /// How long it may take, 1 to 60; 60 where absent. What is found by then is the answer.
    seconds: Option<u32>,
}

/// What would have changed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CandidateView {
    strategy_id: String,
    /// The module that was asked about.
    module: String,
    /// The module that decides; null where the strategy is not there yet.
    incumbent: Option<String>,
    /// How many symbols were asked for.
    symbols: usize,
    /// The scheduled timeframes on which either module runs.
    timeframes: Vec<&'static str>,
    /// False where time was up before every candle was looked at, or the host had no room for some evaluations.
    complete: bool,
    /// How many candles were compared.
    compared: u64,
    /// Nothing would have changed.
    agree: u64,
    /// Only the candidate signals.
    added: u64,
    /// Only the incumbent signals.
    missed: u64,
    /// Both signal, and not the same.
    changed: u64,
    /// The candidate gave no answer.
    failed: u64,
    /// How often by which error.
    failures: BTreeMap<&'static str, u64>,
    /// The newest candles of each kind of difference.
    examples: CandidateExamples,
    cost: CandidateCosts,
}

/// Candles on which the two differ, newest first.
#[derive(Debug, Serialize, ToSchema)]
struct CandidateExamples {
    added: Vec<DifferenceOnCandle>,
    missed: Vec<DifferenceOnCandle>,
    changed: Vec<DifferenceOnCandle>,
    failed: Vec<DifferenceOnCandle>,
}

/// What each of them costs.
#[derive(Debug, Serialize, ToSchema)]
struct CandidateCosts {
    /// Null where the strategy is not there yet.
    incumbent: Option<CostView>,
    candidate: CostView,
}

/// What evaluations cost, in milliseconds.
#[derive(Debug, Serialize, ToSchema)]
struct CostView {
    evaluations: usize,
    total_ms: f64,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

impl From<Cost> for CostView {
    fn from(Cost { evaluations, total_ms, p50_ms, p99_ms, max_ms }: Cost) -> Self {
        Self { evaluations, total_ms, p50_ms, p99_ms, max_ms }
    }
}

impl CandidateView {
    fn new(question: &Question, report: &Report) -> Self {
        let Report { incumbent, timeframes, symbols, complete, tally } = report;
        let of = |comparison| tally.counts().of(comparison);
        let examples = |comparison| {
            let examples = tally.examples(comparison).into_iter();
            examples.map(|example| DifferenceOnCandle::new(comparison, &example.job, example.said)).collect()
        };
        let (of_incumbent, of_candidate) = tally.costs();
        Self {
            strategy_id: question.strategy.to_string(),
            module: question.candidate.to_string(),
            incumbent: incumbent.map(|digest| digest.to_string()),
            symbols: *symbols,
            timeframes: timeframes.iter().map(|timeframe| timeframe.as_str()).collect(),
            complete: *complete,
            compared: tally.counts().compared(),
            agree: of(Comparison::Agree),
            added: of(Comparison::Added),
            missed: of(Comparison::Missed),
            changed: of(Comparison::Changed),
            failed: of(Comparison::Failed),
            failures: tally.failures().clone(),
            examples: CandidateExamples {
                added: examples(Comparison::Added),
                missed: examples(Comparison::Missed),
                changed: examples(Comparison::Changed),
                failed: examples(Comparison::Failed),
            },
            cost: CandidateCosts { incumbent: incumbent.map(|_| of_incumbent.into()), candidate: of_candidate.into() },
        }
    }
}

/// Lets a module look at the last closed candles of what is scheduled, with the parameters of now, and compares it with the
/// module that decides. Nothing is stored or sent.
#[utoipa::path(
    post,
    path = "/api/v1/strategies/{id}/candidate",
    operation_id = "compare_candidate",
    tag = "strategies",
    params(("id" = String, Path, description = "The strategy that the module holds, there or not")),
    request_body = CandidateBody,
    responses((status = 200, body = Envelope<CandidateView>), GuestRefusals)
)]
pub(super) async fn compare(
    State(services): Shared,
    Name(id): Name,
    request: WriteRequest,
) -> Result<Answer<CandidateView>, ApiError> {
    let mut fields = Fields::new(request.body.required()?, &["module", "candles", "examples", "symbols", "seconds"])?;
    let module = fields.required::<ModuleDigest>("module");
    let candles = fields.whole("candles", &CANDLES, DEFAULT_CANDLES);
    let examples = fields.whole("examples", &EXAMPLES, DEFAULT_EXAMPLES);
    let seconds = fields.whole("seconds", &SECONDS, *SECONDS.end());
    let symbols = symbols(&mut fields, &services);
    let candidate = fields.finish(module)?;
    if *services.registry.progress() == Progress::Loading {
        return Err(ApiError::Loading);
    }
    let time = Duration::from_secs(seconds.into());
    let question = Question { strategy: id, candidate, candles, examples: examples as usize, symbols, time };
    // It ends with the service, and with the request: this is dropped where the client goes.
    let stop = services.ending.child_token();
    let _gone = stop.clone().drop_guard();
    let compare = async move {
        let report = services.impact.of(&question, &stop).await?;
        Ok(Answer::new(CandidateView::new(&question, &report)))
    };
    request.turns.take()?.run(compare).await
}

/// Symbols among those that are scheduled; others have no candles of which the strategy would have seen any.
fn symbols(fields: &mut Fields, services: &Services) -> Option<Vec<Symbol>> {
    let settings = services.settings.current();
    let mut symbols = fields.list::<Symbol>("symbols")?;
    symbols.sort();
    symbols.dedup();
    if symbols.is_empty() || symbols.len() > MOST_SYMBOLS {
        let allowed = format!("1 to {MOST_SYMBOLS} symbols; leave it out for all that are scheduled");
        fields.refuse(Problem::new("symbols", &json!(symbols.len()), allowed));
    }
    for symbol in symbols.iter().filter(|symbol| !settings.settings.symbols.contains(symbol)) {
        let allowed = "symbols that are scheduled, see GET /api/v1/config/application";
        fields.refuse(Problem::new("symbols", &json!(symbol.as_str()), allowed));
    }
    Some(symbols)
}
