use serde_json::{Value, json};

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
    let resolution = engine.books.parameters.resolve(&module, &symbol(name));
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
    book.fits(&other).await.unwrap();
    // Written past the book, as an older module's value may be.
    let level = json!({"period": 100_000}).as_object().unwrap().clone();
    book.book.store().write(&key(Some("BTCUSDT")), Some(&level), None, &author()).await.unwrap();
    book.refresh().await.unwrap();
    let Err(ParameterError::Invalid(problems)) = book.fits(&other).await else { panic!("it fits") };
    assert!(problems[0].parameter.starts_with("BTCUSDT "), "{problems:?}");
}
