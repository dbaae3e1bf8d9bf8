//! What `docs/architecture.md` promises about the tree, checked on the source of the host's crates.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod apart;
mod folders;
mod imports;
mod page;
mod source;
