//! The parts of the service in this process, with every built-in strategy.

use std::{collections::HashMap, fs, os::unix::fs::symlink, path::Path};

use anyhow::{Context as _, anyhow};
use ta_bot::{app::App, env::Environment};

use crate::{root, strategies_dir};

/// An app on the embedded store of `data_dir`, its strategies loaded. What was compiled for another test is used again.
pub async fn app(data_dir: &Path) -> anyhow::Result<App> {
    let (compiled, shared) = (data_dir.join("compiled"), root().join("target/compiled-for-tests"));
    fs::create_dir_all(&shared)?;
    if !compiled.exists() {
        symlink(&shared, &compiled).context("a link to the compiled modules")?;
    }
    let variables = HashMap::from([
        ("DATA_DIR", data_dir.display().to_string()),
        ("STRATEGIES_DIR", strategies_dir().display().to_string()),
    ]);
    let environment = Environment::read(|name| variables.get(name).cloned());
    let app = App::open(environment.map_err(|errors| anyhow!("{errors:?}"))?).await?;
    app.load_strategies().await?;
    Ok(app)
}
