//! The connections as a metric.

use prometheus::{
    IntGaugeVec, Opts,
    core::{Collector, Desc},
    proto::MetricFamily,
};

use super::Mysql;

/// Counts the connections at each scrape.
#[derive(Debug)]
pub struct ConnectionsGauge {
    mysql: Mysql,
    gauge: IntGaugeVec,
}

impl ConnectionsGauge {
    pub(super) fn new(mysql: Mysql) -> Result<Self, prometheus::Error> {
        let options =
            Opts::new("ta_bot_mysql_connections", "Connections to MySQL: at work, idle, and how many there may be");
        Ok(Self { mysql, gauge: IntGaugeVec::new(options, &["state"])? })
    }
}

impl Collector for ConnectionsGauge {
    fn desc(&self) -> Vec<&Desc> {
        self.gauge.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let connections = self.mysql.connections();
        let at_work = connections.open.saturating_sub(connections.idle);
        for (state, count) in [("at_work", at_work), ("idle", connections.idle), ("limit", connections.limit)] {
            self.gauge.with_label_values(&[state]).set(i64::from(count));
        }
        self.gauge.collect()
    }
}
