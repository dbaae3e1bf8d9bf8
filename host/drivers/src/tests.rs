//! The tests of the embedded drivers. Those of the drivers of servers are in `tests/tests/drivers`, with the servers.
//!
//! They do not lie beneath `sqlite`, whose source the engine's unit tests compile in.

mod sqlite;
