//! `ta-bot outbox verify`: whether the stream of signals still holds what counts as published.

use std::{
    fmt,
    process::ExitCode,
    time::{Duration, Instant},
};

use serde::Serialize;
use ta_bot_core::Timestamp;
use ta_bot_engine::{
    signals::{
        bus::BusError,
        expiry::Expiry,
        outbox::StoredSignal,
        verification::{VerificationError, Verified, publish_again, verify},
    },
    support::backoff::Backoff,
};

use super::{
    Session,
    args::OutboxCommand,
    error::{CliError, FAILED},
    output::{short, table},
};
use crate::app::App;

/// How long a command waits for the connection to the bus.
const CONNECTING: Duration = Duration::from_secs(5);
/// Pauses between the tries.
const TRY_AGAIN: Backoff = Backoff::new(Duration::from_millis(20), Duration::from_millis(500));

/// Does what the command says.
pub(super) async fn run(session: Session, command: OutboxCommand) -> Result<ExitCode, CliError> {
    let OutboxCommand::Verify { hours, republish } = command;
    let app = session.open().await?;
    let since = Timestamp::now().plus_millis(-3_600_000 * i64::from(hours));
    let Verified { published, missing } = connected(&app, since).await?.ok_or(CliError::NoStream)?;
    let expiry = Expiry::new(session.environment.signal_max_age, app.clock.clone());
    let mut report = Report { since: since.to_string(), published, missing: Vec::new() };
    for signal in &missing {
        let expired = expiry.is_over(&signal.job());
        let republished = republish && !expired;
        if republished {
            publish_again(&*app.bus, &session.environment.subject, signal).await?;
        }
        report.missing.push(Missing::new(signal, expired, republished));
    }
    let is_whole = report.missing.iter().all(|signal| signal.republished);
    session.output.answer(&report)?;
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

/// Compares store and stream, and gives the bus of this process a moment to connect.
async fn connected(app: &App, since: Timestamp) -> Result<Option<Verified>, CliError> {
    let begun = Instant::now();
    let mut pauses = TRY_AGAIN;
    loop {
        match verify(&*app.outbox, &*app.bus, since).await {
            Err(VerificationError::Bus(BusError::Away(_))) if begun.elapsed() < CONNECTING => {
                tokio::time::sleep(pauses.pause()).await;
            }
            Err(VerificationError::Store(error)) => return Err(error.into()),
            Err(VerificationError::Bus(error)) => return Err(error.into()),
            Ok(verified) => return Ok(verified),
        }
    }
}

/// What was found, and done about it.
#[derive(Debug, Serialize)]
struct Report {
    since: String,
    /// How many signals count as published.
    published: usize,
    missing: Vec<Missing>,
}

/// A signal that the stream does not hold.
#[derive(Debug, Serialize)]
struct Missing {
    signal_id: String,
    strategy: String,
    symbol: String,
    timeframe: String,
    candle_close: String,
    published_at: Option<String>,
    /// Whether it is too old to be sent.
    expired: bool,
    /// Whether it was sent again.
    republished: bool,
}

impl Missing {
    fn new(signal: &StoredSignal, expired: bool, republished: bool) -> Self {
        Self {
            signal_id: signal.id.clone(),
            strategy: signal.strategy.to_string(),
            symbol: signal.symbol.to_string(),
            timeframe: signal.timeframe.as_str().to_owned(),
            candle_close: signal.candle_close.to_string(),
            published_at: signal.published_at.map(|moment| moment.to_string()),
            expired,
            republished,
        }
    }

    const fn fate(&self) -> &'static str {
        match (self.republished, self.expired) {
            (true, _) => "sent again",
            (false, true) => "too old to be sent",
            (false, false) => "missing",
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { since, published, missing } = self;
        if missing.is_empty() {
            return write!(f, "The stream holds all {published} signals that were stored since {since} and published.");
        }
        let count = missing.len();
        writeln!(
            f,
            "Of {published} signals that were stored since {since} and published, the stream lacks {count}:\n"
        )?;
        let row = |signal: &Missing| {
            let Missing { signal_id, strategy, symbol, timeframe, candle_close, .. } = signal;
            [&short(signal_id), strategy, symbol, timeframe, candle_close, signal.fate()].map(str::to_owned)
        };
        let header = ["signal", "strategy", "symbol", "timeframe", "candle closed", ""];
        writeln!(f, "{}", table(&header, &[], missing.iter().map(row)))?;
        if missing.iter().any(|signal| signal.republished) {
            return write!(f, "\nPlain subscribers may have seen those that were sent again before.");
        }
        if missing.iter().any(|signal| !signal.expired) {
            return write!(
                f,
                "\nWith --republish those that are not too old are sent again. Plain subscribers may have seen them before."
            );
        }
        Ok(())
    }
}
