//! The binary `ta-bot`. Everything else is in the library, where tests can reach it.

use std::process::ExitCode;

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    ta_bot::cli::run(std::env::args_os())
}
