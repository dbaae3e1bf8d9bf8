//! Tests of leadership on a row of MySQL.

use ta_bot_drivers::mysql::leader::MysqlLeader;
use ta_bot_engine::pipeline::election::contract::{self, Site, Way};

use super::{new_database, server};
use crate::ways::Ways;

/// A database, and the ways to it.
struct Place {
    database: String,
    ways: Ways,
}

impl Place {
    async fn new() -> Self {
        Self { database: new_database().await.1, ways: Ways::default() }
    }
}

impl Site for Place {
    type Register = MysqlLeader;

    async fn register(&self) -> MysqlLeader {
        let server = server().await;
        let way = self.ways.another(server.address());
        MysqlLeader::open(&server.uri_at(way, &self.database).parse().unwrap())
    }

    async fn disturb(&self, candidate: usize, way: Way) {
        self.ways.disturb(candidate, way).await;
    }

    async fn delete(&self) {
        server().await.sql(&format!("DELETE FROM {}.ta_bot_leader", self.database)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_passes_the_contract() {
    Box::pin(contract::all(Place::new)).await;
}

#[tokio::test]
async fn a_version_does_not_come_again_if_the_table_is_dropped() {
    let place = Place::new().await;
    let lose = async || {
        server().await.sql(&format!("DROP TABLE {}.ta_bot_leader", place.database)).await.unwrap();
    };
    Box::pin(contract::a_version_does_not_come_again(&place.register().await, lose)).await;
}
