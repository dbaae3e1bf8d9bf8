//! The part of WASI 0.2 that a guest may import, with no system behind it.
//!
//! Some languages' runtimes import WASI whether or not the author uses it. Here every clock shows the candle's close,
//! random numbers come from the job's seed, and there are no environment variables, arguments or files. Text that is
//! written to standard output or standard error becomes a line of the guest's log. Every other import traps when it is
//! called.

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

/// These types mark the kinds of handles. No handle has anything behind it.
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

/// How many bytes a guest may write at once.
const WRITE_PERMIT: u64 = 4096;
/// The handle of standard error. The other streams have handle 0.
const STDERR: u32 = 2;

/// A linker that defines each interface under the version that the component imports. A definition under another
/// version, even a compatible one, would lose to the traps that stand for all other imports.
struct Virtual<'a> {
    linker: &'a mut Linker<GuestState>,
    version: String,
}

impl Virtual<'_> {
    fn interface(&mut self, name: &str) -> wasmtime::Result<LinkerInstance<'_, GuestState>> {
        self.linker.instance(&format!("{name}@{}", self.version))
    }
}

/// Links everything that `component` imports from WASI, in the given versions. There must be exactly one version: a
/// mixture is refused, since the handles of one version are not those of another.
pub(crate) fn link(
    linker: &mut Linker<GuestState>,
    component: &Component,
    versions: &[String],
) -> wasmtime::Result<()> {
    let [version] = versions else {
        wasmtime::bail!("it imports WASI in several versions, {}: build it against one", versions.join(" and "));
    };
    let mut linker = Virtual { linker, version: version.clone() };
    link_io(&mut linker)?;
    link_clocks(&mut linker)?;
    link_random(&mut linker)?;
    link_cli(&mut linker)?;
    let mut types = linker.interface("wasi:filesystem/types")?;
    resource::<Descriptor>(&mut types, "descriptor")?;
    resource::<InputStream>(&mut types, "input-stream")?;
    resource::<OutputStream>(&mut types, "output-stream")?;
    resource::<IoError>(&mut types, "error")?;
    let mut preopens = linker.interface("wasi:filesystem/preopens")?;
    resource::<Descriptor>(&mut preopens, "descriptor")?;
    preopens.func_wrap("get-directories", |_: StoreContextMut<'_, GuestState>, ()| {
        Ok((Vec::<(Resource<Descriptor>, String)>::new(),))
    })?;
    linker.linker.define_unknown_imports_as_traps(component)
}

/// Defines a kind of handle. An interface that uses another interface's handles must define them too.
fn resource<T: 'static>(instance: &mut LinkerInstance<'_, GuestState>, name: &str) -> wasmtime::Result<()> {
    instance.resource(name, ResourceType::host::<T>(), |_, _| Ok(()))
}

fn link_io(linker: &mut Virtual<'_>) -> wasmtime::Result<()> {
    let mut errors = linker.interface("wasi:io/error")?;
    resource::<IoError>(&mut errors, "error")?;
    let mut poll = linker.interface("wasi:io/poll")?;
    resource::<Pollable>(&mut poll, "pollable")?;
    // Everything is always ready: nothing here has to be waited for.
    poll.func_wrap("[method]pollable.ready", |_, (_,): (Resource<Pollable>,)| Ok((true,)))?;
    poll.func_wrap("[method]pollable.block", |_, (_,): (Resource<Pollable>,)| Ok(()))?;
    poll.func_wrap("poll", |_, (all,): (Vec<Resource<Pollable>>,)| Ok(((0..all.len() as u32).collect::<Vec<_>>(),)))?;
    let mut streams = linker.interface("wasi:io/streams")?;
    resource::<InputStream>(&mut streams, "input-stream")?;
    resource::<OutputStream>(&mut streams, "output-stream")?;
    resource::<IoError>(&mut streams, "error")?;
    resource::<Pollable>(&mut streams, "pollable")?;
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
    streams.func_wrap("[method]output-stream.subscribe", |_, (_,): (Resource<OutputStream>,)| {
        Ok((Resource::<Pollable>::new_own(0),))
    })?;
    streams.func_wrap("[method]input-stream.subscribe", |_, (_,): (Resource<InputStream>,)| {
        Ok((Resource::<Pollable>::new_own(0),))
    })?;
    Ok(())
}

