use serde_json::{Value, json};
use ta_bot_core::{ENABLED, Level, RequestedLevels};

use super::*;
use crate::testing::{Engine, author, settings, symbol, variant};

fn key(symbol_name: Option<&str>) -> ConfigKey {
    ConfigKey { strategy: "rsi".parse().unwrap(), symbol: symbol_name.map(symbol) }
}

async fn engine() -> Engine {
    Engine::with_strategies(settings(), &["rsi"]).await
}

fn change(of: ConfigKey, parameters: &Value) -> Change {
    let parameters = parameters.as_object().unwrap().clone();
    Change { key: of, parameters, merge: Merge::Patch, expected: None, validate_only: false, author: author() }
}

/// The period with which RSI looks at a symbol.
fn period(engine: &Engine, name: &str) -> ta_bot_core::Value {
    let module = engine.registry.get(&"rsi".parse().unwrap()).unwrap();
    let log = engine.registry.log();
    let levels = log.newest_levels(&module.description().id);
    let resolution = engine.books.parameters.resolve(&module, &symbol(name), &levels);
    assert!(resolution.refused.is_none());
    resolution.parameters.values.iter().find(|(name, _)| *name == "period").unwrap().1.clone()
}

#[tokio::test]
async fn a_symbol_inherits_what_its_level_does_not_name() {
    let engine = engine().await;
    let book = &engine.books.parameters;
    let default = period(&engine, "BTCUSDT");
    book.change(change(key(None), &json!({"period": 20}))).await.unwrap();
    assert_eq!(period(&engine, "BTCUSDT"), ta_bot_core::Value::Integer(20));
    book.change(change(key(Some("BTCUSDT")), &json!({"period": 9}))).await.unwrap();
    assert_eq!(period(&engine, "BTCUSDT"), ta_bot_core::Value::Integer(9));
    assert_eq!(period(&engine, "ETHUSDT"), ta_bot_core::Value::Integer(20));
    assert_eq!(book.stored_levels(&"rsi".parse().unwrap()), (true, vec![symbol("BTCUSDT")]));
    book.delete(&key(Some("BTCUSDT")), None, &author()).await.unwrap();
    book.delete(&key(None), None, &author()).await.unwrap();
    assert_eq!(period(&engine, "BTCUSDT"), default);
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_nothing_is_stored() {
    let engine = engine().await;
    let book = &engine.books.parameters;
    for wrong in [json!({"period": 0}), json!({"period": "ten"}), json!({"perriod": 10}), json!({"period": 1.5})] {
        let refused = book.change(change(key(None), &wrong)).await;
        assert!(matches!(refused, Err(ParameterError::Invalid(problems)) if problems.len() == 1), "{wrong}");
    }
    let unknown = ConfigKey { strategy: "nobody".parse().unwrap(), symbol: None };
    assert!(matches!(book.change(change(unknown, &json!({}))).await, Err(ParameterError::UnknownStrategy(_))));
    assert_eq!(book.stored_levels(&"rsi".parse().unwrap()), (false, Vec::new()));
    let checked = book.change(Change { validate_only: true, ..change(key(None), &json!({"period": 20})) }).await;
    assert!(matches!(checked, Ok(None)));
    assert!(!book.stored_levels(&"rsi".parse().unwrap()).0);
}

#[tokio::test]
async fn a_patch_lays_over_and_a_replacement_replaces() {
    let engine = engine().await;
    let book = &engine.books.parameters;
    book.change(change(key(None), &json!({"period": 20}))).await.unwrap();
    let replaced = Change { merge: Merge::Replace, ..change(key(None), &json!({})) };
    book.change(replaced).await.unwrap();
    assert_eq!(book.read(&key(None)).unwrap().1.unwrap().parameters, serde_json::Map::new());
    book.change(change(key(None), &json!({"period": 21}))).await.unwrap();
    book.change(change(key(None), &json!({"period": null}))).await.unwrap();
    assert_eq!(book.read(&key(None)).unwrap().1.unwrap().parameters, serde_json::Map::new());
    let history = book.audit(&"rsi".parse().unwrap(), None, 10).await.unwrap();
    assert_eq!(history.iter().map(|entry| entry.version).collect::<Vec<_>>(), [4, 3, 2, 1]);
}

#[tokio::test]
async fn an_edition_is_current_until_something_changes() {
    let engine = engine().await;
    let book = &engine.books.parameters;
    let edition = book.edition();
    book.refresh().await.unwrap();
    assert!(book.is_current(&edition), "what was read is the same");
    book.change(change(key(None), &json!({"period": 20}))).await.unwrap();
    assert!(!book.is_current(&edition));
}

#[tokio::test]
async fn a_module_in_another_s_place_has_to_take_what_is_stored() {
    let engine = engine().await;
    let book = &engine.books.parameters;
    let sandbox = ta_bot_wasm::Sandbox::new(ta_bot_wasm::Limits::default(), None).unwrap();
    let other = Arc::new(StrategyModule::load(&sandbox, &variant("rsi", 1)).unwrap());
    book.change(change(key(Some("BTCUSDT")), &json!({"period": 20}))).await.unwrap();
    book.fits(&other, &RequestedLevels::new()).await.unwrap();
    // Written past the book, as an older module's value may be.
    let level = json!({"period": 100_000}).as_object().unwrap().clone();
    book.book.store().write(&key(Some("BTCUSDT")), Some(&level), None, &author()).await.unwrap();
    book.refresh().await.unwrap();
    let Err(ParameterError::Invalid(problems)) = book.fits(&other, &RequestedLevels::new()).await else {
        panic!("it fits")
    };
    assert!(problems[0].parameter.starts_with("BTCUSDT "), "{problems:?}");
}

/// What the level holds, as JSON; null if nothing is stored.
async fn level(engine: &Engine, of: &ConfigKey) -> Value {
    let stored = engine.books.parameters.book.store().get(of).await.unwrap();
    stored.map_or(Value::Null, |stored| stored.parameters.into())
}

fn replacement(of: ConfigKey, parameters: &Value) -> Change {
    Change { merge: Merge::Replace, ..change(of, parameters) }
}

fn enabled(engine: &Engine, name: &str) -> Option<bool> {
    engine.books.parameters.switch(&key(Some(name))).state.enabled()
}

#[tokio::test]
async fn a_pause_changes_nothing_else_and_nothing_else_ends_it() {
    let engine = engine().await;
    let book = &engine.books.parameters;
    let of = key(None);
    book.change(replacement(of.clone(), &json!({"period": 20}))).await.unwrap();
    assert_eq!(enabled(&engine, "BTCUSDT"), Some(true));
    book.change(replacement(of.clone(), &json!({"enabled": false}))).await.unwrap();
    assert_eq!(level(&engine, &of).await, json!({"period": 20, "enabled": false}));
    assert_eq!(
        (enabled(&engine, "BTCUSDT"), period(&engine, "BTCUSDT")),
        (Some(false), ta_bot_core::Value::Integer(20))
    );
    for (write, left) in [
        (replacement(of.clone(), &json!({"period": 10})), json!({"period": 10, "enabled": false})),
        (change(of.clone(), &json!({"oversold": 25})), json!({"period": 10, "oversold": 25, "enabled": false})),
        (change(of.clone(), &json!({"oversold": null})), json!({"period": 10, "enabled": false})),
        (replacement(of.clone(), &json!({})), json!({"enabled": false})),
    ] {
        book.change(write).await.unwrap();
        assert_eq!(level(&engine, &of).await, left);
        assert_eq!(enabled(&engine, "BTCUSDT"), Some(false));
    }
    // What names both does both.
    book.change(replacement(of.clone(), &json!({"period": 30, "enabled": true}))).await.unwrap();
    assert_eq!(
        (level(&engine, &of).await, enabled(&engine, "BTCUSDT")),
        (json!({"period": 30, "enabled": true}), Some(true))
    );
}

#[tokio::test]
async fn a_deletion_and_a_rollback_leave_a_pause_as_it_is() {
    let engine = engine().await;
    let book = &engine.books.parameters;
    let of = key(None);
    book.change(change(of.clone(), &json!({"period": 20}))).await.unwrap();
    book.change(change(of.clone(), &json!({"period": 21}))).await.unwrap();
    book.change(change(of.clone(), &json!({"enabled": false}))).await.unwrap();
    // The newest change is the pause, and the newest change of parameters is the one before.
    book.roll_back(&of, None, None, &author()).await.unwrap();
    assert_eq!(level(&engine, &of).await, json!({"period": 20, "enabled": false}));
    book.roll_back(&of, Some(2), None, &author()).await.unwrap();
    assert_eq!(level(&engine, &of).await, json!({"period": 21, "enabled": false}));
    let deleted = book.delete(&of, None, &author()).await.unwrap().unwrap();
    assert_eq!(
        (deleted.action, deleted.new),
        (crate::settings::config_store::ChangeAction::Update, Some(json!({"enabled": false})))
    );
    assert_eq!(
        (period(&engine, "BTCUSDT"), enabled(&engine, "BTCUSDT")),
        (ta_bot_core::Value::Integer(14), Some(false))
    );
    assert!(book.delete(&of, None, &author()).await.unwrap().is_none(), "there is nothing left to remove");
    let stale = book.delete(&of, Some(3), &author()).await;
    assert!(matches!(stale, Err(ParameterError::Write(WriteError::Conflict { expected: 3, current: 6 }))), "{stale:?}");
    book.change(change(of.clone(), &json!({"enabled": true}))).await.unwrap();
    // Going back to a version of the pause brings its parameters, not the pause.
    book.roll_back(&of, Some(4), None, &author()).await.unwrap();
    assert_eq!(level(&engine, &of).await, json!({"period": 20, "enabled": true}));
    book.roll_back(&of, Some(0), None, &author()).await.unwrap();
    assert_eq!(level(&engine, &of).await, json!({"enabled": true}));
    book.change(change(of.clone(), &json!({"enabled": null}))).await.unwrap();
    book.delete(&of, None, &author()).await.unwrap();
    assert_eq!(level(&engine, &of).await, Value::Null, "nothing of it is left");
}

#[tokio::test]
async fn a_symbol_inherits_the_pause_unless_its_level_says_otherwise() {
    let engine = engine().await;
    let book = &engine.books.parameters;
    book.change(change(key(None), &json!({"enabled": false}))).await.unwrap();
    book.change(change(key(Some("ETHUSDT")), &json!({"enabled": true}))).await.unwrap();
    book.change(change(key(Some("ADAUSDT")), &json!({"period": 9}))).await.unwrap();
    assert_eq!(
        ["BTCUSDT", "ETHUSDT", "ADAUSDT"].map(|name| enabled(&engine, name)),
        [Some(false), Some(true), Some(false)]
    );
    let switches = book.switches(&"rsi".parse().unwrap());
    assert_eq!((switches.all, switches.symbols.len()), (SwitchState::Off, 1));
    assert_eq!(book.switch(&key(Some("ADAUSDT"))).level, Level::Global);
    // The parameters and their hash know nothing of it.
    let resolved = book.read(&key(Some("ETHUSDT"))).unwrap().0;
    assert_eq!((resolved.values.get(ENABLED), resolved.origins.get(ENABLED)), (None, None));
}

#[tokio::test]
async fn a_strategy_can_be_paused_whatever_state_its_parameters_are_in() {
    let engine = engine().await;
    let book = &engine.books.parameters;
    let of = key(None);
    // As another service wrote it: an unknown name, a value out of range, and a switch that is none.
    let older = json!({"period": 100_000, "base_confidence": 0.72, "enabled": "yes"});
    book.book.store().write(&of, older.as_object(), None, &author()).await.unwrap();
    book.refresh().await.unwrap();
    assert_eq!(enabled(&engine, "BTCUSDT"), None, "neither true nor false");
    book.change(replacement(of.clone(), &json!({"enabled": false}))).await.unwrap();
    assert_eq!(level(&engine, &of).await, json!({"period": 100_000, "base_confidence": 0.72, "enabled": false}));
    for wrong in [
        json!({"enabled": "false"}),
        json!({"enabled": null}),
        json!({"enabled": 0}),
        json!({"enabled": 1, "period": 9}),
    ] {
        let refused = book.change(replacement(of.clone(), &wrong)).await;
        let Err(ParameterError::Invalid(problems)) = refused else { panic!("{wrong} was taken") };
        assert_eq!((problems.len(), problems[0].parameter.as_str()), (1, ENABLED), "{wrong}");
    }
    assert_eq!(enabled(&engine, "BTCUSDT"), Some(false));
}

/// Pauses and other writes at the same time, without conditions: each is done, and no pause is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_beside_other_writes_is_not_lost() {
    let engine = engine().await;
    let book = &engine.books.parameters;
    let of = key(None);
    let writes = (10..20).map(|period| {
        let (book, of) = (Arc::clone(book), of.clone());
        tokio::spawn(async move { book.change(replacement(of, &json!({"period": period}))).await })
    });
    let mut writes: Vec<_> = writes.collect();
    let (pausing, paused) = (Arc::clone(book), of.clone());
    writes.push(tokio::spawn(async move { pausing.change(replacement(paused, &json!({"enabled": false}))).await }));
    for write in writes {
        write.await.unwrap().unwrap();
    }
    let left = level(&engine, &of).await;
    assert_eq!((&left["enabled"], left["period"].is_u64()), (&json!(false), true), "{left}");
    assert_eq!(book.audit(&of.strategy, None, 100).await.unwrap().len(), 11);
}
