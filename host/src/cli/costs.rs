//! `ta-bot costs`: what evaluations of jobs cost, according to the store.

use std::fmt;

use serde::Serialize;
use ta_bot_api::views::cost::CostView;
use ta_bot_core::Timestamp;
use ta_bot_engine::supervision::costs::{CostBy, CostFilter, DEFAULT_SINCE_MS, hour_of};

use super::{
    Session,
    args::CostsWanted,
    error::CliError,
    modules::named,
    output::{or_dash, short, table},
};

/// Lists costs. A service that is running adds what it measured once a minute.
pub(super) async fn costs(session: Session, wanted: CostsWanted) -> Result<(), CliError> {
    let CostsWanted { by, strategy, module, symbol, since, most } = wanted;
    let since = since.unwrap_or_else(|| Timestamp::now().plus_millis(-DEFAULT_SINCE_MS));
    let app = session.open().await?;
    let module = named::listed(&app, module.as_ref()).await?;
    let sums = app.ledger.sums(&CostFilter { strategy, module, symbol, since }, by).await?;
    let costs = sums.into_iter().take(most.limit as usize).map(CostView::from).collect();
    session.output.answer(&CostList { by, since: hour_of(since).to_string(), costs })
}

#[derive(Serialize)]
struct CostList {
    #[serde(skip)]
    by: CostBy,
    since: String,
    costs: Vec<CostView>,
}

impl fmt::Display for CostList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { by, since, costs } = self;
        if costs.is_empty() {
            return write!(f, "No job was looked at since {since}. A service adds what it measured once a minute.");
        }
        let names: &[&str] = match by {
            CostBy::Strategy => &["strategy"],
            CostBy::Module => &["strategy", "module"],
            CostBy::Symbol => &["symbol"],
        };
        let numbers =
            ["evaluations", "signals", "failures", "total ms", "mean ms", "longest ms", "ms/signal", "peak KiB"];
        let header: Vec<&str> = names.iter().copied().chain(numbers).collect();
        let aligned: Vec<usize> = (names.len()..header.len()).collect();
        let row = |cost: &CostView| {
            let module = cost.module_digest.as_deref().map(short);
            let names = [cost.strategy.clone(), module, cost.symbol.clone()].into_iter().flatten();
            let numbers = [
                cost.evaluations.to_string(),
                cost.signals.to_string(),
                cost.failures.to_string(),
                format!("{:.1}", cost.total_ms),
                format!("{:.3}", cost.mean_ms),
                format!("{:.1}", cost.longest_ms),
                or_dash(cost.ms_per_signal, |ms| format!("{ms:.1}")),
                (cost.peak_memory_bytes >> 10).to_string(),
            ];
            names.chain(numbers).collect::<Vec<_>>()
        };
        write!(f, "Since {since}:\n\n{}", table(&header, &aligned, costs.iter().map(row)))
    }
}
