//! The command line: one binary that runs the service and answers questions about candles and strategies.
//!
//! Commands other than `serve` open the same store as a service that may be running beside them. They change candles,
//! modules and which module decides in the same way as the service's API.

use std::{ffi::OsString, io, path::Path, process::ExitCode, time::Duration};

use clap::Parser as _;
use ta_bot_engine::{
    market::revision_store::RevisionFilter,
    modules::{
        judge,
        registry::{Progress, Registry},
    },
};
use ta_bot_wasm::{Children, SUBCOMMAND};

use crate::{
    app::App,
    environment::{EnvError, Environment},
    logging,
};

mod analyze;
mod args;
mod backtest;
mod build;
mod candles;
mod check;
mod costs;
mod doctor;
mod error;
mod failures;
mod http;
mod local_key;
mod migrate;
mod module_file;
mod modules;
mod new;
mod new_file;
mod outbox;
mod outcome;
mod output;
mod parameters;
mod project;
mod prune;
mod push;
mod replay;
mod serve;
mod signals;
mod strategies;
mod test;
mod version;
mod watch;

use args::{CandlesCommand, Command, CommandLine, ModulesCommand, Options, StrategiesCommand};
use error::{CliError, WRONG_USAGE};
use output::Output;

/// What every command gets.
struct Session {
    environment: Environment,
    output: Output,
}

