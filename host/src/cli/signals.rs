//! `ta-bot signals`: the stored signals, for people and their tools.

use std::{fmt, io, pin::pin, sync::Arc};

use serde::Serialize;
use serde_json::Value;
use ta_bot_api::views::signal::SignalView;
use ta_bot_core::{SignalId, visible_json};
use ta_bot_engine::signals::{
    cursor::Cursor,
    feed::from_now_on,
    outbox::{Outbox, SignalFilter, StoredSignal},
};
use tokio::signal;
use tokio_util::sync::CancellationToken;

use super::{
    Session,
    args::SignalsCommand,
    error::CliError,
    output::{NOTHING, line, one_line, or_dash, short, table},
};

mod export;

/// Runs one of these commands.
pub(super) async fn run(session: Session, command: SignalsCommand) -> Result<(), CliError> {
    match command {
        SignalsCommand::List { wanted, moments, before, most } => {
            let filter = SignalFilter { before, limit: most.limit, ..moments.within(wanted.into()) };
            let signals = session.open().await?.outbox.signals(&filter).await?;
            session.output.answer(&SignalList { signals: signals.into_iter().map(SignalView::from).collect() })
        }
        SignalsCommand::Show { which } => {
            let app = session.open().await?;
            let signal = match find(&*app.outbox, &which).await {
                Err(unknown) => return Err(unknown.or_no_longer_kept(&*app.retention).await),
                found => found?,
            };
            session.output.answer(&Shown(signal.into()))
        }
        SignalsCommand::Tail { wanted, after } => tail(&session, &wanted.into(), after).await,
        SignalsCommand::Export { wanted, moments, format, output } => {
            export::export(&session, &moments.within(wanted.into()), format, output).await
        }
    }
}

/// The signal with a number or an id.
async fn find(outbox: &dyn Outbox, which: &str) -> Result<StoredSignal, CliError> {
    if let Ok(number) = which.parse::<i64>() {
        let filter = SignalFilter { before: Some(number.saturating_add(1)), limit: 1, ..SignalFilter::default() };
        let found = outbox.signals(&filter).await?.pop().filter(|signal| signal.sequence == number);
        return found.ok_or(CliError::UnknownSequence(number));
    }
    let id: SignalId = which.parse().map_err(|_| {
        CliError::Usage(format!("`{which}` is neither the number of a signal nor an id of 64 hex digits"))
    })?;
    outbox.signal(&id).await?.ok_or(CliError::UnknownSignal(id))
}

/// Prints signals as they are stored, until the process is told to stop or nobody reads.
async fn tail(session: &Session, filter: &SignalFilter, after: Option<Cursor>) -> Result<(), CliError> {
    let app = session.open().await?;
    let cursor = match after {
        Some(cursor) => cursor,
        None => from_now_on(&*app.outbox).await?,
    };
    let stop = CancellationToken::new();
    let _stopped = stop.clone().drop_guard();
    tokio::spawn(Arc::clone(&app.feed).run(stop));
    let mut follower = app.feed.follow(cursor);
    let mut interrupted = pin!(signal::ctrl_c());
    loop {
        let next = tokio::select! {
            _ = &mut interrupted => return Ok(()),
            next = follower.next() => next?,
        };
        let Some(signal) = next else { return Ok(()) };
        if filter.matches(&signal) {
            let view = SignalView::from(StoredSignal::clone(&signal));
            let text = if session.output.json { json(&view)? } else { Line(&view).to_string() };
            if !line(&text)? {
                return Ok(());
            }
        }
    }
}

/// A signal as one line of JSON, which may go to a terminal.
fn json(view: &SignalView) -> Result<String, CliError> {
    let text = serde_json::to_string(view).map_err(|error| CliError::Output(io::Error::from(error)))?;
    Ok(visible_json(&text).into_owned())
}

fn number(message: &Value, name: &str) -> String {
    or_dash(message[name].as_f64(), |number| number.to_string())
}

/// One signal, on one line.
struct Line<'a>(&'a SignalView);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SignalView { symbol, timeframe, strategy, candle_close, message, .. } = self.0;
        let action = message["action"].as_str().unwrap_or(NOTHING);
        let (price, confidence) = (number(message, "price"), number(message, "confidence"));
        write!(f, "{candle_close}  {symbol} {timeframe}  {strategy}  {action} at {price}, confidence {confidence}")?;
        message["rationale"].as_str().map_or(Ok(()), |words| write!(f, "  {}", one_line(words)))
    }
}

#[derive(Serialize)]
struct SignalList {
    signals: Vec<SignalView>,
}

impl fmt::Display for SignalList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.signals.is_empty() {
            return f.write_str("There is no such signal.");
        }
        let header =
            ["number", "candle closed", "symbol", "timeframe", "strategy", "action", "price", "confidence", "state"];
        let row = |signal: &SignalView| {
            [
                signal.sequence.to_string(),
                signal.candle_close.clone(),
                signal.symbol.clone(),
                signal.timeframe.clone(),
                signal.strategy.clone(),
                signal.message["action"].as_str().unwrap_or(NOTHING).to_owned(),
                number(&signal.message, "price"),
                number(&signal.message, "confidence"),
                signal.state.to_owned(),
            ]
        };
        writeln!(f, "{}", table(&header, &[0, 6, 7], self.signals.iter().map(row)))?;
        f.write_str("\nMore about one: ta-bot signals show NUMBER")
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Shown(SignalView);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SignalView { sequence, signal_id, strategy, symbol, timeframe, message, .. } = &self.0;
        let action = message["action"].as_str().unwrap_or(NOTHING);
        writeln!(f, "{signal_id}\n")?;
        writeln!(f, "  number      {sequence}")?;
        writeln!(f, "  strategy    {strategy} on {symbol} {timeframe}")?;
        writeln!(f, "  candle      closed {}", self.0.candle_close)?;
        writeln!(f, "  says        {action}, confidence {}", number(message, "confidence"))?;
        let [price, stop, target] = ["price", "stop_loss", "take_profit"].map(|name| number(message, name));
        writeln!(f, "  price       {price}, stop {stop}, target {target}")?;
        if let Some(words) = message["rationale"].as_str() {
            writeln!(f, "  because     {}", one_line(words))?;
        }
        if let Some(readings) = message["indicators"].as_object() {
            let readings = readings.iter().map(|(name, value)| format!("{} {value}", one_line(name)));
            writeln!(f, "  readings    {}", readings.collect::<Vec<_>>().join(", "))?;
        }
        let ended = [&self.0.published_at, &self.0.expired_at, &self.0.withheld_at].into_iter().flatten().next();
        let since = ended.map(|moment| format!(" since {moment}")).unwrap_or_default();
        writeln!(f, "  state       {}{since}, stored {}", self.0.state, self.0.created_at)?;
        let made_of = &message["metadata"]["provenance"];
        let text = |name: &str| or_dash(made_of[name].as_str(), short);
        writeln!(f, "  module      {}", text("module_digest"))?;
        let version = or_dash(made_of["parameter_version"].as_i64(), |version| version.to_string());
        writeln!(f, "  parameters  version {version}, hash {}", text("parameter_hash"))?;
        write!(f, "\nTo make it again and compare: ta-bot replay {signal_id}")
    }
}
