//! The part of WASI 0.2 that a guest may import, without a system behind it.
//!
//! Some languages' runtimes import WASI whether the author uses it or not. Here every clock shows the candle's close,
//! chance comes from the job's seed, environment, arguments and files are empty, and what is written to standard
//! output or error becomes a line of the guest's log. Whatever else is imported traps when it is called.

use std::fmt;

use wasmtime::{
    StoreContextMut,
    component::{Component, ComponentType, Lift, Linker, LinkerInstance, Lower, Resource, ResourceType},
};

use crate::guest::{GuestState, LogLevel};

/// The guest called `exit`.
#[derive(Debug)]
pub(crate) struct GuestExit(bool);

impl fmt::Display for GuestExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it called exit, with {}", if self.0 { "success" } else { "failure" })
    }
}

impl std::error::Error for GuestExit {}

/// Marks a handle of each kind; there is nothing behind any.
enum InputStream {}
enum OutputStream {}
enum IoError {}
enum Pollable {}
enum Descriptor {}
enum TerminalInput {}
enum TerminalOutput {}

#[derive(ComponentType, Lift, Lower)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    LastOperationFailed(Resource<IoError>),
    #[component(name = "closed")]
    Closed,
}

/// How much of a line is written at once, in bytes.
const WRITE_PERMIT: u64 = 4096;
/// The handle that stands for standard error; the other streams have 0.
const STDERR: u32 = 2;

/// Gives `component` everything of WASI that it imports.
pub(crate) fn link(linker: &mut Linker<GuestState>, component: &Component) -> wasmtime::Result<()> {
    link_io(linker)?;
    link_clocks(linker)?;
    link_random(linker)?;
    link_cli(linker)?;
    let mut types = linker.instance("wasi:filesystem/types@0.2.0")?;
    resource::<Descriptor>(&mut types, "descriptor")?;
    let mut preopens = linker.instance("wasi:filesystem/preopens@0.2.0")?;
    preopens.func_wrap("get-directories", |_: StoreContextMut<'_, GuestState>, ()| {
        Ok((Vec::<(Resource<Descriptor>, String)>::new(),))
    })?;
    linker.define_unknown_imports_as_traps(component)
}

fn resource<T: 'static>(instance: &mut LinkerInstance<'_, GuestState>, name: &str) -> wasmtime::Result<()> {
    instance.resource(name, ResourceType::host::<T>(), |_, _| Ok(()))
}

fn link_io(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    let mut errors = linker.instance("wasi:io/error@0.2.0")?;
    resource::<IoError>(&mut errors, "error")?;
    let mut poll = linker.instance("wasi:io/poll@0.2.0")?;
    resource::<Pollable>(&mut poll, "pollable")?;
    // Nothing here ever has to be waited for.
    poll.func_wrap("[method]pollable.ready", |_, (_,): (Resource<Pollable>,)| Ok((true,)))?;
    poll.func_wrap("[method]pollable.block", |_, (_,): (Resource<Pollable>,)| Ok(()))?;
    poll.func_wrap("poll", |_, (all,): (Vec<Resource<Pollable>>,)| Ok(((0..all.len() as u32).collect::<Vec<_>>(),)))?;
    let mut streams = linker.instance("wasi:io/streams@0.2.0")?;
    resource::<InputStream>(&mut streams, "input-stream")?;
    resource::<OutputStream>(&mut streams, "output-stream")?;
    for name in ["[method]input-stream.read", "[method]input-stream.blocking-read"] {
        streams
            .func_wrap(name, |_, (_, _): (Resource<InputStream>, u64)| Ok((Err::<Vec<u8>, _>(StreamError::Closed),)))?;
    }
    streams.func_wrap("[method]output-stream.check-write", |_, (_,): (Resource<OutputStream>,)| {
        Ok((Ok::<_, StreamError>(WRITE_PERMIT),))
    })?;
    for name in ["[method]output-stream.write", "[method]output-stream.blocking-write-and-flush"] {
        streams.func_wrap(name, |mut store, (stream, bytes): (Resource<OutputStream>, Vec<u8>)| {
            let level = if stream.rep() == STDERR { LogLevel::Error } else { LogLevel::Info };
            let state: &mut GuestState = store.data_mut();
            state.log(level, String::from_utf8_lossy(&bytes).trim_end())?;
            Ok((Ok::<_, StreamError>(()),))
        })?;
    }
    for name in ["[method]output-stream.flush", "[method]output-stream.blocking-flush"] {
        streams.func_wrap(name, |_, (_,): (Resource<OutputStream>,)| Ok((Ok::<_, StreamError>(()),)))?;
    }
    for name in ["[method]output-stream.subscribe", "[method]input-stream.subscribe"] {
        if name.contains("output") {
            streams.func_wrap(name, |_, (_,): (Resource<OutputStream>,)| Ok((Resource::<Pollable>::new_own(0),)))?;
        } else {
            streams.func_wrap(name, |_, (_,): (Resource<InputStream>,)| Ok((Resource::<Pollable>::new_own(0),)))?;
        }
    }
    Ok(())
}

