use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use ta_bot_core::{ApplicationSettings, StrategyId, Symbol, Timeframe, Timestamp};

use super::*;
use crate::{
    settings::{
        config_store::{ConfigKey, Leftovers, StoredConfig, StoredLevels, StoredSettings},
        parameters::Meaning,
    },
    support::store_error::{StoreError, WriteError},
    testing::{Engine, author, settings, symbol},
};

fn key(symbol_name: Option<&str>) -> ConfigKey {
    ConfigKey { strategy: "rsi".parse().unwrap(), symbol: symbol_name.map(symbol) }
}

/// Stores levels past the book, as another service does.
async fn store(engine: &Engine, levels: &[(Option<&str>, Value)]) {
    for (symbol_name, parameters) in levels {
        engine.config.write(&key(*symbol_name), parameters.as_object(), None, &author()).await.unwrap();
    }
}

/// The embedded store, as if an older service had left something in it.
struct Shared {
    engine: Arc<crate::sqlite::config::SqliteConfig>,
    left: Leftovers,
}

#[async_trait]
impl ConfigStore for Shared {
    fn name(&self) -> &'static str {
        self.engine.name()
    }
    async fn all(&self) -> Result<StoredLevels, StoreError> {
        self.engine.all().await
    }
    async fn get(&self, key: &ConfigKey) -> Result<Option<StoredConfig>, StoreError> {
        self.engine.get(key).await
    }
    async fn write(
        &self,
        key: &ConfigKey,
        parameters: Option<&Map<String, Json>>,
        expected: Option<i64>,
        author: &Author,
    ) -> Result<Option<AuditEntry>, WriteError> {
        self.engine.write(key, parameters, expected, author).await
    }
    async fn audit(&self, id: &StrategyId, of: Option<&Symbol>, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        self.engine.audit(id, of, limit).await
    }
    async fn at_version(&self, key: &ConfigKey, version: i64) -> Result<Option<AuditEntry>, StoreError> {
        self.engine.at_version(key, version).await
    }
    async fn settings(&self) -> Result<Option<StoredSettings>, StoreError> {
        self.engine.settings().await
    }
    async fn write_settings(
        &self,
        settings: &ApplicationSettings,
        expected: Option<i64>,
        author: &Author,
    ) -> Result<AuditEntry, WriteError> {
        self.engine.write_settings(settings, expected, author).await
    }
    async fn settings_audit(&self, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        self.engine.settings_audit(limit).await
    }
    async fn settings_at_version(&self, version: i64) -> Result<Option<AuditEntry>, StoreError> {
        self.engine.settings_at_version(version).await
    }
    async fn leftovers(&self) -> Result<Leftovers, StoreError> {
        Ok(self.left.clone())
    }
    async fn ping(&self) -> Result<(), StoreError> {
        self.engine.ping().await
    }
}

/// The word for a meaning.
fn word(meaning: &Meaning) -> &'static str {
    match meaning {
        Meaning::Counts => "counts",
        Meaning::Same => "same",
        Meaning::Unknown => "unknown",
        Meaning::Unfit(_) => "unfit",
        Meaning::Switch(_) => "switch",
    }
}

async fn planned(engine: &Engine) -> Vec<LevelPlan> {
    plan(&engine.books.parameters, &*engine.config, false).await.unwrap()
}

