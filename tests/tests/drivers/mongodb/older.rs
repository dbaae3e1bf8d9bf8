//! Documents that the older service wrote, and indexes that it made.

use mongodb::{
    IndexModel,
    bson::{self, doc},
    options::IndexOptions,
};
use ta_bot_engine::{settings::config_store::ChangeAction, support::store_error::WriteError};

use super::*;

async fn store_with(documents: &[(&str, Document)]) -> (MongoConfig, Database) {
    let (uri, name) = (shared().await.uri(), fresh_name());
    let database = plain(&uri, &name).await;
    for (collection, document) in documents {
        database.collection(collection).insert_one(document.clone()).await.unwrap();
    }
    (MongoConfig::new(open(&uri, &name)), database)
}

#[tokio::test]
async fn levels_of_the_older_service_are_read_and_changed_in_place() {
    let at = bson::DateTime::from_millis(1_760_000_000_000);
    let global = doc! {
        "strategy_id": "rsi", "parameters": { "period": 14.0, "note": "kept", "at": at }, "version": 7_i64,
        "created_at": at, "updated_at": at, "created_by": "llm", "metadata": { "ticket": 5 },
    };
    let symbol = doc! { "strategy_id": "rsi", "symbol": "BTCUSDT", "parameters": { "period": 9 } };
    let foreign = doc! { "strategy_id": "Spread Liquidity #2", "parameters": {} };
    // Nobody has set these, and the older service's rules never read them.
    let by_itself = doc! {
        "strategy_id": "momentum_pulse", "parameters": { "rsi_overbought": 70, "base_confidence": 0.72 }, "version": 1,
        "metadata": { "created_by": "system_default", "auto_persisted": true },
    };
    let (store, database) = store_with(&[
        ("strategy_configs_global", global),
        ("strategy_configs_global", foreign),
        ("strategy_configs_global", by_itself),
        ("strategy_configs_symbol", symbol),
    ])
    .await;
    let mut all: Vec<_> = store.all().await.unwrap().readable.into_iter().collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    let [(global_key, global), (symbol_key, symbol)] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!((global_key, global.version, global.created_by.as_str()), (&key("rsi", None), 7, "llm"));
    assert_eq!(global.created_at.millis(), 1_760_000_000_000);
    assert_eq!((symbol_key, symbol.version), (&key("rsi", Some("BTCUSDT")), 1));
    assert_eq!(store.get(symbol_key).await.unwrap().as_ref(), Some(symbol));

    let mine = author("ours");
    let refused = store.write(global_key, Some(&period(21)), Some(6), &mine).await;
    assert!(matches!(refused, Err(WriteError::Conflict { expected: 6, current: 7 })), "{refused:?}");
    let entry = store.write(global_key, Some(&period(21)), Some(7), &mine).await.unwrap().unwrap();
    assert_eq!((entry.version, entry.action), (8, ChangeAction::Update));
    assert_eq!(entry.old.unwrap()["note"], "kept");
    let entry = store.write(symbol_key, Some(&period(10)), Some(1), &mine).await.unwrap().unwrap();
    assert_eq!(entry.version, 2, "a document without a version counts as the first");
    let stored = documents(&database, "strategy_configs_global").await;
    let stored = stored.iter().find(|document| document.get_str("strategy_id").ok() == Some("rsi")).unwrap();
    assert_eq!(stored.get_document("metadata").unwrap(), &doc! { "ticket": 5 });
    assert_eq!((stored.get_str("created_by").unwrap(), stored.get_datetime("created_at").unwrap()), ("llm", &at));
    assert_eq!(store.write(symbol_key, None, Some(2), &mine).await.unwrap().unwrap().version, 3);
    assert_eq!(store.write(symbol_key, Some(&period(1)), Some(0), &mine).await.unwrap().unwrap().version, 4);
}

#[tokio::test]
async fn histories_of_the_older_service_come_after_ours() {
    let older = |period: i64, at: i64| {
        doc! {
            "strategy_id": "rsi", "symbol": null, "action": "UPDATE", "old_parameters": { "period": 1 },
            "new_parameters": { "period": period }, "changed_by": "llm", "reason": "volatile",
            "changed_at": bson::DateTime::from_millis(at),
        }
    };
    let (store, _) =
        store_with(&[("strategy_config_audit", older(2, 1000)), ("strategy_config_audit", older(3, 2000))]).await;
    let rsi = key("rsi", None);
    store.write(&rsi, Some(&period(4)), None, &author("ours")).await.unwrap();
    let history = store.audit(&rsi.strategy, None, 10).await.unwrap();
    let periods: Vec<_> = history.iter().map(|entry| entry.new.as_ref().unwrap()["period"].clone()).collect();
    assert_eq!(periods, [4, 3, 2]);
    assert_eq!((history[1].version, history[1].author.at.millis()), (0, 2000));
    assert_eq!(store.at_version(&rsi, 1).await.unwrap().as_ref(), Some(&history[0]));
}

