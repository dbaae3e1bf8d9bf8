//! `ta-bot test`: a project's native tests, and its cases, which are run in the sandbox as the service would run them.

use std::{
    fmt,
    io::{self, IsTerminal as _},
    path::Path,
    process::ExitCode,
    time::Instant,
};

use serde::Serialize;

use super::{
    Session,
    args::TestWanted,
    build::Built,
    error::{CliError, FAILED, ProjectError},
    output::{note, plain},
    project::{
        Component, Project, Purpose,
        cases::{Case, Cases},
        need,
        signals::Answers,
    },
    strategies::docs::Market,
};

/// How many differences of a case are named.
const MOST_TOLD: usize = 10;

/// Runs everything, and says what does not hold. Returns the exit code.
pub(super) fn test(session: &Session, wanted: &TestWanted) -> Result<ExitCode, CliError> {
    let project = Project::open(&wanted.folder)?;
    need(&project, Purpose::Test, false, |_| ())?;
    need(&project, Purpose::Build, false, |_| ())?;
    let native = Native::run(session, &project)?;
    tell(session, "building the component");
    let begun = Instant::now();
    project.build()?;
    let built = Built::new(&project.component(), begun)?;
    let cases = match &project.recipe.test.cases {
        Some(file) => run_cases(session, &project, &project.path(file), wanted.bless)?,
        None => Vec::new(),
    };
    let tested = Tested { native, built, cases };
    session.output.answer(&tested)?;
    Ok(if tested.passed() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

/// Says what is going on to a person who waits.
fn tell(session: &Session, text: &str) {
    if !session.output.json && io::stderr().is_terminal() {
        note(text);
    }
}

/// Runs the cases of a file with the component that is built. With `bless`, what came becomes what has to come.
fn run_cases(session: &Session, project: &Project, file: &Path, bless: bool) -> Result<Vec<Ran>, CliError> {
    let mut cases = Cases::read(file)?;
    let component = Component::load(project, &session.environment)?;
    tell(session, "running the cases");
    let mut ran = Vec::new();
    for case in &mut cases.cases {
        let answers = ask(project, &component, case)?;
        // A failure is never what has to come.
        let blessed = bless && answers.failures.is_empty();
        if blessed {
            case.bless(&answers);
        }
        ran.push(Ran::new(case, &answers, blessed));
    }
    if bless {
        cases.write(file)?;
    }
    Ok(ran)
}

/// What the strategy says on the candles of a case.
fn ask(project: &Project, component: &Component, case: &Case) -> Result<Answers, CliError> {
    let files: Vec<_> = case.candles.iter().map(|file| project.path(file)).collect();
    let history = Market::read(&files)?.into_history();
    let refused = |problem| ProjectError::Case { case: case.name.clone(), problem };
    let parameters = component.parameters(&case.parameters).map_err(refused)?;
    Ok(component.ask(&parameters, &history))
}

#[derive(Serialize)]
struct Tested {
    /// `None` if there are none.
    native: Option<Native>,
    built: Built,
    cases: Vec<Ran>,
}

impl Tested {
    fn passed(&self) -> bool {
        self.native.as_ref().is_none_or(|native| native.problem.is_none())
            && self.cases.iter().all(|case| case.differences.is_empty())
    }
}

/// The native tests.
#[derive(Serialize)]
struct Native {
    /// What the tests said, if they failed.
    problem: Option<String>,
}

impl Native {
    fn run(session: &Session, project: &Project) -> Result<Option<Self>, ProjectError> {
        if project.recipe.test.commands.is_empty() {
            return Ok(None);
        }
        tell(session, "running the native tests");
        match project.test() {
            Ok(()) => Ok(Some(Self { problem: None })),
            // The cases are run all the same.
            Err(failed @ ProjectError::Failed { .. }) => Ok(Some(Self { problem: Some(failed.to_string()) })),
            Err(other) => Err(other),
        }
    }
}

/// A case that was run.
#[derive(Serialize)]
struct Ran {
    name: String,
    candles: usize,
    signals: usize,
    /// Whether the signals that came were written into the file.
    blessed: bool,
    differences: Vec<String>,
}

impl Ran {
    fn new(case: &Case, answers: &Answers, blessed: bool) -> Self {
        let (candles, signals) = (answers.candles, answers.signals.len());
        Self { name: case.name.clone(), candles, signals, blessed, differences: case.differences(answers) }
    }
}

impl fmt::Display for Tested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.native.as_ref().map(|native| &native.problem) {
            Some(Some(problem)) => writeln!(f, "native tests: FAILED\n{}\n", plain(problem))?,
            Some(None) => writeln!(f, "native tests: passed")?,
            None => {}
        }
        writeln!(f, "{}", self.built)?;
        for Ran { name, candles, signals, blessed, differences } in &self.cases {
            let told = format!("{signals} signals on {candles} candles");
            match (differences.is_empty(), blessed) {
                (true, true) => writeln!(f, "case {name:?}: {told}, written as what is expected")?,
                (true, false) => writeln!(f, "case {name:?}: {told}, as expected")?,
                (false, _) => writeln!(f, "case {name:?}: {told}, FAILED")?,
            }
            for difference in differences.iter().take(MOST_TOLD) {
                writeln!(f, "  {}", plain(difference))?;
            }
            if differences.len() > MOST_TOLD {
                writeln!(f, "  and {} more", differences.len() - MOST_TOLD)?;
            }
        }
        let failed = self.cases.iter().filter(|case| !case.differences.is_empty()).count();
        match (self.passed(), failed) {
            (true, _) => write!(f, "everything holds"),
            (false, 0) => write!(f, "the native tests failed"),
            (false, failed) => {
                write!(f, "{failed} of {} cases failed; if what came is right: ta-bot test --bless", self.cases.len())
            }
        }
    }
}