#[tokio::test]
async fn each_stored_parameter_means_what_evaluations_make_of_it() {
    for (stored, meaning, instead_of) in [
        (json!({"period": 20}), "counts", json!(14)),
        (json!({"period": 14}), "same", json!(14)),
        (json!({"period": 14.0}), "same", json!(14)),
        (json!({"oversold": 25}), "counts", json!(30.0)),
        (json!({"oversold": 30}), "same", json!(30.0)),
        (json!({"trigger": "level"}), "counts", json!("cross")),
        (json!({"rsi_period": 20}), "unknown", Value::Null),
        (json!({"period": "20"}), "unfit", json!(14)),
        (json!({"period": 100_000}), "unfit", json!(14)),
        (json!({"period": null}), "unfit", json!(14)),
        (json!({"enabled": false}), "switch", Value::Null),
        (json!({"enabled": "no"}), "switch", Value::Null),
    ] {
        let engine = Engine::with_strategies(settings(), &["rsi"]).await;
        store(&engine, &[(None, stored.clone())]).await;
        let plans = planned(&engine).await;
        let level = &plans[0].level;
        let judged = &level.parameters[0];
        assert_eq!(
            (word(&judged.meaning), &judged.instead_of),
            (meaning, &Some(instead_of).filter(|it| !it.is_null()))
        );
        let is_stopped = ["unknown", "unfit"].contains(&meaning) || stored["enabled"].is_string();
        assert_eq!(level.stopped.is_some(), is_stopped, "{stored}: {level:?}");
        assert_eq!(engine.books.parameters.misfits(&engine.registry.get(&level.key.strategy).unwrap()).is_empty(), {
            !is_stopped || stored["enabled"].is_string()
        });
    }
}

#[tokio::test]
async fn a_symbol_is_compared_with_what_it_inherits() {
    let engine = Engine::with_strategies(settings(), &["rsi"]).await;
    store(&engine, &[(None, json!({"period": 20})), (Some("BTCUSDT"), json!({"period": 14, "oversold": 30}))]).await;
    let plans = planned(&engine).await;
    let of_symbol: Vec<_> = plans[1].level.parameters.iter().map(|judged| word(&judged.meaning)).collect();
    assert_eq!(of_symbol, ["same", "counts"], "the default counts against what all symbols have: {plans:?}");
    assert!(plans.iter().all(|plan| plan.step == Step::Nothing && plan.level.stopped.is_none()), "{plans:?}");
}

#[tokio::test]
async fn a_level_is_written_with_what_fits_and_a_second_time_there_is_nothing_to_do() {
    let engine = Engine::with_strategies(settings(), &["rsi"]).await;
    let global = json!({"period": 20, "rsi_min": 10, "oversold": "low", "enabled": false});
    store(&engine, &[(None, global.clone()), (Some("BTCUSDT"), json!({"overbought": 80}))]).await;
    let plans = planned(&engine).await;
    assert_eq!(plans[0].step, Step::Write(json!({"period": 20}).as_object().unwrap().clone()));
    assert_eq!(plans[1].step, Step::Follows, "it inherits what does not fit");
    let done = apply(&engine.books.parameters, &plans, &author()).await.unwrap();
    assert_eq!((done.len(), done[0].old.as_ref(), done[0].version), (1, Some(&global), 2));
    assert_eq!(done[0].new, Some(json!({"period": 20, "enabled": false})), "a pause stays");
    let plans = planned(&engine).await;
    assert!(plans.iter().all(|plan| plan.step == Step::Nothing && plan.level.stopped.is_none()), "{plans:?}");
    assert_eq!(apply(&engine.books.parameters, &plans, &author()).await.unwrap(), []);
}

#[tokio::test]
async fn what_is_not_a_matter_of_single_parameters_is_left_to_an_operator() {
    let engine = Engine::with_strategies(settings(), &["momentum_pulse", "rsi"]).await;
    let pulse = ConfigKey { strategy: "momentum_pulse".parse().unwrap(), symbol: None };
    // The strategy takes each of them, and not both; one name is unknown on top of it.
    let refused = json!({"rsi_min": 70, "rsi_max": 60, "rsi_oversold": 30});
    engine.config.write(&pulse, refused.as_object(), None, &author()).await.unwrap();
    store(&engine, &[(None, json!({"enabled": "no", "rsi_oversold": 30}))]).await;
    let plans = planned(&engine).await;
    for (plan, words) in plans.iter().zip(["refuses", "true or false"]) {
        assert!(matches!(&plan.step, Step::Decide(reason) if reason.contains(words)), "{words}: {plan:?}");
    }
    assert_eq!(apply(&engine.books.parameters, &plans, &author()).await.unwrap(), []);
}

