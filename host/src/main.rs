//! The binary `ta-bot`. Everything is in the library, where tests reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    ta_bot::cli::run(std::env::args_os())
}