/// Does what the command line says, and returns the process's exit code.
pub fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.collect();
    // Before anything else is read: a child of the service begins with its limits.
    if let [_, command, rest @ ..] = arguments.as_slice()
        && command == SUBCOMMAND
    {
        return judge::child(rest);
    }
    let line = match CommandLine::try_parse_from(&arguments) {
        Ok(line) => line,
        Err(refusal) => return refuse(&refusal, &arguments),
    };
    let output = Output { json: line.options.json };
    match execute(line, output) {
        Ok(code) => code,
        Err(error) => {
            output.error(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

/// Handles a command line that clap did not accept. A request for help or the version succeeds; anything else is wrong
/// usage. Without any argument the help is what is printed, on stderr.
fn refuse(refusal: &clap::Error, arguments: &[OsString]) -> ExitCode {
    if !refusal.use_stderr() {
        // If the reader is gone, there is nobody to tell.
        refusal.print().ok();
        return ExitCode::SUCCESS;
    }
    if arguments.iter().any(|argument| argument == "--json") {
        let message = refusal.to_string();
        let message = message.strip_prefix("error: ").unwrap_or(&message).trim_end().to_owned();
        Output { json: true }.error(&CliError::Usage(message));
    } else {
        refusal.print().ok();
    }
    ExitCode::from(WRONG_USAGE)
}

fn execute(line: CommandLine, output: Output) -> Result<ExitCode, CliError> {
    let command = line.command;
    if matches!(command, Command::Version) {
        return version::version(output).map(|()| ExitCode::SUCCESS);
    }
    // An author's project has nothing to do with a service.
    match command {
        Command::New(wanted) => return new::new(output, wanted).map(|()| ExitCode::SUCCESS),
        Command::Build(wanted) => return build::build(output, &wanted).map(|()| ExitCode::SUCCESS),
        _ => {}
    }
    // It says itself what is wrong with the environment.
    if let Command::Doctor { url } = command {
        return finish(doctor::run(&line.options, url, output));
    }
    let environment = environment(&line.options, matches!(command, Command::Serve { .. }))?;
    finish(dispatch(Session { environment, output }, command))
}

/// Does it on threads of its own.
fn finish(work: impl Future<Output = Result<ExitCode, CliError>>) -> Result<ExitCode, CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| CliError::Start(format!("the threads can't start: {error}")))?;
    let done = runtime.block_on(work);
    // Nobody waits for tasks that are still blocking.
    runtime.shutdown_background();
    done
}

async fn dispatch(session: Session, command: Command) -> Result<ExitCode, CliError> {
    let done = match command {
        Command::Serve { simulate, simulate_every_ms } => {
            serve::serve(session, simulate.then(|| Duration::from_millis(simulate_every_ms))).await
        }
        Command::Candles(CandlesCommand::Import(wanted)) => candles::import::import(session, wanted.into()).await,
        Command::Candles(CandlesCommand::Export(wanted)) => candles::export::export(session, wanted).await,
        Command::Candles(CandlesCommand::Replace(wanted)) => candles::repair::replace(session, wanted).await,
        Command::Candles(CandlesCommand::Delete(wanted)) => candles::repair::delete(session, wanted).await,
        Command::Candles(CandlesCommand::Repairs(most)) => candles::repairs::list(session, most.limit).await,
        Command::Candles(CandlesCommand::Redecide { repair }) => candles::repair::redecide(session, repair).await,
        Command::Candles(CandlesCommand::Redecisions(wanted)) => candles::repairs::redecisions(session, wanted).await,
        Command::Candles(CandlesCommand::List) => candles::list(session).await,
        Command::Candles(CandlesCommand::Revisions { symbol, timeframe, most }) => {
            candles::revisions::list(session, RevisionFilter { symbol, timeframe, limit: most.limit }).await
        }
        Command::Analyze { symbol, timeframe, at } => analyze::analyze(session, &symbol, timeframe, at).await,
        Command::Backtest(wanted) => backtest::backtest(session, wanted).await,
        Command::Test(wanted) => return test::test(&session, &wanted),
        Command::Watch(wanted) => watch::watch(&session, &wanted),
        Command::Push(wanted) => return push::push(&session, wanted).await,
        Command::Costs(wanted) => costs::costs(session, wanted).await,
        Command::Prune { dry_run } => return prune::prune(session, dry_run).await,
        Command::Failures(command) => failures::run(session, command).await,
        Command::Signals(command) => signals::run(session, command).await,
        Command::Outbox(command) => return outbox::run(session, command).await,
        Command::Strategies(StrategiesCommand::List) => strategies::list(session).await,
        Command::Strategies(StrategiesCommand::Show { id, symbol }) => strategies::show(session, id, symbol).await,
        Command::Strategies(StrategiesCommand::Compile { output }) => strategies::compile::compile(&session, &output),
        Command::Strategies(StrategiesCommand::Docs(wanted)) => strategies::docs::docs(&session, &wanted),
        Command::Modules(command) => return modules::run(session, command).await,
        Command::Migrate { command } => return migrate::run(session, command.unwrap_or_default()).await,
        Command::Check { file } => return modules::run(session, ModulesCommand::Check { file }).await,
        Command::Replay { what, module } => return replay::replay(session, &what, module.as_deref()).await,
        Command::LocalKey => local_key::local_key(&session),
        // Done before the environment is read.
        Command::Doctor { .. } | Command::New(_) | Command::Build(_) => Ok(()),
        Command::Version => version::version(session.output),
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// Reads the environment, applies the options on top of it, and starts the log.
fn environment(options: &Options, serves: bool) -> Result<Environment, CliError> {
    let variable = |name: &str| std::env::var(name).ok();
    let level = variable("LOG_LEVEL").filter(|level| !level.trim().is_empty());
    // The user of a command wants the answer, not the log; what goes wrong is part of the answer.
    let filter = logging::filter(level.as_deref().unwrap_or(if serves { "info" } else { "off" }));
    match (Environment::read(variable), filter) {
        (Ok(mut environment), Ok(filter)) => {
            if let Some(folder) = &options.data_dir {
                environment.data_dir.clone_from(folder);
            }
            if let Some(folder) = &options.strategies_dir {
                environment.strategies_dir.clone_from(folder);
            }
            logging::start(filter, environment.log_format, serves && environment.telemetry.is_some());
            for EnvError { name, problem } in &environment.warnings {
                tracing::warn!(variable = name, "{problem}");
            }
            Ok(environment)
        }
        (read, filter) => {
            let errors = read.err().into_iter().flatten().chain(filter.err());
            Err(CliError::Environment(errors.collect()))
        }
    }
}

impl Session {
    async fn open(&self) -> Result<App, CliError> {
        App::open(self.environment.clone(), Children::of_this_program()).await.map_err(CliError::of_app)
    }

    /// Compiles the strategies in the folder, and returns which of them can't be used.
    async fn load_strategies(&self, app: &App) -> Result<Vec<String>, CliError> {
        let folder = &self.environment.strategies_dir;
        if let Some(problem) = nothing_in(folder) {
            return Err(CliError::NoStrategies { path: folder.clone(), problem });
        }
        app.load_strategies().await.map_err(CliError::of_app)?;
        let problems = problems(&app.registry);
        if app.registry.strategies().is_empty() { Err(CliError::NoneUsable(problems)) } else { Ok(problems) }
    }

    /// Like [`load_strategies`](Self::load_strategies), for commands that can do without any strategy. A folder that
    /// can't be read is still an error: an operator who changes which module decides has to know which one does.
    async fn load_bundled(&self, app: &App) -> Result<Vec<String>, CliError> {
        let folder = &self.environment.strategies_dir;
        if let Err(error) = folder.read_dir() {
            return Err(CliError::NoStrategies { path: folder.clone(), problem: unreadable(&error) });
        }
        app.load_strategies().await.map_err(CliError::of_app)?;
        Ok(problems(&app.registry))
    }

    /// Writes beside the answer which strategies are missing from it. An answer in JSON contains them.
    fn note_problems(&self, problems: &[String]) {
        if !self.output.json {
            for problem in problems {
                output::note(&format!("not available: {problem}"));
            }
        }
    }
}

fn problems(registry: &Registry) -> Vec<String> {
    match &*registry.progress() {
        Progress::Loading | Progress::Ready => Vec::new(),
        Progress::Incomplete(problems) => problems.clone(),
    }
}

fn unreadable(error: &io::Error) -> String {
    format!("can't be read ({error})")
}

/// Why there is no module in the folder, if so.
fn nothing_in(folder: &Path) -> Option<String> {
    match folder.read_dir() {
        Err(error) => Some(unreadable(&error)),
        Ok(entries) => {
            let mut names = entries.flatten().map(|entry| entry.path());
            let any = names.any(|path| path.extension().is_some_and(|extension| extension == "wasm"));
            (!any).then(|| "holds no *.wasm".to_owned())
        }
    }
}