#[tokio::test]
async fn defaults_that_were_stored_by_themselves_are_taken_only_if_asked_for() {
    let engine = Engine::with_strategies(settings(), &["rsi"]).await;
    let stored = |parameters: Value| StoredConfig {
        parameters: parameters.as_object().unwrap().clone(),
        version: 0,
        created_at: Timestamp::from_millis(0),
        updated_at: Timestamp::from_millis(0),
        created_by: "system_default".to_owned(),
    };
    let left = Leftovers {
        defaults: [
            (key(None), stored(json!({"period": 20, "rsi_min": 10}))),
            (key(Some("BTCUSDT")), stored(json!({"period": 14, "rsi_min": 10}))),
            (ConfigKey { strategy: "grid".parse().unwrap(), symbol: None }, stored(json!({"period": 20}))),
        ]
        .into(),
        settings: None,
    };
    let shared = Shared { engine: Arc::clone(&engine.config), left };
    let book = &engine.books.parameters;
    let plans = plan(book, &shared, false).await.unwrap();
    assert!(plans.iter().all(|plan| plan.is_left_out && plan.step == Step::Nothing), "{plans:?}");
    let plans = plan(book, &shared, true).await.unwrap();
    let steps: Vec<_> = plans.iter().map(|plan| (plan.level.key.clone(), plan.step.clone())).collect();
    let written: Vec<_> = steps.iter().filter(|(_, step)| *step != Step::Nothing).collect();
    let wanted = Step::Write(json!({"period": 20}).as_object().unwrap().clone());
    assert_eq!(written, [&(key(None), wanted)], "what changes nothing is not written");
    apply(book, &plans, &author()).await.unwrap();
    assert_eq!(book.read(&key(None)).unwrap().1.unwrap().parameters, *json!({"period": 20}).as_object().unwrap());
}

#[test]
fn each_setting_is_named_with_what_is_left_out_of_it() {
    let fields = json!({
        "_id": "x", "version": 3, "updated_at": "now", "metadata": {},
        "symbols": ["BTCUSDT", "no symbol"], "candle_periods": ["5m", "1M"], "enabled_strategies": ["rsi", "grid_bot"],
        "min_confidence": 0.7, "max_positions": 10, "position_sizes": [100, 200],
    });
    let in_use = ApplicationSettings { timeframes: vec![Timeframe::M5], ..settings() };
    let judged = judge_settings(fields.as_object().unwrap(), &in_use, &["rsi".parse().unwrap()]);
    let of = |name: &str| judged.iter().find(|setting| setting.name == name).unwrap();
    assert_eq!(judged.len(), 6);
    assert_eq!(
        (&of("candle_periods").in_use, &of("min_confidence").meaning),
        (&Some(json!(["5m"])), &SettingMeaning::Counts)
    );
    for (name, entry, words) in [
        ("candle_periods", "1M", "1w"),
        ("symbols", "no symbol", "symbol"),
        ("enabled_strategies", "grid_bot", "module"),
    ] {
        let SettingMeaning::Without(without) = &of(name).meaning else { panic!("{name}: {judged:?}") };
        assert!(without.len() == 1 && without[0].0 == entry && without[0].1.contains(words), "{without:?}");
    }
    assert_eq!(
        (&of("max_positions").meaning, &of("position_sizes").meaning),
        (&SettingMeaning::Ignored, &SettingMeaning::Ignored)
    );
    let changed = json!({"symbols": ["BTCUSDT"], "max_positions": 10, "parameters": {"symbols": ["ETHUSDT"]}});
    let judged = judge_settings(changed.as_object().unwrap(), &in_use, &[]);
    assert_eq!((judged.len(), &judged[0].stored), (1, &json!(["ETHUSDT"])), "what was changed here takes its place");
}
