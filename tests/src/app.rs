//! The service as an `App` in the test's own process, with every built-in strategy.

use std::{collections::HashMap, fs, os::unix::fs::symlink, path::Path};

use anyhow::{Context as _, anyhow};
use ta_bot::{app::App, environment::Environment};
use ta_bot_wasm::Children;

use crate::{binary, root, strategies_dir};

/// Opens an app on the embedded store of `data_dir` and loads its strategies. Modules that were compiled for another
/// test are reused.
pub async fn app(data_dir: &Path) -> anyhow::Result<App> {
    share_compiled(data_dir)?;
    let app = open(data_dir).await?;
    app.load_strategies().await?;
    Ok(app)
}

/// Like [`app()`], but without strategies.
pub async fn open(data_dir: &Path) -> anyhow::Result<App> {
    open_with(data_dir, &[]).await
}

/// Like [`open`], with more environment variables.
pub async fn open_with(data_dir: &Path, more: &[(&'static str, String)]) -> anyhow::Result<App> {
    let mut variables = HashMap::from([
        ("DATA_DIR", data_dir.display().to_string()),
        ("STRATEGIES_DIR", strategies_dir().display().to_string()),
        // A slow evaluation on a busy machine must not fail a test.
        ("STRATEGY_TIMEOUT_MS", "20000".to_owned()),
    ]);
    variables.extend(more.iter().cloned());
    let environment = Environment::read(|name| variables.get(name).cloned());
    App::open(environment.map_err(|errors| anyhow!("{errors:?}"))?, children()).await
}

/// The processes that compile modules for a service in the test's own process.
pub fn children() -> Children {
    Children::of(binary::ta_bot())
}

/// Lets a service on `data_dir` use the modules that were compiled for other tests.
pub fn share_compiled(data_dir: &Path) -> anyhow::Result<()> {
    let (compiled, shared) = (data_dir.join("compiled"), root().join("target/compiled-for-tests"));
    fs::create_dir_all(&shared)?;
    if !compiled.exists() {
        fs::create_dir_all(data_dir)?;
        symlink(&shared, &compiled).context("a link to the compiled modules")?;
    }
    Ok(())
}
