//! MongoDB as the only server.

use std::process::Command;

use mongodb::{
    Client,
    bson::{Document, doc},
};
use ta_bot_test_servers::{Mode, Mongo, Proxy};

use super::{SECRET, Told, at_once, command_of, sound_home};
use crate::run::Home;

const DATABASE: &str = "petrosa";

fn command(home: &Home, uri: &str) -> Command {
    let mut command = command_of(home);
    command.env("MONGODB_URI", uri);
    command
}

fn told(home: &Home, uri: &str) -> Told {
    Told::beside_the_machine(&mut command(home, uri))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_mongodb_is_found_and_nothing_else() {
    let home = sound_home();
    let (server, standalone) = tokio::try_join!(Mongo::start(), Mongo::start_standalone()).unwrap();
    let uri = server.uri();
    let database = Client::with_uri_str(&uri).await.unwrap().database(DATABASE);
    told(&home, &uri).is_sound();
    assert_eq!(database.list_collection_names().await.unwrap(), [""; 0], "nothing is made");

    let proxy = Proxy::start(server.address()).unwrap();
    proxy.set(Mode::Stall).await.unwrap();
    let away = ("mongodb", "answer", "wrong", "start MongoDB");
    let cases = [
        (standalone.uri(), ("mongodb", "transactions", "wrong", "replica set")),
        ("mongodb://127.0.0.1:1/".to_owned(), away),
        (server.uri_at(proxy.address()), away),
    ];
    at_once(&cases, |(uri, expected)| told(&home, uri).finds(&[*expected]));

    documents(&home, &uri, &database).await;
    users(&home).await;
}

async fn documents(home: &Home, uri: &str, database: &mongodb::Database) {
    let levels = database.collection::<Document>("strategy_configs_global");
    let level = || doc! { "strategy_id": "rsi", "parameters": { "period": 10 }, "version": 1 };
    levels.insert_one(level()).await.unwrap();
    told(home, uri).is_sound();
    levels.insert_one(level()).await.unwrap();
    let told_of_two = told(home, uri);
    let of_indexes = told_of_two.with(&["wrong"]);
    assert!(of_indexes.iter().any(|finding| finding["check"] == "indexes"), "{of_indexes:#?}");
    levels.delete_many(doc! {}).await.unwrap();
    levels.insert_one(doc! { "strategy_id": "rsi", "parameters": "none", "version": 1 }).await.unwrap();
    told(home, uri).finds(&[("configuration", "levels", "wrong", "write the level anew")]);
    levels.delete_many(doc! {}).await.unwrap();
}

async fn users(home: &Home) {
    let mut server = Mongo::start_without_users().await.unwrap();
    let admin = Client::with_uri_str(server.uri()).await.unwrap().database("admin");
    for (user, role) in [("writer", "readWrite"), ("reader", "read")] {
        let roles = vec![doc! { "role": role, "db": DATABASE }];
        admin.run_command(doc! { "createUser": user, "pwd": SECRET, "roles": roles }).await.unwrap();
    }
    server.require_users().await.unwrap();
    let of = |user: &str, password: &str| {
        format!("mongodb://{user}:{password}@{}/?directConnection=true&authSource=admin", server.address())
    };
    told(home, &of("writer", SECRET)).is_sound();
    let cases = [
        (of("reader", SECRET), ("mongodb", "rights", "wrong", "readWrite")),
        (of("writer", "another"), ("mongodb", "answer", "wrong", "user, password")),
    ];
    at_once(&cases, |(uri, expected)| told(home, uri).finds(&[*expected]));
}
