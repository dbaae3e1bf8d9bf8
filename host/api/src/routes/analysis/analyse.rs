//! Evaluates the newest closed candle on request.

use axum::extract::State;
use ta_bot_core::{Symbol, Timeframe, Timestamp};
use ta_bot_engine::{
    modules::registry::Progress,
    pipeline::analysis::{Newest, newest},
    support::traces::Span,
};
use utoipa::ToSchema;

use super::{publish::publish, view::AnalysisView};
use crate::{
    Services,
    answer::{Answer, Envelope},
    error::ApiError,
    request::{
        fields::Fields,
        refusals::GuestRefusals,
        write::{Shared, WriteRequest},
    },
};

/// What to analyse.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "describes the body, which is read field by field to report every problem")]
pub(super) struct AnalyseBody {
    /// The symbol, such as `BTCUSDT`.
    symbol: String,
    /// The timeframe, such as `15m`.
    timeframe: String,
    /// Whether to send the signals too. Each signal is sent once, whichever request or job finds it first.
    publish: Option<bool>,
}

/// Evaluates the newest closed candle with every enabled strategy, on this replica, now.
#[utoipa::path(
    post,
    path = "/api/v1/test/analyze",
    tag = "analysis",
    request_body = AnalyseBody,
    responses((status = 200, body = Envelope<AnalysisView>), GuestRefusals)
)]
pub(super) async fn analyse(State(services): Shared, request: WriteRequest) -> Result<Answer<AnalysisView>, ApiError> {
    let mut fields = Fields::new(request.body.required()?, &["symbol", "timeframe", "publish"])?;
    let symbol: Option<Symbol> = fields.required("symbol");
    let timeframe: Option<Timeframe> = fields.required("timeframe");
    let is_published = fields.flag("publish");
    let (symbol, timeframe) = fields.finish(symbol.zip(timeframe))?;
    if *services.registry.progress() == Progress::Loading {
        return Err(ApiError::Loading);
    }
    let turn = request.turns.take()?;
    let trace = Span::current();
    turn.run(async move { trace.around(answer(&services, symbol, timeframe, is_published)).await }).await
}

async fn answer(
    services: &Services,
    symbol: Symbol,
    timeframe: Timeframe,
    is_published: bool,
) -> Result<Answer<AnalysisView>, ApiError> {
    let newest = newest(services.candles.as_ref(), &symbol, timeframe, Timestamp::now()).await?;
    let Newest { job, refused } = newest.ok_or(ApiError::NoCandles(symbol, timeframe))?;
    if is_published {
        // What is sent must follow the current deployments, not what this replica last heard of.
        services.rollout.refresh().await?;
    }
    loop {
        let mut analysis = services.analyst.analyse(&job).await?;
        if let Some(newer) = &refused {
            analysis.add_refused(newer.clone());
        }
        if !is_published {
            return Ok(Answer::new(AnalysisView::new(&analysis, None)));
        }
        if let Some(published) = publish(services, &analysis).await? {
            return Ok(Answer::new(AnalysisView::new(&analysis, Some(published))));
        }
        services.rollout.refresh().await?;
    }
}
