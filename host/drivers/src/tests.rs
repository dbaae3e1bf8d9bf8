//! Tests of the embedded drivers. Tests of the other drivers are in `tests/tests/drivers`, with the servers they need.
//!
//! They are not inside the `sqlite` module, because the engine's unit tests compile its source.

mod sqlite;
