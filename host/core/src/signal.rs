//! A signal: a decision that passed the host's checks, as the message that is sent.
//!
//! The message is built once, stored with its identity and sent as stored, so every send has the same bytes, no matter
//! which process sends it or how often.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::{
    Action, ApplicationSettings, CandleSlice, Decision, DerivedInput, Job, Level, ModuleDigest, ParameterHash,
    ResolvedParameters, RiskLevels, StrategyId, Timestamp, Value, WindowHash, WindowHoles, default_levels,
};

/// The identity of a signal: a hash of which strategy, code and parameters decided, and on which candle. The same
/// evaluation has the same id in every process.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct SignalId(String);

/// Why a text is not a signal id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no signal id: give the 64 hex digits that a signal has as signal_id")]
pub struct SignalIdError(String);

impl SignalId {
    /// The SHA-256, in hex, over strategy id, module digest, parameter hash, symbol, timeframe and candle close
    /// (milliseconds), one per line.
    pub fn of(strategy: &StrategyId, module: ModuleDigest, parameters: ParameterHash, job: &Job) -> Self {
        let Job { symbol, timeframe, candle_close } = job;
        let identity = format!("{strategy}\n{module}\n{parameters}\n{symbol}\n{timeframe}\n{}", candle_close.millis());
        Self(hex::encode(Sha256::digest(identity)))
    }

    /// The id as 64 hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SignalId {
    type Err = SignalIdError;

    /// Upper-case digits are converted to lower case.
    fn from_str(text: &str) -> Result<Self, SignalIdError> {
        if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(SignalIdError(text.chars().take(80).collect()))
        }
    }
}

impl fmt::Display for SignalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One decision and everything it was made from.
#[derive(Debug, Clone)]
pub struct Evaluated<'a> {
    /// The evaluated candle.
    pub job: &'a Job,
    /// The strategy that decided.
    pub strategy: &'a StrategyId,
    /// The digest of its code.
    pub module: ModuleDigest,
    /// The WIT version that the module implements.
    pub wit_version: &'a str,
    /// The parameters of the evaluation.
    pub parameters: &'a ResolvedParameters,
    /// The name of the driver that stores the parameters.
    pub parameter_store: &'a str,
    /// The base window.
    pub window: CandleSlice<'a>,
    /// The hash of all windows, extra inputs included.
    pub window_hash: WindowHash,
    /// The holes of all windows.
    pub holes: &'a [WindowHoles],
    /// The version of the host.
    pub host_version: &'a str,
    /// The candles of the windows that were made of shorter ones.
    pub derived: &'a [DerivedInput],
    /// The trace context of the triggering event, in the W3C `traceparent` format.
    pub traceparent: Option<&'a str>,
    /// The rules by which the message is written.
    pub rules: MessageRules,
    /// The decision.
    pub decision: &'a Decision,
}

/// The rules by which messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MessageRules {
    /// Which fields there are.
    pub form: MessageForm,
    /// What `timestamp` says.
    pub timestamp: SignalTimestamp,
    /// Whether the market is a simulated one.
    pub is_simulated: bool,
    /// Whether the strategy's texts are cut to their bounds.
    pub texts: MessageTexts,
}

/// Which fields a message has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MessageForm {
    /// That of the versions before 2.0.0: without `candle_close` and `signal_summary`, and always with a trace context,
    /// which was made up if there was none.
    First,
    /// That of this version.
    #[default]
    Current,
}

/// Whether the strategy's texts are cut to their bounds in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MessageTexts {
    /// They are, see [`Decision::within_bounds`].
    #[default]
    Cut,
    /// They are as the strategy gave them: that of versions before there were bounds.
    AsGiven,
}

/// What the `timestamp` of a message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SignalTimestamp {
    /// When the candle closed.
    #[default]
    CandleClose,
    /// When the signal was committed.
    Emitted,
}

/// Why a text does not name what `timestamp` says.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("give candle_close or emitted")]
pub struct SignalTimestampError;

impl FromStr for SignalTimestamp {
    type Err = SignalTimestampError;

    fn from_str(text: &str) -> Result<Self, SignalTimestampError> {
        match text {
            "candle_close" => Ok(Self::CandleClose),
            "emitted" => Ok(Self::Emitted),
            _ => Err(SignalTimestampError),
        }
    }
}

/// Where a signal comes from: enough to repeat the evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "see Evaluated")]
pub struct Provenance {
    pub module_digest: String,
    pub wit_version: String,
    pub parameter_version: i64,
    pub parameter_hash: String,
    pub window_hash: String,
    pub candle_close: i64,
    pub host_version: String,
    /// Absent if no candle was made of shorter ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub derived_candles: Vec<DerivedInput>,
    /// Absent if no window has a hole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holes: Vec<WindowHoles>,
}

