//! What a module would have changed if it had decided.

use std::time::Duration;

use axum::extract::State;
use serde_json::json;
use ta_bot_core::{ModuleDigest, Symbol};
use ta_bot_engine::{
    deployments::impact::{self, Question},
    modules::registry::Progress,
};
use utoipa::ToSchema;

use super::deployment::Name;
use crate::{
    Services,
    answer::{Answer, Envelope},
    error::ApiError,
    problem::Problem,
    request::{
        fields::Fields,
        refusals::GuestRefusals,
        write::{Shared, WriteRequest},
    },
    views::impact::CandidateView,
};

/// The most symbols that a request may name.
const MOST_SYMBOLS: usize = 1000;

/// The module to compare, and on which candles.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "describes the body, which is read field by field to report every problem")]
pub(super) struct CandidateBody {
    /// The SHA-256 of a stored module, admitted or not.
    module: String,
    /// The number of newest closed candles in each series, from 1 to 1000; 100 if absent.
    candles: Option<u32>,
    /// The number of examples for each kind of difference, from 0 to 100; 20 if absent.
    examples: Option<u32>,
    /// Only these of the scheduled symbols; all of them if absent.
    symbols: Option<Vec<String>>,
    /// The most seconds that it may take, from 1 to 60; 60 if absent. The response holds what was found in that time.
    seconds: Option<u32>,
}

/// Compares a module with the one that decides, on the newest closed candles of what is scheduled.
///
/// Both are evaluated with the current parameters. Nothing is stored or sent.
#[utoipa::path(
    post,
    path = "/api/v1/strategies/{id}/candidate",
    operation_id = "compare_candidate",
    tag = "strategies",
    params(("id" = String, Path, description = "The strategy that the module holds; it need not exist yet")),
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
    let candles = fields.whole("candles", &impact::CANDLES, impact::DEFAULT_CANDLES);
    let examples = fields.whole("examples", &impact::EXAMPLES, impact::DEFAULT_EXAMPLES);
    let seconds = fields.whole("seconds", &impact::SECONDS, *impact::SECONDS.end());
    let symbols = symbols(&mut fields, &services);
    let candidate = fields.finish(module)?;
    if *services.registry.progress() == Progress::Loading {
        return Err(ApiError::Loading);
    }
    let time = Duration::from_secs(seconds.into());
    let question = Question { strategy: id, candidate, candles, examples: examples as usize, symbols, time };
    // The comparison stops when the service shuts down, or when the client disconnects, which drops this guard.
    let stop = services.ending.child_token();
    let _gone = stop.clone().drop_guard();
    let compare = async move {
        let report = services.impact.of(&question, &stop).await?;
        Ok(Answer::new(CandidateView::new(&question, &report)))
    };
    request.turns.take()?.run(compare).await
}

/// Reads the symbols, which must be scheduled ones.
fn symbols(fields: &mut Fields, services: &Services) -> Option<Vec<Symbol>> {
    let settings = services.settings.current();
    let mut symbols = fields.list::<Symbol>("symbols")?;
    symbols.sort();
    symbols.dedup();
    if symbols.is_empty() || symbols.len() > MOST_SYMBOLS {
        let allowed = format!("1 to {MOST_SYMBOLS} symbols; leave it out for all that are scheduled");
        fields.refuse(Problem::new("symbols", &json!(symbols.len()), allowed));
    }
    for symbol in impact::unscheduled(&symbols, &settings.settings) {
        let allowed = "symbols that are scheduled, see GET /api/v1/config/application";
        fields.refuse(Problem::new("symbols", &json!(symbol.as_str()), allowed));
    }
    Some(symbols)
}
