//! Rolling parameters back to an earlier version.

use axum::extract::State;
use ta_bot_core::Symbol;
use ta_bot_engine::settings::config_store::ConfigKey;

use crate::{
    answer::{Answer, Envelope},
    error::ApiError,
    problem::Problem,
    request::{
        fields::{Fields, QueryFields},
        refusals::GuestRefusals,
        target::Target,
        write::{RollbackBody, Shared, WriteRequest, author, optional_fields, refuse_rollback_id},
    },
    routes::config::{ChangeView, done, expected},
};

/// Restores the parameters that a level held at `target_version`, or before they were last changed.
///
/// `enabled` stays as it is stored: a rollback neither pauses a strategy nor ends its pause.
#[utoipa::path(
    post,
    path = "/api/v1/strategies/{id}/rollback",
    operation_id = "roll_back_strategy",
    tag = "configuration",
    params(
        ("id" = String, Path, description = "The strategy"),
        ("symbol" = Option<String>, Query, description = "The symbol whose level is rolled back, if the body does not \
            name it; the level for all symbols if neither does"),
        ("If-Match" = Option<String>, Header, description = "Write only if this version is stored; * for any"),
    ),
    request_body = Option<RollbackBody>,
    responses((status = 200, body = Envelope<ChangeView>), GuestRefusals)
)]
pub(super) async fn rollback(
    State(services): Shared,
    target: Target,
    query: QueryFields,
    request: WriteRequest,
) -> Result<Answer<ChangeView>, ApiError> {
    const KNOWN: [&str; 5] = ["target_version", "rollback_id", "symbol", "changed_by", "reason"];
    let mut query = query.fields(&["symbol"])?;
    let mut fields = optional_fields(request.body, &KNOWN)?;
    let symbol = symbol(&mut query, &mut fields);
    let version = fields.version("target_version");
    refuse_rollback_id(&mut fields);
    let author = author(&mut fields, &request.sender);
    query.finish(Some(()))?;
    fields.finish(Some(()))?;
    let key = ConfigKey { symbol, ..target.key };
    let roll_back = async move {
        let expected = expected(&services, &key, request.condition).await?;
        let entry = services.parameters.roll_back(&key, version, expected, &author).await?;
        done(&services, &key, entry, None).await
    };
    request.turns.take()?.run(roll_back).await
}

/// The symbol of the query or of the body. If they name two, the caller may mean either.
fn symbol(query: &mut Fields, body: &mut Fields) -> Option<Symbol> {
    let (asked, given): (Option<Symbol>, Option<Symbol>) = (query.parsed("symbol"), body.parsed("symbol"));
    match (asked, given) {
        (Some(asked), Some(given)) if asked != given => {
            let allowed = format!("{asked} as in the query, or no symbol");
            body.refuse(Problem::new("symbol", &given.as_str().into(), allowed));
            None
        }
        (asked, given) => given.or(asked),
    }
}