fn link_clocks(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    fn millis(store: &StoreContextMut<'_, GuestState>) -> u64 {
        u64::try_from(store.data().now.millis()).unwrap_or(0)
    }
    let mut wall = linker.instance("wasi:clocks/wall-clock@0.2.0")?;
    wall.func_wrap("now", |store, ()| {
        let millis = millis(&store);
        Ok((Datetime { seconds: millis / 1000, nanoseconds: (millis % 1000) as u32 * 1_000_000 },))
    })?;
    wall.func_wrap("resolution", |_, ()| Ok((Datetime { seconds: 0, nanoseconds: 1_000_000 },)))?;
    let mut monotonic = linker.instance("wasi:clocks/monotonic-clock@0.2.0")?;
    monotonic.func_wrap("now", |store, ()| Ok((millis(&store).saturating_mul(1_000_000),)))?;
    monotonic.func_wrap("resolution", |_, ()| Ok((1_000_000_u64,)))?;
    for name in ["subscribe-duration", "subscribe-instant"] {
        monotonic.func_wrap(name, |_, (_,): (u64,)| Ok((Resource::<Pollable>::new_own(0),)))?;
    }
    Ok(())
}

fn link_random(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    let packages = [
        ("random", "get-random-bytes", "get-random-u64"),
        ("insecure", "get-insecure-random-bytes", "get-insecure-random-u64"),
    ];
    for (interface, bytes, number) in packages {
        let mut random = linker.instance(&format!("wasi:random/{interface}@0.2.0"))?;
        random.func_wrap(bytes, |mut store, (length,): (u64,)| {
            // What a guest asks for is taken from its own memory limit, and a larger block than that can't reach it.
            let state: &mut GuestState = store.data_mut();
            if length > WRITE_PERMIT * 16 {
                wasmtime::bail!("it asked for {length} random bytes at once");
            }
            let drawn = (0..length.div_ceil(8)).flat_map(|_| state.draw().to_le_bytes()).take(length as usize);
            Ok((drawn.collect::<Vec<u8>>(),))
        })?;
        random.func_wrap(number, |mut store, ()| Ok((store.data_mut().draw(),)))?;
    }
    let mut seed = linker.instance("wasi:random/insecure-seed@0.2.0")?;
    seed.func_wrap("insecure-seed", |mut store, ()| {
        let state: &mut GuestState = store.data_mut();
        Ok(((state.draw(), state.draw()),))
    })
}

fn link_cli(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    let mut environment = linker.instance("wasi:cli/environment@0.2.0")?;
    environment.func_wrap("get-environment", |_, ()| Ok((Vec::<(String, String)>::new(),)))?;
    environment.func_wrap("get-arguments", |_, ()| Ok((Vec::<String>::new(),)))?;
    environment.func_wrap("initial-cwd", |_, ()| Ok((None::<String>,)))?;
    let mut exit = linker.instance("wasi:cli/exit@0.2.0")?;
    exit.func_wrap("exit", |_, (status,): (Result<(), ()>,)| Err::<(), _>(GuestExit(status.is_ok()).into()))?;
    let mut stdin = linker.instance("wasi:cli/stdin@0.2.0")?;
    stdin.func_wrap("get-stdin", |_, ()| Ok((Resource::<InputStream>::new_own(0),)))?;
    let mut stdout = linker.instance("wasi:cli/stdout@0.2.0")?;
    stdout.func_wrap("get-stdout", |_, ()| Ok((Resource::<OutputStream>::new_own(0),)))?;
    let mut stderr = linker.instance("wasi:cli/stderr@0.2.0")?;
    stderr.func_wrap("get-stderr", |_, ()| Ok((Resource::<OutputStream>::new_own(STDERR),)))?;
    link_terminals(linker)
}

/// No stream is a terminal.
fn link_terminals(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    resource::<TerminalInput>(&mut linker.instance("wasi:cli/terminal-input@0.2.0")?, "terminal-input")?;
    resource::<TerminalOutput>(&mut linker.instance("wasi:cli/terminal-output@0.2.0")?, "terminal-output")?;
    let mut input = linker.instance("wasi:cli/terminal-stdin@0.2.0")?;
    input.func_wrap("get-terminal-stdin", |_, ()| Ok((None::<Resource<TerminalInput>>,)))?;
    for stream in ["stdout", "stderr"] {
        let mut output = linker.instance(&format!("wasi:cli/terminal-{stream}@0.2.0"))?;
        output.func_wrap(&format!("get-terminal-{stream}"), |_, ()| Ok((None::<Resource<TerminalOutput>>,)))?;
    }
    Ok(())
}
