//! Servers as an older service left them: looked at without changing anything, and opened so that nothing of another
//! service changes.

use ta_bot_wasm::Children;

use super::{App, drivers, found::Found};
use crate::environment::Environment;

/// Looks at the servers that the environment names.
pub async fn look(environment: &Environment) -> anyhow::Result<Found> {
    let tables = match &environment.mysql {
        Some(uri) => Some(drivers::look_at_tables(uri, environment).await?),
        None => None,
    };
    let stream = match &environment.nats {
        Some(settings) => Some(drivers::look_at_stream(settings, environment).await?),
        None => None,
    };
    Ok(Found { tables, stream })
}

/// Opens the stores for judging and changing settings, and nothing else: no table is made or changed, and no stream.
pub async fn open(environment: &Environment, found: &Found) -> anyhow::Result<App> {
    let mut environment = environment.clone();
    // The bus would see to its streams, and a stream that is changed under a running service stops that one.
    environment.nats = None;
    environment.election = None;
    let has_own = found.tables.as_ref().is_none_or(|tables| tables.has_own);
    if !has_own {
        environment.mysql = None;
    }
    let folder = environment.data_dir.display().to_string();
    let app = App::open(environment, Children::of_this_program()).await?;
    // These would count as those of the database.
    anyhow::ensure!(
        has_own || app.registry.log().revision() == 0,
        "DATA_DIR {folder} holds deployments of a service without MySQL, and MYSQL_URI names a database that holds none: \
         give another folder by --data-dir"
    );
    Ok(app)
}
