//! A module that is tried in a child, and the child's side of everything that is asked of it.

use std::{
    ffi::OsString,
    io::{self, Write as _},
    process::ExitCode,
    thread,
    time::Duration,
};

use super::{LoadError, StrategyModule};
use crate::{
    child::{Answer, CANT_BEGIN, Death, Request, Task, Told, Walls, read, write},
    compile::{CompileCost, Compiled, Unfit, engine_key, here},
    engine::Sandbox,
    inspect::{LARGEST_MODULE, inspect},
};

/// How much stack a thread has that reads, compiles or loads in a child. The service's threads have twice that, so what
/// went well here does not go too deep there.
const STACK: usize = 1 << 20;
/// How much stack the compiler has, on all of its threads.
const COMPILER_STACK: usize = 2 << 20;
/// How much code a child takes of its parent.
const MOST_CODE: u64 = 1 << 30;

/// Tries a module as `judge` says, and returns what `judge` returns. If `sandbox` has children, one of them compiles
/// the module and another one tries it: there, it is `judge` of [`serve_child`] that is called.
pub fn attempt(
    sandbox: &Sandbox,
    bytes: &[u8],
    judge: impl FnOnce(Result<StrategyModule, LoadError>) -> String,
) -> Result<String, LoadError> {
    attempt_compiled(sandbox, &sandbox.compiled(bytes)?, judge)
}

/// Loads a module, and tries it like [`attempt`]. It is compiled once for both.
pub fn load_and_attempt(
    sandbox: &Sandbox,
    bytes: &[u8],
    judge: impl FnOnce(Result<StrategyModule, LoadError>) -> String,
) -> Result<(StrategyModule, Result<String, LoadError>), LoadError> {
    let compiled = sandbox.compiled(bytes)?;
    let module = StrategyModule::of(sandbox, &compiled)?;
    Ok((module, attempt_compiled(sandbox, &compiled, judge)))
}

fn attempt_compiled(
    sandbox: &Sandbox,
    compiled: &Compiled,
    judge: impl FnOnce(Result<StrategyModule, LoadError>) -> String,
) -> Result<String, LoadError> {
    let Some(children) = sandbox.children() else {
        return Ok(judge(StrategyModule::of(sandbox, compiled)));
    };
    let request = Request {
        task: Task::Try,
        limits: *sandbox.limits(),
        counts_fuel: sandbox.counts_fuel,
        inspection: Some(compiled.inspection.clone()),
    };
    let code = &compiled.code;
    let (answer, _) = children.ask(&request, &mut code.as_slice(), code.len() as u64).map_err(Unfit::from)?;
    match answer.told {
        Told::Tried(judgement) => Ok(judgement),
        Told::Read(_) | Told::Refused(_) | Told::NotCompiled(_) => Err(Unfit::from(Death::no_answer()).into()),
    }
}

/// Runs a child: raises its walls, reads one request, answers it, and ends. `arguments` are those after
/// [`SUBCOMMAND`](crate::SUBCOMMAND); `judge` says what becomes of a module that is tried.
pub fn serve_child(
    arguments: &[OsString],
    judge: impl FnOnce(Result<StrategyModule, LoadError>) -> String + Send,
) -> ExitCode {
    let begun = Walls::of(arguments).ok_or_else(|| "this is no command for people".to_owned());
    let is_walled = match begun.and_then(Walls::raise) {
        Ok(is_walled) => is_walled,
        Err(problem) => return cant_begin(&problem),
    };
    // The threads are made before a module can be blamed for what keeps them from being made.
    if let Err(error) = rayon::ThreadPoolBuilder::new().stack_size(COMPILER_STACK).build_global() {
        return cant_begin(&error.to_string());
    }
    let served = thread::scope(|scope| {
        let stack = thread::Builder::new().name("module".to_owned()).stack_size(STACK);
        Ok::<_, io::Error>(stack.spawn_scoped(scope, || serve(is_walled, judge))?.join())
    });
    match served {
        Ok(Ok(Ok(()))) => ExitCode::SUCCESS,
        Ok(Ok(Err(error))) | Err(error) => cant_begin(&error.to_string()),
        // The panic has been written.
        Ok(Err(_)) => ExitCode::from(101),
    }
}

fn cant_begin(problem: &str) -> ExitCode {
    // If nobody reads it, there is nobody to tell.
    writeln!(io::stderr(), "{problem}").ok();
    ExitCode::from(CANT_BEGIN)
}

/// Reads a request from standard input, and answers on standard output.
fn serve(is_walled: bool, judge: impl FnOnce(Result<StrategyModule, LoadError>) -> String) -> io::Result<()> {
    let (request, bytes): (Request, Vec<u8>) = read(&mut io::stdin().lock(), MOST_CODE)?;
    let (engine, told, code) = match request.task {
        Task::Inspect => {
            (None, inspect(&bytes).map_or_else(Told::Refused, |found| Told::Read(Box::new(found))), Vec::new())
        }
        Task::Compile => compile(&request, &bytes)?,
        Task::Try => (None, Told::Tried(judge(load(request, bytes)?)), Vec::new()),
    };
    write(&mut io::stdout().lock(), &Answer { engine, told, is_walled }, &mut code.as_slice(), code.len() as u64)
}

fn compile(request: &Request, bytes: &[u8]) -> io::Result<(Option<String>, Told, Vec<u8>)> {
    if bytes.len() > LARGEST_MODULE {
        return Err(io::Error::other("the module is too large"));
    }
    let engine = Sandbox::in_child(request.limits, request.counts_fuel).map_err(io::Error::other)?.engine;
    let compiled = thread::scope(|scope| {
        let stack = thread::Builder::new().name("compiler".to_owned()).stack_size(COMPILER_STACK);
        Ok::<_, io::Error>(stack.spawn_scoped(scope, || here(&engine, bytes))?.join())
    })?;
    let compiled = compiled.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    Ok(match compiled {
        Ok((inspection, code)) => (Some(engine_key(&engine)), Told::Read(Box::new(inspection)), code),
        Err(Unfit::Refused(refusal)) => (None, Told::Refused(refusal), Vec::new()),
        Err(Unfit::NotCompiled(words)) => (None, Told::NotCompiled(words), Vec::new()),
    })
}

/// Loads the code of a request.
fn load(request: Request, code: Vec<u8>) -> io::Result<Result<StrategyModule, LoadError>> {
    let sandbox = Sandbox::in_child(request.limits, request.counts_fuel).map_err(io::Error::other)?;
    let inspection = request.inspection.ok_or_else(|| io::Error::other("it has no inspection"))?;
    let cost = CompileCost { cached: true, duration: Duration::ZERO };
    Ok(StrategyModule::of(&sandbox, &Compiled { inspection, code, cost }))
}