#[tokio::test]
async fn application_settings_of_the_older_service_are_read_and_changed_in_place() {
    let older = doc! {
        "enabled_strategies": ["rsi"], "symbols": ["BTCUSDT", "ETHUSDT"], "candle_periods": ["5m", "15m"],
        "min_confidence": 0.7, "max_confidence": 0.9, "max_positions": 5, "version": 2,
    };
    let foreign = doc! { "key": "flag", "value": true, "version": 9 };
    let (store, database) = store_with(&[("app_config", foreign), ("app_config", older)]).await;
    let stored = store.settings().await.unwrap().unwrap();
    assert_eq!((stored.version, stored.settings.min_confidence, stored.settings.symbols.len()), (2, 0.7, 2));
    let mut wanted = stored.settings;
    wanted.min_confidence = 0.8;
    let entry = store.write_settings(&wanted, Some(2), &author("ours")).await.unwrap();
    assert_eq!((entry.version, entry.old.unwrap()["min_confidence"].as_f64()), (3, Some(0.7)));
    assert_eq!(store.settings().await.unwrap().unwrap().settings, wanted);
    let documents = documents(&database, "app_config").await;
    assert_eq!(documents.len(), 2);
    assert!(documents.iter().any(|document| document.get_i32("max_positions").ok() == Some(5)));
}

#[tokio::test]
async fn an_index_of_another_name_is_taken_and_duplicates_are_told() {
    let (store, database) = store_with(&[]).await;
    let options = IndexOptions::builder().unique(true).name("one_per_strategy".to_owned()).build();
    let model = IndexModel::builder().keys(doc! { "strategy_id": 1.0 }).options(options).build();
    database.collection::<Document>("strategy_configs_global").create_index(model).await.unwrap();
    store.write(&key("rsi", None), Some(&period(9)), None, &author("x")).await.unwrap();

    let twice = doc! { "strategy_id": "rsi", "parameters": {} };
    let (store, _) =
        store_with(&[("strategy_configs_global", twice.clone()), ("strategy_configs_global", twice)]).await;
    let error = store.write(&key("rsi", None), Some(&period(9)), None, &author("x")).await.unwrap_err();
    let WriteError::Store(StoreError::CannotWrite { reason, .. }) = &error else { panic!("{error}") };
    assert!(reason.contains("strategy_configs_global") && reason.contains("strategy_id"), "{reason}");
}

#[tokio::test]
async fn a_damaged_level_is_told_and_never_a_default_and_stops_no_other() {
    let damaged = doc! { "strategy_id": "rsi", "parameters": ["period", 14] };
    let foreign = doc! { "strategy_id": "grid_bot", "parameters": [1, 2, 3] };
    let sound = doc! { "strategy_id": "macd", "parameters": { "fast": 9 } };
    let levels = [damaged, foreign, sound].map(|document| ("strategy_configs_global", document));
    let (store, _) = store_with(&levels).await;
    let all = store.all().await.unwrap();
    assert_eq!(all.readable.keys().collect::<Vec<_>>(), [&key("macd", None)]);
    assert_eq!(all.unreadable.keys().collect::<Vec<_>>(), [&key("grid_bot", None), &key("rsi", None)]);
    assert!(all.unreadable[&key("rsi", None)].contains("rsi"), "{all:?}");
    let error = store.get(&key("rsi", None)).await.unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt { reason, .. } if reason.contains("rsi")), "{error}");
}

/// Nobody has set these.
fn by_itself() -> Document {
    doc! {
        "strategy_id": "rsi", "parameters": { "period": 9, "rsi_overbought": 70 }, "version": 1_i64,
        "created_at": bson::DateTime::from_millis(1_760_000_000_000), "created_by": "x",
        "metadata": { "created_by": "system_default", "auto_persisted": true },
    }
}