fn link_clocks(linker: &mut Virtual<'_>) -> wasmtime::Result<()> {
    fn millis(store: &StoreContextMut<'_, GuestState>) -> u64 {
        u64::try_from(store.data().now.millis()).unwrap_or(0)
    }
    let mut wall = linker.interface("wasi:clocks/wall-clock")?;
    wall.func_wrap("now", |store, ()| {
        let millis = millis(&store);
        Ok((Datetime { seconds: millis / 1000, nanoseconds: (millis % 1000) as u32 * 1_000_000 },))
    })?;
    wall.func_wrap("resolution", |_, ()| Ok((Datetime { seconds: 0, nanoseconds: 1_000_000 },)))?;
    let mut monotonic = linker.interface("wasi:clocks/monotonic-clock")?;
    resource::<Pollable>(&mut monotonic, "pollable")?;
    monotonic.func_wrap("now", |store, ()| Ok((millis(&store).saturating_mul(1_000_000),)))?;
    monotonic.func_wrap("resolution", |_, ()| Ok((1_000_000_u64,)))?;
    for name in ["subscribe-duration", "subscribe-instant"] {
        monotonic.func_wrap(name, |_, (_,): (u64,)| Ok((Resource::<Pollable>::new_own(0),)))?;
    }
    Ok(())
}

fn link_random(linker: &mut Virtual<'_>) -> wasmtime::Result<()> {
    let packages = [
        ("random", "get-random-bytes", "get-random-u64"),
        ("insecure", "get-insecure-random-bytes", "get-insecure-random-u64"),
    ];
    for (interface, bytes, number) in packages {
        let mut random = linker.interface(&format!("wasi:random/{interface}"))?;
        random.func_wrap(bytes, |mut store, (length,): (u64,)| {
            // The bytes are copied into the guest's memory, which has its own limit. A larger block than this is
            // refused.
            let state: &mut GuestState = store.data_mut();
            if length > WRITE_PERMIT * 16 {
                wasmtime::bail!("it asked for {length} random bytes at once");
            }
            let drawn = (0..length.div_ceil(8)).flat_map(|_| state.draw().to_le_bytes()).take(length as usize);
            Ok((drawn.collect::<Vec<u8>>(),))
        })?;
        random.func_wrap(number, |mut store, ()| Ok((store.data_mut().draw(),)))?;
    }
    let mut seed = linker.interface("wasi:random/insecure-seed")?;
    seed.func_wrap("insecure-seed", |mut store, ()| {
        let state: &mut GuestState = store.data_mut();
        Ok(((state.draw(), state.draw()),))
    })
}

fn link_cli(linker: &mut Virtual<'_>) -> wasmtime::Result<()> {
    let mut environment = linker.interface("wasi:cli/environment")?;
    environment.func_wrap("get-environment", |_, ()| Ok((Vec::<(String, String)>::new(),)))?;
    environment.func_wrap("get-arguments", |_, ()| Ok((Vec::<String>::new(),)))?;
    environment.func_wrap("initial-cwd", |_, ()| Ok((None::<String>,)))?;
    let mut exit = linker.interface("wasi:cli/exit")?;
    exit.func_wrap("exit", |_, (status,): (Result<(), ()>,)| Err::<(), _>(GuestExit(status.is_ok()).into()))?;
    let mut stdin = linker.interface("wasi:cli/stdin")?;
    resource::<InputStream>(&mut stdin, "input-stream")?;
    stdin.func_wrap("get-stdin", |_, ()| Ok((Resource::<InputStream>::new_own(0),)))?;
    let mut stdout = linker.interface("wasi:cli/stdout")?;
    resource::<OutputStream>(&mut stdout, "output-stream")?;
    stdout.func_wrap("get-stdout", |_, ()| Ok((Resource::<OutputStream>::new_own(0),)))?;
    let mut stderr = linker.interface("wasi:cli/stderr")?;
    resource::<OutputStream>(&mut stderr, "output-stream")?;
    stderr.func_wrap("get-stderr", |_, ()| Ok((Resource::<OutputStream>::new_own(STDERR),)))?;
    link_terminals(linker)
}

/// No stream is a terminal.
fn link_terminals(linker: &mut Virtual<'_>) -> wasmtime::Result<()> {
    resource::<TerminalInput>(&mut linker.interface("wasi:cli/terminal-input")?, "terminal-input")?;
    resource::<TerminalOutput>(&mut linker.interface("wasi:cli/terminal-output")?, "terminal-output")?;
    let mut input = linker.interface("wasi:cli/terminal-stdin")?;
    resource::<TerminalInput>(&mut input, "terminal-input")?;
    input.func_wrap("get-terminal-stdin", |_, ()| Ok((None::<Resource<TerminalInput>>,)))?;
    for stream in ["stdout", "stderr"] {
        let mut output = linker.interface(&format!("wasi:cli/terminal-{stream}"))?;
        resource::<TerminalOutput>(&mut output, "terminal-output")?;
        output.func_wrap(&format!("get-terminal-{stream}"), |_, ()| Ok((None::<Resource<TerminalOutput>>,)))?;
    }
    Ok(())
}