/// Why a decision does not become a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DropReason {
    /// The confidence is below the configured minimum.
    BelowMinConfidence,
    /// The confidence is above the configured maximum.
    AboveMaxConfidence,
    /// The entry price or the newest close is not above zero.
    PriceNotPositive,
    /// The stop-loss is not above zero, or is on the wrong side of the price.
    StopLossWrong,
    /// The take-profit is not above zero, or is on the wrong side of the price.
    TakeProfitWrong,
}

impl DropReason {
    /// The name used in metrics and API responses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BelowMinConfidence => "below_min_confidence",
            Self::AboveMaxConfidence => "above_max_confidence",
            Self::PriceNotPositive => "price_not_positive",
            Self::StopLossWrong => "stop_loss_wrong",
            Self::TakeProfitWrong => "take_profit_wrong",
        }
    }
}

/// A signal, ready to be stored and sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// Its identity.
    pub id: SignalId,
    /// The candle it is for.
    pub job: Job,
    /// The strategy that decided.
    pub strategy: StrategyId,
    /// What to do.
    pub action: Action,
    /// How sure the strategy is.
    pub confidence: f64,
    /// Where it comes from.
    pub provenance: Provenance,
    /// What the message's `timestamp` will say.
    pub timestamp: SignalTimestamp,
    /// Whether it is stored and never sent, because of its action.
    pub is_withheld: bool,
    /// The message, which says when the candle closed until it is committed; see [`message_at`](Self::message_at).
    pub message: Json,
}

impl Signal {
    /// Checks a decision and builds its message.
    pub fn new(evaluated: &Evaluated<'_>, settings: &ApplicationSettings) -> Result<Self, DropReason> {
        let Decision { action, confidence, .. } = *evaluated.decision;
        if confidence < settings.min_confidence {
            return Err(DropReason::BelowMinConfidence);
        }
        if confidence > settings.max_confidence {
            return Err(DropReason::AboveMaxConfidence);
        }
        let close = evaluated.window.close.last().copied().unwrap_or(f64::NAN);
        let price = evaluated.decision.price.unwrap_or(close);
        if !(price > 0.0 && close > 0.0) {
            return Err(DropReason::PriceNotPositive);
        }
        let levels = levels(evaluated, price)?;
        let Evaluated { strategy, module, parameters, job, rules, .. } = *evaluated;
        let id = SignalId::of(strategy, module, parameters.hash, job);
        let provenance = provenance(evaluated);
        let message = message(evaluated, &id, &provenance, (price, close), levels);
        let (job, strategy, timestamp) = (job.clone(), strategy.clone(), rules.timestamp);
        Ok(Self { id, job, strategy, action, confidence, provenance, timestamp, is_withheld: false, message })
    }

    /// The message as it is stored and sent if the signal is committed at this moment.
    pub fn message_at(&self, committed: Timestamp) -> Cow<'_, Json> {
        match self.timestamp {
            SignalTimestamp::CandleClose => Cow::Borrowed(&self.message),
            SignalTimestamp::Emitted => {
                let mut message = self.message.clone();
                message["timestamp"] = committed.to_string().into();
                Cow::Owned(message)
            }
        }
    }
}

/// For a buy or a sell: the strategy's own stop and target, with the default for each one that is missing. Both must
/// lie on the correct side of the price. For any other action: the strategy's own, if it gave both.
fn levels(evaluated: &Evaluated<'_>, price: f64) -> Result<Option<RiskLevels>, DropReason> {
    let decision = evaluated.decision;
    let given = decision.stop_loss.zip(decision.take_profit);
    let given = given.map(|(stop_loss, take_profit)| RiskLevels { stop_loss, take_profit });
    let trade = matches!(decision.action, Action::Buy | Action::Sell);
    if !trade {
        return Ok(given);
    }
    let mut levels = default_levels(decision.action, price, evaluated.window);
    levels.stop_loss = decision.stop_loss.unwrap_or(levels.stop_loss);
    levels.take_profit = decision.take_profit.unwrap_or(levels.take_profit);
    let below = |level: f64| level > 0.0 && level < price;
    let above = |level: f64| level > price;
    let (stop_fits, target_fits) = match decision.action {
        Action::Buy => (below(levels.stop_loss), above(levels.take_profit)),
        _ => (above(levels.stop_loss), below(levels.take_profit)),
    };
    match (stop_fits, target_fits) {
        (false, _) => Err(DropReason::StopLossWrong),
        (_, false) => Err(DropReason::TakeProfitWrong),
        _ => Ok(Some(levels)),
    }
}

fn provenance(evaluated: &Evaluated<'_>) -> Provenance {
    Provenance {
        module_digest: evaluated.module.to_string(),
        wit_version: evaluated.wit_version.to_owned(),
        parameter_version: evaluated.parameters.version,
        parameter_hash: evaluated.parameters.hash.to_string(),
        window_hash: evaluated.window_hash.to_string(),
        candle_close: evaluated.job.candle_close.millis(),
        host_version: evaluated.host_version.to_owned(),
        derived_candles: evaluated.derived.to_vec(),
        holes: evaluated.holes.to_vec(),
    }
}

