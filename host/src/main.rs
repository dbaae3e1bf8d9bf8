//! The binary `ta-bot`. Everything else is in the library, where tests can reach it.

use std::process::ExitCode;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    ta_bot::cli::run(std::env::args_os())
}