#[tokio::test]
async fn a_pause_does_not_make_defaults_count_that_were_stored_by_themselves() {
    let (store, _) = store_with(&[("strategy_configs_global", by_itself())]).await;
    let rsi = key("rsi", None);
    let left = store.leftovers().await.unwrap().defaults;
    assert_eq!(left[&rsi].parameters["rsi_overbought"], 70);
    let held = store.get(&rsi).await.unwrap().unwrap();
    assert_eq!((held.parameters, held.version), (Map::new(), 1), "nothing counts, in the version that it has");
    let paused = json!({"enabled": false});
    let entry = store.write(&rsi, paused.as_object(), Some(1), &author("pause")).await.unwrap().unwrap();
    assert_eq!((entry.version, entry.old), (2, Some(json!({}))));
    assert_eq!(store.all().await.unwrap().readable[&rsi].parameters, *paused.as_object().unwrap());
    assert_eq!(store.leftovers().await.unwrap().defaults.len(), 0);
}

#[tokio::test]
async fn a_document_of_the_older_service_can_be_put_back_exactly() {
    let symbol = doc! {
        "strategy_id": "rsi", "symbol": "BTCUSDT", "parameters": { "period": 14.0, "note": "kept", "n": 3_i64 },
        "version": 5, "updated_at": "2025-10-17T14:45:00", "metadata": { "ticket": 5 },
    };
    let made_here = key("macd", None);
    let (store, database) =
        store_with(&[("strategy_configs_global", by_itself()), ("strategy_configs_symbol", symbol)]).await;
    let all = async || {
        let mut all = documents(&database, "strategy_configs_global").await;
        all.extend(documents(&database, "strategy_configs_symbol").await);
        all.retain(|document| document.get_str("strategy_id").ok() == Some("rsi"));
        all
    };
    let before = all().await;
    assert_eq!(store.replaced().await.unwrap(), []);
    let mine = author("mine");
    store.write(&made_here, Some(&period(9)), None, &mine).await.unwrap();
    let (global, of_symbol) = (key("rsi", None), key("rsi", Some("BTCUSDT")));
    for number in [20, 21] {
        store.write(&global, Some(&period(number)), None, &mine).await.unwrap();
    }
    store.write(&of_symbol, None, Some(5), &mine).await.unwrap();
    let replaced = store.replaced().await.unwrap();
    assert_eq!(replaced.iter().map(|level| level.key.clone()).collect::<Vec<_>>(), [global.clone(), of_symbol]);
    assert_eq!(
        (&replaced[0].parameters, replaced[0].change.version),
        (&Some(json!({"period": 9, "rsi_overbought": 70})), 3)
    );
    assert_eq!(replaced[1].document.as_ref().unwrap()["metadata"]["ticket"], 5);
    // Somebody changes it after it was looked at.
    store.write(&global, Some(&period(22)), None, &mine).await.unwrap();
    let overtaken = store.put_back(&replaced[0], &mine).await;
    assert!(matches!(overtaken, Err(WriteError::Conflict { expected: 3, current: 4 })), "{overtaken:?}");
    for level in store.replaced().await.unwrap() {
        let entry = store.put_back(&level, &mine).await.unwrap().unwrap();
        assert_eq!(entry.new, level.parameters);
    }
    assert_eq!(all().await, before);
    assert_eq!(store.replaced().await.unwrap(), []);
    // The next change keeps the document once more, and counts on.
    let entry = store.write(&global, Some(&period(30)), Some(1), &mine).await.unwrap().unwrap();
    assert_eq!(entry.version, 6);
    assert_eq!(store.replaced().await.unwrap()[0].parameters, replaced[0].parameters);
}

#[tokio::test]
async fn a_document_that_the_older_service_changed_again_is_its_own() {
    let (store, database) = store_with(&[("strategy_configs_global", by_itself())]).await;
    let rsi = key("rsi", None);
    store.write(&rsi, Some(&period(20)), None, &author("mine")).await.unwrap();
    // As the older service does: it counts on from whatever version is there.
    let theirs = doc! { "$set": { "parameters": { "period": 25 }, "version": 3, "metadata": { "created_by": "llm" } } };
    database
        .collection::<Document>("strategy_configs_global")
        .update_one(doc! { "strategy_id": "rsi" }, theirs)
        .await
        .unwrap();
    assert_eq!(store.replaced().await.unwrap(), []);
    store.write(&rsi, Some(&period(30)), Some(3), &author("mine")).await.unwrap();
    assert_eq!(store.replaced().await.unwrap()[0].parameters, Some(json!({"period": 25})), "the newest of theirs");
}
