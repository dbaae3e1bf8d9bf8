//! `ta-bot push`: brings a component to a running service, over its API.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use hyper::{Method, body::Bytes};
use indicatif::ProgressBar;
use serde::Serialize;
use serde_json::{Value as Json, json};
use ta_bot_api::tokens::LocalKey;
use ta_bot_core::ModuleDigest;
use ta_bot_engine::modules::admission::Verdict;

use super::{
    Session,
    args::PushWanted,
    check::{check_table, obstacle},
    error::{CliError, FAILED, ProjectError, shown},
    http::{Address, Asked, URL, ask},
    module_file,
    modules::name_or_user,
    output::plain,
    project::Project,
    serve::reachable,
};

/// The variable with the token of role operator.
const TOKEN: &str = "TA_BOT_TOKEN";
/// How long an answer may take; the comparison takes up to a minute.
const LIMIT: Duration = Duration::from_secs(90);
/// How long the checks of admission may take before this command gives up waiting.
const PATIENCE: Duration = Duration::from_mins(15);
/// How often it asks whether they are done.
const PACE: Duration = Duration::from_millis(300);

/// Uploads, waits, compares, and deploys if that is wanted. Returns the exit code.
pub(super) async fn push(session: &Session, wanted: PushWanted) -> Result<ExitCode, CliError> {
    let path = component(&wanted.what)?;
    let bytes = module_file::read(&path)?;
    let digest = ModuleDigest::of(&bytes).to_string();
    let service = Service::new(session, wanted.url.as_deref())?;
    let signature = signature(&path, wanted.signature.as_deref())?;
    service.upload(bytes, signature).await?;
    let module = service.judged(session, &digest).await?;
    let mut pushed = Pushed::new(&service, &path, module)?;
    if pushed.admitted {
        let strategy = pushed.strategy.clone().unwrap_or_default();
        let compared = json!({"module": digest, "candles": wanted.candles, "examples": 0});
        pushed.compared = Some(service.post(&format!("/api/v1/strategies/{strategy}/candidate"), &compared).await?);
        let action = if wanted.activate { Some("activate") } else { wanted.shadow.then_some("shadow") };
        if let Some(action) = action {
            let by = name_or_user(wanted.by);
            let change = json!({"action": action, "module": digest, "changed_by": by, "reason": wanted.reason});
            pushed.deployed = Some(service.post(&format!("/api/v1/strategies/{strategy}/deployment"), &change).await?);
        }
    }
    session.output.answer(&pushed)?;
    Ok(if pushed.admitted { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

/// The file to upload: the one that is given, or that of a project.
fn component(what: &Path) -> Result<PathBuf, CliError> {
    if !what.is_dir() {
        return Ok(what.to_owned());
    }
    let path = Project::open(what)?.component();
    let is_built = path.is_file();
    if is_built { Ok(path) } else { Err(ProjectError::NotBuilt { path }.into()) }
}

/// The signature in a file, in the text that a header carries.
fn signature(component: &Path, given: Option<&Path>) -> Result<Option<String>, CliError> {
    let beside = component.with_added_extension("sig");
    let path = match given {
        Some(given) => given,
        None if beside.is_file() => &beside,
        None => return Ok(None),
    };
    let unreadable = |reason| CliError::ModuleFile { path: path.to_owned(), reason };
    Ok(Some(fs::read_to_string(path).map_err(unreadable)?.trim().to_owned()))
}

/// A running service, and the token that it wants.
struct Service {
    address: Address,
    token: String,
}

impl Service {
    fn new(session: &Session, url: Option<&str>) -> Result<Self, CliError> {
        let variable = |name: &str| std::env::var(name).ok().filter(|text| !text.trim().is_empty());
        let own = || format!("http://{}", reachable(session.environment.http_addr));
        let url = url.map(str::to_owned).or_else(|| variable(URL)).unwrap_or_else(own);
        let address = url.parse().map_err(CliError::Usage)?;
        let token = match variable(TOKEN) {
            Some(token) => token.trim().to_owned(),
            None => LocalKey::text_in(&session.environment.data_dir)
                .map_err(|error| ProjectError::NoToken { problem: error.to_string() })?,
        };
        Ok(Self { address, token })
    }

    /// The `data` of an answer, or why there is none.
    async fn asked(&self, asked: Asked<'_>) -> Result<Json, CliError> {
        let mut asked = asked;
        let what = format!("{} {}", asked.method, asked.path);
        asked.headers.push(("authorization", format!("Bearer {}", self.token)));
        let no_answer = |problem| ProjectError::NoAnswer { address: self.address.to_string(), problem };
        let refused = |problem| ProjectError::Service { address: self.address.to_string(), problem };
        let answer = ask(&self.address, asked, LIMIT).await.map_err(no_answer)?;
        let mut read: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
        if (200..300).contains(&answer.status) {
            return Ok(read["data"].take());
        }
        let word = |name: &str| read["error"][name].as_str().unwrap_or("?").to_owned();
        let problem = format!("it answers {} to {what}: {}: {}", answer.status, word("code"), word("message"));
        Err(refused(problem).into())
    }

    async fn upload(&self, bytes: Vec<u8>, signature: Option<String>) -> Result<(), CliError> {
        let mut headers = vec![("content-type", "application/wasm".to_owned())];
        headers.extend(signature.map(|signature| ("module-signature", signature)));
        let asked = Asked { method: Method::POST, path: "/api/v1/modules", headers, body: Bytes::from(bytes) };
        self.asked(asked).await.map(drop)
    }

    /// What is known of the module, once its checks are done.
    async fn judged(&self, session: &Session, digest: &str) -> Result<Json, CliError> {
        let path = format!("/api/v1/modules/{digest}");
        // The bar hides itself if stderr is not a terminal.
        let bar = if session.output.json { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
        bar.set_message("the service checks it, which takes seconds, or minutes if it is slow");
        bar.enable_steady_tick(Duration::from_millis(100));
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                match self.asked(Asked::get(&path)).await {
                    Ok(module) if module["state"] != "checking" => return Ok(module),
                    // It may be too busy with the checks to answer, or may have been started anew.
                    Ok(_) | Err(CliError::Project(ProjectError::NoAnswer { .. })) => {}
                    Err(error) => return Err(error),
                }
                tokio::time::sleep(PACE).await;
            }
        });
        let waited = waited.await;
        bar.finish_and_clear();
        let late = || ProjectError::Service {
            address: self.address.to_string(),
            problem: format!("{digest} is still being checked; ask again: ta-bot push"),
        };
        waited.map_err(|_| late())?
    }

    async fn post(&self, path: &str, body: &Json) -> Result<Json, CliError> {
        let headers = vec![("content-type", "application/json".to_owned())];
        self.asked(Asked { method: Method::POST, path, headers, body: Bytes::from(body.to_string()) }).await
    }
}

/// What became of a component.
#[derive(Serialize)]
struct Pushed {
    service: String,
    file: String,
    admitted: bool,
    strategy: Option<String>,
    /// The module, as the service shows it.
    module: Json,
    /// What it would have changed; `None` if it is not admitted.
    compared: Option<Json>,
    /// What is deployed now; `None` if nothing was changed.
    deployed: Option<Json>,
    #[serde(skip)]
    verdict: Option<Verdict>,
}

impl Pushed {
    fn new(service: &Service, path: &Path, module: Json) -> Result<Self, CliError> {
        let unreadable = |error: serde_json::Error| ProjectError::Service {
            address: service.address.to_string(),
            problem: format!("what it found can't be read, since it is of another version than this command ({error})"),
        };
        let verdict: Option<Verdict> = serde_json::from_value(module["verdict"].clone()).map_err(unreadable)?;
        Ok(Self {
            service: service.address.to_string(),
            file: shown(path),
            admitted: module["state"] == "admitted",
            strategy: module["strategy"].as_str().map(str::to_owned),
            module,
            compared: None,
            deployed: None,
            verdict,
        })
    }
}

impl fmt::Display for Pushed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, file, admitted, strategy, module, compared, deployed, verdict } = self;
        let text = |value: &Json| plain(value.as_str().unwrap_or("?"));
        writeln!(f, "  service     {service}\n  file        {file}\n  digest      {}", text(&module["digest"]))?;
        let strategy = plain(strategy.as_deref().unwrap_or("?"));
        if !admitted {
            if let Some(verdict) = verdict {
                writeln!(f, "\n{}\n", check_table(verdict))?;
            }
            let reason = verdict.as_ref().and_then(obstacle).unwrap_or_else(|| text(&module["reason"]));
            return write!(f, "It is NOT admitted: {}", plain(&reason));
        }
        writeln!(f, "  strategy    {strategy} {}, admitted", text(&module["version"]))?;
        if let Some(compared) = compared {
            let count = |name: &str| compared[name].as_u64().unwrap_or(0);
            let counts =
                ["agree", "added", "missed", "changed", "failed"].map(|name| format!("{name} {}", count(name)));
            writeln!(f, "  compared    on {} candles: {}", count("compared"), counts.join(", "))?;
        }
        let digest: String = text(&module["digest"]).chars().take(12).collect();
        match deployed {
            Some(deployed) => {
                let entry = &deployed["entry"];
                match entry["action"].as_str() {
                    Some(action) => {
                        let (action, from) = (plain(action), text(&entry["decides_from"]));
                        write!(
                            f,
                            "\nDone: {action}, revision {}, for candles that close from {from} on.",
                            entry["revision"]
                        )
                    }
                    None => write!(f, "\nIt was so already, and nothing was changed."),
                }
            }
            None => write!(
                f,
                "\nNothing was changed. ta-bot push --activate lets it decide, --shadow lets it look on; beside the \
                 service: ta-bot modules activate {strategy} {digest}"
            ),
        }
    }
}
