//! Reads from a stored signal how it was made.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value as Json};
use ta_bot_core::{
    DerivedInput, Job, Level, MAX_RATIONALE, MessageForm, MessageRules, MessageTexts, ModuleDigest, ParameterHash,
    ParameterSchema, Provenance, ResolvedParameters, SignalId, SignalTimestamp, StrategyId, Timestamp, WindowHash,
    readings_fit,
};

use super::Cause;
use crate::{evaluation::Origin, signals::outbox::StoredSignal};

/// How a signal was made, according to its stored message.
#[derive(Debug, Clone)]
pub(super) struct Recorded {
    pub(super) strategy: StrategyId,
    pub(super) job: Job,
    pub(super) module: ModuleDigest,
    pub(super) window_hash: WindowHash,
    pub(super) host_version: String,
    parameter_hash: ParameterHash,
    parameter_version: i64,
    config: Config,
    traceparent: Option<String>,
    derived: Vec<DerivedInput>,
    rules: MessageRules,
}

/// The part of a message that is read.
#[derive(Deserialize)]
struct Message {
    metadata: Metadata,
    #[serde(rename = "_otel_trace_headers", default)]
    trace: Json,
    #[serde(default)]
    timestamp: Json,
    /// Absent in messages of versions before 2.0.0.
    candle_close: Option<Json>,
    #[serde(default)]
    simulated: Json,
    #[serde(default)]
    rationale: Option<String>,
}

impl Message {
    /// The rules by which the message was written, as far as it shows them. Only the moment of the commit is taken for
    /// that of a signal that says when it was emitted.
    fn rules(&self, stored: &StoredSignal) -> MessageRules {
        let is_emitted = self.timestamp == stored.created_at.to_string();
        MessageRules {
            form: if self.candle_close.is_some() { MessageForm::Current } else { MessageForm::First },
            timestamp: if is_emitted { SignalTimestamp::Emitted } else { SignalTimestamp::CandleClose },
            is_simulated: self.simulated == true,
            texts: if self.has_long_texts() { MessageTexts::AsGiven } else { MessageTexts::Cut },
        }
    }

    /// Whether the texts of the strategy are longer than their bounds, as only versions left them that had none. Within
    /// the bounds both ways give the same.
    fn has_long_texts(&self) -> bool {
        let readings = self.metadata.readings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        self.rationale.as_ref().is_some_and(|rationale| rationale.len() > MAX_RATIONALE) || !readings_fit(readings)
    }
}

#[derive(Deserialize)]
struct Metadata {
    strategy_config: Config,
    provenance: Provenance,
    /// Everything else.
    #[serde(flatten)]
    readings: Map<String, Json>,
}

#[derive(Debug, Clone, Deserialize)]
struct Config {
    parameters: Map<String, Json>,
    source: String,
    is_override: bool,
}

impl Recorded {
    /// Reads a stored message. Strategy, symbol and timeframe are taken from the row.
    pub(super) fn read(stored: &StoredSignal) -> Result<Self, Cause> {
        let unreadable = |reason: String| Cause::Unreadable(reason);
        let message: Message = serde_json::from_str(&stored.message).map_err(|error| unreadable(error.to_string()))?;
        let rules = message.rules(stored);
        let Message { metadata: Metadata { strategy_config: config, provenance, .. }, trace, .. } = message;
        let digest = |field: &str| unreadable(format!("metadata.provenance.{field} is no SHA-256 of 64 hex digits"));
        Ok(Self {
            strategy: stored.strategy.clone(),
            job: Job {
                symbol: stored.symbol.clone(),
                timeframe: stored.timeframe,
                candle_close: Timestamp::from_millis(provenance.candle_close),
            },
            module: provenance.module_digest.parse().map_err(|_| digest("module_digest"))?,
            window_hash: provenance.window_hash.parse().map_err(|_| digest("window_hash"))?,
            parameter_hash: provenance.parameter_hash.parse().map_err(|_| digest("parameter_hash"))?,
            parameter_version: provenance.parameter_version,
            host_version: provenance.host_version,
            derived: provenance.derived_candles,
            config,
            traceparent: trace["traceparent"].as_str().map(str::to_owned),
            rules,
        })
    }

    /// Checks that everything that the signal's id is made of is unchanged.
    pub(super) fn check_identity(&self, id: &SignalId) -> Result<(), Cause> {
        let made = SignalId::of(&self.strategy, self.module, self.parameter_hash, &self.job);
        if made == *id { Ok(()) } else { Err(Cause::OtherIdentity { made }) }
    }

    /// Returns the parameters that were in use, if the stored ones still have their hash.
    pub(super) fn parameters(&self, schema: &ParameterSchema) -> Result<ResolvedParameters, Cause> {
        let unknown = |reason| Cause::UnknownParameters { hash: self.parameter_hash, reason };
        let values = schema.read(&self.config.parameters).map_err(|problems| {
            let names: Vec<&str> = problems.iter().take(10).map(|problem| problem.parameter.as_str()).collect();
            unknown(format!("the module takes no such value of {}", names.join(", ")))
        })?;
        let hash = values.hash();
        if hash != self.parameter_hash {
            return Err(unknown(format!("those of the stored message have the hash {hash}")));
        }
        let level = match (self.config.is_override, self.config.source.as_str()) {
            (true, _) => Level::Symbol,
            (false, "default") => Level::Default,
            (false, _) => Level::Global,
        };
        // The origin of each value is not part of a signal.
        Ok(ResolvedParameters { values, origins: BTreeMap::new(), version: self.parameter_version, level, hash })
    }

    /// Returns the other facts that the message contains. No evaluation can reproduce them, so they are taken from the
    /// message.
    pub(super) fn origin(&self) -> Origin<'_> {
        Origin {
            parameter_store: &self.config.source,
            host_version: &self.host_version,
            traceparent: self.traceparent.as_deref(),
            derived: Some(&self.derived),
            rules: self.rules,
        }
    }
}
