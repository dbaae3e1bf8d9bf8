//! The API does what its description says for every caller: schemathesis makes good, odd and hostile requests from the
//! description, and checks every answer.

use std::{env, path::PathBuf, process::Output};

use ta_bot_core::Timeframe;
use ta_bot_tests::{operator, root};
use tokio::process::Command;

use crate::service::Setup;

/// No server error, and no status, type or body that is not described.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";
/// How many requests are made up for each operation, in addition to those that go through its parameters one by one.
const EXAMPLES: &str = "20";
/// The requests that are made up depend on nothing else, so a failure can be repeated.
const SEED: &str = "1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_finds_what_is_not_described() {
    let service = Setup::new().with_falling("BTCUSDT", Timeframe::M15).start().await;
    let venv = env::var_os("VENV").map_or_else(|| root().join("target/venv"), PathBuf::from);
    let mut schemathesis = Command::new(venv.join("bin/schemathesis"));
    schemathesis
        .args(["run", &format!("http://{}/api/v1/openapi.json", service.address)])
        .args(["--header", &format!("Authorization: Bearer {}", operator::key(&service.folder.path().join("data")))])
        // An answer without an end; `signals` tests it.
        .args(["--exclude-path", "/api/v1/signals/stream"])
        .args(["--checks", CHECKS, "--max-examples", EXAMPLES, "--seed", SEED, "--workers", "1", "--no-color"])
        .env("PYTHONPATH", root().join("tests/conformance"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("SCHEMATHESIS_HOOKS", "hooks")
        // The files that schemathesis keeps for itself are removed with the service's data.
        .current_dir(service.folder.path());
    let Output { status, stdout, stderr } =
        schemathesis.output().await.expect("the tests' Python packages: run `make test-setup`");
    let told = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(status.success() && told.contains(" passed"), "{told}");
    service.end().await;
}