fn message(
    evaluated: &Evaluated<'_>,
    id: &SignalId,
    provenance: &Provenance,
    (price, close): (f64, f64),
    levels: Option<RiskLevels>,
) -> Json {
    let Evaluated { job, strategy, parameters, decision, .. } = evaluated;
    let mut message = json!({
        "strategy_id": strategy.as_str(),
        "strategy": strategy.as_str(),
        "symbol": job.symbol.as_str(),
        "action": decision.action,
        "confidence": decision.confidence,
        "strength": decision.strength,
        "price": price,
        "current_price": close,
        "quantity": 0.0,
        "timeframe": job.timeframe.as_str(),
        "stop_loss": levels.map(|levels| levels.stop_loss),
        "take_profit": levels.map(|levels| levels.take_profit),
        "source": "ta_bot",
        "strategy_mode": "deterministic",
        "order_type": "market",
        "time_in_force": "GTC",
        "timestamp": job.candle_close.to_string(),
        "signal_id": id.as_str(),
        "intent_id": &id.as_str()[..32],
        "rationale": decision.rationale,
        "indicators": indicators(decision),
        "metadata": metadata(evaluated, parameters, provenance),
    });
    for (name, value) in varying(evaluated, id) {
        message[name] = value;
    }
    message
}

/// The fields that not every message has.
fn varying(evaluated: &Evaluated<'_>, id: &SignalId) -> Vec<(&'static str, Json)> {
    let Evaluated { job, rules, decision, .. } = evaluated;
    let mut fields = Vec::new();
    let traceparent = match rules.form {
        MessageForm::First => {
            // Versions before 2.0.0 took a context of zeros, and made one up that was not sampled.
            let digits = id.as_str();
            let made_up = || format!("00-{}-{}-00", &digits[..32], &digits[32..48]);
            Some(evaluated.traceparent.and_then(|parent| continued(id, parent)).unwrap_or_else(made_up))
        }
        MessageForm::Current => {
            fields.push(("candle_close", job.candle_close.to_string().into()));
            // Readers have a default of their own for a summary that is absent, and none for one that is null.
            fields.extend(decision.rationale.as_ref().map(|rationale| ("signal_summary", rationale.clone().into())));
            fields.extend(rules.is_simulated.then_some(("simulated", true.into())));
            evaluated.traceparent.filter(|parent| is_trace(parent)).and_then(|parent| continued(id, parent))
        }
    };
    fields.extend(traceparent.map(|traceparent| ("_otel_trace_headers", json!({"traceparent": traceparent}))));
    fields
}

/// The numeric readings behind a decision.
fn indicators(decision: &Decision) -> Json {
    let numbers = decision.metadata.iter().filter(|(_, value)| matches!(value, Value::Number(_) | Value::Integer(_)));
    numbers.map(|(name, value)| (name.clone(), value.to_json())).collect::<Map<_, _>>().into()
}

fn metadata(evaluated: &Evaluated<'_>, parameters: &ResolvedParameters, provenance: &Provenance) -> Json {
    let mut metadata: Map<String, Json> =
        evaluated.decision.metadata.iter().map(|(name, value)| (name.clone(), value.to_json())).collect();
    let source = if parameters.level == Level::Default { "default" } else { evaluated.parameter_store };
    metadata.insert(
        "strategy_config".to_owned(),
        json!({
            "version": parameters.version,
            "parameters": parameters.values,
            "source": source,
            "is_override": parameters.level == Level::Symbol,
        }),
    );
    metadata.insert("provenance".to_owned(), json!(provenance));
    metadata.into()
}

/// The sender's trace, with its flags and a span that is the signal's own. `None` if `parent` is no trace context.
fn continued(id: &SignalId, parent: &str) -> Option<String> {
    let (trace, _, flags) = parts(parent)?;
    Some(format!("00-{trace}-{}-{flags}", &id.as_str()[32..48]))
}

/// Whether a trace context names a trace and a span: both are absent if they are zeros.
fn is_trace(parent: &str) -> bool {
    let is_named = |digits: &str| digits.bytes().any(|digit| digit != b'0');
    parts(parent).is_some_and(|(trace, span, _)| is_named(trace) && is_named(span))
}

/// The trace, the span and the flags of a W3C `traceparent`.
fn parts(parent: &str) -> Option<(&str, &str, &str)> {
    let hex = |text: &str, length| text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit());
    match parent.split('-').collect::<Vec<_>>()[..] {
        [_, trace, span, flags] if hex(trace, 32) && hex(span, 16) && hex(flags, 2) => Some((trace, span, flags)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
