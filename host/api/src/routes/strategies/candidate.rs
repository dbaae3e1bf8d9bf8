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
    refusals::GuestRefusals,
    request::{
        fields::Fields,
        write::{Shared, WriteRequest},
    },
    views::impact::CandidateView,
};

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
    // It ends with the service, and with the request: this is dropped where the client goes.
    let stop = services.ending.child_token();
    let _gone = stop.clone().drop_guard();
    let compare = async move {
        let report = services.impact.of(&question, &stop).await?;
        Ok(Answer::new(CandidateView::new(&question, &report)))
    };
    request.turns.take()?.run(compare).await
}

/// Symbols among those that are scheduled.
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
